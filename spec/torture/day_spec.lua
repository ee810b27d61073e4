-- A day of virtual time under a mixed load: pollers, tickers, retries behind
-- a breaker and a limiter, hedges, channels, broadcasts, storms of
-- cancellation. Memory and what is alive stay as they were after the first
-- hours; every virtual minute the invariants are checked; the same seed gives
-- the same log.
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"

local seed = setting.seed(20260105)
-- The firings of timers that a day must have, and the virtual hours: a smoke
-- is a part of a day.
local firings = setting.size(100000, 10000000)
local day = setting.size(24 * 20, 24 * 3600)

-- How a load is made: each member is a loop that ends with the day. They all
-- share `w`: random, log(text), fired(n), until(t).
local loads = {}

function loads.sleeper(w)
  while true do
    rille.sleep(w.random(1, 20) / 40)
    w.fired(1)
  end
end

function loads.ticker(w)
  local ticker <close> = rille.every(0.25)
  for n in ticker do
    w.fired(1)
    if n % 1000 == 0 then w.log("tick " .. n) end
    if w.random(50) == 1 then rille.sleep(w.random(1, 4)) end
  end
end

function loads.poller(w, s)
  local polls = 0
  s:poll(function()
    rille.sleep(w.random(0, 3) / 10)
    if w.random(5) == 1 then error { code = w.random(3) } end
    return w.random(100)
  end, function(value)
    polls = polls + 1
    w.fired(2)
    if polls % 500 == 0 then w.log("poll " .. polls .. " " .. value) end
  end, { interval = 0.5, jitter = 0.2, on_error = function() w.fired(2) end })
  rille.sleep(math.huge)
end

function loads.caller(w)
  local breaker = rille.breaker { failure_threshold = 3, reset_timeout = 2 }
  local limiter = rille.limiter { rate = 20, burst = 5 }
  local calls, good = 0, 0
  while true do
    local value = rille.retry({ max_retries = 2, backoff = { initial = 0.1, max = 1 } }, function()
      return breaker:call(function()
        limiter:acquire()
        rille.sleep(w.random(0, 2) / 20)
        w.fired(2)
        if w.random(3) == 1 then error("down", 0) end
        return true
      end)
    end)
    calls, good = calls + 1, good + (value and 1 or 0)
    rille.sleep(0.1) -- an open breaker refuses at once
    w.fired(1)
    if calls % 1000 == 0 then
      w.log(("calls %d good %d %s"):format(calls, good, breaker:state()))
    end
  end
end

function loads.hedger(w)
  local sum = 0
  for n = 1, math.huge do
    sum = sum + rille.hedge({ delay = 0.2, max = 2 }, function()
      local time = w.random(1, 8) / 20
      rille.sleep(time)
      return math.floor(time * 20)
    end)
    w.fired(2)
    if n % 1000 == 0 then w.log("hedged " .. sum) end
  end
end

-- A producer and a consumer that count on each other.
function loads.pair(w, s)
  local ch, sent, received = rille.channel(w.random(0, 3)), 0, 0
  s:go(function()
    while true do
      if rille.timeout(0.2, ch.send, ch, sent + 1) then sent = sent + 1 end
      w.fired(1)
      rille.sleep(w.random(0, 4) / 20)
    end
  end)
  while true do
    local i, value = rille.select({ { ch } }, { timeout = w.random(1, 4) / 10 })
    w.fired(1)
    if i then
      assert(value == received + 1, "a value was lost")
      received = value
      if received % 5000 == 0 then w.log("received " .. received) end
    end
    rille.sleep(w.random(0, 4) / 20)
  end
end

function loads.audience(w, s)
  local b, heard = rille.broadcast(), 0
  for _ = 1, 3 do
    local sub = b:subscribe { buffer = 4, overflow = "drop_oldest" }
    s:go(function()
      for _ in sub do
        heard = heard + 1
        rille.sleep(w.random(1, 4) / 10)
        w.fired(1)
      end
    end)
  end
  for n = 1, math.huge do
    b:send(n)
    rille.sleep(0.25)
    w.fired(1)
    if n % 2000 == 0 then w.log("heard " .. heard) end
  end
end

-- Many tasks that are cancelled at once, in the middle of all sorts of waits.
function loads.storm(w)
  local sem, never = rille.semaphore(3), rille.channel()
  while true do
    local closed = 0
    rille.timeout(w.random(1, 3), function()
      rille.scope(function(s)
        for i = 1, 20 do
          s:go(function()
            local _ <close> = helper.closing(function() closed = closed + 1 end)
            if i % 3 == 0 then
              sem:call(rille.sleep, 0.4)
            else
              rille.select { { never }, { rille.after(w.random(1, 8)) } }
            end
            w.fired(1)
            rille.sleep(w.random(0, 3))
          end)
        end
      end)
    end)
    assert(closed == 20, "a task was not closed: " .. closed)
    assert(sem:available() == 3, "a permit was lost")
    w.fired(1)
  end
