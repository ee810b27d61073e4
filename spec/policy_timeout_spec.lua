local rille = require "rille"
local helper = require "spec.helper"
local run, refused, start = helper.run, helper.refused, helper.start

local function sleep_and_return(seconds, ...)
  rille.sleep(seconds)
  return ...
end

describe("policy timeout", function()
  it("is nil, timeout", function()
    run(function()
      refused("timeout", rille.policy { timeout = 1 }:call(rille.sleep, 2))
    end)
  end)

  it("lets the error that the function raises come back as nil, err", function()
    run(function()
      assert.same({ nil, "x" }, { rille.policy { timeout = 1 }:call(error, "x", 0) })
    end)
  end)

  it("is an ordinary failure to hedge: the next attempt starts at once", function()
    run(function()
      local calls = 0
      local p = rille.policy { hedge = { delay = 60 }, timeout = 1 }
      assert.equal(2, (p:call(function()
        calls = calls + 1
        local call = calls
        rille.sleep(call == 1 and 9 or 0.5)
        return call
      end)))
      assert.equal(1.5, rille.now())
    end)
  end)

  it("is an ordinary failure to fallback", function()
    run(function()
      local p = rille.policy { fallback = function(err) return err.kind end, timeout = 1 }
      assert.equal("timeout", (p:call(rille.sleep, 2)))
    end)
  end)
end)

describe("policy total_timeout", function()
  it("is nil, timeout, whatever the layers inside would still do", function()
    run(function()
      local p = rille.policy { total_timeout = 2.5, hedge = { delay = 60, max = 9 }, timeout = 1 }
      local err = refused("timeout", p:call(rille.sleep, 9))
      assert.is_nil(err.errors)
      assert.equal(2.5, rille.now())
    end)
  end)

  it("is a cancellation to the layers inside", function()
    run(function()
      local seen
      local p = rille.policy { total_timeout = 1, limiter = { call = function(_, fn, ...)
        local ok, err = pcall(fn, ...)
        seen = not ok and rille.is_cancellation(err)
        error(err, 0)
      end } }
      refused("timeout", p:call(rille.sleep, 2))
      assert.is_true(seen)
    end)
  end)

  it("is a failure to fallback", function()
    run(function()
      local p = rille.policy { fallback = function(err) return err.kind end, total_timeout = 1 }
      assert.equal("timeout", (p:call(rille.sleep, 2)))
    end)
  end)
end)

describe("policy and cancellation", function()
  for name, opts in pairs {
    none = {}, timeout = { timeout = 60 }, ["all of them"] = { fallback = print, cache = {},
      total_timeout = 60, hedge = { delay = 0.2 }, timeout = 60 },
  } do
    it("lets it pass by identity: " .. name, function()
      run(function()
        local p, same = rille.policy(opts), nil
        local task = start(function()
          local ok, err = pcall(p.call, p, sleep_and_return, 9)
          same = not ok and rille.is_cancellation(err)
        end)
        rille.sleep(0.5)
        task:cancel()
        task:await()
        assert.is_true(same)
      end)
    end)
  end

  -- Calls through all layers, and cancels the call at its k-th turn. Returns
  -- whether it was under way then, and how many attempts were left.
  local function cancel_at(k)
    local live, alive = 0, false
    run(function()
      local p = rille.policy { fallback = rille.sleep, cache = {}, total_timeout = 60,
        hedge = { delay = 0.25, max = 3 }, timeout = 0.5 }
      local task = rille.root():task(function()
        p:call(function()
          live = live + 1
          local _ <close> = helper.closing(function() rille.sleep(0.125) live = live - 1 end)
          rille.sleep(9)
        end, 0.25)
      end)
      for turn = 1, k do rille.sleep(turn % 4 == 0 and 0.125 or 0) end
      alive = task:status() ~= "done"
      task:cancel()
      task:await()
    end)
    return alive, live
  end

  it("leaves nothing behind at whatever turn it comes", function()
    local turns = 0
    repeat
      turns = turns + 1
      local alive, live = cancel_at(turns)
      assert.equal(0, live)
    until not alive
    assert.is_true(turns > 20)
  end)
end)
