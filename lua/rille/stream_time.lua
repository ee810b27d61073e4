--[[
stream_time.lua - the operators that know the time.

Those that wait for a value and for the time at once read a feed (see
stream_flow.lua): a task pulls what is upstream unless that is a channel or
the like. A value is as old as it is since it was pulled: what waits upstream
while nobody asks, waits.
]]
local rille, core = ...

local flow = core.load "rille.stream_flow"
local object = core.load "rille.stream_object"

local methods, derive, operator = object.methods, object.derive, object.operator
local check = core.check

-- A pull for an operator that holds values back. fill(held) collects them in a
-- list and returns true at the end; give(held) is what is passed on. What is
-- held when the stream ends or fails comes first.
local function holding(fill, give)
  local ended, failure = false, nil
  return function()
    if failure then error(failure[1], 0) end
    if ended then return nil end
    local held = {}
    local ok, result = flow.attempt(fill, held)
    if not ok and held[1] == nil then error(result, 0) end
    failure = not ok and {result} or nil
    ended = ok and result
    if held[1] == nil then return nil end
    return give(held)
  end
end

local function itself(held) return held end
local function newest(held) return held[1] end

local function fill_batch(pull, n)
  return function(held)
    for i = 1, n do
      local value = pull()
      if value == nil then return true end
      held[i] = value
    end
    return false
  end
end

local function fill_batch_in_time(feed, n, seconds)
  return function(held)
    local left, due
    repeat
      local came, value = feed:next(left)
      if not came then return false end
      if value == nil then return true end
      held[#held + 1] = value
      due = due or rille.now() + seconds
      left = due - rille.now()
    until #held == n or left <= 0
    return false
  end
end

--- Lists of n values; the last one may be shorter. With `seconds` a list is
-- passed on no later than that after its first value has come.
-- @function stream:batch
-- @tparam integer n from 1
-- @tparam[opt] number seconds
-- @return a stream of lists
-- @usage rille.stream(events):batch(100, 5):each(insert)
function methods.batch(st, n, seconds)
  check(n, "size", "batch", 1)
  if seconds ~= nil then check(seconds, "seconds", "batch", 2) end
  return derive(st, "batch", function(run, part)
    if seconds == nil then return holding(fill_batch(part.open(run), n), itself) end
    return holding(fill_batch_in_time(run:feed(part, "batch"), n, seconds), itself)
  end)
end

--- A value once no other has followed it for a time; those that others follow
-- are dropped.
-- @function stream:debounce
-- @tparam number seconds
-- @return a stream
function methods.debounce(st, seconds)
  check(seconds, "seconds", "debounce", 1)
  return derive(st, "debounce", function(run, part)
    local feed = run:feed(part, "debounce")
    return holding(function(held)
      local left
      while true do
        local came, value = feed:next(left)
        if not came then return false end
        if value == nil then return true end
        held[1], left = value, seconds
      end
    end, newest)
  end)
end

--- At most one value in a time: those that come sooner after the last one
-- passed on are dropped.
-- @function stream:throttle
-- @tparam number seconds
-- @return a stream
function methods.throttle(st, seconds)
  check(seconds, "seconds", "throttle", 1)
  return operator(st, "throttle", function(pull)
    local due = -math.huge
    return function()
      for value in pull do
        local now = rille.now()
        if now >= due then
          due = now + seconds
          return value
        end
      end
    end
  end)
end

--- Fails with an error of kind `timeout` when the next value takes longer.
-- @function stream:timeout
-- @tparam number seconds counted from when the value is asked for
-- @return a stream
function methods.timeout(st, seconds)
  check(seconds, "seconds", "timeout", 1)
  return derive(st, "timeout", function(run, part)
    local feed = run:feed(part, "timeout")
    return function()
      local came, value = feed:next(seconds)
      if came then return value end
      error(core.error("timeout", ("the stream gave no value within %g s"):format(seconds)), 0)
    end
  end)
end

-- Opening again ------------------------------------------------------------

local read_retry = core.options("retry", 1, {
  max_retries = {"count", 3}, delay = "seconds|function", retry_if = "function",
})

local function retry_options(opts)
  if type(opts) ~= "number" then return read_retry(opts) end
  check(opts, "count", "retry", 1)
  return read_retry{max_retries = opts}
end

-- Seconds before try number `attempt` of opening again.
local function pause(delay, attempt, err)
  if type(delay) == "function" then return delay(attempt, err) end
  return delay or math.min(0.1 * 2 ^ (attempt - 1), 30)
end

--- When the stream fails, closes it and opens it again from its beginning.
-- Only for what can be opened again: lists, and objects with `open`. Values
-- that were passed on already come again if the source gives them again.
-- @function stream:retry
-- @param[opt=3] opts how often at most in all; or a table of `max_retries` (3),
-- `delay` (seconds, or `function(attempt, err)`; doubling from 0.1 to 30) and
-- `retry_if(err, attempt)`
-- @return a stream
-- @raise when the stream cannot be opened again
-- @usage rille.stream{open = connect}:retry{max_retries = math.huge}:each(show)
function methods.retry(st, opts)
  local o = retry_options(opts)
  object.must_open_again(st, "retry")
  return derive(st, "retry", function(run, part)
    local branch, attempt = run:branch(), 0
    local pull = part.open(branch)
    return function()
      while true do
        local ok, value = flow.attempt(pull)
        if ok then return value end
        attempt = attempt + 1
        if attempt > o.max_retries or o.retry_if and not o.retry_if(value, attempt) then
          error(value, 0)
        end
        branch:close(true)
        rille.sleep(pause(o.delay, attempt, value))
        pull = part.open(branch)
      end
    end
  end)
end
