local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- A function that acts as the next of `acts` says at each call: it waits for
-- act[1] seconds and returns the rest, or raises act.raise. It counts its calls
-- and those whose wait was cut short.
local function acting(acts)
  local count = { calls = 0, cut = 0, ended = 0 }
  return function()
    count.calls = count.calls + 1
    local act = acts[count.calls]
    local whole = false
    local _ <close> = helper.closing(function()
      count.ended = count.ended + 1
      if not whole then count.cut = count.cut + 1 end
    end)
    rille.sleep(act[1])
    whole = true
    if act.raise then error(act.raise, 0) end
    return table.unpack(act, 2, act.n or #act)
  end, count
end

describe("hedge on_hedge", function()
  it("gets the number of each attempt but the first, before it starts", function()
    run(function()
      local log, fn = helper.log(), acting { { 9, 1 }, { 9, 2 }, { 9, 3 } }
      rille.hedge({ delay = 1, max = 3, on_hedge = function(n) log(n, rille.now()) end }, fn)
      assert.equal("2:1 3:2", helper.text(log))
    end)
  end)

  it("that raises ends the call, its attempts cancelled and joined", function()
    run(function()
      local fn, count = acting { { 9, 1 } }
      raises(function()
        rille.hedge({ delay = 1, on_hedge = function() error "bad hook" end }, fn)
      end, "bad hook")
      assert.same({ 1, 1 }, { count.calls, count.cut })
    end)
  end)
end)

describe("hedge budget", function()
  -- A bucket of n tokens.
  local function bucket(n)
    local budget = { asked = 0 }
    function budget.try_acquire()
      budget.asked = budget.asked + 1
      n = n - 1
      return n >= 0 or nil, "rate_limited"
    end
    return budget
  end

  it("is asked before each attempt but the first", function()
    run(function()
      local budget, fn = bucket(9), acting { { 9, 1 }, { 9, 2 }, { 9, 3 } }
      rille.hedge({ delay = 1, max = 3, budget = budget }, fn)
      assert.equal(2, budget.asked)
    end)
  end)

  it("that is spent leaves the call its first attempt", function()
    run(function()
      local budget, fn = bucket(0), acting { { 9, "first" } }
      assert.equal("first", (rille.hedge({ delay = 1, max = 3, budget = budget }, fn)))
      assert.equal(1, budget.asked)
      assert.equal(9, rille.now())
    end)
  end)

  it("that is spent leaves a failure what it is", function()
    run(function()
      local fn = acting { { 1, raise = "first" } }
      assert.same({ nil, "first" }, { rille.hedge({ delay = 9, budget = bucket(0) }, fn) })
    end)
  end)

  it("may be a retry budget", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0, min_per_second = 0, max_tokens = 1 }
      local fn, count = acting { { 9, 1 }, { 9, 2 }, { 9, 3 } }
      for _ = 1, 2 do rille.hedge({ delay = 1, budget = budget }, fn) end
      assert.equal(3, count.calls)
    end)
  end)

  it("that is a limiter is shared between calls", function()
    run(function()
      local budget = rille.limiter { rate = 0, burst = 1 }
      local fn, count = acting { { 9, 1 }, { 9, 2 }, { 9, 3 } }
      for _ = 1, 2 do rille.hedge({ delay = 1, budget = budget }, fn) end
      assert.equal(3, count.calls)
    end)
  end)
end)

describe("hedge, misused", function()
  it("raises without a delay", function()
    raises(function() rille.hedge({}, print) end, "#1 to 'hedge'.*'delay'")
    raises(function() rille.hedge(nil, print) end, "#1 to 'hedge'.*'delay'")
  end)

  for option, value in pairs { delay = "1", max = 0, on_hedge = 1, budget = {} } do
    it("raises for a bad " .. option, function()
      local opts = { delay = 1 }
      opts[option] = value
      raises(function() rille.hedge(opts, print) end, "option '" .. option .. "'")
    end)
  end

  it("raises for an unknown option", function()
    raises(function() rille.hedge({ dealy = 1 }, print) end, "did you mean 'delay'")
  end)

  it("raises without a function", function()
    raises(function() rille.hedge({ delay = 1 }) end, "#2 to 'hedge'")
  end)

  it("raises outside a task", function()
    raises(function() rille.hedge({ delay = 1 }, print) end, "not inside a task")
  end)

  for _, bad in ipairs { "1", 0 / 0, {} } do
    it("raises when delay returns " .. tostring(bad):gsub(":.*", ""), function()
      run(function()
        local fn, count = acting { { 9, 1 } }
        raises(function() rille.hedge({ delay = function() return bad end }, fn) end,
          "delay must return a number")
        assert.equal(count.calls, count.ended)
      end)
    end)
  end
end)
