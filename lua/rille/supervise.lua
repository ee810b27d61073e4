--[[
supervise.lua - runs a function again when it fails.

    run --returns--> its results
     ^ |
     | fails --too often--> nil, the error
     |   |
     '-- backoff

Too often is: one more restart would make more than `max_restarts` of them in a
`period`. A run that has lasted a `period` was a good one: the backoff begins
anew after it.
]]
local rille, core = ...

core.load "rille.common"

local SLACK = 5e-10 -- half the clock's resolution, which arithmetic may lack

-- Whether one more restart, at `time`, is within the limit; then it is noted.
local function may_restart(watch, opts, time)
  if opts.max_restarts == math.huge then return true end
  local times = watch.times
  while times[1] and time - times[1] >= opts.period - SLACK do table.remove(times, 1) end
  if #times >= opts.max_restarts then return false end
  times[#times + 1] = time
  return true
end

-- After a failure: waits for the next run, or returns false.
local function wait_for_restart(watch, opts, err)
  local now = rille.now()
  if now - watch.started >= opts.period - SLACK then watch.streak, watch.last = 0, 0 end
  local delay, last = core.backoff_delay(opts.plan, watch.streak + 1, watch.last)
  if not may_restart(watch, opts, now + delay) then return false end
  watch.count, watch.streak, watch.last = watch.count + 1, watch.streak + 1, last
  if opts.on_restart then opts.on_restart(err, watch.count, delay) end
  rille.sleep(delay)
  return true
end

-- The error of a run that has failed. Where the task is cancelled it is
-- raised: there is no other run.
local function failure(ok, ...)
  local err = ...
  if ok then err = select(2, ...) end
  if rille.is_cancellation(err) or not pcall(core.checkpoint) then error(err, 0) end
  return err
end

local read_options = core.options("supervise", 2, {
  max_restarts = {"count", 3},
  period = {"period", 5},
  backoff = "table",
  on_restart = "function",
})

local read_backoff = core.options("supervise", 2, {
  initial = {"seconds", 0.1},
  factor = {"factor", 2},
  max = {"seconds", 30},
  jitter = {"'full'|'equal'|'decorrelated'|'none'", "none"},
})

--- Runs `fn(scope)`, each time in a scope of its own, until it returns: when it
-- or a task of that scope fails, it is run again. Suspends.
-- @function supervise
-- @tparam function fn
-- @tparam[opt] table opts `max_restarts` (within `period`; default 3,
-- math.huge for no limit), `period` (seconds; default 5), `backoff` (as for
-- `retry`, but without jitter unless told: the delay before a restart),
-- `on_restart(err, n, delay)` (before the delay of the n-th restart)
-- @return the results of `fn`; nil and the last error when it has failed too
-- often
-- @raise cancelled
-- @usage rille.supervise(listen, {max_restarts = 10, period = 60})
function rille.supervise(fn, opts)
  core.check(fn, "function", "supervise", 1)
  opts = read_options(opts)
  local backoff = core.read_option("supervise", 2, "backoff", read_backoff, opts.backoff)
  opts.plan = core.plan(math.huge, math.huge, backoff.initial, backoff.factor, backoff.max,
    backoff.jitter)
  core.checkpoint()
  local watch = {count = 0, streak = 0, last = 0, times = {}}
  while true do
    watch.started = rille.now()
    local ended = table.pack(pcall(rille.scope, {name = "supervised"}, fn))
    if not core.failed(table.unpack(ended, 1, ended.n)) then
      return table.unpack(ended, 2, ended.n)
    end
    local err = failure(table.unpack(ended, 1, ended.n))
    if not wait_for_restart(watch, opts, err) then return nil, core.told(err) end
  end
end
