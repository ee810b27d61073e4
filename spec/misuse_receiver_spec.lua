local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- One object of each type, by name; to be called in a task.
local function objects()
  local ch = rille.channel(1)
  local sub = rille.broadcast():subscribe()
  sub:close() -- or its receivers wait
  local _, err = rille.scope(function(s) s:cancel() rille.yield() end)
  return {
    scope = rille.root(),
    task = rille.root():task(function() end),
    channel = ch,
    broadcast = rille.broadcast(),
    subscription = sub,
    event_bus = rille.event_bus(),
    timer = rille.after(1),
    ticker = rille.every(1),
    selector = rille.selector { { ch } },
    poll = rille.root():poll(print, nil, { interval = 1000, immediate = false }),
    error = err,
    semaphore = rille.semaphore(1),
    mutex = rille.mutex(),
    rwlock = rille.rwlock(),
    bulkhead = rille.bulkhead { max = 1 },
    event = rille.event(),
  }
end

local names = { "scope", "task", "channel", "broadcast", "subscription", "event_bus", "timer",
  "ticker", "selector", "poll", "error", "semaphore", "mutex", "rwlock", "bulkhead", "event" }

-- What shares its methods: a subscription is received from as a channel is; a
-- ticker and a timer may be one type; a bulkhead is a semaphore.
local alike = { channel = "subscription", subscription = "channel", timer = "any", ticker = "any",
  semaphore = "bulkhead", bulkhead = "semaphore" }

local methods = {
  scope = { "go", "task", "cancel", "cancelled", "close", "defer", "name", "parent", "deadline",
    "set_deadline", "active", "errors", "channel", "broadcast", "event_bus",
    "provide", "use", "has", "poll", "parallel", "map", "race", "any" },
  task = { "await", "cancel", "status", "name", "scope", "traceback" },
  channel = { "send", "recv", "try_send", "try_recv", "recv_many", "send_many", "close", "cap",
    "size", "is_closed", "wait_closed" },
  broadcast = { "send", "try_send", "subscribe", "unsubscribe", "subscribers", "close", "is_closed",
    "stats" },
  subscription = { "close", "dropped", "name", "stats" },
  event_bus = { "subscribe", "publish", "try_publish", "unsubscribe", "topics", "close",
    "is_closed", "stats" },
  timer = { "wait", "stop" },
  ticker = { "stop" },
  selector = { "wait", "set_send", "enable" },
  poll = { "stop", "start", "status" },
  semaphore = { "acquire", "try_acquire", "release", "call", "resize", "available", "waiting",
    "stats" },
  mutex = { "acquire", "try_acquire", "release", "call", "locked", "stats" },
  rwlock = { "read", "write", "acquire_read", "acquire_write", "try_acquire_read",
    "try_acquire_write", "release_read", "release_write", "stats" },
  bulkhead = { "acquire", "try_acquire", "release", "call", "resize", "available", "waiting",
    "stats" },
  event = { "clear", "set", "is_set", "wait", "stats" },
}

