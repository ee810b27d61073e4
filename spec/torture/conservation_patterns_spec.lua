-- Nothing is lost and nothing is there twice, continued: permits, tokens, jobs
-- and resources, and the items that go through patterns and streams, while the
-- tasks that have to do with them are cancelled at random.
local rille = require "rille"
local helper = require "spec.helper"
local ledgers = require "spec.torture.ledger"
local setting = require "spec.torture.setting"

local variants = {}
local crew, harass, transfer = ledgers.crew, ledgers.harass, ledgers.transfer

-- Three tasks, cancelled at random, that do use(item) for item after item.
local function users(ledger, random, use)
  rille.scope(function(s)
    local tasks, busy = crew(s, function()
      for item in ledger.next_item, ledger do use(item) end
      return "done"
    end)
    harass(ledger, random, busy, tasks)
  end)
  assert(ledger.cancels > ledger.count / 100, "hardly anything was cancelled")
end

-- A user that counts who is inside: never more than `max`.
local function inside(random, max)
  local count = 0
  return function()
    local _ <close> = helper.closing(function()
      if random(8) == 1 then rille.sleep(0.1) end
      count = count - 1
    end)
    count = count + 1
    assert(count <= max, "too many are inside")
    rille.sleep(random(0, 2) / 10)
  end
end

variants["permits of calls, with timeouts"] = function(random, ledger)
  local sem = rille.semaphore(2)
  local work = inside(random, 2)
  users(ledger, random, function()
    if random(3) == 1 then return rille.timeout(random(0, 3) / 10, sem.call, sem, work) end
    sem:call(work)
  end)
  assert(sem:available() == 2 and sem:waiting() == 0, "a permit was lost")
end

variants["places of a bulkhead"] = function(random, ledger)
  local b = rille.bulkhead { max = 1, queue = 1 }
  local work = inside(random, 1)
  users(ledger, random, function() b:call(work) rille.sleep(0.1) end)
  assert(b:available() == 1 and b:waiting() == 0, "a place was lost")
end

variants["a mutex"] = function(random, ledger)
  local m = rille.mutex()
  local work = inside(random, 1)
  users(ledger, random, function()
    if random(2) == 1 then return m:call(work) end
    m:acquire()
    local _ <close> = m
    work()
  end)
  assert(not m:locked() and m:stats().waiting == 0, "the lock was lost")
end

variants["a rwlock"] = function(random, ledger)
  local l, writing, reading = rille.rwlock(), 0, 0
  users(ledger, random, function()
    local write = random(3) == 1
    l[write and "write" or "read"](l, function()
      local _ <close> = helper.closing(function()
        if write then writing = writing - 1 else reading = reading - 1 end
      end)
      if write then writing = writing + 1 else reading = reading + 1 end
      assert(writing == 0 or writing == 1 and reading == 0, "a writer is not alone")
      rille.sleep(random(0, 2) / 10)
    end)
  end)
  local stats = l:stats()
  assert(stats.readers == 0 and not stats.writer and stats.waiting == 0, "the lock was lost")
end

-- Never more than the burst and what has come since; and in the end all of it.
variants["tokens of a limiter"] = function(random, ledger)
  local l, taken = rille.limiter { rate = 20, burst = 4 }, 0
  local function take(n)
    taken = taken + n
    assert(taken <= 4 + 20 * rille.now() + 1e-6, "too many tokens")
  end
  users(ledger, random, function()
    local n, how = random(3), random(4)
    if how == 1 then
      if l:try_acquire(n) then take(n) else rille.yield() end
    elseif how == 2 then
      if rille.timeout(random(0, 3) / 10, l.acquire, l, n) then take(n) end
    elseif how == 3 then
      local delay, cancel = l:reserve(n)
      local _ <close> = helper.closing(function(err) if err ~= nil then cancel() end end)
      rille.sleep(delay)
      take(n)
    elseif l:acquire(n) then
      take(n)
    end
  end)
  assert(l:stats().waiting == 0)
  rille.sleep(1)
  assert(l:stats().tokens == 4, "tokens were lost")
end

