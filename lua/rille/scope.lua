--[[
scope.lua - the block of a scope: opening, leaving, cleaning up.

What runs user functions in a loop is here; what waits, counts and decides is
the C part's, which calls this file with the module and its own functions.

Leaving goes through one function, whichever form the block has:

    leave(s, ok, ...)   ok: the body returned ...;  not ok: it raised (...)
      0. core.quit    is all of it, where there is nothing to wait for or to do
      1. scopes still open inside are closed, and that is a failure
      2. core.leave   cancels if the body failed; waits for the tasks
      3. cleanups     deferred functions, last in first out, shielded
      4. core.finish  the results stand, or nil and an error, or it raises
]]
local rille, core = ...

local methods = core.scope_meta.__index
local leave

-- Runs the body under Lua's xpcall, so that it may wait, and leaves.
local function run_block(s, fn, ...)
  return leave(s, xpcall(fn, core.note_traceback, ...))
end

--- Opens a scope. With `fn`, runs `fn(scope)` in it and leaves it; without,
-- returns it, for `local s <close> = rille.scope()`. Leaving suspends while
-- tasks of the scope are left.
-- @function scope
-- @tparam[opt] table opts `name`, `parent`, `inherit`, `timeout`, `deadline`
-- (seconds), `shield`, `concurrency`, `on_error`, `grace` (seconds), `tracer`
-- (false: none from here on), `otel` (`{name=, attributes=}`, of its span)
-- @tparam[opt] function fn
-- @return the results of `fn`, or nil and an error when the scope was
-- cancelled; the scope, without `fn`
-- @raise the failure of the body or of a task
-- @usage rille.scope(function(s) s:go(serve) s:go(watch) end)
function rille.scope(opts, fn)
  if fn == nil and type(opts) == "function" then
    opts, fn = nil, opts
  end
  if fn ~= nil then core.check_function(fn, "scope", 2) end
  if not fn then return core.scope(opts, true) end
  local s = core.scope(opts)
  return run_block(s, fn, s)
end

--- Runs `fn(...)` under a deadline. Suspends as `fn` does.
-- @function timeout
-- @tparam number seconds
-- @tparam function fn
-- @param ... its arguments
-- @return its results; nil and an error of kind `timeout` when this deadline
-- was the one that fired
-- @raise what `fn` raises
-- @usage local page, err = rille.timeout(2, fetch, url)
function rille.timeout(seconds, fn, ...)
  core.check_span(seconds, "timeout", 1)
  core.check_function(fn, "timeout", 2)
  return run_block(core.scope_within(seconds), fn, ...)
end

--- Runs `fn(...)` out of reach of cancellation from outside, in this task.
-- Suspends as `fn` does.
-- @function shield
-- @tparam[opt] number seconds the longest it may take
-- @tparam function fn
-- @param ... its arguments
-- @return its results; nil and an error of kind `timeout` after `seconds`
-- @raise what `fn` raises
-- @usage rille.shield(2, function() connection:flush() end)
function rille.shield(seconds, fn, ...)
  if type(seconds) == "function" then
    return run_block(core.scope_within(math.huge, true), seconds, fn, ...)
  end
  core.check_span(seconds, "shield", 1)
  core.check_function(fn, "shield", 2)
  return run_block(core.scope_within(seconds, true), fn, ...)
end

-- Takes the last cleanup off the list of `info`.
local function pop_cleanup(info)
  local list = info.defers
  local n = list and #list or 0
  local cleanup = list and list[n]
  if cleanup then list[n] = nil end
  return cleanup
end

local function close_owned(info)
  for _, object in ipairs(info.owned or {}) do object:close() end
  info.owned = nil
end

-- Runs the cleanups. An error in one does not stop the others.
local function clean_up(s)
  local info = core.info(s)
  close_owned(info)
  if not (info.defers and info.defers[1]) then return end
  local shield = core.scope{name = "cleanup", shield = true, timeout = core.grace_left(s)}
  for cleanup in pop_cleanup, info do
    local ok, err = xpcall(cleanup.fn, core.note_traceback, table.unpack(cleanup, 1, cleanup.n))
    if not ok and not rille.is_cancellation(err) then core.fail(s, err) end
  end
  leave(shield, true)
end

-- Closes the scopes that the running task has opened inside `s` and not left.
local function close_inner(s)
  local inner, err = core.innermost(), nil
  while inner and inner ~= s do
    err = err or core.error("invalid", ("scope '%s' was left open"):format(inner:name()))
    inner:cancel(err)
    pcall(leave, inner, true)
    if core.innermost() == inner then core.abandon() end -- no memory to leave it
    inner = core.innermost()
  end
  return err
end

-- Whether there are cleanups; and the info of `s`, if it has any.
local function has_cleanups(s)
  if not core.has_info(s) then return false end
  local info = core.info(s)
  return info.owned or info.defers and info.defers[1], info
end

