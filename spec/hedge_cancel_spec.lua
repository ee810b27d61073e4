local rille = require "rille"
local helper = require "spec.helper"
local run, refused, start = helper.run, helper.refused, helper.start

-- A function that sleeps, and how many of its calls are under way.
local function sleeping(seconds, cleanup)
  local live = { n = 0, calls = 0 }
  return function()
    live.n, live.calls = live.n + 1, live.calls + 1
    local _ <close> = helper.closing(function()
      if cleanup then rille.sleep(cleanup) end
      live.n = live.n - 1
    end)
    rille.sleep(seconds)
    return "done"
  end, live
end

describe("hedge, when its caller is cancelled", function()
  it("raises the cancellation unchanged", function()
    run(function()
      local same
      rille.scope(function(s)
        s:go(function() rille.sleep(1.5) s:cancel("enough") end)
        local ok, err = pcall(rille.hedge, { delay = 1 }, (sleeping(9)))
        same = not ok and rille.is_cancellation(err) and err.reason
      end)
      assert.equal("enough", same)
    end)
  end)

  it("cancels and joins every attempt first", function()
    run(function()
      local fn, live = sleeping(9, 2)
      local task = start(function()
        local _ <close> = helper.closing(function() assert.equal(0, live.n) end)
        rille.hedge({ delay = 1, max = 3 }, fn)
      end)
      rille.sleep(2.5)
      assert.equal(3, live.n)
      task:cancel()
      task:await()
      assert.equal(0, live.n)
      assert.equal(4.5, rille.now())
    end)
  end)

  it("starts no other attempt for those that end so", function()
    run(function()
      local fn, live = sleeping(9)
      local task = start(rille.hedge, { delay = 5, max = 9 }, fn)
      rille.sleep(1)
      task:cancel()
      task:await()
      assert.equal(1, live.calls)
    end)
  end)

  it("is nil, timeout only at the scope of the deadline", function()
    run(function()
      local reached = false
      refused("timeout", rille.timeout(2, function()
        rille.hedge({ delay = 1 }, (sleeping(9)))
        reached = true
      end))
      assert.is_false(reached)
    end)
  end)

  it("starts nothing if it was cancelled before", function()
    run(function()
      local fn, live = sleeping(9)
      rille.scope(function(s)
        s:cancel()
        local ok, err = pcall(rille.hedge, { delay = 1 }, fn)
        assert.is_false(ok)
        assert.is_true(rille.is_error(err, "cancelled"))
      end)
      assert.equal(0, live.calls)
    end)
  end)

  it("raises it in the delay before the first hedge", function()
    run(function()
      refused("timeout", rille.timeout(0.5, rille.hedge, { delay = 1 }, (sleeping(9))))
      assert.equal(0.5, rille.now())
    end)
  end)
end)

describe("hedge, when an attempt cancels itself", function()
  it("takes that for a failure", function()
    run(function()
      local calls = 0
      assert.equal("second", (rille.hedge({ delay = 9 }, function()
        calls = calls + 1
        if calls == 2 then return "second" end
        rille.current():cancel("gave up")
        rille.yield()
      end)))
    end)
  end)

  it("returns nil and it when no other succeeds", function()
    run(function()
      local err = refused("cancelled", rille.hedge({ delay = 9, max = 1 }, function()
        rille.current():cancel("gave up")
        rille.yield()
      end))
      assert.equal("gave up", err.reason)
    end)
  end)
end)

describe("hedge among random cancellations", function()
  local seed = math.tointeger(tonumber(os.getenv("SEED"))) or 4042
  local totals = { done = 0, cancelled = 0 }

  -- One call: its attempts take, fail and return at random. Notes in `log`
  -- what is wrong.
  local function call(random, open, wrong)
    local live = 0
    local function attempt()
      live = live + 1
      local _ <close> = helper.closing(function()
        if random(4) == 1 then rille.sleep(random(0, 2) / 8) end
        live = live - 1
      end)
      rille.sleep(random(0, 16) / 8)
      if random(4) == 1 then error("failed", 0) end
      open.n = open.n + 1
      return helper.closing(function() open.n = open.n - 1 end)
    end
    local ok, value, err = pcall(rille.hedge, { delay = random(0, 4) / 8, max = random(4) },
      attempt)
    if live ~= 0 then wrong("live attempts") end
    if not ok then
      if not rille.is_cancellation(value) then wrong(value) end
      error(value, 0)
    end
    if value then local _ <close> = value elseif err ~= "failed" then wrong(err) end
    return true
  end

  for round = 1, 20 do
    it("leaves no attempt and no value behind, seed " .. seed + round, function()
      local random, open, wrong = helper.random(seed + round), { n = 0 }, helper.log()
      run({ seed = round }, function()
        local tasks = {}
        for i = 1, 30 do tasks[i] = start(call, random, open, wrong) end
        for _ = 1, 40 do
          if random(4) == 1 then rille.sleep(1 / 8) end
          tasks[random(#tasks)]:cancel()
        end
        for _, task in ipairs(tasks) do
          task:await()
          totals[task:status()] = totals[task:status()] + 1
        end
      end)
      assert.equal("", helper.text(wrong))
      assert.equal(0, open.n)
    end)
  end

  it("has met some callers and missed others", function()
    assert.is_true(totals.done > 100)
    assert.is_true(totals.cancelled > 100)
  end)
end)