-- Who has a resource has it alone; what was made was destroyed.
variants["resources of a pool"] = function(random, ledger)
  local live, made, destroyed = 0, 0, 0
  rille.scope(function()
    local pool = rille.resource_pool { max = 2, min = 1, idle_timeout = 0.5, max_lifetime = 3,
      acquire_timeout = 2,
      create = function()
        rille.sleep(random(0, 2) / 10)
        made, live = made + 1, live + 1
        assert(live <= 2, "more than max")
        return { users = 0 }
      end,
      destroy = function(r)
        assert(r.users == 0, "destroyed in use")
        rille.sleep(random(0, 1) / 10)
        destroyed, live = destroyed + 1, live - 1
      end,
      validate = function()
        if random(4) == 1 then rille.sleep(0.1) end
        return random(8) > 1
      end }
    users(ledger, random, function()
      pool:with(function(r)
        local _ <close> = helper.closing(function() r.users = r.users - 1 end)
        r.users = r.users + 1
        assert(r.users == 1, "lent twice")
        rille.sleep(random(0, 2) / 10)
      end)
    end)
    local stats = pool:stats()
    assert(stats.lent == 0 and stats.waiting == 0 and stats.size == stats.idle, "a place was lost")
    assert(stats.created == made and stats.created - stats.destroyed == stats.idle)
  end)
  assert(made == destroyed and live == 0, "made and not destroyed")
end

-- A worker that cancels its own task has failed: its job is told of all the
-- same.
variants["jobs of a worker pool"] = transfer(function(random)
  local pool = rille.worker_pool { workers = 2, queue = 1, results = 1, handler = function()
    rille.sleep(random(0, 2) / 10)
    if random(10) == 1 then rille.current():cancel() end
    if random(10) == 1 then error("job", 0) end
  end }
  return function(item) return pool:submit(item) end,
    function()
      local result, err = pool:results():recv()
      return result and result.job, err
    end,
    function() rille.root():go(function() pool:close() end) end
end)

-- Submits items until the pool is closed; `taken` is what it has taken.
local function submit_all(ledger, pool, taken)
  for item in ledger.next_item, ledger do
    local ok, err = pcall(pool.submit, pool, item)
    if rille.is_cancellation(err) then error(err, 0) end
    if not ok then return end
    taken[item] = true
  end
end

-- A pool that is shut down: what was taken is done or comes back, and nothing
-- else.
local function shut_down_one(random, ledger)
  local seen, taken = {}, {}
  local function note(job)
    assert(not seen[job], "a job is there twice")
    seen[job] = true
  end
  rille.scope(function(s)
    local pool = rille.worker_pool { workers = random(3), queue = random(0, 3),
      handler = function(job) rille.sleep(random(0, 4) / 10) note(job) end }
    local tasks = {}
    for i = 1, 3 do tasks[i] = s:task(function() submit_all(ledger, pool, taken) end) end
    for _ = 1, random(0, 3) do
      rille.sleep(random(0, 5) / 10)
      tasks[random(3)]:cancel()
    end
    for _, job in ipairs(pool:shutdown(random(0, 3) / 10)) do note(job) end
    local stats = pool:stats()
    assert(stats.submitted == stats.processed + stats.returned)
  end)
  for job in pairs(taken) do assert(seen[job], "a job was lost") end
  for job in pairs(seen) do assert(taken[job], "a job that was not taken") end
end

variants["jobs that come back from a shutdown"] = function(random, ledger)
  while ledger.last < ledger.count do shut_down_one(random, ledger) end
end

local function slow(random)
  return function(item)
    rille.sleep(random(0, 2) / 10)
    return item
  end
end

-- A variant for what makes a channel of a channel.
local function through(make)
  return transfer(function(random)
    local input = rille.channel(1)
    local output = make(input, slow(random))
    return function(item) return input:send(item) end,
      function() return output:recv() end,
      function() input:close() end
  end)
end

variants["a pipeline"] = through(function(input, fn)
  return rille.pipeline({ fn, workers = 2 }, { stream = function(a, b)
    for v in a do b:send(v) end
  end }, { fn, buffer = 2 })(input)
end)

variants["a pipeline in order"] = through(function(input, fn)
  return rille.pipeline { fn, workers = 3, ordered = true }(input)
end)

variants["fans"] = through(function(input, fn)
  return rille.fan_in(rille.fan_out(input, 3, fn, { buffer = 1 }))
end)

variants["a stream to a channel"] = through(function(input, fn)
  return rille.stream(input):map_parallel(3, fn):to_channel(1)
end)

variants["a stream of merges and batches"] = through(function(input, fn)
  return rille.stream(input):map_parallel(2, fn, { ordered = false }):merge({})
    :batch(3, 0.2):flat_map(function(list) return list end):to_channel()
end)

describe("nothing is lost or doubled by random cancellation of who uses", function()
  for name, run in ledgers.runs(variants, setting.size(14000, 1000000)) do it(name, run) end
end)
