-- What is done again and again takes no memory: after a warm-up Lua's heap stays
-- what it is, within 64 KB, however often. And what goes on without end in depth,
-- by a recursion through a call of the engine's, ends in Lua's own error for that,
-- from which all recovers.
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"

local times = setting.size(2000, 1000000)

-- name -> a function that is given the scope and makes what is called each time.
local acts = {}

function acts.a_sleep() return function() rille.sleep(0.001) end end

function acts.a_yield() return rille.yield end

function acts.a_select_that_times_out()
  local ch = rille.channel()
  return function() rille.select({ { ch } }, { timeout = 0.001 }) end
end

function acts.a_select_that_fires()
  local ch = rille.channel(1)
  return function() rille.select { { ch }, { ch, send = 1 } } end
end

function acts.a_selector()
  local sel = rille.selector({ { rille.channel() }, { rille.channel() } }, { timeout = 0.001 })
  return function() sel:wait() end
end

function acts.a_task(s)
  return function() s:task(tostring):await() end
end

function acts.a_task_that_fails(s)
  return function() s:task(error):await() end
end

function acts.a_supervised_task(s)
  return function()
    s:go(rille.yield)
    rille.sleep(0)
  end
end

function acts.a_task_that_is_cancelled(s)
  return function()
    local task = s:task(rille.sleep)
    task:cancel()
    task:await()
  end
end

function acts.a_scope()
  return function()
    rille.scope(function(s)
      s:defer(tostring, 1)
      s:go(rille.yield)
    end)
  end
end

function acts.a_scope_that_is_cancelled()
  return function()
    rille.scope(function(s)
      s:go(rille.sleep, 1)
      s:cancel()
      rille.yield()
    end)
  end
end

function acts.a_timeout() return function() rille.timeout(0.001, rille.sleep, 1) end end

function acts.a_hand_off(s)
  local ch = rille.channel()
  s:go({ daemon = true }, function() for _ in ch do rille.sleep(0) end end)
  return function() ch:send {} end
end

function acts.a_subscription()
  local b = rille.broadcast()
  return function()
    local sub = b:subscribe()
    b:send(1)
    sub:recv()
    sub:close()
  end
end

function acts.an_alarm()
  return function()
    rille.after(0.001):wait()
    rille.after(1):stop()
    local ticker <close> = rille.every(0.001)
    ticker:wait()
  end
end

function acts.a_permit_and_the_locks()
  local sem, mutex, lock = rille.semaphore(1), rille.mutex(), rille.rwlock()
  return function()
    sem:call(rille.yield)
    mutex:call(tostring, 1)
    lock:read(tostring, 1)
    lock:write(tostring, 1)
  end
end

function acts.a_breaker()
  local breaker = rille.breaker { window = { type = "time", size = 10 }, failure_rate = 0.5,
    min_calls = 10, reset_timeout = 0.01 }
  local n = 0
  return function()
    n = n + 1
    breaker:call(n % 3 == 0 and error or rille.sleep, 0.001)
  end
end

function acts.a_retry()
  local n = 0
  local function work()
    n = n + 1
    if n % 2 == 0 then error "again" end
  end
  return function() rille.retry({ delay = 0.001 }, work) end
end

function acts.a_limiter()
  local limiter = rille.limiter { rate = 1000 }
  return function() limiter:acquire() end
end

function acts.a_cache()
  local cache, n = rille.cache { size = 10 }, 0
  return function()
    n = n + 1
    cache:get(n % 20, tostring)
  end
end

function acts.an_await()
  return function() rille.await(function(resolve) resolve(1) end) end
end

function acts.the_patterns(s)
  return function()
    s:race { rille.yield, rille.yield }
    s:map({ 1, 2 }, tostring)
    rille.hedge({ delay = 0.001 }, rille.yield)
  end
end

describe("memory, for very many times", function()
  for name, make in pairs(acts) do
    it((name:gsub("_", " ")), function()
      local before, after
      helper.run(function()
        rille.scope(function(s)
          local act = make(s)
          for _ = 1, 1000 do act() end
          before = helper.heap()
          for _ = 1, times do act() end
          after = helper.heap()
          s:cancel()
        end)
      end)
      setting.note("plateau: %d times %s: %+.1f KB", times, name, after - before)
      assert.is_true(after - before < 64, ("%.0f KB more"):format(after - before))
    end)
  end
end)

-- Calls that call a function, each with itself inside.
local depths = {}

function depths.scope(again) return rille.scope(again) end
function depths.timeout(again) return rille.timeout(9, again) end
function depths.shield(again) return rille.shield(again) end
function depths.retry(again) return rille.retry({ max_retries = 0 }, again) end
function depths.fallback(again) return rille.fallback(again, function(err) error(err, 0) end) end
function depths.once(again) return rille.once(again)() end
function depths.breaker(again) return rille.breaker {}:call(again) end
function depths.semaphore(again) return rille.semaphore(1):call(again) end
function depths.mutex(again) return rille.mutex():call(again) end
function depths.limiter(again) return rille.limiter { rate = 1 }:call(again) end
function depths.policy(again) return rille.policy { retry = { max_retries = 0 } }:call(again) end
function depths.generator(again) return rille.coroutine.wrap(again)() end
function depths.select(again) return rille.select({}, { default = again }) end

-- Some give up a turn now and then, which takes them off the C stack; what is left
-- to them is memory, so it is enough for us at some depth.
local ENOUGH = setting.size(1000, 5000)

describe("a recursion that does not end by itself", function()
  for name, call in pairs(depths) do
    it("through " .. name .. " is an error, and no more", function()
      helper.run(function()
        local depth = 0
        local function again()
          depth = depth + 1
          if depth == ENOUGH then error("stack overflow, or so", 0) end
          local value, err = call(again)
          return value or error(err, 0)
        end
        local ok, err = pcall(again)
        assert.is_false(ok)
        assert.truthy(tostring(err):find "stack overflow", tostring(err))
        assert.is_true(depth > 20)
        assert.is_truthy(call(function() return 1 end))
        rille.sleep(1)
      end)
    end)
  end
end)
