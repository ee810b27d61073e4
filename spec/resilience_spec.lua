-- What breakers, limiters and retries have in common: they outlive runs, make
-- no garbage where nothing happens, and can be put into each other.
local rille = require "rille"
local helper = require "spec.helper"
local rows = require "spec.breaker_rows"
local run, refused = helper.run, helper.refused

describe("a policy that outlives a run", function()
  it("goes on with its time where it was, on another clock", function()
    local limiter = rille.limiter { rate = 1 }
    local breaker = rille.breaker { failure_threshold = 1, reset_timeout = 10 }
    local budget = rille.retry_budget { ratio = 0, min_per_second = 1, max_tokens = 1 }
    run(function()
      rille.sleep(1000)
      limiter:acquire()
      rows.play(breaker, "f O .... -")
      rille.retry({ budget = budget, delay = 0 }, error)
      assert.equal(0, budget:balance())
    end)
    run(function()
      rows.play(breaker, "- ..... -")
      assert.is_true(limiter:try_acquire())
      assert.equal(1, budget:balance())
      rows.play(breaker, ". s C")
    end)
  end)

  it("may have been made on the real clock", function()
    local limiter = rille.limiter { rate = 1 }
    local breaker = rille.breaker { failure_threshold = 1, reset_timeout = 10 }
    rille.run(function()
      limiter:acquire()
      breaker:call(error)
    end)
    run(function()
      rille.sleep(1)
      assert.is_true(limiter:try_acquire())
      rows.play(breaker, "........ - .. s C")
    end)
  end)
end)

describe("a call that is let through makes no garbage", function()
  local function fn(a, b) return a, b end

  for name, opts in pairs {
    ["by a breaker"] = {},
    ["by a breaker with a window of calls"] = { window = { type = "count" } },
    ["by a breaker with a window of time"] = { window = { type = "time" } },
    ["by a breaker with slow calls"] = { window = { type = "time" }, slow_call = 1 },
  } do
    it(name, function()
      run(function()
        local breaker = rille.breaker(opts)
        assert.equal(0, helper.garbage(function() breaker:call(fn, 1, 2) end))
      end)
    end)
  end

  it("by a limiter", function()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 100000 }
      assert.equal(0, helper.garbage(function() limiter:call(fn, 1, 2) end))
      assert.equal(0, helper.garbage(function() limiter:acquire() end))
      assert.equal(0, helper.garbage(function() limiter:try_acquire() end))
    end)
  end)
end)

describe("policies in each other", function()
  -- The composition of a retry of seven attempts over a breaker of three.
  local function attempts_and_calls(opts)
    local breaker = rille.breaker { failure_threshold = 3 }
    local attempts, calls = 0, 0
    opts.max_retries, opts.delay = 6, 0
    local _, err = rille.retry(opts, function()
      attempts = attempts + 1
      return breaker:call(function()
        calls = calls + 1
        error("down", 0)
      end)
    end)
    return { attempts, calls, rille.is_error(err) and err.kind or err, rille.now() }
  end

  it("a breaker in a retry sees every attempt, and ends it when it is open", function()
    run(function() assert.same({ 4, 3, "circuit_open", 0 }, attempts_and_calls {}) end)
  end)

  it("a breaker in a retry is waited for where retry_if says so", function()
    run(function()
      assert.same({ 7, 5, "down", 60 },
        attempts_and_calls { retry_if = function() return true end })
    end)
  end)

  it("a limiter in a retry is waited for as it says", function()
    run(function()
      local limiter, calls = rille.limiter { rate = 1 }, 0
      limiter:acquire()
      assert.equal("ok", rille.retry({}, function()
        calls = calls + 1
        local ok, err = limiter:try_acquire()
        return ok and "ok", err
      end))
      assert.same({ 2, 1 }, { calls, rille.now() })
    end)
  end)

  it("a retry in a breaker is one call", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 2 }
      breaker:call(rille.retry, { delay = 0 }, error, "x")
      assert.equal("closed", breaker:state())
      assert.equal(1, breaker:stats().failures)
    end)
  end)

  it("a refusal of a limiter is no failure of the breaker around it, unless it is to be", function()
    run(function()
      local limiter = rille.limiter { rate = 0 }
      limiter:acquire()
      local default = rille.breaker { failure_threshold = 1 }
      refused("rate_limited", default:call(limiter.call, limiter, error))
      assert.equal("closed", default:state())
      local asked = rille.breaker { failure_threshold = 1, is_failure = function() return true end }
      refused("rate_limited", asked:call(limiter.call, limiter, error))
      assert.equal("open", asked:state())
    end)
  end)

  it("a cancellation passes through all of them, once", function()
    run(function()
      local breaker, limiter = rille.breaker { failure_threshold = 1 }, rille.limiter { rate = 1 }
      local calls = 0
      refused("timeout", rille.timeout(1, rille.retry, { delay = 0 }, breaker.call, breaker,
        limiter.call, limiter, function()
          calls = calls + 1
          rille.sleep(10)
        end))
      assert.equal(1, calls)
      assert.equal("closed", breaker:state())
    end)
  end)
end)
