-- Whether an error is a cancellation was found by a walk up the tree, several
-- times for each task that ended: 8000 tasks in one another took ten seconds
-- to be cancelled, 16000 more than a minute.
local rille = require "rille"
local helper = require "spec.helper"

-- A task in a scope of a task in a scope ..., n deep; fn() runs in the last.
local function descend(n, fn)
  rille.scope(function(s)
    if n == 1 then
      fn()
    else
      s:go(descend, n - 1, fn)
    end
    rille.sleep(1e6)
  end)
end

-- Four times as deep takes about four times as long.
local function check_linear(fn)
  helper.check_linear(function(n)
    local began = os.clock()
    helper.run(fn, n)
    return os.clock() - began
  end, 1000)
end

describe("tasks in one another, thousands deep,", function()
  it("are cancelled in time that grows as they do", function()
    check_linear(function(n)
      rille.timeout(1, descend, n, function() rille.sleep(1e6) end)
    end)
  end)

  for name, value in pairs { table = {}, ["engine error"] = false } do
    it("fail in time that grows as they do: an error that is a " .. name, function()
      check_linear(function(n)
        local ch = rille.channel()
        ch:close()
        local _, closed = ch:try_recv()
        pcall(descend, n, function() error(value or closed) end)
      end)
    end)
  end
end)
