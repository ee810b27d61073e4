local rille = require "rille"
local helper = require "spec.helper"
local rows = require "spec.breaker_rows"
local run, raises, refused, plays = helper.run, helper.raises, helper.refused, rows.plays

local once = { failure_threshold = 1, reset_timeout = 1 }

describe("a breaker", function()
  it("is closed at first", plays({}, "C"))
  it("opens after five failures in a row", plays({}, "ffff C f O -"))
  it("forgets failures with a success", plays({}, "ffff s ffff C f O"))
  it("does not count calls that are ignored", plays({}, "ffff x C f O"))
  it("stays open for its reset_timeout", plays({ failure_threshold = 1, reset_timeout = 2 },
    "f O . - . O s C"))
  it("is open for 30 seconds", plays({ failure_threshold = 1 },
    "f ............................. - . s C"))
  it("opens again when its probe fails", plays({ failure_threshold = 3, reset_timeout = 1 },
    "fff O . f O - . f O"))
  it("closes with nothing remembered", plays({ failure_threshold = 3, reset_timeout = 1 },
    "fff . s C ff C f O"))
  it("may stay open for no time", plays({ failure_threshold = 1, reset_timeout = 0 }, "f O s C"))
  it("may stay open for ever", plays({ failure_threshold = 1, reset_timeout = math.huge },
    "f O .... -"))
  it("may never open", plays({ failure_threshold = math.huge }, ("f"):rep(200) .. "C"))

  -- gobreaker: more than 5 in a row.
  it("opens after six failures in a row", plays({ failure_threshold = 6, reset_timeout = 3 },
    "fffff C s f C fffff O -- .. - O . f O ... s C"))

  -- Failsafe: half open, with one and three and two successes to close.
  it("closes after one success", plays(once, "f O . f O . s C"))
  it("closes after three successes", plays({ failure_threshold = 1, reset_timeout = 1,
    success_threshold = 3 }, "f O . s H f O . ss H s C"))
  it("closes after two successes, whatever is ignored", plays({ failure_threshold = 1,
    reset_timeout = 1, success_threshold = 2 }, "f O . x H s H x H s C"))

  -- gobreaker: outcomes that always count as successes.
  it("does not open where is_failure says no", plays({ failure_threshold = 1,
    is_failure = function() return false end }, "ff ff f C"))

  for _, kind in ipairs { "rate_limited", "bulkhead_full", "circuit_open" } do
    it("does not count the refusal of another policy: " .. kind, function()
      run(function()
        local breaker = rille.breaker { failure_threshold = 1 }
        local refuse
        if kind == "rate_limited" then
          local limiter = rille.limiter { rate = 0, burst = 1 }
          limiter:acquire()
          function refuse() return limiter:try_acquire() end
        elseif kind == "bulkhead_full" then
          local bulkhead = rille.bulkhead { max = 1 }
          bulkhead:acquire()
          function refuse() return bulkhead:call(print) end
        else
          local inner = rille.breaker {}
          inner:isolate()
          function refuse() return inner:call(print) end
        end
        refused(kind, breaker:call(refuse))
        assert.equal("closed", breaker:state())
      end)
    end)
  end
end)

