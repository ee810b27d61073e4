--[[
disturbance.lua - how much of the CPUs others have taken from a measurement.

    local before = disturbance.look()
    ...                                   -- a child runs, and is waited for
    disturbance.since(before, cpus)       -- 0 to 1

What the CPUs have done for anybody, less what our children have used, over
the time that has passed. The kernel counts in hundredths of a second, so that
a short program's figure is a rough one.
]]
local shell = require "shell"

local disturbance = {}

-- A measurement of which others took more than this is made again.
disturbance.limit = 0.1

-- cpu -> {busy, all}, in ticks
local function ticks_of_cpus()
  local cpus = {}
  for cpu, rest in shell.read_file "/proc/stat":gmatch "\ncpu(%d+) ([^\n]*)" do
    local ticks = {}
    for number in rest:gmatch "%d+" do ticks[#ticks + 1] = tonumber(number) end
    local all = 0
    for i = 1, math.min(#ticks, 8) do all = all + ticks[i] end
    cpus[math.tointeger(cpu)] = {busy = all - ticks[4] - ticks[5], all = all}
  end
  return cpus
end

-- User and system time of the children that have been waited for, in ticks.
local function ticks_of_children()
  local fields = {}
  -- After the name of the program, which may have blanks in it, comes field 3.
  for field in shell.read_file "/proc/self/stat":match "%) (.*)":gmatch "%S+" do
    fields[#fields + 1] = field
  end
  return tonumber(fields[14]) + tonumber(fields[15])
end

function disturbance.look()
  return {cpus = ticks_of_cpus(), children = ticks_of_children()}
end

function disturbance.since(before, cpus)
  local now, busy, all = disturbance.look(), 0, 0
  for _, cpu in ipairs(cpus) do
    local old, new = before.cpus[cpu], now.cpus[cpu]
    busy, all = busy + new.busy - old.busy, all + new.all - old.all
  end
  if all == 0 then return 0 end
  return math.max(0, (busy - (now.children - before.children)) / all)
end

return disturbance
