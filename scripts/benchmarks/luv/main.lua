--[[
main.lua - the rows of the benchmark, done with luv: libuv's callbacks in Lua.

    lua5.4 scripts/benchmarks/luv/main.lua ROW OPS TASKS

luv has timers and callbacks, no tasks and no channels. Where a row is about
tasks they are coroutines that a callback resumes, as programs on luv have them:
the coroutine yields, its callback resumes it.
]]
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../?.lua;" .. package.path
local uv = require "luv"
local harness = require "harness"

local rows = {}

local timers = setmetatable({}, {__mode = "k"})

-- A timer of 0 ms is luv's way to go on in a later turn of the loop. Each
-- coroutine keeps its own.
local function later()
  local co = coroutine.running()
  local timer = timers[co]
  if not timer then
    timer = {handle = uv.new_timer(), ring = function() assert(coroutine.resume(co)) end}
    timers[co] = timer
  end
  timer.handle:start(0, 0, timer.ring)
  coroutine.yield()
end

function rows.yield(b)
  local each, count = b:share(b.tasks), 0
  for _ = 1, b.tasks do
    coroutine.wrap(function()
      b:meet()
      for _ = 1, each do later() end
      count = count + each
      b:part()
    end)()
  end
  uv.run()
  return count, b.ops
end

-- Timers are made, armed and closed; the loop runs now and then to free them.
function rows.timer(b)
  local count = 0
  local function ring() end
  for i = 1, b.ops do
    local timer = uv.new_timer()
    timer:start(60000, 0, ring)
    timer:close()
    count = count + 1
    if i % 1000 == 0 then uv.run("nowait") end
  end
  uv.run()
  return count, b.ops
end

local function sleep(ms)
  local co = coroutine.running()
  local timer = uv.new_timer()
  timer:start(ms, 0, function()
    timer:close()
    assert(coroutine.resume(co))
  end)
  coroutine.yield()
end

-- b.ops coroutines sleep, for 10 us for each that there is.
function rows.sleepers(b)
  local woken = 0
  local function body()
    sleep(b.ops // 100)
    woken = woken + 1
  end
  for _ = 1, b.ops do coroutine.wrap(body)() end
  uv.run()
  return woken, b.ops
end

-- Coroutines that wait for a timer: resident bytes for each pair of them.
function rows.parked(b)
  local before, waiting = harness.resident(), 0
  local function body()
    waiting = waiting + 1
    sleep(3600000)
    waiting = waiting - 1
  end
  for _ = 1, b.ops do coroutine.wrap(body)() end
  uv.run("nowait")
  b.bytes = (harness.resident() - before) / b.ops
  return waiting, b.ops
end

harness.main({
  clock = function() return uv.hrtime() * 1e-9 end, yield = later, rows = rows,
  cold = {sleepers = true, parked = true},
}, arg)
