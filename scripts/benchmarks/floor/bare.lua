--[[
bare.lua - the floor: what Lua itself costs for the nearest thing.

    build/bench_floor run scripts/benchmarks/floor/bare.lua ROW OPS TASKS

A bare coroutine has no scheduler, cannot be cancelled or joined and hands a
value only to whoever resumes it. rille's figures are held against these where
a row says so.
]]
local floor = floor -- luacheck: ignore (bare.c sets it)
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../?.lua;" .. package.path
local harness = require "harness"

local rows = {}

-- b.tasks coroutines, resumed in turn from C; each yields from C.
function rows.yield(b)
  local each, list, count = b:share(b.tasks), {}, 0
  for i = 1, b.tasks do
    list[i] = coroutine.create(function()
      for _ = 1, each do floor.yield() end
      count = count + each
    end)
  end
  b:start()
  floor.resume(list)
  return count, b.ops
end

-- A coroutine is made, run to its end and dropped.
function rows.spawn(b)
  local ended = 0
  floor.spawn(function() ended = ended + 1 end, b.ops)
  return ended, b.ops
end

-- A value into a coroutine and back: a resume and a yield.
function rows.pingpong(b)
  local last = 0
  local back = coroutine.wrap(function(v)
    while true do v = coroutine.yield(v) end
  end)
  b:start()
  for i = 1, b.ops do last = back(i) end
  return last, b.ops
end

-- What a send and a receive are at least, as long as they are methods in C: a
-- call of each, which do nothing and meet nobody.
function rows.buffered(b)
  local pipe, count, total = floor.pipe, 0, 0
  for i = 1, b.ops do pipe:send(i) end
  for v in pipe do
    total, count = total + v, count + 1
    if count == b.ops then break end
  end
  return total, b.ops * b.ops
end

-- With batches only the sends are left.
function rows.recv_many(b)
  local pipe = floor.pipe
  for i = 1, b.ops do pipe:send(i) end
  return pipe(), b.ops
end

function rows.generator(b)
  local last = 0
  local values = coroutine.wrap(function()
    for i = 1, b.ops do coroutine.yield(i) end
  end)
  for i in values do last = i end
  return last, b.ops
end

-- Coroutines that wait for ever: resident bytes for each.
function rows.parked(b)
  local before, list, woken = harness.resident(), {}, 0
  local function body()
    coroutine.yield()
    woken = woken + 1
  end
  for i = 1, b.ops do
    list[i] = coroutine.create(body)
    coroutine.resume(list[i])
  end
  b.bytes = (harness.resident() - before) / b.ops
  for i = 1, b.ops do coroutine.resume(list[i]) end
  return woken, b.ops
end

-- Timers of a second that call back, without any task: luv's, as Lua has none.
function rows.sleepers(b)
  local there, uv = pcall(require, "luv")
  if not there then harness.skip("sleepers", "luv is not installed") end
  local woken = 0
  for _ = 1, b.ops do
    local timer = uv.new_timer()
    timer:start(b.ops // 100, 0, function()
      timer:close()
      woken = woken + 1
    end)
  end
  uv.run()
  return woken, b.ops
end

local function same(v) return v end

-- The floor of a call that asks a policy first.
local function protected_calls(b)
  local total = 0
  for i = 1, b.ops do
    local _, v = pcall(same, i)
    total = total + v
  end
  return total, harness.sum(b.ops)
end

rows.breaker_call = protected_calls
rows.semaphore_call = protected_calls
rows.limiter_call = protected_calls

harness.main({
  clock = floor.clock, rows = rows, cold = {parked = true, sleepers = true},
}, arg)
