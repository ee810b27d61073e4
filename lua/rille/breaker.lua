--[[
breaker.lua - the options of circuit breakers; all else is the C part's
(core/bind/breaker.c).
]]
local rille, core = ...

local read = core.options("breaker", 1, {
  name = "string",
  failure_threshold = "size",
  window = "table",
  failure_rate = "fraction",
  min_calls = "size",
  slow_call = "seconds",
  slow_rate = "fraction",
  reset_timeout = {"seconds|function", 30},
  half_open_max = {"size", 1},
  success_threshold = {"size", 1},
  is_failure = "function",
  on_state_change = "function",
})

local read_window = core.options("breaker", 1, {type = "'count'|'time'", size = "period"})

local MOST_CALLS = 1000000 -- in a window: a byte each

local function refuse(message, ...)
  core.arg_error("breaker", 1, message:format(...))
end

-- The options that say something about a window need one, and the one that
-- does not excludes it.
local function check_combination(o)
  if o.window and o.failure_threshold then
    refuse "options 'failure_threshold' and 'window' exclude each other"
  end
  for _, name in ipairs {"failure_rate", "min_calls", "slow_call", "slow_rate"} do
    if o[name] and not o.window then refuse("option '%s' needs a 'window'", name) end
  end
  if o.slow_rate and not o.slow_call then refuse "option 'slow_rate' needs 'slow_call'" end
end

-- The size of a window of calls; fewer calls than `min_calls` never decide.
local function check_count(o, size)
  if math.tointeger(size) == nil or size > MOST_CALLS then
    refuse("option 'size': a whole number from 1 to %d expected, got %s", MOST_CALLS, size)
  end
  o.min_calls = o.min_calls or math.min(20, size)
  if o.min_calls > size then
    refuse("option 'min_calls': at most the size of the window expected, got %s", o.min_calls)
  end
end

local function read_options(opts)
  local o = read(opts)
  check_combination(o)
  local window = o.window and core.read_option("breaker", 1, "window", read_window, o.window)
  o.kind = window and (window.type or refuse "option 'window': 'type' is missing") or "all"
  o.size = window and (window.size or (o.kind == "count" and 100 or 10))
  if o.kind == "count" then check_count(o, o.size) end
  o.failure_threshold = o.failure_threshold or 5
  o.min_calls = o.min_calls or 20
  o.failure_rate = o.failure_rate or 0.5
  o.slow_rate = o.slow_rate or 1
  if type(o.reset_timeout) == "function" then
    o.pause, o.reset_timeout = o.reset_timeout, 30
  end
  return o
end

--- Makes a circuit breaker: after too many failures it refuses calls for a
-- time, then lets a probe through, and closes again when that succeeds. Never
-- suspends.
-- @function breaker
-- @tparam[opt] table opts `failure_threshold` (5, in a row), or `window`
-- (`{type="count"|"time", size=}`: 100 calls, 10 seconds) with `failure_rate`
-- (0.5), `min_calls` (20), `slow_call` (seconds), `slow_rate` (1);
-- `reset_timeout` (30 seconds, or `function(openings)`), `half_open_max` (1),
-- `success_threshold` (1), `is_failure(err)`,
-- `on_state_change(from, to, breaker)`, `name`
-- @return the breaker
-- @usage local breaker = rille.breaker{failure_threshold = 3, reset_timeout = 5}
function rille.breaker(opts)
  return core.breaker(read_options(opts))
end
