-- What holds a permit for the length of a call or of a block.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises, raises_kind = helper.run, helper.raises, helper.raises_kind

-- Everything whose `call` is the same; each made anew, and whether it is free.
local kinds = {
  semaphore = function()
    local sem = rille.semaphore(1)
    return sem, sem.call, function() return sem:available() == 1 end
  end,
  bulkhead = function()
    local bulkhead = rille.bulkhead { max = 1, queue = 9 }
    return bulkhead, bulkhead.call, function() return bulkhead:available() == 1 end
  end,
  mutex = function()
    local mutex = rille.mutex()
    return mutex, mutex.call, function() return not mutex:locked() end
  end,
  ["rwlock for reading"] = function()
    local lock = rille.rwlock()
    return lock, lock.read, function() return lock:stats().readers == 0 end
  end,
  ["rwlock for writing"] = function()
    local lock = rille.rwlock()
    return lock, lock.write, function() return not lock:stats().writer end
  end,
}

-- For each kind an example: fn(object, its call, is_free), in a task.
local function each(text, fn)
  for name, make in pairs(kinds) do
    it(text .. ": " .. name, function()
      run(function() fn(make()) end)
    end)
  end
end

describe("the call of a permit", function()
  each("returns what the function returns", function(object, call)
    assert.same(table.pack(1, nil, false),
      table.pack(call(object, function() return 1, nil, false end)))
    assert.equal(2, select("#", call(object, function() return nil, nil end)))
    assert.equal(0, select("#", call(object, function() end)))
  end)

  each("passes the arguments on", function(object, call)
    call(object, function(...) assert.same(table.pack(1, nil, "x", nil), table.pack(...)) end,
      1, nil, "x", nil)
  end)

  each("passes nil and an error on", function(object, call)
    assert.same({ nil, "why" }, { call(object, function() return nil, "why" end) })
  end)

  each("holds it meanwhile, over waits too", function(object, call, is_free)
    call(object, function()
      assert.is_false(is_free())
      rille.sleep(1)
      assert.is_false(is_free())
    end)
    assert.is_true(is_free())
  end)

  each("waits until it can be had", function(object, call)
    rille.root():go(function() call(object, rille.sleep, 3) end)
    rille.yield()
    if call == object.read then object:acquire_write() object:release_write() end
    assert.equal(3, call(object, rille.now))
  end)

  for _, err in ipairs { "text", 42, false, {}, print } do
    each("raises the very error of the function, " .. type(err), function(object, call, is_free)
      local ok, got = pcall(call, object, function() error(err, 0) end)
      assert.is_false(ok)
      assert.equal(err, got)
      assert.is_true(is_free())
    end)
  end

  each("raises nil if the function does", function(object, call, is_free)
    assert.same(table.pack(false, nil), table.pack(pcall(call, object, error)))
    assert.is_true(is_free())
  end)

  each("leaves the stack of an error as it was raised", function(object, call)
    local function culprit() error "boom" end
    local _, trace = xpcall(call, debug.traceback, object, function() culprit() end)
    assert.truthy(trace:find "in upvalue 'culprit'")
  end)

  each("gives it back when the function is cancelled", function(object, call, is_free)
    helper.refused("timeout", rille.timeout(1, call, object, rille.sleep, 2))
    assert.is_true(is_free())
  end)

  each("checks for cancellation though it need not wait", function(object, call, is_free)
    local called = false
    rille.scope(function(s)
      s:cancel()
      raises_kind("cancelled", function() call(object, function() called = true end) end)
    end)
    assert.is_false(called)
    assert.is_true(is_free())
  end)

  each("gives it back when a generator is closed inside it", function(object, call, is_free)
    local co = rille.coroutine.create(function() call(object, rille.coroutine.yield) end)
    rille.coroutine.resume(co)
    assert.is_false(is_free())
    rille.coroutine.close(co)
    assert.is_true(is_free())
  end)

  each("does not spend its turn holding it", function(object, call, is_free)
    local held = false
    rille.root():go(function()
      for _ = 1, 10 do
        held = held or not is_free()
        rille.yield()
      end
    end)
    for _ = 1, 1000 do call(object, function() end) end
    assert.is_false(held)
  end)

  each("makes no garbage", function(object, call)
    local function nothing() end
    local grown = helper.garbage(function() call(object, nothing) end)
    assert.is_true(grown < 1, ("grew by %.1f KB"):format(grown))
  end)

  for _, fn in ipairs { false, 42, "text", setmetatable({}, { __call = print }) } do
    each("refuses a " .. type(fn) .. " for a function", function(object, call, is_free)
      raises(function() call(object, fn) end, "function expected")
      assert.is_true(is_free())
    end)
  end

  each("refuses nothing for a function", function(object, call)
    raises(function() call(object) end, "function expected")
  end)

  each("raises where Lua cannot suspend, if it must wait", function(object, call, is_free)
    rille.root():go(function() call(object, rille.sleep, 1) end)
    rille.yield()
    local ok, err = pcall(string.gsub, "x", "x", function()
      call(object, print)
      return "y"
    end)
    if call ~= object.read then assert.is_false(ok, err) end
    rille.sleep(2)
    assert.is_true(is_free())
  end)
end)

describe("the permit of a block", function()
  it("is given back at its end", function()
    run(function()
      local sem = rille.semaphore(1)
      do
        sem:acquire()
        local _ <close> = sem
        assert.equal(0, sem:available())
      end
      assert.equal(1, sem:available())
    end)
  end)

  it("is given back by an error", function()
    run(function()
      local mutex = rille.mutex()
      pcall(function()
        mutex:acquire()
        local _ <close> = mutex
        error "boom"
      end)
      assert.is_false(mutex:locked())
    end)
  end)

  it("is given back by a cancellation", function()
    run(function()
      local lock = rille.rwlock()
      rille.timeout(1, function()
        lock:acquire_write()
        local _ <close> = lock
        rille.sleep(2)
      end)
      assert.is_false(lock:stats().writer)
    end)
  end)

  it("that was not taken raises", function()
    run(function()
      for _, object in ipairs { rille.semaphore(1), rille.mutex(), rille.rwlock() } do
        raises(function() local _ <close> = object end)
      end
    end)
  end)
end)
