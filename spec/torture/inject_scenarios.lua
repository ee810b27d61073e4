-- What spec/torture/inject_spec.lua interrupts at every point: one entry for
-- each blocking primitive. `t` is inject.lua's tracker. Times are multiples of
-- an eighth of a second.
local rille = require "rille"

local scenarios = {}

function scenarios.sleep(t)
  local _ <close> = t()
  rille.sleep(0.25)
  local _ <close> = t(function() rille.sleep(0.25) end)
  rille.sleep_until(1)
end

function scenarios.yield(t)
  for _ = 1, 4 do local _ <close> = t() rille.yield() end
end

function scenarios.channel(t)
  rille.scope(function(s)
    local _ <close> = t()
    local a, b = s:channel(), s:channel(2)
    s:go(function() local _ <close> = t(function() a:close() end) for i = 1, 4 do a:send(i) end end)
    s:go(function()
      local _ <close> = t(function() b:close() end)
      for v in a do local _ <close> = t() b:send(v) end
    end)
    for _ in b do local _ <close> = t() rille.sleep(0.125) end
  end)
end

function scenarios.channel_many(t)
  rille.scope(function(s)
    local ch = s:channel(2)
    s:go(function() local _ <close> = t(function() ch:close() end) ch:send_many { 1, 2, 3, 4 } end)
    local _ <close> = t()
    while ch:recv_many(3) do rille.yield() end
  end)
end

function scenarios.channel_overflow(t)
  local ch = rille.channel(1, { overflow = "drop_oldest", on_drop = function() end })
  local _ <close> = t()
  for i = 1, 3 do ch:send(i) rille.yield() end
  ch:recv()
end

function scenarios.select(t)
  rille.scope(function(s)
    local ch = s:channel()
    s:go({ daemon = true }, function()
      local _ <close> = t()
      for n in rille.every(0.5) do ch:send(n) end
    end)
    for _ = 1, 3 do
      local _ <close> = t(function() rille.sleep(0.125) end)
      rille.select { { ch }, { rille.after(0.375), function() rille.sleep(0.125) end } }
      rille.select({ { ch } }, { timeout = 0.25 })
    end
  end)
end

function scenarios.select_send(t)
  rille.scope(function(s)
    local a, b = s:channel(), s:channel()
    s:go({ daemon = true }, function() local _ <close> = t() while true do a:recv() end end)
    local _ <close> = t()
    for i = 1, 3 do rille.select { { a, send = i }, { b, send = i } } end
  end)
end

function scenarios.selector(t)
  rille.scope(function(s)
    local ch = s:channel()
    s:go(function() local _ <close> = t() for i = 1, 3 do ch:send(i) rille.sleep(0.125) end end)
    local sel = rille.selector { { ch }, { rille.after(9) } }
    local _ <close> = t()
    for _ = 1, 3 do sel:wait(1) end
  end)
end

function scenarios.broadcast(t)
  rille.scope(function(s)
    local b = s:broadcast { buffer = 1 }
    for _ = 1, 2 do
      local sub = b:subscribe()
      s:go(function()
        local _ <close> = t()
        local _ <close> = sub
        for _ in sub do rille.sleep(0.125) end
      end)
    end
    local _ <close> = t(function() b:close() end)
    for i = 1, 3 do b:send(i) end
  end)
end

function scenarios.event_bus(t)
  rille.scope(function(s)
    local bus <close> = rille.event_bus { buffer = 1 }
    local sub = bus:subscribe "a.*"
    s:go(function() local _ <close> = t() for _ in sub do rille.sleep(0.125) end end)
    local _ <close> = t(function() bus:close() end)
    for i = 1, 3 do bus:publish("a.b", i) end
  end)
end

function scenarios.await(t)
  rille.scope(function(s)
    local resolve
    s:go(function() local _ <close> = t() rille.sleep(0.25) if resolve then resolve(1) end end)
    local _ <close> = t()
    rille.await(function(r) resolve = r return function() resolve = nil end end)
  end)
end

function scenarios.join(t)
  rille.scope(function(s)
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = s:task(function()
        local _ <close> = t(function() rille.sleep(0.125) end)
        if i > 1 then return tasks[i - 1]:await() end
        rille.sleep(0.25)
      end)
    end
    local _ <close> = t()
    tasks[3]:await()
  end)
end

function scenarios.closing_a_task(t)
  rille.scope(function(s)
    local _ <close> = t()
    local _ <close> = s:task(function()
      local _ <close> = t(function() rille.sleep(0.25) end)
      rille.sleep(9)
    end)
    rille.yield()
  end)
end

function scenarios.timers(t)
  local _ <close> = t()
  rille.after(0.25):wait()
  local ticker <close> = rille.every(0.125)
  for n in ticker do
    local _ <close> = t()
    if n == 3 then break end
  end
end

function scenarios.nested_scopes(t)
  local function nest(depth)
    local _ <close> = t()
    if depth == 0 then return rille.sleep(0.125) end
    rille.scope(function(s)
      t.deferred(s)
      s:go(function() local _ <close> = t() rille.sleep(depth / 8) end)
      nest(depth - 1)
    end)
  end
  nest(4)
end

function scenarios.scope_for_the_block(t)
  local _ <close> = t()
  local s <close> = rille.scope()
  t.deferred(s)
  s:go(function() local _ <close> = t() rille.sleep(0.25) end)
  rille.yield()
end

function scenarios.close_of_a_scope(t)
  local s = rille.scope()
  local _ <close> = s
  s:go(function() local _ <close> = t() rille.sleep(0.25) end)
  local _ <close> = t()
  s:close()
