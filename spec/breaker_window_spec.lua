local rille = require "rille"
local helper = require "spec.helper"
local rows = require "spec.breaker_rows"
local run, play, plays = helper.run, rows.play, rows.plays

local function count(size, rate, min_calls)
  return { window = { type = "count", size = size }, failure_rate = rate, min_calls = min_calls }
end

local function time(size, rate, min_calls)
  return { window = { type = "time", size = size }, failure_rate = rate, min_calls = min_calls }
end

describe("a breaker with a window of calls", function()
  it("opens at its failure_rate", plays(count(4, 0.75), "fffs O"))
  it("does not open below", plays(count(4, 0.75), "ffss C ssff C"))
  it("needs min_calls", plays(count(100, 0.5, 3), "ff C f O"))
  it("forgets what has left the window", plays(count(4, 0.5), "fsss C ssss fsss C fssf O"))
  it("opens at half of 20 of the last 100 calls", plays({ window = { type = "count" } },
    "fffff fffff sssss ssss C f O"))
  it("may be smaller than the least calls otherwise",
    plays({ window = { type = "count", size = 2 } }, "f C f O"))
  it("may open only if all calls fail", plays(count(3, 1), "ffs fff O"))

  -- resilience4j: the rate of a window of 4.
  it("has the rates of its last calls", function()
    run(function()
      local breaker = rille.breaker(count(4, 1))
      for _, row in ipairs { { "f", 1, 1 }, { "s", 2, 1 }, { "s", 3, 1 }, { "s", 4, 1 },
        { "s", 4, 0 }, { "f", 4, 1 } } do
        play(breaker, row[1])
        local stats = breaker:stats()
        assert.same({ row[2], row[3] }, { stats.calls, stats.failures })
      end
    end)
  end)
end)

describe("a breaker with a window of time", function()
  -- resilience4j: 20 seconds, at least 5 calls, half of them.
  it("opens at its failure_rate", plays(time(20, 0.5, 5), "s.s.s.f.f. C f O"))
  it("needs min_calls", plays(time(20, 0.5, 5), "fffs C s O -"))
  it("forgets what has left the window", plays(time(10, 0.5, 2), "f .......... f C f O"))
  it("remembers what has not", plays(time(10, 0.5, 2), "f ........ f O"))

  it("counts 5 seconds, in slices", function()
    run(function()
      local breaker = rille.breaker { window = { type = "time", size = 5 }, failure_rate = 1,
        slow_call = 0.6, min_calls = 100 }
      play(breaker, "f")
      rille.sleep(0.1)
      play(breaker, "sF", 0.7)
      local function counts()
        local stats = breaker:stats()
        return { stats.calls, stats.failures, stats.slow }
      end
      assert.same({ 3, 2, 1 }, counts())
      rille.sleep(4)
      assert.same({ 3, 2, 1 }, counts())
      rille.sleep(1)
      assert.same({ 0, 0, 0 }, counts())
    end)
  end)

  -- gobreaker: the window rolls on, ten slices of 3 seconds, a ratio of .6.
  it("rolls", function()
    run(function()
      local breaker = rille.breaker(time(30, 0.6, 3))
      for _ = 1, 9 do play(breaker, "sf C ...") end
      play(breaker, "sf C")
      assert.equal(20, breaker:stats().calls)
      play(breaker, "... ffff C")
      assert.same({ 22, 13 }, { breaker:stats().calls, breaker:stats().failures })
      play(breaker, "f O")
    end)
  end)

  it("may be silent for years", plays(time(10, 1, 1), "s C"))
end)

describe("slow calls", function()
  local slow = { window = { type = "time", size = 20 }, failure_rate = 1, min_calls = 5,
    slow_call = 4, slow_rate = 0.5 }

  -- resilience4j: three slow ones of five.
  it("open the breaker at slow_rate", plays(slow, "SSssS O", 5))
  it("are longer than slow_call", plays(slow, "SSSSSSSS C", 4))
  it("may fail as well, and count as both", plays(slow, "FFssF O", 5))
  it("open it by default if all are slow", plays({ window = { type = "count", size = 3 },
    slow_call = 1 }, "SSs C SSS O", 2))
  it("of a window of five, two", plays({ window = { type = "count", size = 5 }, failure_rate = 1,
    slow_call = 4, slow_rate = 0.4 }, "Ssss C S O", 10))
  it("are no recovery", plays({ window = { type = "count", size = 1 }, slow_call = 1,
    reset_timeout = 1 }, "f O . S O . s C", 2))

  it("that are cancelled do not count", function()
    run(function()
      local breaker = rille.breaker { window = { type = "count", size = 1 }, slow_call = 1 }
      rille.timeout(5, breaker.call, breaker, rille.sleep, 10)
      assert.equal("closed", breaker:state())
      assert.equal(1, breaker:stats().ignored)
    end)
  end)
end)

describe("a call from an earlier state", function()
  -- gobreaker's generations, Polly's "overhanging calls".
  it("does not open a breaker that has closed meanwhile", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1, reset_timeout = 1 }
      rille.scope(function(s)
        local late = s:task(function()
          return breaker:call(function() rille.sleep(5) error("late", 0) end)
        end)
        rille.yield()
        play(breaker, "f O . s C")
        assert.same({ nil, "late" }, { late:await() })
        play(breaker, "C")
      end)
      assert.equal(1, breaker:stats().late)
    end)
  end)

  it("does not close one that has opened meanwhile", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1, reset_timeout = 10 }
      rille.scope(function(s)
        s:go(function() breaker:call(rille.sleep, 3) end)
        rille.yield()
        play(breaker, "f O ..... O -")
      end)
    end)
  end)
end)
