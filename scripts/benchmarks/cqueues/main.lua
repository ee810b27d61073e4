--[[
main.lua - the rows of the benchmark, done with cqueues.

    lua5.4 scripts/benchmarks/cqueues/main.lua ROW OPS TASKS

One controller, whose coroutines meet at condition variables; channels are
queue.lua. There is no join and no cancel: a task that is waited for signals a
condition as its last act.
]]
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../?.lua;" .. here .. "/?.lua;" .. package.path
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local harness = require "harness"
local queue = require "queue"

local rows = {}
local yield = function() cqueues.sleep(0) end

-- Runs fn(loop) as the first task, and everything that it has started.
local function in_loop(fn)
  local loop = cqueues.new()
  loop:wrap(fn, loop)
  assert(loop:loop())
end

function rows.yield(b)
  local each, count = b:share(b.tasks), 0
  in_loop(function(loop)
    for _ = 1, b.tasks do
      loop:wrap(function()
        b:meet()
        for _ = 1, each do cqueues.sleep(0) end
        count = count + each
        b:part()
      end)
    end
  end)
  return count, b.ops
end

function rows.spawn(b)
  local ended = 0
  in_loop(function(loop)
    local done = condition.new()
    local function body()
      ended = ended + 1
      done:signal()
    end
    b:start()
    for _ = 1, b.ops do
      loop:wrap(body)
      done:wait()
    end
    b:stop()
  end)
  return ended, b.ops
end

function rows.pingpong(b)
  local there, back, total = queue.new(0), queue.new(0), 0
  in_loop(function(loop)
    loop:wrap(function()
      b:meet()
      for i = 1, b.ops do
        there:send(i)
        assert(back:recv() == i)
      end
      there:close()
      b:part()
    end)
    loop:wrap(function()
      b:meet()
      for v in there.recv, there do
        total = total + v
        back:send(v)
      end
      b:part()
    end)
  end)
  return total, harness.sum(b.ops)
end

-- `senders` tasks send, `receivers` receive, over one queue.
local function flow(b, capacity, senders, receivers)
  local each, total, left = b:share(senders), 0, senders
  local ch = queue.new(capacity)
  in_loop(function(loop)
    for _ = 1, senders do
      loop:wrap(function()
        b:meet()
        for i = 1, each do ch:send(i) end
        left = left - 1
        if left == 0 then ch:close() end
        b:part()
      end)
    end
    for _ = 1, receivers do
      loop:wrap(function()
        b:meet()
        for v in ch.recv, ch do total = total + v end
        b:part()
      end)
    end
  end)
  return total, senders * harness.sum(each)
end

function rows.stream(b) return flow(b, 0, 1, 1) end
function rows.buffered(b) return flow(b, 100, 1, 1) end
function rows.mpmc(b) return flow(b, 0, 4, 4) end

-- The first queue from `at` on that has a value; waits for one with poll.
local function receive_any(queues, conditions, at)
  while true do
    for i = 0, #queues - 1 do
      local ch = queues[(at + i) % #queues + 1]
      if ch.last >= ch.first then return ch:recv() end
    end
    cqueues.poll(table.unpack(conditions))
  end
end

local function select_over(k)
  return function(b)
    local each, total = b:share(k), 0
    in_loop(function(loop)
      local queues, conditions = {}, {}
      for i = 1, k do
        local ch = queue.new(0)
        queues[i], conditions[i] = ch, ch.filled
        loop:wrap(function()
          b:meet()
          for v = 1, each do ch:send(v) end
          b:part()
        end)
      end
      loop:wrap(function()
        b:meet()
        for i = 1, b.ops do total = total + receive_any(queues, conditions, i) end
        b:part()
      end)
    end)
    return total, k * harness.sum(each)
  end
end

rows.select2, rows.select8, rows.select64 = select_over(2), select_over(8), select_over(64)

-- A queue for each of k receivers, as there is no broadcast of values.
local function broadcast_to(k)
  return function(b)
    local each, total, queues = b:share(k), 0, {}
    b.tasks = k + 1
    in_loop(function(loop)
      for i = 1, k do
        local ch = queue.new(16)
        queues[i] = ch
        loop:wrap(function()
          b:meet()
          for v in ch.recv, ch do total = total + v end
          b:part()
        end)
      end
      loop:wrap(function()
        b:meet()
        for v = 1, each do
          for i = 1, k do queues[i]:send(v) end
        end
        for i = 1, k do queues[i]:close() end
        b:part()
      end)
    end)
    return total, k * harness.sum(each)
  end
end

rows.broadcast10, rows.broadcast1000 = broadcast_to(10), broadcast_to(1000)

-- A semaphore is a number and a condition.
local semaphore = {}
semaphore.__index = semaphore

function semaphore:acquire()
  while self.free == 0 do self.freed:wait() end
  self.free = self.free - 1
end

function semaphore:release()
  self.free = self.free + 1
  self.freed:signal(1)
end

function rows.semaphore(b)
  local count = 0
  in_loop(function()
    local permits = setmetatable({free = 4, freed = condition.new()}, semaphore)
    b:start()
    for _ = 1, b.ops do
      permits:acquire()
      count = count + 1
      permits:release()
    end
    b:stop()
  end)
  return count, b.ops
end

function rows.generator(b)
  local last = 0
  in_loop(function()
    b:start()
    -- cqueues' own wrap lets the generator wait, as rille's does.
    local values = require "cqueues.auxlib".wrap(function()
      for i = 1, b.ops do coroutine.yield(i) end
    end)
    for i in values do last = i end
    b:stop()
  end)
  return last, b.ops
end

function rows.sleepers(b)
  local woken = 0
  in_loop(function(loop)
    for _ = 1, b.ops do
      loop:wrap(function()
        cqueues.sleep(b.ops * 1e-5)
        woken = woken + 1
      end)
    end
  end)
  return woken, b.ops
end

-- They are left waiting: waking them takes cqueues a time that grows with the
-- square of their number.
function rows.parked(b)
  local gate, before, waiting = condition.new(), harness.resident(), 0
  local loop = cqueues.new()
  for _ = 1, b.ops do
    loop:wrap(function()
      waiting = waiting + 1
      gate:wait()
      waiting = waiting - 1
    end)
  end
  assert(loop:step(0)) -- they start
  b.bytes = (harness.resident() - before) / b.ops
  return waiting, b.ops
end

harness.main({
  clock = cqueues.monotime, yield = yield, rows = rows,
  cold = {sleepers = true, parked = true},
}, arg)