-- Waits, cleans up, waits for what the cleanups started and cleans up after
-- that, and ends `s`.
local function end_scope(s, ok, err)
  local waited = core.leave(s, ok, err)
  local more, info = has_cleanups(s)
  while more do
    clean_up(s)
    waited = core.leave(s, true) or waited
    more, info = has_cleanups(s)
  end
  if info then
    info.services = nil
    if info.span then return core.trace_left(s, info.span, pcall(core.finish, s, ok, waited)) end
  end
  return core.finish(s, ok, waited)
end

function leave(s, ok, ...)
  if ok and core.quit(s) then return ... end
  local state = core.state(s)
  if state == "ended" then
    if ok then return ... end
    error((...), 0)
  end
  local left_open = core.innermost() ~= s and close_inner(s)
  local stands, err
  if left_open and ok then
    stands, err = end_scope(s, false, left_open)
  else
    stands, err = end_scope(s, ok, (...))
  end
  if stands then return ... end
  if core.trace_event and err.kind == "timeout" then core.trace_event "timeout.expired" end
  return nil, err
end

--- Leaves the scope now, as the end of its block would. Suspends while tasks
-- are left. A second call returns at once.
-- @function scope:close
-- @treturn boolean true; or nil and an error after the scope's own
-- cancellation or timeout
-- @raise the scope's failure; when another task has opened it, or a scope
-- inside it is still open
function methods.close(s)
  local state, mine = core.state(s)
  if state == "ended" then return true end
  if not mine then
    core.misuse(("scope '%s' can be closed only by the task that opened it"):format(s:name()))
  end
  local inner = core.innermost()
  if inner ~= s then
    core.misuse(("scope '%s' cannot be closed before scope '%s', which is open inside it")
      :format(s:name(), inner:name()))
  end
  return leave(s, true, true)
end

-- Lua cannot absorb an error here: what `close` would return is raised. An
-- error that is already on its way is the body's.
core.scope_meta.__close = function(s, err)
  local state, mine = core.state(s)
  if state == "ended" then return end
  if not mine then
    core.misuse(("scope '%s' can be closed only by the task that opened it"):format(s:name()))
  end
  local ok, left = leave(s, err == nil, err == nil or err)
  if not ok then error(left, 0) end
end

--- Registers a cleanup: it runs when the scope ends, after every task, last
-- registered first, out of reach of cancellation.
-- @function scope:defer
-- @tparam function fn
-- @param ... its arguments
-- @raise closed when the scope has ended
function methods.defer(s, fn, ...)
  if core.state(s) == "ended" then
    error(core.error("closed", ("%s has ended"):format(s:name())), 0)
  end
  core.check_function(fn, "defer", 1)
  local info = core.info(s)
  info.defers = info.defers or {}
  info.defers[#info.defers + 1] = {fn = fn, n = select("#", ...), ...}
end

-- Those that are open still.
local function open_ones(owned)
  local open = {}
  for _, object in ipairs(owned) do
    if not object:is_closed() then open[#open + 1] = object end
  end
  return open
end

--- Lets `object`, which has methods `close` and `is_closed`, be closed when the
-- scope ends. Now and then those that are closed already are forgotten, so
-- that a scope may outlive any number.
-- own(scope, object) -> object
function core.own(s, object)
  if core.state(s) == "ended" then
    error(core.error("closed", ("%s has ended"):format(s:name())), 0)
  end
  local info = core.info(s)
  local owned = info.owned or {}
  if #owned >= (info.owned_limit or 16) then
    owned = open_ones(owned)
    info.owned_limit = 2 * #owned + 16
  end
  owned[#owned + 1] = object
  info.owned = owned
  return object
end

--- Makes a channel that is closed when the scope ends.
-- @function scope:channel
-- @tparam[opt=0] number capacity as for `rille.channel`
-- @tparam[opt] table opts
-- @return the channel
function methods.channel(s, capacity, opts)
  core.state(s)
  return core.own(s, rille.channel(capacity, opts))
end

--- Makes a broadcast that is closed when the scope ends.
-- @function scope:broadcast
-- @tparam[opt] table opts as for `rille.broadcast`
-- @return the broadcast
function methods.broadcast(s, opts)
  core.state(s)
  return core.own(s, rille.broadcast(opts))
end

-- For parts: the scope to which what function `name` makes now belongs.
function core.innermost_scope(name)
  local task = rille.current()
  if not task then core.misuse(("rille.%s can be called only inside a task"):format(name)) end
  return core.innermost() or task:scope()
    or core.misuse(("rille.%s cannot be called here: outside any scope"):format(name))
end

-- What the trampoline of a task calls when the task has ended with scopes
-- still open.
function core.leave_open(ok, ...)
  local left_open = close_inner(nil)
  if ok and left_open then error(left_open, 0) end
  if ok then return ... end
  error((...), 0)
end

-- The end of a run, when everything in it has ended: spans may be left.
local at_end = setmetatable({}, {__close = function()
  if core.flush_tracers then core.flush_tracers() end
end})

-- The main task.
function core.main(opts, fn, ...)
  local _ <close> = at_end
  opts.name = opts.name or "root"
  return run_block(core.scope(opts), fn, ...)
end
