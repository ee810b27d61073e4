local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused
local start = helper.start

-- A function that takes a second and counts its runs.
local function slow(result)
  local runs = 0
  return function(...)
    runs = runs + 1
    rille.sleep(1)
    if result == "fail" then error("failed", 0) end
    return result or runs, ...
  end, function() return runs end
end

describe("once, when the caller that runs it is cancelled", function()
  it("raises that caller's cancellation unchanged", function()
    run(function()
      local once, caught = rille.once((slow())), nil
      local task = start(function()
        local ok, err = pcall(once)
        caught = { ok, rille.is_cancellation(err), err.reason }
      end)
      task:cancel("enough")
      task:await()
      assert.same({ false, true, "enough" }, caught)
    end)
  end)

  it("lets the next one that waits run it", function()
    run(function()
      local fn, runs = slow("value")
      local once = rille.once(fn)
      local first, second, third = start(once), start(once), start(once)
      rille.sleep(0.5)
      first:cancel()
      assert.equal("value", (second:await()))
      assert.equal("value", (third:await()))
      assert.equal(2, runs())
      assert.equal(1.5, rille.now())
    end)
  end)

  it("passes it on as often as need be", function()
    run(function()
      local fn, runs = slow("value")
      local once = rille.once(fn)
      local tasks = {}
      for i = 1, 5 do tasks[i] = start(once) end
      for i = 1, 4 do
        rille.sleep(0.5)
        tasks[i]:cancel()
      end
      assert.equal("value", (tasks[5]:await()))
      assert.equal(5, runs())
    end)
  end)

  it("lets a later call run it if nobody waits", function()
    run(function()
      local fn, runs = slow("value")
      local once = rille.once(fn)
      start(once):cancel()
      rille.sleep(0.5)
      assert.equal("value", (once()))
      assert.equal(2, runs())
    end)
  end)

  it("lets one whose deadline has fired be nil, timeout", function()
    run(function()
      local once = rille.once((slow("value")))
      local second = start(function() return rille.timeout(0.5, once) end)
      refused("timeout", second:await())
      assert.equal("value", (once()))
    end)
  end)

  it("shares the results if it returned them nevertheless", function()
    run(function()
      local once = rille.once(function() pcall(rille.sleep, 1) return "value" end)
      local first, second = start(once), start(once)
      first:cancel()
      assert.equal("value", (second:await()))
    end)
  end)

  it("shares the failure that it made of it", function()
    run(function()
      local once = rille.once(function() pcall(rille.sleep, 1) error("worse", 0) end)
      local first, second = start(once), start(once)
      first:cancel()
      first:await()
      assert.same({ nil, "worse" }, { second:await() })
    end)
  end)

  it("lets the next one run it when its coroutine had to be closed", function()
    local runs = 0
    run(function()
      local once = rille.once(function()
        runs = runs + 1
        if runs > 1 then return "value" end
        while true do pcall(rille.sleep, 1) end
      end)
      local second
      raises(function()
        rille.scope({ on_error = "continue" }, function(s)
          local first = s:task(once)
          rille.yield()
          second = start(once)
          first:cancel()
        end)
      end, "invalid")
      assert.equal("value", (second:await()))
    end)
  end)
end)

describe("once, when a caller that waits is cancelled", function()
  it("harms nobody", function()
    run(function()
      local fn, runs = slow("value")
      local once = rille.once(fn)
      local first, second, third = start(once), start(once), start(once)
      second:cancel()
      refused("cancelled", second:await())
      assert.equal("value", (first:await()))
      assert.equal("value", (third:await()))
      assert.equal(1, runs())
    end)
  end)

  it("does not hand it the run", function()
    run(function()
      local once = rille.once((slow("value")))
      local first, second, third = start(once), start(once), start(once)
      second:cancel()
      first:cancel()
      assert.equal("value", (third:await()))
    end)
  end)

  it("hands the run on when it was given it in the same turn", function()
    run(function()
      local once = rille.once((slow("value")))
      local first, second, third = start(once), start(once), start(once)
      first:cancel()
      rille.yield()
      second:cancel()
      assert.equal("value", (third:await()))
    end)
  end)
end)

describe("once in a cancelled task", function()
  it("raises even when it need not wait", function()
    run(function()
      local once = rille.once(function() return 1 end)
      once()
      rille.scope(function(s)
        s:cancel()
        local ok, err = pcall(once)
        assert.is_false(ok)
        assert.is_true(rille.is_cancellation(err))
      end)
    end)
  end)

  it("does not run the function", function()
    run(function()
      local fn, runs = slow()
      rille.scope(function(s)
        s:cancel()
        rille.once(fn)()
      end)
      assert.equal(0, runs())
    end)
  end)
end)
