-- Cancellation, deadlines and select: no permit is lost or made.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises_kind, refused = helper.run, helper.raises_kind, helper.refused

local seed = math.tointeger(tonumber(os.getenv "SEED")) or 20260101

describe("a semaphore's waiter", function()
  it("that is cancelled leaves its permit to others", function()
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      local task = rille.root():go(function() sem:acquire() end)
      rille.yield()
      task:cancel()
      task:await()
      sem:release()
      assert.equal(1, sem:available())
    end)
  end)

  it("whose deadline comes leaves its permit to others", function()
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      refused("timeout", rille.timeout(2, sem.acquire, sem))
      assert.equal(2, rille.now())
      sem:release()
      assert.equal(1, sem:available())
    end)
  end)

  it("that is cancelled when it has been given the permit keeps it", function()
    local got
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      local task = rille.root():task(function()
        got = sem:acquire()
        sem:release()
        rille.yield()
        got = "not cancelled"
      end)
      rille.yield()
      sem:release()
      task:cancel()
      refused("cancelled", task:await())
      assert.equal(1, sem:available())
    end)
    assert.is_true(got)
  end)

  it("that is cancelled before the permit comes, in the same turn, does not get it", function()
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      local task = rille.root():task(function() sem:acquire() end)
      rille.yield()
      task:cancel()
      sem:release()
      refused("cancelled", task:await())
      assert.equal(1, sem:available())
    end)
  end)

  it("in a call that is cancelled with its grant runs the function to its first wait", function()
    local log = helper.log()
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      local task = rille.root():task(function()
        sem:call(function()
          log "called"
          rille.yield()
          log "not reached"
        end)
      end)
      rille.yield()
      sem:release()
      task:cancel()
      task:await()
      assert.equal(1, sem:available())
    end)
    assert.equal("called", helper.text(log))
  end)

  it("that leaves the front lets those behind it go, as far as they fit", function()
    local log = helper.log()
    run(function()
      local sem = rille.semaphore(4)
      sem:acquire()
      local first = rille.root():task(function() sem:acquire(4) end)
      for i, k in ipairs { 1, 1, 2, 1 } do
        rille.root():go({ daemon = true }, function() sem:acquire(k) log(i) end)
      end
      helper.settle()
      first:cancel()
      helper.settle()
      assert.equal("1 2", helper.text(log))
      sem:release()
      helper.settle()
      assert.equal("1 2 3", helper.text(log))
    end)
  end)

  it("of a scope that is cancelled goes with all the others", function()
    run(function()
      local sem = rille.semaphore(2)
      sem:acquire()
      rille.scope(function(s)
        for k = 1, 2 do
          for _ = 1, 20 do s:go(sem.acquire, sem, k) end
        end
        helper.settle()
        s:cancel()
      end)
      assert.equal(0, sem:waiting())
    end)
  end)

  it("may wait in a handler of its cancelled task", function()
    run(function()
      local sem, got = rille.semaphore(1), nil
      sem:acquire()
      local task = rille.root():task(function()
        local _ <close> = helper.closing(function() got = sem:acquire() end)
        rille.sleep(10)
      end)
      rille.yield()
      task:cancel()
      rille.yield()
      sem:release()
      task:await()
      assert.is_true(got)
    end)
  end)
end)

describe("acquire", function()
  it("in a cancelled task raises and takes nothing", function()
    run(function()
      local sem = rille.semaphore(2)
      rille.scope(function(s)
        s:cancel()
        raises_kind("cancelled", function() sem:acquire() end)
      end)
      assert.is_true(sem:try_acquire(2))
    end)
  end)
end)

