--[[
measure.lua - what the engine's operations cost, beside bare coroutines.

    scripts/run scripts/measure.lua [rounds]

Every figure is the fastest of five runs in this one process, in nanoseconds
for each operation; memory is in bytes of the Lua heap. The last column is the
ratio to the bare coroutine that does the nearest thing.
]]
local rille = require "rille"

local rounds = tonumber(arg and arg[1]) or 200000
local stock = coroutine

-- The least time that fn() takes, in ns for each of the rounds.
local function cost(fn)
  local least = math.huge
  for _ = 1, 5 do
    collectgarbage()
    local start = rille.now()
    fn()
    least = math.min(least, rille.now() - start)
  end
  return least / rounds * 1e9
end

-- Bytes of the Lua heap for each of n things that make() parks.
local function bytes(n, make)
  collectgarbage() collectgarbage()
  local before = collectgarbage "count"
  local keep = make(n)
  collectgarbage() collectgarbage()
  return (collectgarbage "count" - before) * 1024 / n, keep
end

local function bare_yield()
  local co = stock.create(function() while true do stock.yield() end end)
  for _ = 1, rounds do stock.resume(co) end
end

local function bare_spawn()
  local function body() end
  for _ = 1, rounds do stock.resume(stock.create(body)) end
end

local function yield()
  for _ = 1, rounds do rille.yield() end
end

-- One task sends, one receives.
local function stream(capacity)
  return function()
    rille.scope(function(s)
      local ch = rille.channel(capacity)
      s:go(function() for i = 1, rounds do ch:send(i) end ch:close() end)
      for _ in ch do end
    end)
  end
end

local function spawn_join()
  local s = rille.current():scope()
  local function body() end
  for _ = 1, rounds do s:task(body):await() end
end

local function select_two()
  local a, b = rille.channel(1), rille.channel(1)
  local selector = rille.selector { { a }, { b } }
  for _ = 1, rounds do
    a:send(1)
    selector:wait()
  end
end

local function parked_bare(n)
  local keep = {}
  for i = 1, n do
    keep[i] = stock.create(function() stock.yield() end)
    stock.resume(keep[i])
  end
  return keep
end

local function parked_tasks(n)
  local s, keep = rille.current():scope(), {}
  local function body() rille.sleep(1e6) end
  for i = 1, n do keep[i] = s:task(body) end
  rille.sleep(0)
  for _ = 1, n // 200 do rille.yield() end
  return keep
end

local function row(name, value, unit, floor)
  print(("%-42s %8.0f %-5s %s"):format(name, value, unit,
    floor and ("%.2f x"):format(value / floor) or ""))
end

local resume = cost(bare_yield)
row("bare resume and yield", resume, "ns")
row("rille.yield", cost(yield), "ns", resume)
row("unbuffered channel, a value sent and received", cost(stream(0)), "ns", resume)
row("buffered channel (100), the same", cost(stream(100)), "ns", resume)
row("selector over two channels, and a send", cost(select_two), "ns", resume)
local spawn = cost(bare_spawn)
row("bare create and resume", spawn, "ns")
row("task, run, await", cost(spawn_join), "ns", spawn)
local bare = bytes(20000, parked_bare)
row("bare parked coroutine", bare, "bytes")
local each, tasks = bytes(20000, parked_tasks)
row("parked task", each, "bytes", bare)
for _, task in ipairs(tasks) do task:cancel() end