local function wrong_receivers(name)
  local list = { 42, "text", true, {}, print, io.stdout, coroutine.create(print) }
  for _, other in ipairs(names) do
    if other ~= name and alike[name] ~= other and alike[name] ~= "any" then
      list[#list + 1] = objects()[other]
    end
  end
  return list
end

-- The metatable that the debug library sees.
local function real(object)
  return debug.getmetatable(object)
end

describe("a method", function()
  for _, name in ipairs(names) do
    for _, method in ipairs(methods[name] or {}) do
      it(name .. ":" .. method .. " refuses every other receiver", function()
        run(function()
          local fn = objects()[name][method]
          raises(fn)
          for _, receiver in ipairs(wrong_receivers(name)) do
            raises(function() fn(receiver, 1, 1) end)
          end
        end)
      end)
    end
  end
end)

describe("a metamethod", function()
  for _, name in ipairs(names) do
    it("of a " .. name .. " refuses or survives every other receiver", function()
      run(function()
        for key, fn in pairs(real(objects()[name])) do
          if type(fn) == "function" then
            pcall(fn)
            for _, receiver in ipairs(wrong_receivers(name)) do
              pcall(fn, receiver, receiver, 1)
            end
            assert.equal("string", type(key))
          end
        end
        rille.sleep(1)
        assert.equal(1, rille.now())
      end)
    end)

    it("__gc of a " .. name .. " called by hand, twice, leaves it unharmed", function()
      run(function()
        local object = objects()[name]
        local gc = real(object).__gc
        if gc then
          pcall(gc, object)
          pcall(gc, object)
        end
        pcall(tostring, object)
        rille.sleep(1)
        assert.equal(1, rille.now())
      end)
      collectgarbage()
    end)

    it("table of a " .. name .. " is hidden from getmetatable", function()
      run(function()
        local object = objects()[name]
        assert.not_equal(real(object), getmetatable(object))
      end)
    end)

    it("__tostring of a " .. name .. " tells its type", function()
      run(function()
        assert.is_nil(tostring(objects()[name]):find("^userdata"))
      end)
    end)
  end
end)

describe("a field", function()
  for _, name in ipairs(names) do
    if name ~= "error" then
      it("of a " .. name .. " cannot be set", function()
        run(function()
          local object = objects()[name]
          raises(function() object.extra = 1 end)
        end)
      end)

      it("of a " .. name .. " that is unknown is nil or raises", function()
        run(function()
          local ok, value = pcall(function() return objects()[name].no_such_method end)
          assert.is_true(not ok or value == nil)
        end)
      end)
    end
  end
end)

describe("debug.setmetatable", function()
  for _, name in ipairs(names) do
    it("puts the metatable of a " .. name .. " on an io file: methods refuse it", function()
      local file = assert(io.tmpfile())
      local own = debug.getmetatable(file)
      run(function()
        local object = objects()[name]
        local mt = real(object)
        debug.setmetatable(file, mt)
        for _, method in ipairs(methods[name] or {}) do
          raises(function() object[method](file, 1, 1) end)
        end
        pcall(tostring, file)
        pcall(function() return #file end)
        pcall(function() return file.kind end)
      end)
      debug.setmetatable(file, own)
      file:close()
    end)

    it("puts the metatable of a " .. name .. " on the other engine objects", function()
      run(function()
        local object = objects()[name]
        local mt = real(object)
        for _, other in ipairs(names) do
          if other ~= name then
            local victim = objects()[other]
            local own = real(victim)
            debug.setmetatable(victim, mt)
            for _, method in ipairs(methods[name] or {}) do
              pcall(object[method], victim, 1, 1)
            end
            pcall(tostring, victim)
            pcall(function() return #victim end)
            debug.setmetatable(victim, own)
          end
        end
      end)
      collectgarbage()
    end)

    it("takes the metatable off a " .. name .. ": the engine goes on", function()
      run(function()
        local object = objects()[name]
        local own, calls = real(object), {}
        for _, method in ipairs(methods[name] or {}) do
          calls[#calls + 1] = object[method]
        end
        debug.setmetatable(object, nil)
        for _, call in ipairs(calls) do
          pcall(call, object, {})
        end
        debug.setmetatable(object, own)
        local before = rille.now()
        rille.sleep(1)
        assert.equal(before + 1, rille.now())
      end)
      collectgarbage()
    end)

    it("empties the metatable of a " .. name .. " for a while: the engine goes on", function()
      run(function()
        local mt = real(objects()[name])
        local saved = {}
        for key, value in pairs(mt) do saved[key] = value end
        for key in pairs(saved) do mt[key] = nil end
        pcall(rille.sleep, 1)
        for key, value in pairs(saved) do mt[key] = value end
        assert.equal(1, rille.now())
      end)
    end)
  end

  it("gives nil, numbers and functions an index: the engine goes on", function()
    run(function()
      local mt = { __index = function() return nil end }
      for _, value in ipairs { 0, print, true } do debug.setmetatable(value, mt) end
      debug.setmetatable(nil, mt)
      local ok = pcall(rille.scope, function(s) s:go(rille.sleep, 1) end)
      for _, value in ipairs { 0, print, true } do debug.setmetatable(value, nil) end
      debug.setmetatable(nil, nil)
      assert.is_true(ok)
    end)
  end)
end)
