-- A finalizer that ran while a task was being started ended the task's scope, between
-- the check that it is open and the start: a task without a scope, and a crash when it
-- was cancelled. So did one that ran while a scope was being opened inside.
local rille = require "rille"
local helper = require "spec.helper"

-- Calls act(...) so that `finalizer` runs at the first allocation in it.
local function with_finalizer(finalizer, act, ...)
  collectgarbage()
  collectgarbage "stop"
  collectgarbage("incremental", 1, 1000, 30) -- a whole cycle in one step
  setmetatable({}, { __gc = finalizer })
  collectgarbage "restart"
  local results = table.pack(pcall(act, ...))
  collectgarbage("incremental", 200, 100, 13)
  return table.unpack(results, 1, results.n)
end

describe("a finalizer that ends the scope", function()
  for name, options in pairs { go = false, task = {} } do
    it("in which a task is being started: " .. name, function()
      helper.run(function()
        local s, ended, ran = rille.scope(), nil, false
        local ok, err = with_finalizer(function()
          s:cancel()
          ended = s:close()
        end, s[name], s, function() ran = true end, options or nil)
        assert.is_true(ended)
        assert.is_false(ok)
        assert.is_true(rille.is_error(err, "closed"), tostring(err))
        rille.sleep(1)
        assert.is_false(ran)
      end)
    end)
  end

  it("in which another one is being opened", function()
    helper.run(function()
      local s, ended = rille.scope(), nil
      local ok, err = with_finalizer(function()
        s:cancel()
        ended = s:close()
      end, helper.core().scope_within, 1)
      assert.is_true(ended)
      assert.is_false(ok)
      assert.matches("has ended", tostring(err))
      rille.sleep(1)
    end)
  end)
end)
