-- What a generator waited with lay in its stack alone: closed by Lua's own
-- coroutine.close and collected, the wait was freed memory.

local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

-- Starts a task whose generator calls `wait`; closes that once it waits.
local function close_waiting(wait)
  local inner
  local task = rille.root():task(function()
    inner = rille.coroutine.create(wait)
    return rille.coroutine.resume(inner)
  end)
  rille.sleep(0.5)
  coroutine.close(inner)
  inner = nil -- luacheck: ignore
  for _ = 1, 3 do collectgarbage() end
  for _ = 1, 1000 do rille.channel(1) end
  return task
end

describe("a generator that was closed while it waited", function()
  it("in a select leaves the wait whole", function()
    run(function()
      local ch = rille.channel()
      local task = close_waiting(function() rille.select { { ch }, { rille.channel() } } end)
      ch:try_send(1)
      local ok, err = task:await()
      assert.is_nil(ok)
      assert.truthy(err:find "dead coroutine")
    end)
  end)

  it("for a limiter leaves the queue whole", function()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      limiter:acquire()
      local task = close_waiting(function() limiter:acquire() end)
      limiter:acquire()
      assert.equal(2, rille.now())
      assert.is_nil((task:await()))
    end)
  end)
end)
