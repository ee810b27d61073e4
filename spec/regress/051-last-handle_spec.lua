-- When the last libuv handle closed in a callback that woke no task, nothing
-- ran a turn any more: a deadlock hung, and a virtual clock stood still.

local rille = require "rille"
local helper = require "spec.helper"

describe("the last handle that closes without waking a task", function()
  local uv

  setup(function() uv = rille.uv() end)

  local openers = {
    timer = function()
      local timer = uv.new_timer()
      timer:start(1, 0, function() timer:close() end)
    end,
    ["timer with a close callback"] = function()
      local timer = uv.new_timer()
      timer:start(1, 0, function() timer:close(function() end) end)
    end,
    pipe = function()
      local ends = uv.pipe({ nonblock = true }, { nonblock = true })
      local reader, writer = uv.new_pipe(), uv.new_pipe()
      reader:open(ends.read)
      writer:open(ends.write)
      reader:read_start(function(_, data) if not data then reader:close() end end)
      writer:write("x", function() writer:close() end)
    end,
  }

  for name, open in pairs(openers) do
    for _, clock in ipairs { "real", "virtual" } do
      it("leaves a deadlock to be found: " .. name .. ", " .. clock .. " clock", function()
        helper.raises_kind("deadlock", function()
          helper.run({ clock = clock }, function()
            open()
            rille.channel():recv()
          end)
        end)
      end)
    end

    it("lets the virtual clock go on: " .. name, function()
      helper.run(function()
        open()
        rille.sleep(100)
        assert.equal(100, rille.now())
      end)
    end)
  end
end)
