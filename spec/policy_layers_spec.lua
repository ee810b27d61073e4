-- The layers that are not made of Lua's parts alone: retry, breaker, limiter,
-- bulkhead, in a policy.
local rille = require "rille"
local helper = require "spec.helper"
local run, refused = helper.run, helper.refused

local function it_runs(text, fn)
  it(text, function() run(fn) end)
end

-- A function that fails its first `count` calls.
local function failing(count)
  local calls = { n = 0 }
  return function()
    calls.n = calls.n + 1
    if calls.n <= count then error("failed " .. calls.n, 0) end
    return calls.n
  end, calls
end

describe("policy retry", function()
  it_runs("calls again after a failure", function()
    local p = rille.policy { retry = { delay = 1 } }
    assert.equal(3, (p:call((failing(2)))))
    assert.equal(2, rille.now())
  end)

  it_runs("counts an inner timeout as a failure", function()
    local calls = 0
    local p = rille.policy { retry = { delay = 1, max_retries = 2 }, timeout = 1 }
    refused("timeout", p:call(function() calls = calls + 1 rille.sleep(9) end))
    assert.equal(3, calls)
    assert.equal(5, rille.now())
  end)

  it_runs("is ended by the total timeout, which it does not retry", function()
    local calls = 0
    local p = rille.policy { retry = { delay = 0, max_retries = 9 }, total_timeout = 2.5,
      timeout = 1 }
    refused("timeout", p:call(function() calls = calls + 1 rille.sleep(9) end))
    assert.equal(3, calls)
    assert.equal(2.5, rille.now())
  end)

  it_runs("lets fallback have the last error", function()
    local p = rille.policy { retry = { delay = 0, max_retries = 2 },
      fallback = function(err) return "instead of " .. err end }
    assert.equal("instead of failed 3", (p:call((failing(9)))))
  end)

  it_runs("nested, outer 10 and inner 1, succeeds at the sixth call", function()
    local inner = rille.policy { retry = { delay = 0, max_retries = 1 } }
    local outer = rille.policy { retry = { delay = 0, max_retries = 10 } }
    assert.equal(6, (outer:call(inner.call, inner, (failing(5)))))
  end)

  it_runs("does not retry a cancellation", function()
    local p, calls = rille.policy { retry = { delay = 0, max_retries = 9 } }, 0
    local task = helper.start(p.call, p, function() calls = calls + 1 rille.sleep(9) end)
    task:cancel()
    refused("cancelled", task:await())
    assert.equal(1, calls)
  end)

  it_runs("hedges each of its attempts", function()
    local calls = 0
    local p = rille.policy { retry = { delay = 0, max_retries = 1 }, hedge = { delay = 9 } }
    p:call(function() calls = calls + 1 error("x", 0) end)
    assert.equal(4, calls)
  end)

  it_runs("shows in the description", function()
    assert.equal("retry > timeout 1 s > fn", rille.policy { retry = {}, timeout = 1 }:describe())
  end)
end)

