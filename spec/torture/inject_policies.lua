-- What inject_spec.lua interrupts at every point, continued: locks and
-- policies. `t` is inject.lua's tracker. Each scenario ends with a look at what
-- its object counts: no permit, token, probe or waiter may be gone.
local rille = require "rille"
local helper = require "spec.helper"

local scenarios = {}

-- Starts n tasks that run fn(i), and awaits them: what one meets, one raises.
local function crowd(t, n, fn)
  rille.scope(function(s)
    local _ <close> = t()
    local tasks = {}
    for i = 1, n do
      tasks[i] = s:task(function()
        local _ <close> = t()
        return fn(i)
      end)
    end
    for i = 1, n do tasks[i]:await() end
  end)
end

-- A function that takes a while, and in its cleanup too.
local function slow(t, value)
  return function()
    local _ <close> = t(function() rille.sleep(0.125) end)
    rille.sleep(0.25)
    return value
  end
end

-- Fails n times, each after a while.
local function failing(t, n)
  return function()
    local _ <close> = t()
    rille.sleep(0.125)
    n = n - 1
    if n >= 0 then error("bad", 0) end
    return "good"
  end
end

local function expect(what, ...)
  local got, wanted = {}, { ... }
  for i = 1, #wanted, 2 do
    if wanted[i] ~= wanted[i + 1] then
      got[#got + 1] = ("%s, not %s"):format(tostring(wanted[i]), tostring(wanted[i + 1]))
    end
  end
  if got[1] then return what .. ": " .. table.concat(got, ", ") end
end

local function check_semaphore(sem, n)
  return function()
    return expect("free, waiting", sem:available(), n, sem:waiting(), 0)
  end
end

function scenarios.semaphore_call(t)
  local sem = rille.semaphore(2)
  t.after(check_semaphore(sem, 2))
  crowd(t, 4, function() return sem:call(slow(t)) end)
end

-- By hand: what is raised between the call and the next line loses the permit.
function scenarios.semaphore(t)
  local sem = rille.semaphore(3)
  local check = check_semaphore(sem, 3)
  t.after(function(raised) return not raised and check() or nil end)
  crowd(t, 4, function(i)
    local k = i % 3 + 1
    sem:acquire(k)
    local _ <close> = t(function() sem:release(k) end)
    rille.sleep(0.125)
    if i == 4 then sem:resize(2) sem:resize(3) end
  end)
end

function scenarios.semaphore_in_select(t)
  local a, b = rille.semaphore(1), rille.semaphore(1)
  t.after(function(raised)
    return not raised and expect("free", a:available() + b:available(), 2) or nil
  end)
  crowd(t, 4, function()
    local taken
    local _ <close> = t(function() if taken then taken:release() end end)
    rille.select {
      { a, function() taken = a rille.sleep(0.125) end },
      { b, function() taken = b rille.sleep(0.125) end },
      { rille.after(0.25) },
    }
  end)
end

function scenarios.bulkhead(t)
  local b = rille.bulkhead { max = 1, queue = 2 }
  t.after(check_semaphore(b, 1))
  crowd(t, 5, function() return b:call(slow(t)) end)
end

function scenarios.mutex(t)
  local m, inside = rille.mutex(), 0
  t.after(function()
    return expect("locked, waiting, inside", m:locked(), false, m:stats().waiting, 0, inside, 0)
  end)
  crowd(t, 4, function(i)
    local function work()
      local _ <close> = helper.closing(function() inside = inside - 1 end)
      inside = inside + 1
      if inside > 1 then error("two are inside", 0) end
      slow(t)()
    end
    if i % 2 == 0 then return m:call(work) end
    m:acquire()
    local _ <close> = m
    work()
  end)
end

function scenarios.rwlock(t)
  local l = rille.rwlock()
  t.after(function()
    local stats = l:stats()
    return expect("readers, writer, waiting", stats.readers, 0, stats.writer, false,
      stats.waiting, 0)
  end)
  crowd(t, 5, function(i)
    if i % 3 == 0 then return l:write(slow(t)) end
    l:read(function()
      slow(t)()
      rille.yield()
    end)
  end)
end

function scenarios.event(t)
  local e = rille.event()
  t.after(function() return expect("waiting", e:stats().waiting, 0) end)
  crowd(t, 3, function(i)
    if i == 3 then
      rille.sleep(0.25)
      e:set()
      e:clear()
      rille.sleep(0.125)
      return e:set()
    end
    e:wait()
    rille.select { { e }, { rille.after(0.125) } }
  end)
end

function scenarios.retry(t)
  local _ <close> = t()
  rille.retry({ max_retries = 3, backoff = { initial = 0.25, jitter = "none" },
    retry_if = function() return true end }, failing(t, 3))
  rille.retry({ delay = function() return 0.125 end }, failing(t, 2))
end

-- A retry that was not made, or was cut off, has cost nothing.
function scenarios.retry_budget(t)
  local budget = rille.retry_budget { ratio = 0, min_per_second = 0, max_tokens = 5 }
  local calls, fn = 0, failing(t, 2)
  t.after(function(raised)
    return not raised and expect("tokens", budget:balance(), 5 - math.max(calls - 1, 0)) or nil
  end)
  local _ <close> = t()
  rille.retry({ budget = budget, max_retries = 4, delay = 0.25 }, function()
    local ok, err = pcall(fn)
    if ok or not rille.is_cancellation(err) then calls = calls + 1 end
    if not ok then error(err, 0) end
  end)
end

function scenarios.breaker(t)
  local b = rille.breaker { failure_threshold = 1, reset_timeout = 0.25,
    on_state_change = function() local _ <close> = t() end }
  t.after(function() return expect("probes", b:stats().probes, 0) end)
  local _ <close> = t()
  b:call(failing(t, 1))
  rille.sleep(0.25)
  crowd(t, 3, function() return b:call(slow(t, 1)) end)
  rille.sleep(0.25)
  b:call(slow(t, 1))
end

function scenarios.limiter(t)
  local l = rille.limiter { rate = 4, burst = 1 }
  local _ <close> = t()
  t.after(function() return expect("waiting", l:stats().waiting, 0) end)
  crowd(t, 4, function(i)
    if i == 1 then
      local delay, cancel = l:reserve()
      rille.sleep(delay)
      return cancel()
    end
    if i % 2 == 0 then return l:call(slow(t)) end
    rille.timeout(0.5, l.acquire, l)
  end)
end

function scenarios.poll_control(t)
  rille.scope(function(s)
    local calls = failing(t, 2)
    local p = s:poll(calls, function() local _ <close> = t() rille.sleep(0.125) end, {
      interval = 0.25, immediate = false, timeout = 0.5,
      on_error = function() local _ <close> = t() rille.yield() end })
    local _ <close> = t()
    rille.sleep(0.5)
    p:stop()
    p:start()
    p:start()
    rille.sleep(1)
    p:stop()
  end)
end

function scenarios.hedge_of_resources(t)
  local open = 0
  t.after(function(raised) return not raised and expect("open", open, 0) or nil end)
  local _ <close> = t()
  local value <close> = rille.hedge({ delay = 0.125, max = 3,
    on_hedge = function() local _ <close> = t() end }, function()
    local _ <close> = t(function() rille.sleep(0.125) end)
    rille.sleep(0.25)
    open = open + 1
    return helper.closing(function() open = open - 1 end)
  end)
  rille.sleep(value and 0.125 or 0)
end

function scenarios.once_that_fails(t)
  local load = rille.once(failing(t, 2))
  crowd(t, 4, function() load() load() end)
end

function scenarios.singleflight_by_keys(t)
  local g = rille.singleflight()
  t.after(function() return expect("active", g:stats().active, 0) end)
  crowd(t, 5, function(i) return g:call(i % 2, slow(t, i)) end)
end

local function cache_scenario(opts)
  return function(t)
    local c = rille.cache(opts)
    t.after(function() return expect("loading", c:stats().loading, 0) end)
    local fails = 0
    crowd(t, 3, function(i)
      for n = 1, 3 do
        c:get(n % 2, function()
          local _ <close> = t(function() rille.yield() end)
          rille.sleep(0.125)
          fails = fails + 1
          if fails % 3 == 0 then error("no", 0) end
          return i
        end)
        rille.sleep(0.25)
      end
      if i == 2 then c:forget(1) end
    end)
  end
end

scenarios.cache_ttl = cache_scenario { size = 1, ttl = 0.25 }
scenarios.cache_stale = cache_scenario { ttl = 0.125, stale = 1 }

local function gate_scenario(make)
  return function(t)
    local f = make(slow(t, 1))
    crowd(t, 4, function(i)
      rille.sleep(i % 2 / 8)
      f()
      rille.sleep(0.25)
      return f()
    end)
  end
end

scenarios.debounce_both = gate_scenario(function(fn)
  return rille.debounce(fn, { wait = 0.125, leading = true })
end)
scenarios.throttle_both = gate_scenario(function(fn)
  return rille.throttle(fn, { interval = 0.25, trailing = true })
end)

function scenarios.policy_layers(t)
  local breaker = rille.breaker { failure_threshold = 2, reset_timeout = 0.25 }
  local bulkhead = rille.bulkhead { max = 1, queue = 1 }
  local limiter = rille.limiter { rate = 8, burst = 2 }
  local p = rille.policy { fallback = function() local _ <close> = t() rille.yield() return 0 end,
    cache = { ttl = 0.25, stale = 0.25 }, total_timeout = 3, retry = { delay = 0.125 },
    hedge = { delay = 0.25 }, circuit_breaker = breaker, limiter = limiter, bulkhead = bulkhead,
    timeout = 0.5 }
  t.after(function()
    local check = check_semaphore(bulkhead, 1)
    return expect("probes", breaker:stats().probes, 0, limiter:stats().waiting, 0) or check()
  end)
  local calls = failing(t, 3)
  crowd(t, 3, function(i) return p:call(calls, i % 2) end)
end

function scenarios.task_policies(t)
  local breaker = rille.breaker { failure_threshold = 9, reset_timeout = 0.25 }
  t.after(function() return expect("probes", breaker:stats().probes, 0) end)
  local opts = { retry = { delay = 0.125 }, circuit_breaker = breaker, task_timeout = 1 }
  rille.scope(opts, function(s)
    local _ <close> = t()
    local tasks = {}
    for i = 1, 2 do
      tasks[i] = s:task(failing(t, i), { total_timeout = 2, fallback = slow(t, 1) })
    end
    for i = 1, 2 do tasks[i]:await() end
  end)
end

return scenarios