end

-- Workers that take resources in turns; both pools live as long as the day.
function loads.pools(w)
  local live = 0
  local resources = rille.resource_pool { max = 2, idle_timeout = 1, max_lifetime = 60,
    create = function() rille.sleep(0.1) live = live + 1 return {} end,
    destroy = function() live = live - 1 end }
  local workers = rille.worker_pool { workers = 3, handler = function(job)
    resources:with(function() rille.sleep(w.random(1, 4) / 20) end)
    w.fired(1)
    if job % 7 == 0 then error("bad", 0) end
  end, on_error = function() end }
  for n = 1, math.huge do
    workers:submit(n)
    assert(live <= 2, "more resources than max")
    if n % 2000 == 0 then w.log(("jobs %d, %d live"):format(workers:stats().processed, live)) end
    rille.sleep(w.random(0, 4) / 20)
    w.fired(1)
  end
end

-- A pipeline and a stream that are made, read and left again and again.
function loads.flows(w)
  local sum = 0
  local function stage(v) rille.sleep(w.random(0, 2) / 20) return v end
  for n = 1, math.huge do
    rille.scope(function()
      local output <close> = rille.pipeline { stage, workers = 2 } { 1, 2, 3, 4 }
      for _ = 1, w.random(5) do sum = sum + (output:recv() or 0) end
    end)
    for v in rille.stream { 1, 2, 3, 4 }:map_parallel(2, stage):timeout(9):iter() do
      sum = sum + v
      if w.random(4) == 1 then break end
    end
    rille.sleep(0.25)
    w.fired(3)
    if n % 1000 == 0 then w.log("flowed " .. sum) end
  end
end

-- Every virtual minute; memory as it is after a full collection every quarter
-- of the day.
local function watch(w, heaps)
  local before, minutes = 0, 0
  while true do
    rille.sleep(60)
    minutes = minutes + 1
    assert(w.count > before, "nothing has fired for a minute")
    before = w.count
    if minutes % 60 == 0 then w.log(("minute %d: %d"):format(minutes, w.count)) end
    local quarter = math.floor(rille.now() / (day / 4))
    if quarter > #heaps then
      heaps[quarter] = helper.heap()
      w.alive[quarter] = #rille.testing.leaks()
    end
  end
end

local function start_loads(s, w, members)
  local order = { "sleeper", "ticker", "poller", "caller", "hedger", "pair", "audience", "storm",
    "pools", "flows" }
  for i = 1, members do
    local name = order[(i - 1) % #order + 1]
    s:go({ name = name }, function() rille.scope(function(inner) loads[name](w, inner) end) end)
  end
end

local function live(run_seed, schedule, members)
  local hash, heaps, value = setting.hash(), {}, nil
  local w = { count = 0, alive = {}, random = helper.random(run_seed) }
  function w.log(text) value = hash(("%.6f %s\n"):format(rille.now(), text)) end
  function w.fired(n) w.count = w.count + n end
  helper.run({ seed = run_seed, schedule = schedule }, function()
    rille.timeout(day + 61, function()
      rille.scope(function(s)
        start_loads(s, w, members)
        watch(w, heaps)
      end)
    end)
  end)
  return value, heaps, w
end

local members = 24

describe("a day of virtual time", function()
  it("passes twice in the same way, in flat memory", function()
    local began = os.clock()
    local first, heaps, w = live(seed, "fifo", members)
    setting.note("day: %.1f h virtual, %d firings of timers, %.0f s, log %016x", day / 3600,
      w.count, os.clock() - began, first)
    setting.note("day: heap after each quarter: %.0f %.0f %.0f %.0f KB", table.unpack(heaps))
    assert.is_true(w.count >= firings, w.count .. " firings")
    assert.is_true(heaps[4] < heaps[1] * 1.05 + 50, table.concat(heaps, " "))
    assert.is_true(w.alive[4] < w.alive[1] + 100)
    assert.equal(first, (live(seed, "fifo", members)), "SEED=" .. seed)
  end)

  it("passes twice in the same way under a random schedule", function()
    day = day / 8
    assert.equal((live(seed, "random", members)), (live(seed, "random", members)),
      "SEED=" .. seed)
  end)
end)