describe("a semaphore in a select", function()
  it("gives true and one permit", function()
    run(function()
      local sem = rille.semaphore(3)
      assert.same({ 1, true }, { rille.select { { sem } } })
      assert.equal(2, sem:available())
    end)
  end)

  it("gives them when it had to wait", function()
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      rille.root():go(function() rille.sleep(1) sem:release() end)
      assert.same({ 2, true }, { rille.select { { rille.channel() }, { sem } } })
      refused("full", sem:try_acquire())
    end)
  end)

  it("calls the handler with true", function()
    run(function()
      local sem = rille.semaphore(1)
      assert.same({ 1, "got", true }, { rille.select { { sem, function(v) return "got", v end } } })
    end)
  end)

  it("takes nothing where another case fires", function()
    run(function()
      local a, b = rille.semaphore(1), rille.semaphore(1)
      a:acquire()
      b:acquire()
      rille.root():go(function() b:release() end)
      assert.equal(2, (rille.select { { a }, { b } }))
      a:release()
      assert.same({ 1, 0 }, { a:available(), b:available() })
    end)
  end)

  it("takes nothing when the select times out", function()
    run(function()
      local sem = rille.semaphore(1)
      sem:acquire()
      refused("timeout", rille.select({ { sem } }, { timeout = 1 }))
      sem:release()
      assert.equal(1, sem:available())
    end)
  end)

  it("does not overtake who waits", function()
    run(function()
      local sem = rille.semaphore(2)
      sem:acquire()
      local task = rille.root():go(function() sem:acquire(2) end)
      rille.yield()
      refused("timeout", rille.select({ { sem } }, { timeout = 0 }))
      sem:release()
      task:await()
    end)
  end)

  it("twice takes one permit", function()
    run(function()
      local sem = rille.semaphore(2)
      sem:acquire(2)
      rille.root():go(function() sem:release(2) end)
      rille.select { { sem }, { sem } }
      assert.equal(1, sem:available())
    end)
  end)

  it("is chosen evenly among several", function()
    run(function()
      local a, b, count = rille.semaphore(1), rille.semaphore(1), 0
      for _ = 1, 1000 do
        local i = rille.select { { a }, { b } }
        count = count + i - 1;
        (i == 1 and a or b):release()
      end
      assert.is_true(count > 400 and count < 600, tostring(count))
    end)
  end)

  it("cannot be sent to", function()
    run(function()
      local sem = rille.semaphore(1)
      helper.raises(function() rille.select { { sem, send = 1 } } end, "only a channel")
    end)
  end)

  it("of a selector makes no garbage", function()
    run(function()
      local sem = rille.semaphore(1)
      local selector = rille.selector { { sem } }
      local function rounds(n)
        for _ = 1, n do
          selector:wait()
          sem:release()
        end
      end
      rounds(100)
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      rounds(10000)
      local grown = collectgarbage "count" - before
      collectgarbage "restart"
      assert.is_true(grown < 1, ("grew by %.1f KB"):format(grown))
    end)
  end)
end)

-- A generator of our own, so that a seed means the same everywhere.
local function generator(state)
  return function(low, high)
    state = (state * 1103515245 + 12345) % 2147483648
    local span = high and high - low + 1 or low
    return (high and low or 1) + (state >> 8) % span
  end
end

-- How a task of the random test gets a permit: each returns how many, or nil.
local function ways(random, a, b)
  local sem = random(2) == 1 and a or b
  local k = random(3)
  return ({
    function() sem:acquire(k) return sem, k end,
    function() return (rille.timeout(random(3), sem.acquire, sem, k)) and sem, k end,
    function() return sem:try_acquire(k) and sem, k end,
    function() return ({ a, b })[rille.select { { a }, { b } }], 1 end,
    function()
      return ({ a, b })[rille.select({ { a }, { b } }, { timeout = random(3) }) or 3], 1
    end,
    function() sem:call(rille.sleep, random(3)) end,
  })[random(6)]
end

describe("permits under random cancellation", function()
  it("are all there at the end, and never more than there are are out", function()
    local random = generator(seed)
    run(function()
      local a, b = rille.semaphore(3), rille.semaphore(5)
      local out = { [a] = 0, [b] = 0 }
      local tasks = {}
      for id = 1, 3000 do
        tasks[id] = rille.root():task(function()
          local sem, k = ways(random, a, b)()
          if not sem then return end
          out[sem] = out[sem] + k
          assert(out[sem] <= sem:stats().limit)
          local _ <close> = helper.closing(function()
            out[sem] = out[sem] - k
            sem:release(k)
          end)
          rille.sleep(random(3))
        end)
        if random(3) == 1 then rille.sleep(random(2) - 1) end
        if random(2) == 1 then tasks[random(math.max(1, id - 10), id)]:cancel() end
      end
      for _, task in ipairs(tasks) do
        local value, err = task:await()
        assert(value == nil and (err == nil or rille.is_error(err, "cancelled")), err)
      end
      assert.same({ limit = 3, available = 3, waiting = 0 }, a:stats(), "SEED=" .. seed)
      assert.same({ limit = 5, available = 5, waiting = 0 }, b:stats(), "SEED=" .. seed)
    end)
  end)
end)
