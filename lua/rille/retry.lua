--[[
retry.lua - calling a function again until it succeeds.

The loop is here; whether the call is made again, and after how long, is the
C part's decision (core/policy/retry.h). What a call shares with the others
made under the same options is only read, so options may be shared.

Other parts make retries of their own options:

    local read = core.retry_reader("task", 2)   -- once
    local policy = read(opts)                   -- checked, and ready for use
    core.retry(policy, fn, ...)                 -- as rille.retry, unchecked
]]
local rille, core = ...

core.load "rille.common"

local huge = math.huge

local kinds = {
  max_retries = {"count", 3},
  delay = "seconds|function",
  backoff = "table",
  retry_if = "function",
  on_retry = "function",
  max_elapsed = {"seconds", huge},
  budget = "retry_budget",
}

local backoff_kinds = {
  initial = {"seconds", 0.1},
  factor = {"factor", 2},
  max = {"seconds", 30},
  jitter = {"'full'|'equal'|'decorrelated'|'none'", "full"},
}

--- Makes a reader of retry options, for the function and the argument that
-- its errors are to name.
function core.retry_reader(name, argument)
  local read = core.options(name, argument, kinds)
  local read_backoff = core.options(name, argument, backoff_kinds)
  return function(opts)
    local policy = read(opts)
    local backoff = core.read_option(name, argument, "backoff", read_backoff, policy.backoff)
    if type(policy.delay) == "number" and policy.backoff then
      core.arg_error(name, argument, "options 'delay' and 'backoff' exclude each other")
    end
    policy.plan = core.plan(policy.max_retries, policy.max_elapsed, backoff.initial,
      backoff.factor, backoff.max, backoff.jitter)
    return policy
  end
end

-- An open circuit is not tried again at once: that is what it is there for.
local function retry_if(err)
  return not rille.is_error(err, "circuit_open")
end

-- What the user's `delay` says: seconds, or nil for the back-off; false stops.
local function own_delay(policy, attempt, err)
  local delay = policy.delay
  if type(delay) ~= "function" then return delay end
  delay = delay(attempt, err)
  if delay == nil or delay == false then return delay end
  if type(delay) ~= "number" or delay ~= delay then
    core.misuse(("retry: 'delay' must return a number of seconds, nil or false, got %s")
      :format(core.shown(delay)))
  end
  return delay
end

local function read_hint(err) return err.retry_after end

-- What the error itself says: seconds; false if it is not to be tried again.
-- Nothing, where it cannot be asked.
local function hint(err)
  if type(err) ~= "table" then return nil end
  local ok, after = pcall(read_hint, err)
  if not ok or type(after) ~= "number" or after ~= after then return nil end
  return after >= 0 and after
end

-- The delay before the call that has failed with `err` is made again, in
-- seconds, and the back-off's time; nil to give up.
local function next_delay(policy, attempt, started, last, err)
  if not core.may_retry(policy.plan, attempt) then return nil end
  if not (policy.retry_if or retry_if)(err, attempt) then return nil end
  local delay = own_delay(policy, attempt, err)
  local after = hint(err)
  if delay == false or after == false then return nil end
  return core.retry_delay(policy.plan, attempt, started, last, after or delay)
end

-- Waits. A retry that is cancelled before it is made costs the budget nothing.
local function pause(policy, delay)
  if not policy.budget then return rille.sleep(delay) end
  local ok, err = pcall(rille.sleep, delay)
  if not ok then
    core.give_back(policy.budget)
    error(err, 0)
  end
end

-- Whether a call that has failed is made again; by then it has waited.
local function again(policy, run, err)
  local attempt = run.attempt + 1
  local delay, last = next_delay(policy, attempt, run.started, run.last, err)
  if not delay then return false end
  if policy.budget and not core.withdraw(policy.budget) then return false end
  run.attempt, run.last = attempt, last
  if policy.on_retry then core.hook("on_retry", policy.on_retry, err, attempt, delay) end
  if core.trace_event then
    core.trace_event("retry.scheduled",
      {["retry.attempt"] = attempt, ["retry.delay_ms"] = delay * 1000})
  end
  pause(policy, delay)
  return true
end

-- What the call has come to, when it has failed for good: nil, the error and
-- what followed it.
local function give_up(results)
  if results[1] then return nil, table.unpack(results, 3, results.n) end
  return nil, core.told(results[2])
end

-- A call was cancelled: not a failure. It costs the budget nothing.
local function cancelled(policy, run, results)
  if policy.budget and run then core.give_back(policy.budget) end
  if not results[1] then error(results[2], 0) end
  return give_up(results)
end

--- Calls a function as rille.retry does, under options that a reader has read.
function core.retry(policy, fn, ...)
  core.checkpoint()
  local started, run = core.instant(), nil
  while true do
    local results = table.pack(xpcall(fn, core.note_traceback, ...))
    local failed = core.failed(table.unpack(results, 1, results.n))
    local err = failed and results[results[1] and 3 or 2]
    if failed and rille.is_cancellation(err) then return cancelled(policy, run, results) end
    if policy.budget and not run then core.deposit(policy.budget) end
    if not failed then return table.unpack(results, 2, results.n) end
    run = run or {attempt = 0, started = started, last = 0}
    if not again(policy, run, err) then return give_up(results) end
  end
end

local read = core.retry_reader("retry", 1)

--- Calls `fn(...)`, and calls it again while it fails: after a delay, and as
-- often as the options say. Suspends as `fn` does, and for the delays.
-- @function retry
-- @tparam[opt] table opts `max_retries` (3), `delay` (seconds, or
-- `function(attempt, err)`) or `backoff` (`{initial=0.1, factor=2, max=30,
-- jitter="full"}`, seconds), `retry_if(err, attempt)`,
-- `on_retry(err, attempt, delay)`, `max_elapsed` (seconds), `budget`
-- @tparam[opt] function fn without it, a function is returned that does the
-- same with what it is given, its options checked once
-- @param ... the arguments of `fn`
-- @return what `fn` returns; nil and the last error when it gives up
-- @raise cancelled; what `retry_if` and `delay` raise
-- @usage local page, err = rille.retry({max_retries = 5}, fetch, url)
function rille.retry(opts, fn, ...)
  local policy = read(opts)
  if fn ~= nil then
    core.check_function(fn, "retry", 2)
    return core.retry(policy, fn, ...)
  end
  return function(f, ...)
    core.check_function(f, "retry", 1)
    return core.retry(policy, f, ...)
  end
end

local read_budget = core.options("retry_budget", 1, {
  ratio = {"rate", 0.2},
  min_per_second = {"rate", 3},
  max_tokens = {"size", 100},
})

--- Makes a retry budget, for the `budget` of several `rille.retry`: a bucket of
-- tokens, full at first. Each retry takes one, each first call puts a part of
-- one in, and some come with time. Without a token the retry is not made.
-- Never suspends.
-- @function retry_budget
-- @tparam[opt] table opts `ratio` (0.2 tokens for each first call),
-- `min_per_second` (3 tokens), `max_tokens` (100)
-- @return the budget
-- @usage local budget = rille.retry_budget{ratio = 0.1}
function rille.retry_budget(opts)
  local o = read_budget(opts)
  return core.budget(o.ratio, o.min_per_second, o.max_tokens)
    or core.arg_error("retry_budget", 1, "such a budget would take years to fill")
end
