-- What spec/torture/oom.c runs while allocations fail. Each entry runs as the
-- main task on the virtual clock and returns text; the same text must come
-- again when memory is back. A caught error is to be part of the text.
local rille = require "rille"

local function closing(fn) return setmetatable({}, { __close = fn }) end
local function text(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  return table.concat(parts, " ")
end

local list = {}
local function scenario(name, fn) list[#list + 1] = { name = name, fn = fn } end

scenario("tasks", function()
  local sum = 0
  rille.scope(function(s)
    for i = 1, 80 do s:go(function() rille.yield() sum = sum + i end) end
  end)
  return text(sum)
end)

scenario("await", function()
  return rille.scope(function(s)
    local a = s:task(function() return 1, 2, 3 end)
    local b = s:task(function() error("broken", 0) end)
    return text(a:await()) .. text(b:await())
  end)
end)

scenario("channel", function()
  local got = {}
  rille.scope(function(s)
    local ch, buffered = s:channel(), s:channel(3)
    s:go(function() for i = 1, 5 do ch:send(i) end ch:close() end)
    s:go(function() for v in ch do buffered:send { v } end buffered:close() end)
    for v in buffered do got[#got + 1] = v[1] end
  end)
  return table.concat(got, " ")
end)

scenario("channel, unbounded", function()
  local ch = rille.channel(math.huge)
  for i = 1, 100 do ch:send(i) end
  local many = ch:recv_many(60)
  ch:send_many { 1, 2, 3 }
  return text(#many, ch:size(), ch:recv())
end)

scenario("channel, overflow", function()
  local dropped = {}
  local ch = rille.channel(2, { overflow = "drop_oldest",
    on_drop = function(v) dropped[#dropped + 1] = v end })
  for i = 1, 4 do ch:send(i) end
  return text(#dropped, ch:recv())
end)

scenario("select", function()
  local a, b = rille.channel(1), rille.channel()
  return rille.scope(function(s)
    s:go(function() rille.sleep(1) b:send("b") end)
    local first = rille.select { { a }, { b, function(v) return v end } }
    local second = rille.select { { a, send = 1 }, { rille.after(1) } }
    local _, err = rille.select({ { b } }, { timeout = 1 })
    return text(first, second, err)
  end)
end)

scenario("selector", function()
  return rille.scope(function(s)
    local ch, sum = s:channel(), 0
    s:go(function() for i = 1, 4 do ch:send(i) end end)
    local sel = rille.selector { { ch, function(v) sum = sum + v end }, { rille.after(9) } }
    for _ = 1, 4 do sel:wait() end
    return text(sum)
  end)
end)

scenario("timers", function()
  local n = 0
  for tick in rille.every(1) do
    n = n + tick
    if tick >= 3 then break end
  end
  rille.after(1):wait()
  rille.sleep(1)
  return text(n, rille.now())
end)

scenario("scopes", function()
  local log = {}
  local _, err = rille.scope({ name = "outer" }, function(outer)
    outer:defer(function() log[#log + 1] = "deferred" end)
    rille.scope(function(inner)
      inner:go(function()
        local _ <close> = closing(function() rille.sleep(1) log[#log + 1] = "closed" end)
        rille.sleep(9)
      end)
      rille.sleep(1)
      outer:cancel("enough")
    end)
  end)
  return text(table.concat(log, " "), err)
end)

scenario("a scope for the rest of the block", function()
  local log = {}
  do
    local s <close> = rille.scope { timeout = 5 }
    s:go(function() rille.sleep(1) log[#log + 1] = "done" end)
  end
  return text(#log)
end)

scenario("a failure", function()
  local ok, err = pcall(rille.scope, { name = "s" }, function(s)
    s:go({ name = "sibling" }, rille.sleep, 9)
    s:go({ name = "failing" }, function() error { code = 7 } end)
  end)
  return text(ok, type(err) == "table" and err.code or err)
end)

scenario("a failure in on_error=continue", function()
  local ok, err = pcall(rille.scope, { on_error = "continue" }, function(s)
    for i = 1, 3 do s:go(function() error("failure " .. i, 0) end) end
  end)
  return text(ok, err)
end)

scenario("timeout and shield", function()
  local _, err = rille.timeout(1, function()
    rille.shield(rille.sleep, 2)
    rille.sleep(9)
  end)
  return text(err, rille.now())
end)

scenario("await a callback", function()
  local resolved
  return rille.scope(function(s)
    s:go(function() rille.sleep(1) resolved(1, 2, 3) end)
    return text(rille.await(function(resolve) resolved = resolve end))
  end)
end)

scenario("broadcast", function()
  return rille.scope(function(s)
    local b, sum = s:broadcast { buffer = 2 }, 0
    for _ = 1, 3 do
      local sub = b:subscribe()
      s:go(function() for v in sub do sum = sum + v end end)
    end
    for i = 1, 4 do b:send(i) end
    b:close()
    rille.sleep(1)
    return text(sum)
  end)
end)

scenario("event bus", function()
  return rille.scope(function(s)
    local bus, got = s:event_bus(), {}
    local sub = bus:subscribe("a.*", { with_topic = true })
    s:go(function() for e in sub do got[#got + 1] = e.topic end end)
    bus:publish("a.b", 1)
    bus:publish("a.c", 2)
    bus:close()
    rille.sleep(1)
    return table.concat(got, " ")
  end)
end)

scenario("services", function()
  local log = {}
  rille.scope(function(s)
    s:provide("db", function() return { "db" } end, function() log[#log + 1] = "disposed" end)
    rille.scope(function(inner) log[#log + 1] = inner:use("db")[1] end)
  end)
  return table.concat(log, " ")
end)

scenario("poll", function()
  local got = {}
  rille.scope(function(s)
    local n = 0
    local p = s:poll(function() n = n + 1 return n end, function(v) got[#got + 1] = v end,
      { interval = 1 })
    rille.sleep(2.5)
    p:stop()
    got[#got + 1] = p:status().poll_count
  end)
  return table.concat(got, " ")
end)

scenario("once, singleflight and cache", function()
  return rille.scope(function(s)
    local load = rille.once(function() rille.sleep(1) return "once" end)
    local flights, cache = rille.singleflight(), rille.cache { size = 2 }
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = s:task(function()
        return text(load()) .. text(flights:call("k", function() rille.sleep(1) return 1 end))
          .. text(cache:get("k", function() return "loaded" end))
      end)
    end
    return text(tasks[1]:await()) .. text(tasks[2]:await()) .. text(tasks[3]:await())
  end)
end)

scenario("hedge and fallback", function()
  local n = 0
  local value, err = rille.hedge({ delay = 1, max = 2 }, function()
    n = n + 1
    rille.sleep(n == 1 and 9 or 1)
    return "done" -- the first attempt will do as well, if the second one fails
  end)
  return text(value, err) .. text(rille.fallback(error,
    function(why) return "instead of " .. tostring(why) end, "x"))
end)

scenario("policy", function()
  local p = rille.policy { timeout = 1, total_timeout = 3,
    fallback = function(err) return "fallback " .. tostring(err) end }
  return text(p:call(rille.sleep, 9)) .. text(p:call(function() return "fine" end))
end)

scenario("debounce and throttle", function()
  return rille.scope(function(s)
    local f = rille.debounce(function(v) return v end, { wait = 1 })
    local g = rille.throttle(function(v) return v end, { interval = 1 })
    local first = s:task(function() return f(1) end)
    rille.yield()
    return text(f(2)) .. text(g(3)) .. text(g(4)) .. text(first:await())
  end)
end)

scenario("generators", function()
  local sum = 0
  for v in rille.coroutine.wrap(function()
    for i = 1, 3 do rille.sleep(1) rille.coroutine.yield(i) end
  end) do sum = sum + v end
  return text(sum, rille.now())
end)

scenario("generators in generators", function()
  local wrap, yield, sum = rille.coroutine.wrap, rille.coroutine.yield, 0
  local function inner()
    for i = 1, 3 do rille.sleep(1) yield(i) end
  end
  for v in wrap(function()
    for i in wrap(inner) do rille.yield() yield(i) end
  end) do sum = sum + v end
  return text(sum, rille.now())
end)

scenario("dump and traceback", function()
  return rille.scope({ name = "watched" }, function(s)
    local task <close> = s:go({ name = "sleeper" }, rille.sleep, 9)
    rille.yield()
    return text(rille.dump():match("watched"), task:traceback():match("sleeper"), task)
  end)
end)

scenario("deadlock", function()
  local _, err = rille.channel():recv()
  return text(err)
end)

scenario("a runaway cancellation", function()
  return rille.scope(function(s)
    local task = s:task(function()
      for _ = 1, 1000 do pcall(rille.sleep, 1) end -- without memory it never waits
      error("not enough memory", 0)
    end)
    rille.yield()
    task:cancel()
    local _, err = task:await()
    return text(err):match("caught its own cancellation") or text(err)
  end)
end)

scenario("semaphore", function()
  local sem, sum = rille.semaphore(2), 0
  rille.scope(function(s)
    for i = 1, 4 do
      s:go(function() sem:call(function() rille.sleep(1) sum = sum + i end) end)
    end
    s:go(function() rille.select { { sem, function() sem:release() end } } end)
  end)
  return text(sum, sem:available(), sem:waiting())
end)

scenario("bulkhead", function()
  local b, refused = rille.bulkhead { max = 1, queue = 1 }, 0
  rille.scope(function(s)
    for _ = 1, 3 do
      s:go(function()
        local ok, err = b:call(function() rille.sleep(1) return true end)
        if not ok then refused = refused + (rille.is_error(err, "bulkhead_full") and 1 or 0) end
      end)
    end
  end)
  return text(refused, b:available())
end)

scenario("mutex and rwlock", function()
  local m, l, sum = rille.mutex(), rille.rwlock(), 0
  rille.scope(function(s)
    for i = 1, 3 do
      s:go(function() m:call(function() rille.sleep(1) sum = sum + i end) end)
      s:go(function() l:read(rille.sleep, 1) l:write(function() sum = sum + 1 end) end)
    end
  end)
  return text(sum, m:locked(), l:stats().readers)
end)

scenario("event", function()
  local e, woken = rille.event(), 0
  rille.scope(function(s)
    for _ = 1, 3 do s:go(function() e:wait() woken = woken + 1 end) end
    rille.sleep(1)
    e:set()
  end)
  return text(woken, e:stats().waiting)
end)

scenario("retry", function()
  local budget, n = rille.retry_budget { max_tokens = 2, min_per_second = 0, ratio = 0 }, 0
  local value, err = rille.retry({ delay = 1, budget = budget, on_retry = function() end,
    retry_if = function(e) return e == "again" end }, function()
    n = n + 1
    if n < 3 then error("again", 0) end
    return "done"
  end)
  return text(value, err)
end)

scenario("breaker", function()
  local b = rille.breaker { failure_threshold = 1, reset_timeout = 1,
    window = nil, on_state_change = function() end }
  local _, first = b:call(error, "down", 0)
  local _, second = b:call(error, "not called")
  rille.sleep(1)
  local third = b:call(function() rille.yield() return "up" end)
  return text(first, second, third, b:stats().probes)
end)

scenario("limiter", function()
  local l = rille.limiter { rate = 1, burst = 1 }
  rille.scope(function(s)
    for _ = 1, 3 do s:go(function() l:acquire() end) end
  end)
  local _, err = rille.timeout(0.5, l.acquire, l)
  local delay, cancel = l:reserve()
  cancel()
  return text(err, delay, l:call(function() return "called" end), l:stats().waiting)
end)

-- Where leaving a call's scope failed for lack of memory, the loop's next wait
-- is in that scope still, and cancelled.
scenario("poll with errors", function()
  local seen, n = {}, 0
  local ok, err = pcall(rille.scope, function(s)
    local p = s:poll(function()
      n = n + 1
      if n % 2 == 0 then error("odd", 0) end
      return n
    end, function(v) seen[#seen + 1] = v end, { interval = 1, timeout = 1, jitter = 0,
      on_error = function(e) seen[#seen + 1] = tostring(e) end })
    rille.sleep(3.5)
    p:stop()
  end)
  return text(table.concat(seen, " "), ok, err)
end)

scenario("cache that is stale", function()
  local c, n = rille.cache { size = 1, ttl = 1, stale = 9 }, 0
  local function load()
    n = n + 1
    if n == 2 then error("down", 0) end
    return n
  end
  local first = c:get("k", load)
  rille.sleep(2)
  return text(first, c:get("k", load), c:get("other", load), c:stats().loading)
end)

scenario("layers", function()
  local n = 0
  local p = rille.policy { retry = { delay = 1 }, hedge = { delay = 9 }, cache = {},
    circuit_breaker = {}, limiter = { rate = 9 }, bulkhead = { max = 1 }, timeout = 5 }
  local value, err = p:call(function()
    n = n + 1
    rille.sleep(0.5)
    if n == 1 then error("down", 0) end
    return "up"
  end, "key")
  return text(value, err)
end)

scenario("task policies", function()
  return rille.scope({ retry = { delay = 1, max_retries = 1 } }, function(s)
    local t = s:task(function() error("down", 0) end, {
      fallback = function(err) return "instead of " .. tostring(err) end })
    return text(t:await())
  end)
end)

scenario("worker pool", function()
  local sum, failed, pool = 0, {}, nil
  rille.scope(function(s)
    pool = rille.worker_pool { workers = 2, queue = 2, results = true, handler = function(v)
      rille.sleep(1)
      if v == 3 then error("job", 0) end
      return v
    end }
    s:go({ daemon = true }, function()
      for r in pool:results() do
        sum = sum + (r.value or 10)
        failed[#failed + 1] = tostring(r.err)
      end
    end)
    for i = 1, 5 do pool:submit(i) end
    pool:close()
  end)
  return text(sum, pool:stats().processed, table.concat(failed, " "))
end)

scenario("worker pool, shutdown", function()
  return rille.scope(function()
    local pool = rille.worker_pool { workers = 1, handler = rille.sleep }
    for i = 1, 3 do pool:submit(i) end
    return text(#pool:shutdown(2))
  end)
end)

scenario("pipeline", function()
  local got = {}
  local output = rille.pipeline({ function(v) rille.sleep(1) return v + 1 end, workers = 2,
    ordered = true }, { buffer = 1, stream = function(a, b) for v in a do b:send(v) end end },
    tostring) { 1, 2, 3, 4 }
  for v in output do got[#got + 1] = v end
  return table.concat(got, " ")
end)

scenario("pipeline that fails", function()
  local output = rille.pipeline(function(v)
    if v == 2 then error("stage", 0) end
    return v
  end) { 1, 2, 3 }
  local first = output:recv()
  local _, err = output:recv()
  return text(first, err)
end)

scenario("fans", function()
  local sum = 0
  local function slow(v) rille.sleep(1) return v end
  for v in rille.fan_in(rille.fan_out({ 1, 2, 3, 4 }, 2, slow)) do sum = sum + v end
  return text(sum)
end)

scenario("resource pool", function()
  local made, destroyed, used = 0, 0, 0
  rille.scope(function(s)
    local pool = rille.resource_pool { max = 2, idle_timeout = 1, max_lifetime = 9,
      acquire_timeout = 9, create = function() rille.yield() made = made + 1 return {} end,
      destroy = function() rille.yield() destroyed = destroyed + 1 end,
      validate = function() return true end }
    for _ = 1, 4 do
      s:go(function() pool:with(function() rille.sleep(1) used = used + 1 end) end)
    end
    rille.sleep(5)
  end)
  return text(made == destroyed, used)
end)

scenario("supervise", function()
  local runs = 0
  local value, err = rille.supervise(function(s)
    runs = runs + 1
    s:go(function() rille.sleep(1) if runs < 2 then error("crash", 0) end end)
    rille.sleep(2)
    return "served"
  end, { on_restart = function() end })
  return text(value, err)
end)

scenario("parallel and map", function()
  return rille.scope(function(s)
    local a, failed = s:parallel { function() rille.sleep(1) return 1 end, function() return 2 end }
    local b, err = s:map({ 1, 2, 3 }, function(v) rille.yield() return v * 2 end,
      { concurrency = 2 })
    local c, bad = s:parallel({ function() error("part", 0) end }, { settle = true })
    return text(a and a[1] or failed, b and b[3] or err, c and c[1].err or bad)
  end)
end)

scenario("race and any", function()
  return rille.scope(function(s)
    local first, lost = s:race { function() rille.sleep(9) end,
      function() rille.sleep(1) return "race" end }
    local any, err = s:any { function() error("lost", 0) end, function() return "any" end }
    return text(first, lost, any, err)
  end)
end)

scenario("stream operators", function()
  local got, err = rille.stream { 1, 2, 3, 4, 5, 6 }:map(function(v) return v + 1 end)
    :filter(function(v) return v % 2 == 0 end):scan(function(a, v) return a + v end, 0)
    :window(2):map(function(w) return w[1] + w[2] end):collect()
  return got and table.concat(got, " ") or text(err)
end)

scenario("stream tasks", function()
  local sum, err = rille.stream { 1, 2, 3, 4 }
    :map_parallel(2, function(v) rille.sleep(1) return v end)
    :merge({ 10, 20 }):debounce(0):zip { 1, 2, 3, 4, 5, 6, 7 }:count()
  return text(sum ~= nil and sum > 0, err)
end)

scenario("stream times", function()
  local count, err = rille.stream(rille.every(1)):take(4):batch(2, 5):timeout(9):throttle(0):count()
  return text(count, err)
end)

scenario("stream retry and catch", function()
  local tries = 0
  local got, err = rille.stream { open = function()
    tries = tries + 1
    if tries == 1 then error("open", 0) end
    return { 1, 2 }
  end }:retry { delay = 1 }:concat(function() error("late", 0) end)
    :catch(function(err)
      if err ~= "late" then error(err, 0) end -- want of memory is no end to it
      return { 9 }
    end):collect()
  return got and text(#got) or text(err)
end)

scenario("stream to a channel", function()
  local sum = 0
  for v in rille.stream { 1, 2, 3 }:to_channel(1) do sum = sum + v end
  return text(sum)
end)

scenario("shutdown", function()
  local log = {}
  local shutdown <close> = rille.shutdown { timeout = 5, signals = {} }
  rille.scope(function(s)
    s:on_shutdown(function(reason) log[#log + 1] = reason end)
    s:go(function() rille.sleep(2) end)
    shutdown:trigger("noon")
    rille.sleep(1)
  end)
  return table.concat(log, " ")
end)

-- Spans may be lost, and nothing else.
scenario("traced", function()
  local span = {}
  function span.set_attribute() end
  span.add_event, span.set_status, span.finish = span.set_attribute, span.set_attribute,
    span.set_attribute
  return rille.scope({ tracer = { start_span = function() return span end } }, function(s)
    local a = s:task(function() rille.sleep(1) return "a" end, { otel = { name = "x" } })
    local b = s:task(function() return nil, "b" end)
    rille.timeout(1, rille.sleep, 2)
    rille.scope({ tracer = false }, rille.span)
    return text(a:await(), select(2, b:await()))
  end)
end)

scenario("traced, with batches", function()
  local t = rille.tracer { exporter = function() rille.sleep(1) end }
  return rille.scope({ tracer = t }, function(s)
    s:go(rille.sleep, 1)
    rille.sleep(20)
    return "done"
  end)
end)

-- The engine's own functions: the requests of rille.http without a network.
local core
for i = 1, 9 do
  local name, value = debug.getupvalue(rille.timeout, i)
  if name == "core" then core = value end
end

scenario("http requests", function()
  local bytes = "POST http://a/b?c=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    .. "3;e=f\r\nabc\r\n20\r\n" .. ("x"):rep(32) .. "\r\n0\r\nG: h\r\n\r\n"
  local got, library = {}, core.http_library()
  for size = 5, 45, 10 do
    local parser = core.http_parser(library, 1000, 100)
    local length, stop, method, path, query
    for upto = size, #bytes + size, size do
      stop, method, path, query, length = core.http_head(parser, bytes:sub(1, upto), 1)
      if stop then break end
    end
    local at = stop
    got[#got + 1] = text(method, path, query, length)
    repeat
      local next_at, piece, ended = core.http_chunk(parser, bytes, at)
      got[#got + 1], at = piece, next_at
    until ended
    got[#got + 1] = text(core.http_head(parser, "nonsense", 1))
  end
  return table.concat(got, " ")
end)

return list