end

function scenarios.foreign_parent(t)
  rille.scope(function(outer)
    rille.scope(function()
      local _ <close> = t()
      rille.scope({ parent = outer }, function(s)
        t.deferred(s)
        s:go(function() local _ <close> = t() rille.sleep(0.25) end)
      end)
    end)
  end)
end

function scenarios.concurrency(t)
  rille.scope({ concurrency = 2 }, function(s)
    local _ <close> = t()
    for _ = 1, 5 do s:go(function() local _ <close> = t() rille.sleep(0.125) end) end
  end)
end

function scenarios.timeout(t)
  local _ <close> = t()
  rille.timeout(0.25, function()
    local _ <close> = t(function() rille.sleep(0.125) end)
    rille.sleep(9)
  end)
  rille.timeout(9, rille.sleep, 0.125)
end

function scenarios.own_cancel(t)
  rille.scope(function(s)
    local _ <close> = t()
    s:go(function() local _ <close> = t(function() rille.sleep(0.125) end) rille.sleep(9) end)
    rille.sleep(0.125)
    s:cancel "enough"
  end)
end

function scenarios.shield(t)
  local _ <close> = t()
  rille.shield(function()
    local _ <close> = t()
    rille.sleep(0.25)
    rille.scope(function(s) s:go(function() local _ <close> = t() rille.yield() end) end)
  end)
  rille.shield(0.125, rille.sleep, 9)
end

function scenarios.defer(t)
  rille.scope(function(s)
    for _ = 1, 3 do
      t.deferred(s)
      s:defer(rille.sleep, 0.125)
    end
    s:go(function() local _ <close> = t() rille.yield() end)
    rille.yield()
  end)
end

function scenarios.services(t)
  rille.scope(function(s)
    s:provide("db", function() rille.sleep(0.125) return t() end,
      function(db) getmetatable(db).__close(db) rille.sleep(0.125) end)
    rille.scope(function(inner)
      inner:go(function() local _ <close> = t() inner:use "db" rille.sleep(0.125) end)
    end)
  end)
end

function scenarios.poll(t)
  rille.scope(function(s)
    local n = 0
    local p = s:poll(function()
      local _ <close> = t()
      rille.sleep(0.125)
      n = n + 1
      return n
    end, function() local _ <close> = t() rille.yield() end, { interval = 0.25 })
    local _ <close> = t()
    rille.sleep(1)
    p:stop()
    p:start()
    rille.sleep(0.5)
  end)
end

local function shared(call)
  return function(t)
    rille.scope(function(s)
      local _ <close> = t()
      local fn = call(t)
      local tasks = {}
      for i = 1, 3 do
        tasks[i] = s:task(function() local _ <close> = t() return fn() end)
      end
      for i = 1, 3 do tasks[i]:await() end
    end)
  end
end

local function slow(t, value)
  return function() local _ <close> = t() rille.sleep(0.25) return value end
end

scenarios.once = shared(function(t) return rille.once(slow(t, 1)) end)

scenarios.singleflight = shared(function(t)
  local group = rille.singleflight()
  return function() return group:call("key", slow(t, 1)) end
end)

scenarios.cache = shared(function(t)
  local cache = rille.cache { size = 2, ttl = 1 }
  return function() return cache:get("key", slow(t, 1)) end
end)

scenarios.debounce = shared(function(t)
  return rille.debounce(slow(t, 1), { wait = 0.25 })
end)

scenarios.throttle = shared(function(t)
  return rille.throttle(slow(t, 1), { interval = 0.25, trailing = true })
end)

scenarios.policy = shared(function(t)
  local p = rille.policy { total_timeout = 2, timeout = 1, hedge = { delay = 0.125, max = 2 },
    fallback = function() return "instead" end }
  return function() return p:call(slow(t, 1)) end
end)

function scenarios.hedge(t)
  local n = 0
  local _ <close> = t()
  rille.hedge({ delay = 0.25, max = 3 }, function()
    local _ <close> = t(function() rille.sleep(0.125) end)
    n = n + 1
    rille.sleep(n < 3 and 9 or 0.125)
    return n
  end)
end

function scenarios.fallback(t)
  rille.fallback(function() local _ <close> = t() rille.sleep(0.125) return nil, "no" end,
    function() local _ <close> = t() rille.sleep(0.125) return "yes" end)
end

function scenarios.generators(t)
  local _ <close> = t()
  for _ in rille.coroutine.wrap(function()
    for i = 1, 3 do rille.sleep(0.125) rille.coroutine.yield(i) end
  end) do
    local _ <close> = t()
    rille.yield()
  end
end

function scenarios.wait_all_blocked(t)
  rille.scope(function(s)
    s:go(function() local _ <close> = t() rille.sleep(0.25) end)
    local _ <close> = t()
    rille.timeout(0.25, rille.testing.wait_all_blocked)
  end)
end

-- Examples, in silence: those that need neither sockets nor processes, have not
-- thousands of points (fan, log_batches, pipeline), and do not look into errors
-- or raise some of their own (retry, supervised).
for _, name in ipairs { "event_bus", "poll", "primes", "rate_limit", "services", "tour" } do
  scenarios["example_" .. name] = function(t)
    local _ <close> = t()
    local path = "scripts/examples/" .. name .. ".lua"
    local env = setmetatable({ print = function() end, arg = { [0] = path } }, { __index = _G })
    assert(loadfile(path, "t", env))()
  end
end

return scenarios
