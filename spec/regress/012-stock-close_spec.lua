-- Lua's own coroutine.close closed a task's coroutine under a wait: handlers ran
-- while others still found the task among the waiters, with no value on its
-- stack, and a collection freed what the waiters were linked to.
local rille = require "rille"
local helper = require "spec.helper"

local function collect() collectgarbage() end

describe("a waiting task's coroutine", function()
  it("is not closed by Lua's own library", function()
    helper.run(function()
      local thread
      local task = rille.root():task(function()
        local _ <close> = helper.closing(collect)
        thread = coroutine.running()
        return rille.channel():recv()
      end)
      rille.yield()
      helper.raises(function() coroutine.close(thread) end, "cancel its task")
      task:cancel()
      helper.refused("cancelled", task:await())
    end)
  end)

  it("keeps the value that it sends", function()
    helper.run(function()
      local ch, thread = rille.channel(), nil
      rille.root():go(function()
        local _ <close> = helper.closing(collect)
        thread = coroutine.running()
        ch:send "kept"
      end)
      rille.yield()
      pcall(coroutine.close, thread)
      assert.equal("kept", ch:recv())
    end)
  end)
end)

describe("another coroutine", function()
  it("is closed as ever", function()
    local co = coroutine.create(function() coroutine.yield() end)
    coroutine.resume(co)
    assert.is_true(coroutine.close(co))
  end)
end)
