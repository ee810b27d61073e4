--[[
harness.lua - how a benchmark program in Lua times, checks and reports a row.

Used by every program here that is written in Lua, on Lua 5.1, LuaJIT and 5.4:
nothing in this file is newer than 5.1. A program gives its engine's clock, its
way to yield and its rows; a row is a function of a bench that does the work
and returns what it computed and what it ought to have:

    function rows.yield(b)            -- b.ops, b.tasks: how much to do
      ...                             -- b:start() once all is set up, b:stop()
      return count, b.ops
    end

Without b:start and b:stop the whole function is timed. A row runs twice: a
tenth of the work to warm up, then in earnest after a full collection. What is
reported is one line,

    result NAME ops=N seconds=S cpu=C [bytes=B] [alloc=A]

with the CPU time of all its threads beside that of the clock; the bytes that
the row itself reported, or the peak of resident memory; and the bytes of Lua
heap allocated for each operation (taken in the warm-up, with the collector
stopped). A wrong result ends the program with status 1.
]]
local harness = {}

local bench = {}
bench.__index = bench

-- Starts the clocks, anew if they ran.
function bench:start()
  self.heap_began = collectgarbage("count")
  self.began, self.cpu_began = self.clock(), os.clock()
end

-- The first stop counts.
function bench:stop()
  if self.ended then return end
  self.ended, self.cpu_ended = self.clock(), os.clock()
  self.heap_ended = collectgarbage("count")
end

-- Called by each of the b.tasks tasks of a row when it is about to work: waits
-- for the others. The last to come starts the clock.
function bench:meet()
  self.here = self.here + 1
  if self.here == self.tasks then self:start() end
  while self.here < self.tasks do self.yield() end
end

-- Called by each of them when it has done its work: the last stops the clock.
function bench:part()
  self.here = self.here + 1
  if self.here == 2 * self.tasks then self:stop() end
end

-- Shares b.ops evenly among n; what cannot be shared is not done.
function bench:share(n)
  local each = math.floor(self.ops / n)
  if each < 1 then error(("%d operations are too few for %d"):format(self.ops, n), 0) end
  self.ops = each * n
  return each
end

-- The sum of 1 to n: what a row that passes these numbers on computes.
function harness.sum(n)
  return n * (n + 1) / 2
end

-- A field of /proc/self/status, which is in KiB, in bytes.
local function status(field)
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("*a")
  file:close()
  return tonumber(text:match(field .. ":%s*(%d+)")) * 1024
end

-- Bytes of resident memory now, without garbage; at its peak.
function harness.resident()
  collectgarbage() collectgarbage()
  return status("VmRSS")
end

function harness.peak() return status("VmHWM") end

-- Does the row while `sleepers` tasks, that take no part, sleep.
local function run(peer, name, ops, tasks, sleepers)
  local wake = sleepers and sleepers > 0 and peer.bystanders(sleepers)
  local b = setmetatable({
    ops = ops, tasks = tasks, here = 0,
    clock = peer.clock, yield = peer.yield,
  }, bench)
  b:start()
  local got, want = peer.rows[name](b)
  b:stop()
  if got ~= want or got == nil then
    error(("%s: computed %s, not %s"):format(name, tostring(got), tostring(want)), 0)
  end
  if wake then wake() end
  return b
end

-- Runs a tenth of the work; returns the bytes allocated for each operation.
local function warm_up(peer, name, ops, tasks)
  ops = math.max(math.floor(ops / 10), 10 * tasks)
  collectgarbage() collectgarbage("stop")
  local b = run(peer, name, ops, tasks)
  collectgarbage("restart")
  collectgarbage() collectgarbage()
  return (b.heap_ended - b.heap_began) * 1024 / b.ops
end

-- Runs the row that the command line names: ROW OPS TASKS [WARM] [SLEEPERS],
-- where WARM is the number of tasks in the warm-up, if not the same, and SLEEPERS
-- that of tasks beside them that sleep.
-- peer: clock() in seconds, yield() if it has tasks, rows, and cold: the names
-- of rows that are not warmed up; bystanders(n), if it has tasks that sleep,
-- starts so many, and returns a function that ends them.
function harness.main(peer, args)
  local name, ops, tasks = args[1], tonumber(args[2]), tonumber(args[3])
  if not (name and peer.rows[name] and ops and tasks) then
    error("usage: ROW OPS TASKS [WARM] [SLEEPERS]; no row " .. tostring(name), 0)
  end
  local alloc
  if not (peer.cold and peer.cold[name]) then
    alloc = warm_up(peer, name, ops, tonumber(args[4]) or tasks)
  end
  local b = run(peer, name, ops, tasks, tonumber(args[5]))
  print(("result %s ops=%d seconds=%.9f cpu=%.9f bytes=%.1f%s"):format(name, b.ops,
    b.ended - b.began, b.cpu_ended - b.cpu_began, b.bytes or harness.peak(),
    alloc and (" alloc=%.2f"):format(alloc) or ""))
  io.stdout:flush()
end

-- Says that this peer cannot do the row, and why; not an error.
function harness.skip(name, why)
  print(("skip %s %s"):format(name, why))
  io.stdout:flush()
  os.exit(0)
end

return harness
