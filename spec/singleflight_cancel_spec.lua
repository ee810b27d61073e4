local rille = require "rille"
local helper = require "spec.helper"
local run, refused = helper.run, helper.refused
local start = helper.start

-- Waits a second, then returns its arguments.
local function slow(...)
  rille.sleep(1)
  return ...
end

describe("singleflight and cancellation", function()
  it("lets that of one who waits harm nobody", function()
    run(function()
      local g = rille.singleflight()
      local first, second = start(g.call, g, "k", slow, 1), start(g.call, g, "k", slow, 2)
      local third = start(g.call, g, "k", slow, 3)
      second:cancel()
      refused("cancelled", second:await())
      assert.equal(1, (first:await()))
      assert.equal(1, (third:await()))
      assert.equal(1, rille.now())
    end)
  end)

  it("lets the next one that waits run its own function in the leader's place", function()
    run(function()
      local g = rille.singleflight()
      local first, second = start(g.call, g, "k", slow, 1), start(g.call, g, "k", slow, 2)
      local third = start(g.call, g, "k", slow, 3)
      rille.sleep(0.5)
      first:cancel()
      refused("cancelled", first:await())
      assert.equal(2, (second:await()))
      assert.equal(2, (third:await()))
      assert.equal(1.5, rille.now())
    end)
  end)

  -- Calls `g` in a scope that is cancelled. Returns whether the error was that
  -- cancellation.
  local function passes(g)
    local same
    rille.scope(function(s)
      s:go(function() rille.sleep(0.5) s:cancel() end)
      local ok, err = pcall(g.call, g, "k", slow)
      same = not ok and rille.is_cancellation(err)
    end)
    return same
  end

  it("passes the leader's through by identity", function()
    run(function() assert.is_true(passes(rille.singleflight())) end)
  end)

  it("passes that of one who waits through by identity", function()
    run(function()
      local g = rille.singleflight()
      local first = start(g.call, g, "k", slow)
      assert.is_true(passes(g))
      first:await()
    end)
  end)

  it("is not spread when the function returns it", function()
    run(function()
      local g = rille.singleflight()
      local first = start(g.call, g, "k", function()
        local ok, err = pcall(rille.sleep, 9)
        return ok or nil, err
      end)
      local second = start(g.call, g, "k", slow, 2)
      first:cancel()
      assert.equal(2, (second:await()))
    end)
  end)

  it("of an inner scope is a failure like any other", function()
    run(function()
      local g = rille.singleflight()
      local function cancelled_inside()
        return rille.scope(function(s) rille.sleep(1) s:cancel() rille.yield() end)
      end
      local first = start(g.call, g, "k", cancelled_inside)
      local second = start(g.call, g, "k", slow, 2)
      refused("cancelled", first:await())
      refused("cancelled", second:await())
    end)
  end)

  it("leaves no key in flight", function()
    run(function()
      local g = rille.singleflight()
      local first, second = start(g.call, g, "k", slow), start(g.call, g, "k", slow)
      assert.equal(1, g:stats().active)
      first:cancel()
      second:cancel()
      helper.settle()
      assert.equal(0, g:stats().active)
    end)
  end)
end)

describe("singleflight call inside its own function", function()
  it("raises deadlock for the same key", function()
    run(function()
      local g = rille.singleflight()
      refused("deadlock", g:call("k", function() return g:call("k", slow) end))
    end)
  end)

  it("raises deadlock from a task that the function waits for", function()
    run(function()
      local g = rille.singleflight()
      refused("deadlock", g:call("k", function()
        return rille.hedge({ delay = 1 }, function() return g:call("k", slow) end)
      end))
    end)
  end)

  it("runs another key", function()
    run(function()
      local g = rille.singleflight()
      assert.equal(2, (g:call("a", function() return g:call("b", slow, 2) end)))
    end)
  end)
end)
