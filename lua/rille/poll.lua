--[[
poll.lua - calling a function again and again, under control.

The loop is a daemon task of the scope. It asks core/policy/poll.c what to do
and reports what came of it; starting and stopping do the same from outside:

    loop:   time --> wait, call --> value or error --> delivered --> wait ...
    p:stop()         wakes the loop, or cancels the scope of the call; the
                     loop ends when it next reports
    p:start()        begins a loop, unless the old one is still there: then
                     that goes on, as a new one would
]]
local rille, core = ...

local methods = core.poll_meta.__index

core.add_kind("portion", "a number from 0 to 1",
  function(v) return type(v) == "number" and v >= 0 and v <= 1 end)

local read_options = core.options("poll", 3, {
  name = {"string", "poll"},
  interval = "period",
  immediate = {"boolean", true},
  timeout = "seconds",
  on_error = "function",
  max_errors = "size",
  jitter = {"portion", 0},
})

-- Calls the user's `fn`; a failure of it is the loop's.
local function deliver(fn, ...)
  if not fn then return end
  local value, err = fn(...)
  if core.failed(true, value, err) then error(err, 0) end
end

-- The call has ended, with these values of pcall. Returns the next order.
local function report(p, loop, ok, ...)
  local call = loop.call
  loop.call = nil
  if not core.failed(ok, ...) then
    local order = core.poll_step(p, "value")
    if order ~= "value" then return order end
    deliver(loop.on_value, ...)
    return core.poll_step(p, "delivered")
  end
  local err = ok and select(2, ...) or not ok and (...)
  if not ok and rille.is_cancellation(err) then error(err, 0) end
  if ok and rille.is_error(err, "cancelled") and err.scope == call then
    return core.poll_step(p, "cancelled")
  end
  loop.last_error = err
  local order = core.poll_step(p, "error")
  if order == "fail" then error(err, 0) end
  if order ~= "error" then return order end
  deliver(loop.on_error, err)
  return core.poll_step(p, "delivered")
end

-- The body of the loop's task.
local function run(p, loop)
  local order = core.poll_step(p, "time")
  while order ~= "end" do
    if order == "wait" then
      order = core.poll_wait(p)
    else
      order = report(p, loop, xpcall(rille.scope, core.note_traceback, loop.options, loop.body))
    end
  end
end

--- Starts polling again, as `immediate` says: now, or after one interval. If
-- the call that `stop` has cancelled is still cleaning up, the first call
-- waits for it. Never suspends; does nothing while the poll is running.
-- @function poll:start
-- @raise closed or cancelled when the scope is
function methods.start(p)
  local loop = core.poll_loop(p)
  core.startable(loop.scope)
  if core.poll_step(p, "start") == "spawn" then
    loop.task = loop.scope:go({name = loop.name, daemon = true}, run, p, loop)
  end
end

-- Stops, cancels what is being delivered, too, and joins.
core.poll_meta.__close = function(p)
  local task = core.poll_loop(p).task
  p:stop()
  if task ~= rille.current() then
    local _ <close> = task
  end
end

--- Calls `fn(scope)` every `interval`, in a daemon task of the scope, and
-- `on_value(results...)` after each success. Never suspends. A call fails as
-- everywhere: it raises, or it returns nil or false and an error.
-- @function scope:poll
-- @tparam function fn is called with the scope
-- @tparam[opt] function on_value its failure is the scope's
-- @tparam table opts `interval` (seconds above 0, from the end of `on_value`
-- to the next call; required), `immediate` (boolean, true: the first call is
-- now), `timeout` (seconds, for each call; when it passes the call has failed
-- with an error of kind `timeout`), `on_error` (function of the error),
-- `max_errors` (failures in a row; the last of them is the scope's; 1 without
-- `on_error`, else none), `jitter` (0 to 1, the part of the interval by which
-- it varies either way; 0), `name`
-- @return the poll: `stop`, `start`, `status`; `<close>` stops and joins
-- @raise closed or cancelled when the scope is
-- @usage s:poll(read_sensor, function(v) readings:send(v) end, {interval = 5})
function core.scope_meta.__index.poll(s, fn, on_value, opts)
  core.startable(s)
  core.check_function(fn, "poll", 1)
  if on_value ~= nil then core.check_function(on_value, "poll", 2) end
  local o = read_options(opts)
  if not o.interval then core.arg_error("poll", 3, "option 'interval' is required") end
  local loop = {
    scope = s, name = o.name, on_value = on_value, on_error = o.on_error,
    options = {name = o.name, timeout = o.timeout},
  }
  function loop.body(call)
    loop.call = call
    return fn(s)
  end
  local max_errors = o.max_errors or (o.on_error and math.huge or 1)
  local p = core.new_poll(o.interval, o.jitter, max_errors, o.immediate, loop)
  p:start()
  return p
end
