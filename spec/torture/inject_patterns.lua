-- What inject_spec.lua interrupts at every point, continued: patterns, and the
-- end of the program. `t` is inject.lua's tracker. User functions have values
-- for `<close>` that wait in their cleanup, and so can be hit there.
local rille = require "rille"
local helper = require "spec.helper"

local scenarios = {}

-- A stage, handler or the like that takes its time.
local function work(t, seconds)
  return function(value)
    local _ <close> = t(function() rille.sleep(0.125) end)
    rille.sleep(seconds or 0.125)
    return value
  end
end

-- Calls fn(...), which may raise `failure`: one that came of itself goes before
-- a cancellation that is passing through.
local function tolerate(failure, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok and err ~= failure then error(err, 0) end
end

-- Reads a channel to its end, or n values.
local function drain(t, ch, n)
  local count = 0
  for _ in ch do
    local _ <close> = t()
    count = count + 1
    if count == n then break end
    rille.yield()
  end
end

local function count_all(stats)
  return stats.processed + stats.errors + stats.returned + stats.active + stats.queued
end

-- All jobs that were taken are counted somewhere.
local function check_pool(pool)
  return function()
    local stats = pool:stats()
    if stats.active ~= 0 then return stats.active .. " jobs are active" end
    if stats.submitted ~= count_all(stats) then return "a job is lost" end
  end
end

function scenarios.worker_pool(t)
  rille.scope(function(s)
    local _ <close> = t()
    local pool = rille.worker_pool { workers = 2, queue = 1, results = 1, handler = work(t) }
    t.after(check_pool(pool))
    s:go({ daemon = true }, drain, t, pool:results())
    for i = 1, 5 do
      local _ <close> = t()
      pool:submit(i)
    end
    pool:close()
  end)
end

function scenarios.worker_pool_shutdown(t)
  rille.scope(function(s)
    local _ <close> = t()
    local pool = rille.worker_pool { workers = 2, queue = 3, handler = function(job)
      work(t, job / 4)()
      if job == 2 then error("job", 0) end
    end, on_error = function() local _ <close> = t() rille.yield() end }
    t.after(check_pool(pool))
    s:go(function() local _ <close> = t() for i = 1, 3 do pool:submit(i) end end)
    for i = 4, 5 do pool:try_submit(i) end
    rille.sleep(0.25)
    pool:shutdown(0.25)
  end)
end

function scenarios.pipeline(t)
  rille.scope(function()
    local _ <close> = t()
    local p = rille.pipeline({ work(t), workers = 2 }, work(t), { buffer = 1,
      stream = function(a, b)
        local _ <close> = t()
        for v in a do b:send(v) rille.yield() end
      end })
    local output <close> = p { 1, 2, 3, 4 }
    drain(t, output)
  end)
end

function scenarios.pipeline_in_order(t)
  rille.scope(function()
    local _ <close> = t()
    local output <close> = rille.pipeline { function(v)
      return work(t, v % 3 / 8)(v)
    end, workers = 3, ordered = true } { 1, 2, 3, 4, 5 }
    drain(t, output, 4)
  end)
end

function scenarios.pipeline_that_fails(t)
  pcall(rille.scope, function()
    local _ <close> = t()
    local n = 0
    local output = rille.pipeline({ work(t), workers = 2 }, function(v)
      n = n + 1
      if n == 3 then return nil, rille.now() end
      return v
    end)(function() rille.sleep(0.125) return 1 end)
    drain(t, output)
  end)
end

function scenarios.fans(t)
  rille.scope(function()
    local _ <close> = t()
    local parts = table.pack(rille.fan_out({ 1, 2, 3, 4, 5 }, 2, work(t), { buffer = 1 }))
    local output <close> = rille.fan_in(table.unpack(parts))
    drain(t, output)
  end)
end

-- A pool whose functions wait and sometimes fail; `counts` is what it has made.
local function make_resources(t, opts)
  local counts = { made = 0, destroyed = 0 }
  opts.create = function()
    local _ <close> = t()
    rille.sleep(0.125)
    counts.made = counts.made + 1
    return { number = counts.made }
  end
  opts.destroy = function()
    counts.destroyed = counts.destroyed + 1
    local _ <close> = t(function() rille.yield() end)
    rille.sleep(0.125)
  end
  opts.validate = function(r)
    local _ <close> = t()
    rille.yield()
    return r.number % 3 ~= 0
  end
  local pool = rille.resource_pool(opts)
  t.after(function(raised)
    local stats = pool:stats()
    if stats.lent ~= 0 or stats.idle ~= 0 or stats.size ~= 0 or stats.waiting ~= 0 then
      return ("lent %d, idle %d, size %d, waiting %d"):format(stats.lent, stats.idle, stats.size,
        stats.waiting)
    end
    if stats.created ~= stats.destroyed then return "created, not destroyed" end
    if not raised and counts.made ~= counts.destroyed then return "made, not destroyed" end
  end)
  return pool
end

function scenarios.resource_pool(t)
  rille.scope(function(s)
    local _ <close> = t()
    local pool = make_resources(t, { max = 2, min = 1, max_lifetime = 0.75, idle_timeout = 0.25 })
    for i = 1, 4 do
      s:go(function()
        local _ <close> = t()
        pool:with(work(t, i % 2 / 8))
        rille.sleep(0.125)
        pool:with(work(t))
      end)
    end
  end)
end

function scenarios.resource_pool_timeouts(t)
  rille.scope(function(s)
    local _ <close> = t()
    local pool = make_resources(t, { max = 1, acquire_timeout = 0.5 })
    for _ = 1, 3 do
      s:go(function()
        local _ <close> = t()
        pool:with(work(t, 0.25))
      end)
    end
    rille.sleep(0.375)
    pool:close()
  end)
end

function scenarios.resource_pool_by_hand(t)
  rille.scope(function(s)
    local _ <close> = t()
    local pool = make_resources(t, { max = 1 })
    for i = 1, 3 do
      s:go(function()
        local _ <close> = t()
        local r = pool:acquire()
        rille.sleep(0.125)
        if i == 2 then pool:discard(r) else pool:release(r) end
      end)
    end
  end)
end

function scenarios.supervise(t)
  local runs = 0
  local _ <close> = t()
  tolerate("crash", rille.supervise, function(s)
    t.deferred(s)
    runs = runs + 1
    s:go(function()
      local _ <close> = t(function() rille.sleep(0.125) end)
      rille.sleep(0.25)
      if runs < 3 then error("crash", 0) end
    end)
    rille.sleep(0.125)
  end, { on_restart = function() local _ <close> = t() rille.yield() end,
    backoff = { initial = 0.125 }, max_restarts = math.huge })
end

function scenarios.parallel(t)
  tolerate("part", rille.scope, { concurrency = 2 }, function(s)
    local _ <close> = t()
    s:parallel({ work(t), work(t, 0.25), work(t) },
      { on_progress = function() local _ <close> = t() rille.yield() end })
    s:parallel({ work(t), function() work(t)() error("part", 0) end, work(t, 0.5) })
    s:parallel({ work(t), function() error("part", 0) end }, { settle = true })
  end)
end

function scenarios.map(t)
  rille.scope(function(s)
    local _ <close> = t()
    s:map({ 1, 2, 3, 4 }, work(t), { concurrency = 2 })
    local n = 0
    s:map(function()
      local _ <close> = t()
      rille.sleep(0.125)
      n = n + 1
      return n < 4 and n or nil
    end, work(t, 0.25), { concurrency = 2 })
  end)
end

function scenarios.race_and_any(t)
  rille.scope(function(s)
    local _ <close> = t()
    s:race { work(t, 0.5), work(t, 0.25) }
    s:any { function() work(t)() error("lost", 0) end, work(t, 0.375), work(t, 0.5) }
    s:any { function() work(t)() return nil, "lost" end }
  end)
end

function scenarios.event_bus_patterns(t)
  rille.scope(function(s)
    local bus = s:event_bus { buffer = 1 }
    for _, pattern in ipairs { "a.*", "a.>", "a.b" } do
      local sub = bus:subscribe(pattern)
      s:go(function()
        local _ <close> = t()
        local _ <close> = sub
        for _ in sub do
          local _ <close> = t()
          rille.sleep(0.125)
        end
      end)
    end
    local _ <close> = t(function() bus:close() end)
    for i = 1, 3 do bus:publish(i == 2 and "a.b.c" or "a.b", i) end
  end)
end

-- Services that need each other and wait at both ends of their lives.
function scenarios.services_in_layers(t)
  rille.scope(function(s)
    local function provide(scope, name, needs)
      scope:provide(name, function(of)
        local _ <close> = t()
        rille.sleep(0.125)
        return { needs and of:use(needs), name }
      end, function()
        local _ <close> = t(function() rille.yield() end)
        rille.sleep(0.125)
      end)
    end
    provide(s, "config")
    provide(s, "db", "config")
    rille.scope(function(inner)
      local _ <close> = t()
      provide(inner, "web", "db")
      inner:go(function() local _ <close> = t() inner:use "web" rille.sleep(0.125) end)
    end)
  end)
end

-- A drain that ends in time, and one that does not.
local function shutdown_scenario(timeout)
  return function(t)
    local shutdown <close> = rille.shutdown { timeout = timeout, signals = {} }
    local _ <close> = t()
    rille.scope(function(s)
      local intake = s:channel()
      s:on_shutdown(function()
        local _ <close> = t(function() rille.sleep(0.125) end)
        rille.sleep(0.125)
        intake:close()
      end)
      s:go(function() local _ <close> = t() for _ in intake do rille.sleep(0.25) end end)
      s:go(function()
        local _ <close> = t()
        rille.sleep(0.25)
        shutdown:trigger "noon"
        rille.sleep(0.5)
      end)
      for i = 1, 3 do
        if not intake:is_closed() then pcall(intake.send, intake, i) end
      end
    end)
  end
end

scenarios.shutdown = shutdown_scenario(5)
scenarios.shutdown_too_slow = shutdown_scenario(0.25)

-- Everything at once, one in the other.
function scenarios.nested_patterns(t)
  rille.scope(function(s)
    local _ <close> = t()
    local pool = make_resources(t, { max = 1, idle_timeout = 0.125 })
    local load = rille.once(work(t, 1))
    s:map({ 1, 2, 3 }, function(i)
      load()
      return pool:with(function()
        for v in rille.pipeline { work(t), workers = 2 } { i, i } do
          local _ <close> = helper.closing(function() rille.yield() end)
          rille.timeout(0.25, work(t, 0.125 * v))
        end
      end)
    end, { concurrency = 2 })
  end)
end

return scenarios
