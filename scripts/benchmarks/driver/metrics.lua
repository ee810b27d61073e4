--[[
metrics.lua - what is read from a result, and how it is shown.

A metric is {key, name, value(result), show(value), more, minor}: `more` where
a larger value is the better one; a `minor` one is shown, and held to nothing. A
result is the table of numbers that a program printed: ops, seconds, bytes and
what the row adds.
]]
local metrics = {}

local function significant(value)
  if value >= 100 then return ("%.0f"):format(value) end
  if value >= 10 then return ("%.1f"):format(value) end
  return ("%.2f"):format(value)
end

-- Seconds in the unit that suits them.
local function show_time(seconds)
  if seconds < 1e-6 then return ("%.0f ns"):format(seconds * 1e9) end
  if seconds < 1e-3 then return significant(seconds * 1e6) .. " us" end
  if seconds < 1 then return significant(seconds * 1e3) .. " ms" end
  return significant(seconds) .. " s"
end

local function show_bytes(bytes)
  if bytes < 1e5 then return ("%.0f B"):format(bytes) end
  return ("%.0f MB"):format(bytes / 1e6)
end

local function show_rate(rate) return ("%.0f k/s"):format(rate / 1e3) end

local function field(key) return function(result) return result[key] end end

local time = {
  key = "time", name = "",
  value = function(result) return result.seconds / result.ops end, show = show_time,
}

-- kind of row -> its metrics; the first is the one the chart shows.
local by_kind = {
  time = {time},
  growth = {time},
  start = {time},
  many = {
    {key = "wall", name = "wall", value = field "seconds", show = show_time},
    {key = "cpu", name = "CPU time", minor = true, value = field "cpu", show = show_time},
    {key = "peak", name = "peak memory", value = field "bytes", show = show_bytes},
  },
  memory = {
    {key = "bytes", name = "memory", value = field "bytes", show = show_bytes},
  },
  idle = {
    {key = "bytes", name = "memory", value = field "bytes", show = show_bytes},
  },
  echo = {
    {key = "rate", name = "throughput", more = true, show = show_rate,
      value = function(result) return result.ops / result.seconds end},
    {key = "cpu", name = "CPU time of the server", minor = true, show = show_time,
      value = function(result) return result.cpu / result.ops end},
    {key = "p50", name = "median trip", minor = true, value = field "p50", show = show_time},
    {key = "p99", name = "99 % of trips within", minor = true, value = field "p99",
      show = show_time},
  },
}

by_kind.http = by_kind.echo

function metrics.of(row) return by_kind[row.kind] end

-- How a ratio is shown.
function metrics.show_ratio(ratio)
  if ratio >= 100 then return ("%.0f"):format(ratio) end
  return ("%.2f"):format(ratio)
end

return metrics
