-- A task that was closed for good (it had caught its own cancellation too often, or
-- somebody closed its coroutine) left the tasks of its scopes behind: nobody waited for
-- them, and what had cancelled them was gone when they asked for it: a crash.
local rille = require "rille"
local helper = require "spec.helper"

-- Never lets its cancellation pass: the engine closes it for that.
local function stubborn(child, started)
  return function()
    local s = rille.scope()
    s:go(child)
    started:set()
    while true do pcall(rille.sleep, 9) end
  end
end

describe("the tasks of a task that is closed for good", function()
  it("are waited for by the scope around it", function()
    local log = helper.log()
    helper.run(function()
      local started = rille.event()
      pcall(rille.scope, function(s)
        s:go(stubborn(function()
          rille.shield(rille.sleep, 5)
          log("child", rille.now())
        end, started))
        started:wait()
        rille.yield()
        s:cancel()
      end)
      log("left", rille.now())
    end)
    assert.equal("child:5 left:5", helper.text(log))
  end)

  it("are cancelled by what is still there", function()
    helper.run(function()
      local started, err = rille.event(), nil
      local task = rille.root():task(stubborn(function()
        rille.shield(rille.sleep, 5)
        collectgarbage()
        local _, why = pcall(rille.sleep, 1)
        err = why
        error(why, 0)
      end, started))
      started:wait()
      rille.yield()
      task:cancel()
      assert.equal("failed", (function() task:await() return task:status() end)())
      task = nil
      for _ = 1, 3 do
        collectgarbage()
        rille.sleep(2)
      end
      assert.is_true(rille.is_error(err, "cancelled"))
    end)
  end)
end)
