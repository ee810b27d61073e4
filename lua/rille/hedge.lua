--[[
hedge.lua - a second attempt while the first one keeps its caller waiting.

    caller:   start 1 ..delay.. start 2 ...  <-- ended attempts, one by one
    attempt 1:  [fn -----------------------  cancelled, joined
    attempt 2:                  [fn ---]  the first success wins

The attempts are tasks of an inner scope, so none is left when the call ends,
however it ends. Each puts its number into a channel when it has ended; what it
returned waits in the race. A value that nobody gets, from a loser that was
done before it could be cancelled, is closed if it can be.
]]
local rille, core = ...

core.load "rille.common"

-- The real one: an object may hide it from getmetatable.
local metatable = debug and debug.getmetatable or getmetatable

core.add_kind("token bucket", "an object with try_acquire, as rille.limiter makes", function(v)
  return (type(v) == "userdata" or type(v) == "table") and type(v.try_acquire) == "function"
end)

local read = core.options("hedge", 1, {
  delay = "seconds|function",
  max = {"size", 2},
  on_hedge = "function",
  budget = "token bucket|retry_budget",
})

local scope_options = {name = "hedge"}

-- number -> task options
local task_options = setmetatable({}, {__index = function(list, number)
  list[number] = {name = "attempt " .. number}
  return list[number]
end})

-- Closes values[i] and those after it, the last one first.
local function close_from(values, i)
  if i > values.n then return end
  local meta = metatable(values[i])
  local _ <close> = type(meta) == "table" and rawget(meta, "__close") and values[i] or nil
  close_from(values, i + 1)
end

local function is_among(value, values)
  for i = 1, values and values.n or 0 do
    if rawequal(value, values[i]) then return true end
  end
  return false
end

local Race = {}

-- Closes what was returned to nobody; `err` when the winner's values are lost
-- as well.
function Race.__close(race, err)
  local unused, taken = {n = 0}, err == nil and race.winner or nil
  for number = 1, race.started do
    local values = race[number]
    for i = 2, values and values.good and values ~= taken and values.n or 0 do
      if not is_among(values[i], taken) and not is_among(values[i], unused) then
        unused.n = unused.n + 1
        unused[unused.n] = values[i]
      end
    end
  end
  close_from(unused, 1)
end

-- An attempt has ended; what it gave is kept as pcall returned it.
local function report(race, number, ok, ...)
  local values = table.pack(ok, ...)
  values.good = not core.failed(ok, ...)
  race[number] = values
  race.ended:try_send(number)
  if not ok and rille.is_cancellation((...)) then error((...), 0) end
end

local function attempt(race, number, fn, ...)
  report(race, number, pcall(fn, ...))
end

local function start(race, fn, ...)
  local number = race.started + 1
  race.started, race.running = number, race.running + 1
  race.tasks[number] = race.scope:go(task_options[number], attempt, race, number, fn, ...)
end

local function withdraw(budget)
  if core.is(budget, "retry_budget") then return core.withdraw(budget) end
  return budget:try_acquire()
end

-- Whether another attempt may be started. Over budget there will be none.
local function may_hedge(race, o)
  if race.started >= race.max then return false end
  if o.budget and not withdraw(o.budget) then
    race.max = race.started
    return false
  end
  return true
end

-- Seconds until the next attempt is due; math.huge if there will be none.
local function delay_before_next(race, o)
  if race.started >= race.max then return math.huge end
  local delay = o.delay
  if type(delay) ~= "function" then return delay end
  delay = delay(race.started + 1)
  if type(delay) ~= "number" or delay ~= delay then
    core.misuse(("hedge: delay must return a number of seconds, got %s"):format(core.shown(delay)))
  end
  return delay
end

-- Waits for the attempts and starts more. Returns when one has succeeded or
-- all have failed.
local function watch(race, o, fn, ...)
  local ended = rille.selector {{race.ended}}
  start(race, fn, ...)
  while race.running > 0 do
    local index, number = ended:wait(delay_before_next(race, o))
    if index then
      race.running = race.running - 1
      if race[number].good then
        race.winner = race[number]
        return
      end
    end
    if may_hedge(race, o) then
      if o.on_hedge then o.on_hedge(race.started + 1) end
      if core.trace_event then
        core.trace_event("hedge.started", "hedge.attempt", race.started + 1)
      end
      start(race, fn, ...)
    end
  end
end

local function error_of(values)
  if values[1] then return values[3] end
  return values[2]
end

-- The error of the first attempt; an error object tells of the others.
local function first_error(race)
  local first, others = error_of(race[1]), {}
  for number = 2, race.started do
    local err = error_of(race[number])
    if not rawequal(err, first) then others[#others + 1] = err end
  end
  if others[1] ~= nil and rille.is_error(first) then first.errors = others end
  return first
end

--- For other parts: hedges fn(...), with `o` from core.hedge_options.
function core.hedge(o, fn, ...)
  local race <close> = setmetatable({started = 0, running = 0, max = o.max, tasks = {},
    ended = rille.channel(math.huge)}, Race)
  local scope <close> = rille.scope(scope_options)
  race.scope = scope
  watch(race, o, fn, ...)
  local winner = race.winner
  if not winner then return nil, core.told(first_error(race)) end
  for _, task in ipairs(race.tasks) do task:cancel() end
  return table.unpack(winner, 2, winner.n)
end

--- For other parts: checks the options of a hedge.
function core.hedge_options(opts)
  local o = read(opts)
  if o.delay == nil then
    core.arg_error("hedge", 1, "option 'delay': a number of seconds or a function expected")
  end
  return o
end

--- Runs `fn(...)`, and again, beside it, if it has not ended after a while. The
-- first success wins; the other attempts are cancelled and joined. An attempt
-- that fails is followed by the next one at once. Suspends.
-- @function hedge
-- @tparam table opts `delay`: seconds from one attempt to the next, or
-- `function(attempt)` that returns them, with the number of the attempt to
-- come, from 2; `max` (2): attempts in all; `on_hedge(attempt)`: is called
-- before each attempt but the first; `budget`: a `rille.retry_budget`, or an
-- object whose `try_acquire` is asked, such as a `rille.limiter`
-- @tparam function fn
-- @param ... its arguments
-- @return the results of the first attempt that succeeds; nil and the error of
-- the first attempt when all have failed: if it is an error object, `errors`
-- lists those of the others
-- @raise cancelled; what `delay` and `on_hedge` raise
-- @usage local page, err = rille.hedge({delay = 0.05}, fetch, url)
function rille.hedge(opts, fn, ...)
  local o = core.hedge_options(opts)
  core.check_function(fn, "hedge", 2)
  return core.hedge(o, fn, ...)
end