describe("breaker:call", function()
  it("returns what the function returns", function()
    run(function()
      local results = table.pack(rille.breaker():call(function(...) return ... end, 1, nil, 3, nil))
      assert.same({ 1, nil, 3, nil, n = 4 }, results)
    end)
  end)

  it("returns nothing where the function returns nothing", function()
    run(function() assert.equal(0, select("#", rille.breaker():call(function() end))) end)
  end)

  it("returns a thousand results", function()
    run(function()
      local list = table.pack(table.unpack({}, 1, 1000))
      assert.equal(1000, select("#", rille.breaker():call(table.unpack, list, 1, 1000)))
    end)
  end)

  it("returns a raised error unchanged", function()
    run(function()
      local failure = {}
      local value, err = rille.breaker():call(error, failure)
      assert.is_nil(value)
      assert.equal(failure, err)
    end)
  end)

  it("returns an error of false", function()
    run(function() assert.same({ nil, false }, { rille.breaker():call(error, false) }) end)
  end)

  it("makes an error of a raised nil, and counts it", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1 }
      refused("invalid", breaker:call(error))
      assert.equal("open", breaker:state())
    end)
  end)

  it("returns what a failing function returned", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1 }
      local results = table.pack(breaker:call(function() return nil, "full", 28 end))
      assert.same({ nil, "full", 28, n = 3 }, results)
      assert.equal("open", breaker:state())
    end)
  end)

  it("takes a returned closed error for an ordinary end", function()
    run(function()
      local breaker, ch = rille.breaker { failure_threshold = 1 }, rille.channel()
      ch:close()
      breaker:call(ch.recv, ch)
      assert.equal("closed", breaker:state())
    end)
  end)

  it("suspends as the function does", function()
    run(function()
      local breaker = rille.breaker()
      assert.equal("late", breaker:call(function() rille.sleep(5) return "late" end))
      assert.equal(5, rille.now())
    end)
  end)

  it("may be made by a generator", function()
    run(function()
      local breaker = rille.breaker()
      local values = {}
      for v in rille.coroutine.wrap(function()
        rille.coroutine.yield(breaker:call(function() rille.sleep(1) return "a" end))
        rille.coroutine.yield(select(2, breaker:call(function() rille.sleep(1) error("b", 0) end)))
      end) do values[#values + 1] = v end
      assert.same({ "a", "b" }, values)
    end)
  end)

  it("may let the function yield to a consumer", function()
    run(function()
      local breaker, values = rille.breaker(), {}
      for v in rille.coroutine.wrap(function()
        breaker:call(function() for i = 1, 3 do rille.coroutine.yield(i) end end)
      end) do values[#values + 1] = v end
      assert.same({ 1, 2, 3 }, values)
    end)
  end)

  it("may be nested", function()
    run(function()
      local inner, outer = rille.breaker { failure_threshold = 1 }, rille.breaker {}
      assert.same({ nil, "x" }, { outer:call(inner.call, inner, error, "x") })
      assert.equal("open", inner:state())
      assert.equal(1, outer:stats().failures)
    end)
  end)

  it("counts each of a hundred thousand calls of ten tasks", function()
    run(function()
      local breaker = rille.breaker { is_failure = function() return "ignore" end }
      rille.scope(function(s)
        for _ = 1, 10 do
          s:go(function()
            for i = 1, 10000 do breaker:call(i % 2 == 0 and error or tostring, "x") end
          end)
        end
      end)
      local stats = breaker:stats()
      assert.same({ 50000, 50000 }, { stats.calls, stats.ignored })
    end)
  end)

  it("gives other tasks their turn even if no call waits", function()
    run(function()
      local breaker, other = rille.breaker(), false
      rille.root():go(function() other = true end)
      for _ = 1, 1000 do breaker:call(type, 1) end
      assert.is_true(other)
    end)
  end)

  it("raises without a function", function()
    run(function() raises(function() rille.breaker():call(5) end, "#1 to 'call'") end)
  end)

  it("raises outside a task", function()
    raises(function() rille.breaker():call(print) end, "not inside a task")
  end)
end)

describe("a refused call", function()
  local function opened(opts)
    local breaker = rille.breaker(opts or { failure_threshold = 1, reset_timeout = 10 })
    breaker:call(error, "the cause")
    return breaker
  end

  it("does not call the function", function()
    run(function() refused("circuit_open", opened():call(function() error "called" end)) end)
  end)

  it("tells after how many seconds it is worth while", function()
    run(function()
      local breaker = opened()
      rille.sleep(4)
      local _, err = breaker:call(print)
      assert.equal(6, err.retry_after)
    end)
  end)

  it("tells the last failure", function()
    run(function()
      local _, err = opened():call(print)
      assert.equal("the cause", err.cause)
    end)
  end)

  it("tells the name", function()
    run(function()
      local _, err = opened { failure_threshold = 1, name = "db" }:call(print)
      assert.equal("circuit_open: the breaker 'db' is open", tostring(err))
    end)
  end)

  it("takes no time and leaves nothing behind", function()
    run(function()
      local breaker = opened()
      for _ = 1, 1000 do breaker:call(print) end
      assert.equal(0, rille.now())
      assert.equal(1000, breaker:stats().refused)
    end)
  end)
end)

describe("breaker:isolate", function()
  it("refuses every call until reset", plays({}, "s C"))

  it("refuses for ever", function()
    run(function()
      local breaker = rille.breaker { reset_timeout = 1 }
      breaker:isolate()
      breaker:isolate()
      rows.play(breaker, "I - ... - I")
      local _, err = breaker:call(print)
      assert.is_nil(err.retry_after)
    end)
  end)

  it("is not moved by a call that was on its way", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1 }
      breaker:call(function() breaker:isolate() error "late" end)
      assert.equal("isolated", breaker:state())
      assert.equal(1, breaker:stats().late)
    end)
  end)
end)

describe("breaker:reset", function()
  it("closes an isolated and an open breaker, with nothing remembered", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 2 }
      breaker:isolate()
      breaker:reset()
      rows.play(breaker, "C f C f O")
      breaker:reset()
      rows.play(breaker, "C f C s")
    end)
  end)

  it("of a closed one forgets its failures", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 2 }
      rows.play(breaker, "f C")
      breaker:reset()
      rows.play(breaker, "f C f O")
    end)
  end)
end)

describe("breaker:state", function()
  it("moves nothing: an open breaker is open until the next call", function()
    run(function()
      local breaker = rille.breaker(once)
      rows.play(breaker, "f O")
      rille.sleep(100)
      assert.equal("open", breaker:state())
      assert.equal("open", breaker:stats().state)
      rows.play(breaker, "s C")
    end)
  end)
end)

describe("tostring of a breaker", function()
  it("has its name and state", function()
    assert.equal("rille.breaker: closed", tostring(rille.breaker()))
    assert.equal("rille.breaker 'db': closed", tostring(rille.breaker { name = "db" }))
  end)
end)
