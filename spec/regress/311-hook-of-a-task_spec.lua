-- A hook that a task has set for itself went on in the tasks that ran after it in the
-- same coroutine, which is the engine's and not the task's.
local rille = require "rille"
local helper = require "spec.helper"

describe("a hook that a task sets", function()
  it("ends with the task", function()
    helper.run(function()
      rille.root():task(function()
        debug.sethook(function() error "a hook of another task" end, "", 1000000)
      end):await()
      for _ = 1, 3 do
        assert.is_true(rille.root():task(function()
          assert(debug.gethook() == nil, "a hook is set")
          return true
        end):await())
      end
    end)
  end)
end)
