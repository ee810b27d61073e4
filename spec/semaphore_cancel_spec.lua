-- Cancellation and deadlines: no permit is lost or made.
local rille = require "rille"
local helper = require "spec.helper"
local run, refused = helper.run, helper.refused

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
    local random = helper.random(seed)
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
