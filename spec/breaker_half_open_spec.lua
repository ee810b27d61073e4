-- Probes: how many there are, and what becomes of those that do not end well.
local rille = require "rille"
local helper = require "spec.helper"
local rows = require "spec.breaker_rows"
local run, refused, play = helper.run, helper.refused, rows.play

-- An open breaker whose time is over.
local function ripe(opts)
  opts.failure_threshold, opts.reset_timeout = 1, opts.reset_timeout or 5
  opts.is_failure = opts.is_failure or rows.is_failure
  local breaker = rille.breaker(opts)
  play(breaker, "f O")
  rille.sleep(opts.reset_timeout)
  return breaker
end

-- Starts a probe that takes `seconds` and then fails, or not.
local function probe(s, breaker, seconds, failure)
  local task = s:task(function()
    return breaker:call(function()
      rille.sleep(seconds)
      if failure then error(failure, 0) end
      return "ok"
    end)
  end)
  rille.yield()
  return task
end

describe("a half open breaker", function()
  it("lets one probe through at a time", function()
    run(function()
      local breaker = ripe {}
      rille.scope(function(s)
        probe(s, breaker, 1)
        play(breaker, "H--")
        rille.sleep(1)
        play(breaker, "C")
      end)
    end)
  end)

  it("tells those whom it refuses when they might be let through", function()
    run(function()
      local breaker = ripe {}
      rille.scope(function(s)
        probe(s, breaker, 3)
        rille.sleep(1)
        local err = refused("circuit_open", breaker:call(print))
        assert.equal(4, err.retry_after)
        assert.equal("failed", err.cause)
        assert.truthy(tostring(err):find "half open")
      end)
    end)
  end)

  -- resilience4j: four permits, one given back, four again the next time.
  it("lets half_open_max probes through", function()
    run(function()
      local breaker = ripe { half_open_max = 4, success_threshold = 10 }
      for _ = 1, 2 do
        rille.scope(function(s)
          for _ = 1, 3 do probe(s, breaker, 1) end
          local cancelled = probe(s, breaker, 1)
          play(breaker, "--")
          cancelled:cancel()
          cancelled:await()
          probe(s, breaker, 1)
          play(breaker, "- H")
        end)
      end
    end)
  end)

  -- gobreaker: two have succeeded, the third is on its way.
  it("closes with the last probe that it needs, whoever makes it", function()
    run(function()
      local breaker = ripe { half_open_max = 3, success_threshold = 3 }
      play(breaker, "xxxx H ss H")
      rille.scope(function(s)
        for i = 1, 3 do probe(s, breaker, i) end
        play(breaker, "- H")
        rille.sleep(1)
        play(breaker, "C")
      end)
      assert.equal(2, breaker:stats().late)
    end)
  end)

  it("opens with the first probe that fails; the others are not heard", function()
    run(function()
      local breaker = ripe { half_open_max = 3 }
      rille.scope(function(s)
        local failed, late = probe(s, breaker, 1, "failed"), probe(s, breaker, 2)
        assert.same({ nil, "failed" }, { failed:await() })
        play(breaker, "O")
        assert.equal("ok", late:await())
        play(breaker, "O")
      end)
    end)
  end)

  it("stays half open when its probe is cancelled, and gives the permit on", function()
    run(function()
      local breaker = ripe {}
      rille.scope(function(s)
        local task = probe(s, breaker, 10)
        task:cancel()
        task:await()
        assert.equal("cancelled", task:status())
        play(breaker, "H")
        assert.equal(0, breaker:stats().probes)
        play(breaker, "s C")
      end)
    end)
  end)

  it("stays half open when its probe is timed out from outside", function()
    run(function()
      local breaker = ripe {}
      refused("timeout", rille.timeout(1, breaker.call, breaker, rille.sleep, 10))
      play(breaker, "H s C")
    end)
  end)

  it("opens when its probe is timed out from inside", function()
    run(function()
      local breaker = ripe {}
      refused("timeout", breaker:call(rille.timeout, 1, rille.sleep, 10))
      play(breaker, "O")
    end)
  end)

  it("lets another through when a probe is lost, and does not hear it any more", function()
    run(function()
      local breaker = ripe { reset_timeout = 5 }
      rille.scope(function(s)
        local lost = probe(s, breaker, 6, "too late")
        rille.sleep(4)
        play(breaker, "-")
        rille.sleep(1)
        play(breaker, "x H")
        lost:await()
        play(breaker, "H")
        local stats = breaker:stats()
        assert.same({ 1, 1, 0 }, { stats.lost, stats.late, stats.probes })
        play(breaker, "s C")
      end)
    end)
  end)

  it("loses no permit to a task that is closed because it would not be cancelled", function()
    run(function()
      local breaker = ripe { reset_timeout = 5 }
      local task = helper.start(breaker.call, breaker, function()
        while true do pcall(rille.sleep, 100) end
      end)
      task:cancel()
      refused("invalid", task:await())
      play(breaker, "-")
      rille.sleep(5)
      play(breaker, "s C")
    end)
  end)

  it("closes in the end where probes take longer than the reset_timeout", function()
    run(function()
      local breaker = ripe { reset_timeout = 1 }
      rille.scope(function(s)
        for _ = 1, 40 do
          s:go({ daemon = true }, function() breaker:call(rille.sleep, 3) end)
          rille.sleep(0.5)
          if breaker:state() == "closed" then return end
        end
        error "never closed"
      end)
    end)
  end)

  it("gives the permit back when is_failure raises", function()
    run(function()
      local breaker = ripe { is_failure = function(err)
        if err == "broken" then error("in is_failure", 0) end
        return true
      end }
      helper.raises(function() breaker:call(error, "broken") end, "in is_failure")
      play(breaker, "H s C")
    end)
  end)
end)
