local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- golang.org/x/time/rate: {tick, tokens before, n, taken}, a tick is 100 ms.
local tables = {
  ["of 10 a second, one at a time"] = { { rate = 10, burst = 1 },
    { 0, 1, 1, true }, { 0, 0, 1, false }, { 0, 0, 1, false }, { 1, 1, 1, true },
    { 1, 0, 1, false }, { 1, 0, 1, false }, { 2, 1, 1, true }, { 2, 0, 1, false } },
  ["of 10 a second, three at a time"] = { { rate = 10, burst = 3 },
    { 0, 3, 2, true }, { 0, 1, 2, false }, { 0, 1, 1, true }, { 0, 0, 1, false }, { 2, 2, 1, true },
    { 3, 2, 1, true }, { 4, 2, 1, true }, { 4, 1, 1, true }, { 4, 0, 1, false }, { 4, 0, 1, false },
    { 9, 3, 3, true }, { 9, 0, 0, true } },
  ["of 1 every 0.1 seconds"] = { { rate = 1, per = 0.1 },
    { 0, 1, 1, true }, { 0, 0, 1, false }, { 1, 1, 1, true }, { 5, 1, 1, true },
    { 5, 0, 1, false } },
}

describe("limiter:try_acquire", function()
  for name, rows in pairs(tables) do
    it("takes what is there, " .. name, function()
      run(function()
        local limiter = rille.limiter(rows[1])
        for i = 2, #rows do
          local tick, level, n, taken = table.unpack(rows[i])
          rille.sleep_until(tick / 10)
          assert.equal(level, limiter:stats().tokens, i)
          assert.equal(taken or nil, (limiter:try_acquire(n)), i)
        end
      end)
    end)
  end

  it("tells when the tokens would be there", function()
    run(function()
      local limiter = rille.limiter { rate = 10, burst = 3, name = "api" }
      limiter:try_acquire(3)
      local err = refused("rate_limited", limiter:try_acquire(2))
      assert.equal(0.2, err.retry_after)
      assert.equal("rate_limited: the limiter 'api' has no tokens now", tostring(err))
    end)
  end)

  it("lets 5 of 15 through at once", function()
    run(function()
      local limiter, taken = rille.limiter { rate = 10, burst = 5 }, 0
      for _ = 1, 15 do
        if limiter:try_acquire() then taken = taken + 1 end
      end
      assert.equal(5, taken)
    end)
  end)

  it("gives in the long run what its rate says", function()
    run(function()
      local limiter, taken = rille.limiter { rate = 100 }, 0
      for i = 0, 2499 do
        rille.sleep_until(i * 0.002)
        if limiter:try_acquire() then taken = taken + 1 end
      end
      assert.is_true(taken >= 599 and taken <= 601, taken)
    end)
  end)

  it("never overtakes who waits", function()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 2 }
      limiter:acquire(2)
      rille.root():go(function() limiter:acquire(2) end)
      rille.sleep(1.5)
      assert.is_nil((limiter:try_acquire()))
      assert.is_nil((limiter:try_acquire(0)))
    end)
  end)

  it("works outside a task", function()
    local limiter = rille.limiter { rate = 1e-6, burst = 1 }
    assert.is_true(limiter:try_acquire())
    refused("rate_limited", limiter:try_acquire())
  end)
end)

describe("limiter:acquire", function()
  -- The times at which `count` acquires of `n` return, from one task.
  local function times(opts, count, n)
    local list = {}
    run(function()
      local limiter = rille.limiter(opts)
      for i = 1, count do
        assert.is_true(limiter:acquire(n))
        list[i] = ("%g"):format(rille.now())
      end
    end)
    return table.concat(list, " ")
  end

  it("waits for tokens", function()
    assert.equal("0 0 0.5 1 1.5", times({ rate = 2 }, 5))
  end)

  it("may take several", function()
    assert.equal("0 1.5 3", times({ rate = 2, burst = 3 }, 3, 3))
  end)

  -- uber-go/ratelimit: the first three of 10 a second.
  it("is even with a burst of one", function()
    assert.equal("0 0.1 0.2", times({ rate = 10, burst = 1 }, 3))
  end)

  it("knows rates below one a second", function()
    assert.equal("0 4 8", times({ rate = 0.25 }, 3))
    assert.equal("0 12 24", times({ rate = 5, per = 60, burst = 1 }, 3))
    assert.equal("0", times({ rate = 0.7692307692307693, burst = 1 }, 1))
  end)

  it("does not drift", function()
    run(function()
      local limiter = rille.limiter { rate = 3, burst = 2 }
      for _ = 1, 3002 do limiter:acquire() end
      assert.equal(1000, rille.now())
    end)
  end)

  it("waits for nothing where there is no limit", function()
    assert.equal("0 0 0", times({ rate = math.huge }, 3, 1000))
    assert.equal("0 0 0", times({ rate = math.huge, burst = 0 }, 3, 3))
    assert.equal("0 0 0", times({ rate = 1, burst = math.huge }, 3, 1000000))
  end)

  it("with a rate of 0 gives the first tokens, then refuses at once", function()
    run(function()
      local limiter = rille.limiter { rate = 0, burst = 2 }
      assert.is_true(limiter:acquire(2))
      local err = refused("rate_limited", limiter:acquire())
      assert.equal(math.huge, err.retry_after)
      assert.equal(0, rille.now())
    end)
  end)

  it("of nothing waits behind who waits", function()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      assert.is_true(limiter:acquire(0))
      limiter:acquire()
      assert.is_true(limiter:acquire(0))
      rille.root():go(function() limiter:acquire() end)
      rille.yield()
      limiter:acquire(0)
      assert.equal(1, rille.now())
    end)
  end)

  for _, n in ipairs { 4, 1000 } do
    it("of " .. n .. " with a burst of 3 raises", function()
      run(function()
        local limiter = rille.limiter { rate = 1, burst = 3 }
        local wrong = " %(" .. n .. " tokens can never be had at once: the burst is 3"
        raises(function() limiter:acquire(n) end, "#1 to 'acquire'" .. wrong)
        raises(function() limiter:try_acquire(n) end, "#1 to 'try_acquire'" .. wrong)
        raises(function() limiter:reserve(n) end, "#1 to 'reserve'" .. wrong)
        assert.equal(3, limiter:stats().tokens)
      end)
    end)
  end

  for _, n in ipairs { -1, 1.5, 0 / 0, math.huge, "x", {} } do
    it("of " .. type(n) .. " " .. tostring(n):gsub(":.*", "") .. " raises", function()
      run(function()
        raises(function() rille.limiter { rate = 1 }:acquire(n) end, "#1 to 'acquire'")
      end)
    end)
  end

  it("raises outside a task", function()
    raises(function() rille.limiter { rate = 1 }:acquire() end, "not inside a task")
  end)
