--[[
main.lua - the rows of the benchmark, done with Tarantool's fibers.

    tarantool scripts/benchmarks/tarantool/main.lua ROW OPS TASKS

Fibers and fiber.channel, in the server's own LuaJIT; no database is opened.
Tarantool has no select over channels and no timers apart from fibers.
]]
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../?.lua;" .. package.path
local fiber = require "fiber"
local clock = require "clock"
local harness = require "harness"

local rows = {}

-- Starts a fiber that can be joined.
local function start(fn, ...)
  local f = fiber.new(fn, ...)
  f:set_joinable(true)
  return f
end

-- Starts fn(i) in n fibers and waits for all of them.
local function all(n, fn)
  local list = {}
  for i = 1, n do list[i] = start(fn, i) end
  for i = 1, n do
    local ok, err = list[i]:join()
    if not ok then error(err, 0) end
  end
end

function rows.yield(b)
  local each, count = b:share(b.tasks), 0
  all(b.tasks, function()
    b:meet()
    for _ = 1, each do fiber.yield() end
    count = count + each
    b:part()
  end)
  return count, b.ops
end

function rows.spawn(b)
  local ended = 0
  local function body() ended = ended + 1 end
  for _ = 1, b.ops do start(body):join() end
  return ended, b.ops
end

function rows.pingpong(b)
  local there, back, total = fiber.channel(0), fiber.channel(0), 0
  all(2, function(i)
    b:meet()
    if i == 1 then
      for v = 1, b.ops do
        there:put(v)
        assert(back:get() == v)
      end
      there:close()
    else
      local v = there:get()
      while v do
        total = total + v
        back:put(v)
        v = there:get()
      end
    end
    b:part()
  end)
  return total, harness.sum(b.ops)
end

-- `senders` fibers send, `receivers` receive, over one channel. A closed
-- channel drops what is in it, so the end is a value, -1 for each receiver.
local function flow(b, capacity, senders, receivers)
  local each, total, left = b:share(senders), 0, senders
  local ch = fiber.channel(capacity)
  local function send()
    for v = 1, each do ch:put(v) end
    left = left - 1
    if left == 0 then
      for _ = 1, receivers do ch:put(-1) end
    end
  end
  local function receive()
    local sum, v = 0, ch:get()
    while v > 0 do
      sum = sum + v
      v = ch:get()
    end
    total = total + sum
  end
  all(senders + receivers, function(i)
    b:meet()
    if i <= senders then send() else receive() end
    b:part()
  end)
  return total, senders * harness.sum(each)
end

function rows.stream(b) return flow(b, 0, 1, 1) end
function rows.buffered(b) return flow(b, 100, 1, 1) end
function rows.mpmc(b) return flow(b, 0, 4, 4) end

-- A channel for each of k receivers, as there is no broadcast of values.
local function broadcast_to(k)
  return function(b)
    local each, total, channels = b:share(k), 0, {}
    b.tasks = k + 1
    all(k + 1, function(i)
      if i <= k then channels[i] = fiber.channel(16) end
      b:meet()
      if i <= k then
        local sum, v = 0, channels[i]:get()
        while v > 0 do
          sum = sum + v
          v = channels[i]:get()
        end
        total = total + sum
      else
        for v = 1, each do
          for c = 1, k do channels[c]:put(v) end
        end
        for c = 1, k do channels[c]:put(-1) end
      end
      b:part()
    end)
    return total, k * harness.sum(each)
  end
end

rows.broadcast10, rows.broadcast1000 = broadcast_to(10), broadcast_to(1000)

-- A channel of 4 places is how one bounds the number of holders.
function rows.semaphore(b)
  local permits, count = fiber.channel(4), 0
  for _ = 1, b.ops do
    permits:put(true)
    count = count + 1
    permits:get()
  end
  return count, b.ops
end

function rows.generator(b)
  local last = 0
  local values = coroutine.wrap(function()
    for i = 1, b.ops do coroutine.yield(i) end
  end)
  for i in values do last = i end
  return last, b.ops
end

-- b.ops sleeping fibers are cancelled and joined.
function rows.cancel(b)
  local list, woken = {}, 0
  for i = 1, b.ops do
    list[i] = start(function()
      fiber.sleep(3600)
      woken = woken + 1
    end)
  end
  fiber.yield() -- they start
  b:start()
  for i = 1, b.ops do list[i]:cancel() end
  for i = 1, b.ops do assert(not list[i]:join()) end
  return b.ops - woken, b.ops
end

function rows.sleepers(b)
  local woken = 0
  all(b.ops, function()
    fiber.sleep(b.ops * 1e-5)
    woken = woken + 1
  end)
  return woken, b.ops
end

function rows.parked(b)
  local before, gate, woken = harness.resident(), fiber.channel(0), 0
  for _ = 1, b.ops do
    fiber.create(function()
      gate:get()
      woken = woken + 1
    end)
  end
  b.bytes = (harness.resident() - before) / b.ops
  gate:close()
  fiber.sleep(0.1)
  return woken, b.ops
end

harness.main({
  clock = clock.monotonic, yield = fiber.yield, rows = rows,
  cold = {sleepers = true, parked = true, cancel = true},
}, arg)
os.exit(0)
