-- The coroutines in which a task waited stayed the engine's after the task had
-- been closed for catching its cancellation for ever: others, made where they
-- had been in memory, could not be resumed.
local rille = require "rille"
local helper = require "spec.helper"

local function sleep_for_ever()
  while true do pcall(rille.sleep, 100) end
end

local function in_generators()
  rille.coroutine.wrap(function() rille.coroutine.wrap(sleep_for_ever)() end)()
end

describe("the generators of a task that was closed", function()
  it("leave nothing to the coroutines that come after", function()
    helper.run(function()
      for _ = 1, 20 do
        local task = rille.root():task(in_generators)
        rille.yield()
        task:cancel()
        task:await()
      end
      collectgarbage()
      local list = {}
      for i = 1, 300 do
        list[i] = coroutine.create(coroutine.yield)
        coroutine.resume(list[i])
        assert.same({ true }, { rille.coroutine.resume(list[i]) })
      end
    end)
  end)
end)
