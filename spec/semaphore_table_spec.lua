-- What any semaphore must do: sequences of calls with their results, taken
-- from the tests of the field (golang.org/x/sync, Kotlin, Trio).
local rille = require "rille"
local helper = require "spec.helper"
local run, raises, raises_kind = helper.run, helper.raises, helper.raises_kind

-- Each step is {call, argument, expected}; a waiter has a name instead of an
-- expected value, and `done` says whether that one has got its permits.
local tables = {
  ["takes and gives back what there is"] = {
    size = 2,
    { "acquire", 1 }, { "try", 1, true }, { "try", 1, false }, { "release", 2 },
    { "try", 1, true }, { "acquire", 1 }, { "try", 1, false }, { "release", 2 },
  },
  ["has nothing to be given back at first"] = {
    size = 2,
    { "release", 1, "more permits" }, { "try", 2, true }, { "release", 2 },
  },
  ["refuses more than its size and serves the others"] = {
    size = 3,
    { "acquire", 4, "4 permits of 3" }, { "acquire", 1 }, { "try", 2, true }, { "release", 3 },
  },
  ["lets the second go when the first is cancelled"] = {
    size = 10,
    { "acquire", 1 }, { "wait", 10, "first" }, { "wait", 1, "second" },
    { "done", "second", false }, { "cancel", "first" }, { "done", "second", true },
    { "release", 2 }, { "available", 10 },
  },
  ["gets the permit of a cancelled waiter back"] = {
    size = 1,
    { "acquire", 1 }, { "wait", 1, "first" }, { "wait", 1, "second" }, { "wait", 1, "third" },
    { "cancel", "first" }, { "done", "second", false }, { "done", "third", false },
    { "release", 1 }, { "done", "second", true }, { "done", "third", false },
    { "cancel", "third" }, { "release", 1 }, { "available", 1 },
  },
  ["grants below its limit only, when that changes"] = {
    size = 2,
    { "acquire", 2 }, { "resize", 4 }, { "try", 1, true }, { "try", 1, true },
    { "try", 1, false }, { "release", 2 }, { "resize", 1 }, { "try", 1, false },
    { "release", 1 }, { "try", 1, false }, { "wait", 1, "last" }, { "done", "last", false },
    { "release", 1 }, { "done", "last", true }, { "release", 1 }, { "available", 1 },
  },
}

local calls = {}

function calls.acquire(sem, k, message)
  if message then raises(function() sem:acquire(k) end, message) else sem:acquire(k) end
end

calls["try"] = function(sem, k, expected)
  assert.equal(expected, (sem:try_acquire(k)) == true)
end

function calls.release(sem, k, message)
  if message then raises(function() sem:release(k) end, message) else sem:release(k) end
end

function calls.wait(sem, k, name, waiters)
  waiters[name] = rille.root():task(function() sem:acquire(k) end)
  helper.settle()
end

function calls.cancel(_, name, _, waiters)
  waiters[name]:cancel()
  waiters[name]:await()
end

function calls.done(_, name, expected, waiters)
  helper.settle()
  assert.equal(expected, waiters[name]:status() == "done", name)
end

function calls.available(sem, expected) assert.equal(expected, sem:available()) end

function calls.resize(sem, n) sem:resize(n) end

describe("a semaphore", function()
  for name, steps in pairs(tables) do
    it(name, function()
      run(function()
        local sem, waiters = rille.semaphore(steps.size), {}
        for _, step in ipairs(steps) do
          calls[step[1]](sem, step[2], step[3], waiters)
        end
      end)
    end)
  end

  it("lets a request for all through between holders that come again and again", function()
    run(function()
      local sem, stop = rille.semaphore(4), false
      for _ = 1, 4 do
        rille.root():go(function()
          while not stop do
            sem:call(rille.sleep, 1)
          end
        end)
      end
      rille.sleep(2.5)
      sem:acquire(4)
      stop = true
      assert.is_true(rille.now() <= 4)
      sem:release(4)
    end)
  end)

  it("gives a task that is cancelled nothing, though there are permits", function()
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

describe("a lock", function()
  it("cannot be released by another than its owner", function()
    run(function()
      local mutex = rille.mutex()
      local task = rille.root():task(function() mutex:call(rille.sleep, 1) end)
      rille.yield()
      raises(function() mutex:release() end, "alone can release it")
      task:await()
    end)
  end)

  it("whose owner has ended is the next waiter's", function()
    run(function()
      local mutex, got = rille.mutex(), nil
      local owner = rille.root():task(function() mutex:acquire() rille.sleep(1) end)
      rille.root():go(function() got = mutex:acquire() mutex:release() end)
      helper.refused("invalid", owner:await())
      helper.settle()
      assert.is_true(got)
    end)
  end)

  for _, kind in ipairs { "mutex", "semaphore" } do
    it("holds one of 5 workers at a time, in order, in 10 rounds: " .. kind, function()
      local order = {}
      run(function()
        local lock = kind == "mutex" and rille.mutex() or rille.semaphore(1)
        local inside = 0
        for id = 1, 5 do
          rille.root():go(function()
            for _ = 1, 10 do
              lock:call(function()
                inside = inside + 1
                assert.equal(1, inside)
                order[#order + 1] = id
                rille.sleep(1)
                inside = inside - 1
              end)
            end
          end)
        end
      end)
      assert.equal(("12345"):rep(10), table.concat(order))
    end)
  end
end)

describe("10 workers in 10 rounds", function()
  for size = 1, 3 do
    it("have their turn in strict order, " .. size .. " at a time", function()
      local order = {}
      run(function()
        local sem, inside = rille.semaphore(size), 0
        for id = 0, 9 do
          rille.root():go(function()
            for _ = 1, 10 do
              sem:acquire()
              inside = inside + 1
              assert.is_true(inside <= size)
              order[#order + 1] = id
              rille.sleep(1)
              inside = inside - 1
              sem:release()
            end
          end)
        end
      end)
      assert.equal(("0123456789"):rep(10), table.concat(order))
    end)
  end
end)