end)

describe("limiter:call", function()
  it("calls the function when there is a token", function()
    local log = helper.log()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      for i = 1, 3 do log(limiter:call(function(...) return rille.now(), i, ... end, "x")) end
    end)
    assert.equal("0:1:x 1:2:x 2:3:x", helper.text(log))
  end)

  it("returns all that the function returns", function()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      for _ = 1, 2 do
        assert.same({ n = 4, 1, nil, 3, nil },
          table.pack(limiter:call(function(...) return ... end, 1, nil, 3, nil)))
      end
      assert.equal(0, select("#", limiter:call(function() end)))
    end)
  end)

  it("lets errors through", function()
    run(function()
      local limiter, failure = rille.limiter { rate = 1 }, {}
      for _ = 1, 2 do
        local ok, err = pcall(limiter.call, limiter, error, failure)
        assert.is_false(ok)
        assert.equal(failure, err)
      end
    end)
  end)

  it("lets the function wait", function()
    run(function()
      local limiter = rille.limiter { rate = 10 }
      assert.equal("late", limiter:call(function() rille.sleep(5) return "late" end))
    end)
  end)

  it("returns nil and an error, without a call, when the deadline comes first", function()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      limiter:acquire()
      rille.timeout(0.5, function()
        local err = refused("rate_limited", limiter:call(error, "called"))
        assert.equal(1, err.retry_after)
      end)
    end)
  end)

  it("raises without a function", function()
    run(function() raises(function() rille.limiter { rate = 1 }:call(5) end, "#1 to 'call'") end)
  end)
end)

describe("rille.limiter", function()
  for name, row in pairs {
    ["no rate"] = { { burst = 1 }, "option 'rate': a number from 0 expected, got nil" },
    ["no options"] = { nil, "option 'rate'" },
    ["a negative rate"] = { { rate = -1 }, "option 'rate': .* got %-1" },
    ["a rate of NaN"] = { { rate = 0 / 0 }, "option 'rate'" },
    ["no period"] = { { rate = 1, per = 0 }, "option 'per'" },
    ["half a token"] = { { rate = 1, burst = 2.5 }, "option 'burst': .* got 2.5" },
    ["an unknown option"] = { { rate = 1, bust = 1 }, "did you mean 'burst'" },
    ["more tokens than it can count"] = { { rate = 1, burst = 1e15 }, "option 'burst'" },
    ["what takes for ever to fill"] = { { rate = 1e-9, burst = 1000 }, "more than 73 years" },
  } do
    it("refuses " .. name, function()
      raises(function() rille.limiter(row[1]) end, row[2])
    end)
  end

  it("has a burst of one token at least", function()
    assert.equal(1, rille.limiter { rate = 0.1 }:stats().burst)
    assert.equal(1, rille.limiter { rate = 0 }:stats().burst)
    assert.equal(2, rille.limiter { rate = 2.9 }:stats().burst)
    assert.equal(math.huge, rille.limiter { rate = math.huge }:stats().burst)
  end)

  it("may have a very high rate", function()
    run(function()
      for _, rate in ipairs { 1e9, 1e10, 1e13, 1e300 } do
        local limiter = rille.limiter { rate = rate }
        for _ = 1, 1000 do assert.is_true(limiter:try_acquire(1000)) end
      end
    end)
  end)

  it("has a text", function()
    assert.equal("rille.limiter: 2.0 tokens, 0 waiting", tostring(rille.limiter { rate = 2 }))
    assert.equal("rille.limiter 'api': 2.0 tokens, 0 waiting",
      tostring(rille.limiter { rate = 2, name = "api" }))
  end)

  it("has stats", function()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 2 }
      limiter:acquire(2)
      limiter:try_acquire()
      rille.root():go(function() limiter:acquire() end)
      rille.yield()
      assert.same({ tokens = 0, waiting = 1, burst = 2, admitted = 1, refused = 1 },
        limiter:stats())
    end)
  end)
end)
