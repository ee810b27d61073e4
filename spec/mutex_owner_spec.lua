-- What becomes of a lock whose holder ends without releasing it.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises_kind, refused = helper.run, helper.raises_kind, helper.refused

-- How a lock is taken, and whether it is free.
local kinds = {
  mutex = function()
    local mutex = rille.mutex()
    return function() return mutex:acquire() end, function() return not mutex:locked() end
  end,
  ["rwlock, for reading"] = function()
    local lock = rille.rwlock()
    return function() return lock:acquire_read() end,
      function() return lock:stats().readers == 0 end
  end,
  ["rwlock, for writing"] = function()
    local lock = rille.rwlock()
    return function() return lock:acquire_write() end,
      function() return not lock:stats().writer end
  end,
  ["mutex of a select"] = function()
    local mutex = rille.mutex()
    return function() return (rille.select { { mutex } }) end,
      function() return not mutex:locked() end
  end,
}

local function each(text, fn)
  for name, make in pairs(kinds) do
    it(text .. ": " .. name, function()
      local take, is_free = make()
      fn(take, is_free, name:match "%w+")
    end)
  end
end

describe("a task that ends with a lock in its hands", function()
  each("fails, with what it held", function(take, is_free, name)
    run(function()
      local task = rille.root():task(function() take() return "result" end, { name = "me" })
      local err = refused("invalid", task:await())
      assert.truthy(err.message:find("me ended holding a " .. name, 1, true))
      assert.is_true(is_free())
    end)
  end)

  each("fails its scope if it was started with go", function(take)
    raises_kind("invalid", function()
      run(function() rille.root():go(take) end)
    end)
  end)

  each("fails the run if it is the main task", function(take, is_free)
    raises_kind("invalid", function() run(take) end)
    assert.is_true(is_free())
  end)

  each("gives the lock to the next", function(take, is_free)
    run(function()
      local first = rille.root():task(function() take() rille.sleep(1) end)
      rille.yield()
      local got
      local second = rille.root():task(function() got = take() end)
      first:await()
      second:await()
      assert.truthy(got)
      assert.is_true(is_free())
    end)
  end)

  each("keeps its own error, whose traceback tells of the lock", function(take, is_free, name)
    run(function()
      local task = rille.root():task(function() take() error "own" end)
      local _, err = task:await()
      assert.truthy(err:find "own$")
      assert.truthy(task:traceback():find("ended holding a " .. name, 1, true))
      assert.is_true(is_free())
    end)
  end)

  each("keeps the error that it returned", function(take)
    run(function()
      local task = rille.root():task(function() take() return nil, "own" end)
      assert.equal("own", select(2, task:await()))
      assert.truthy(task:traceback():find "ended holding")
    end)
  end)

  each("fails when it was cancelled: the cancellation is the cause", function(take, is_free)
    run(function()
      local task = rille.root():task(function() take() rille.sleep(9) end)
      rille.yield()
      task:cancel()
      local err = refused("invalid", task:await())
      assert.is_true(rille.is_error(err.cause, "cancelled"))
      assert.is_true(is_free())
    end)
  end)

  each("that catches its cancellation for ever gives it back", function(take, is_free)
    run(function()
      local task = rille.root():task(function()
        take()
        while true do pcall(rille.sleep, 9) end
      end)
      rille.yield()
      task:cancel()
      assert.truthy(select(2, task:await()).message:find "caught its own cancellation")
      assert.is_true(is_free())
    end)
  end)

  it("gives all of them back", function()
    run(function()
      local locks = {}
      for i = 1, 100 do locks[i] = rille.mutex() end
      local task = rille.root():task(function()
        for _, lock in ipairs(locks) do lock:acquire() end
        for i = 1, 100, 3 do locks[i]:release() end
      end)
      refused("invalid", task:await())
      for _, lock in ipairs(locks) do assert.is_false(lock:locked()) end
    end)
  end)

  it("gives back one that nobody else refers to", function()
    run(function()
      local task = rille.root():task(function()
        for _ = 1, 100 do rille.mutex():acquire() end
        collectgarbage()
        collectgarbage()
      end)
      refused("invalid", task:await())
    end)
  end)
end)

describe("a lock that is held when the engine is closed", function()
  it("is nobody's any more, and nothing is said", function()
    local output = helper.stock_lua [[
      local rille = require "rille"
      local _, engine = debug.getupvalue(rille.now, 1)
      local mutex, lock = rille.mutex(), rille.rwlock()
      rille.run(function()
        local task = rille.root():go(function() mutex:acquire() rille.sleep(9) end)
        for _ = 1, 3 do
          rille.root():go(function() mutex:acquire() rille.sleep(9) end)
          rille.root():go(function() lock:acquire_read() rille.sleep(9) end)
          rille.root():go(function() lock:write(rille.sleep, 9) end)
        end
        rille.yield()
        debug.getmetatable(engine).__gc(engine)
        print(mutex:locked(), lock, task:status())
        os.exit(true)
      end)
    ]]
    assert.equal("false\trille.rwlock: free, 0 waiting\tcancelled\n", output)
  end)
end)