describe("policy circuit_breaker", function()
  it_runs("opens after as many failures as its options say", function()
    local p = rille.policy { circuit_breaker = { failure_threshold = 3 } }
    local fn, calls = failing(9)
    for _ = 1, 7 do p:call(fn) end
    assert.equal(3, calls.n)
    refused("circuit_open", p:call(fn))
  end)

  it_runs("inside retry(7) lets three calls through, error open", function()
    local p = rille.policy { circuit_breaker = { failure_threshold = 3, reset_timeout = math.huge },
      retry = { delay = 0, max_retries = 6, retry_if = function() return true end } }
    local fn, calls = failing(99)
    refused("circuit_open", p:call(fn))
    assert.equal(3, calls.n)
  end)

  it_runs("inside a retry that says so is waited for", function()
    local p = rille.policy { circuit_breaker = { failure_threshold = 3, reset_timeout = 10 },
      retry = { delay = 0, max_retries = 6, retry_if = function() return true end } }
    assert.equal(5, (p:call((failing(4)))))
    assert.equal(20, rille.now())
  end)

  it_runs("counts an inner timeout", function()
    local p = rille.policy { circuit_breaker = { failure_threshold = 1 }, timeout = 1 }
    refused("timeout", p:call(rille.sleep, 2))
    refused("circuit_open", p:call(rille.sleep, 2))
  end)

  it_runs("does not count the total timeout", function()
    local p = rille.policy { circuit_breaker = { failure_threshold = 1 }, total_timeout = 1 }
    refused("timeout", p:call(rille.sleep, 2))
    refused("timeout", p:call(rille.sleep, 2))
  end)

  it_runs("may be shared", function()
    local b = rille.breaker { failure_threshold = 1 }
    rille.policy { circuit_breaker = b }:call(error, "x")
    refused("circuit_open", rille.policy { circuit_breaker = b, timeout = 9 }:call(print))
    assert.equal("open", b:state())
  end)

  it_runs("has its statistics in those of the policy", function()
    assert.is_table(rille.policy { circuit_breaker = {} }:stats().circuit_breaker)
  end)
end)

describe("policy limiter", function()
  it_runs("makes calls wait for a token", function()
    local p = rille.policy { limiter = { rate = 1, burst = 1 } }
    for _ = 1, 3 do p:call(rille.now) end
    assert.equal(2, rille.now())
  end)

  it_runs("refuses when the total timeout comes first", function()
    local p = rille.policy { limiter = { rate = 1, burst = 1 }, total_timeout = 0.5 }
    p:call(rille.now)
    refused("rate_limited", p:call(rille.now))
    assert.equal(0, rille.now())
  end)

  it_runs("does not count its wait against the timeout of an attempt", function()
    local p = rille.policy { limiter = { rate = 1, per = 10, burst = 1 }, timeout = 1 }
    p:call(rille.now)
    assert.equal(10, (p:call(rille.now)))
  end)

  it_runs("may serve as the budget of a hedge", function()
    local p = rille.policy { hedge = { delay = 1, budget = rille.limiter { rate = 1, per = 100,
      burst = 1 } } }
    local calls = 0
    for _ = 1, 3 do p:call(function() calls = calls + 1 rille.sleep(5) end) end
    assert.equal(4, calls)
  end)
end)

describe("policy bulkhead", function()
  it_runs("refuses more calls than it admits", function()
    local p = rille.policy { bulkhead = { max = 1, queue = 0 } }
    local first = helper.start(p.call, p, rille.sleep, 1)
    refused("bulkhead_full", p:call(rille.sleep, 1))
    first:await()
  end)

  it_runs("returns what the function raises as nil, err", function()
    local p = rille.policy { bulkhead = { max = 1, queue = 0 } }
    assert.same({ nil, "x" }, { p:call(error, "x", 0) })
  end)

  it_runs("does not count its queue against the timeout of an attempt", function()
    local p = rille.policy { bulkhead = { max = 1, queue = 1 }, timeout = 3 }
    local first = helper.start(p.call, p, rille.sleep, 2)
    p:call(rille.sleep, 2)
    assert.equal(4, rille.now())
    first:await()
  end)
end)

describe("policy of every layer", function()
  it_runs("passes arguments, results and cancellation", function()
    local p = rille.policy { fallback = error, cache = {}, total_timeout = 60,
      retry = { delay = 1 }, hedge = { delay = 9 }, circuit_breaker = {},
      limiter = { rate = 100 }, bulkhead = { max = 5, queue = 5 }, timeout = 60 }
    local results = table.pack(p:call(function(...) return ... end, "k", nil, 3))
    assert.same({ n = 3, "k", nil, 3 }, results)
    local task = helper.start(p.call, p, rille.sleep, 9)
    task:cancel()
    refused("cancelled", task:await())
    assert.equal(0, p:stats().circuit_breaker.failures or 0)
  end)
end)
