--[[
shutdown.lua - ending a program in good order.

    armed --signal, trigger()--> draining --timeout--> cancelled
      '------------- close(), the end of the root ----------> closed

When it is triggered the functions that scopes have registered run: they stop
the intake. The rest ends by itself, or is cancelled with the root scope after
a time. Each function runs in a block whose parent is the scope it was
registered on: it is cancelled with that scope, which waits for it, and takes
no place among the scope's tasks.

SIGINT and SIGTERM are the binary's (core/interrupt.h), which hands them over.
Elsewhere, and for other signals, they are handles of luv, closed by the first
signal, so that the second has its default action: it ends the process, also
when Lua never waits.
]]
local rille, core = ...

core.load "rille.class"

-- The one that is installed, if any: its state.
local installed

-- scope -> list of {fn =, scope =, number =}, until the scope's end
local hooks = setmetatable({}, {__mode = "k"})
local registered = 0

-- That the hook's scope is cancelled meanwhile is no failure.
local function run_hook(hook, reason)
  if hook.ended or hook.scope:cancelled() then return end
  local ok, value, err = xpcall(rille.scope, core.note_traceback, {parent = hook.scope},
    function() return hook.fn(reason) end)
  if not ok and hook.scope:cancelled() and rille.is_error(value, "cancelled") then return end
  if not ok then error(value, 0) end
  return value, err
end

-- A task of its own: what fails in it is kept, and raised at the end of the
-- root.
local function start_hooks(list, reason)
  if list[1] == nil or installed.root:cancelled() then return end
  installed.root:task(function()
    rille.scope({name = "on_shutdown", on_error = "continue"}, function(s)
      for _, hook in ipairs(list) do s:go(run_hook, hook, reason) end
    end)
  end, {name = "on_shutdown"})
end

-- Every hook, last registered first.
local function all_hooks()
  local list = {}
  for _, of_scope in pairs(hooks) do table.move(of_scope, 1, #of_scope, #list + 1, list) end
  table.sort(list, function(a, b) return a.number > b.number end)
  return list
end

local function forget(s)
  for _, hook in ipairs(hooks[s]) do hook.ended = true end
  hooks[s] = nil
end

--- Registers a function that stops the intake of the scope: it is called, in a
-- task, when the program is shut down; at once if it is being shut down. Last
-- registered functions are started first; none waits for another. Never
-- suspends.
-- @function scope:on_shutdown
-- @tparam function fn `fn(reason)`; its failure stops nothing, and is raised by
-- the root scope at the end
-- @raise closed when the scope has ended
-- @usage s:on_shutdown(function() listener:close() end)
function core.scope_meta.__index.on_shutdown(s, fn)
  core.state(s)
  core.check(fn, "function", "on_shutdown", 1)
  if not hooks[s] then
    s:defer(forget, s)
    hooks[s] = {}
  end
  registered = registered + 1
  local hook = {fn = fn, scope = s, number = registered}
  table.insert(hooks[s], hook)
  if installed and installed.stage == "draining" then start_hooks({hook}, installed.reason) end
end

-- Signals ------------------------------------------------------------------

-- Each gives {stop = function, stays = whether the signal is watched while the
-- program drains}; or nil and what is wrong.
local function watch_binary(interrupt, name, fn)
  interrupt.take(name, fn)
  return {stop = function() interrupt.take(name) end, stays = true}
end

local function watch_luv(name, fn)
  local handle = rille.uv().new_signal()
  local ok, started, err = pcall(handle.start, handle, name, fn)
  if not ok or not started then
    handle:close()
    return nil, ok and err or "no such signal"
  end
  handle:unref()
  return {stop = function() handle:close() end}
end

local function watch(name, fn)
  local interrupt = package.loaded["rille.interrupt"]
  if interrupt and (name == "sigint" or name == "sigterm") then
    return watch_binary(interrupt, name, fn)
  end
  return watch_luv(name, fn)
end

local function unwatch(state, all)
  for name, watched in pairs(state.watched) do
    if all or not watched.stays then
      watched.stop()
      state.watched[name] = nil
    end
  end
end

-- The object ---------------------------------------------------------------

local STATE = {}

local function limit(state)
  rille.sleep(state.timeout)
  state.stage = "cancelled"
  state.root:cancel(core.error("shutdown", ("not drained %g s after %s")
    :format(state.timeout, tostring(state.reason)), {reason = state.reason}))
end

local function trigger(state, reason)
  if state.stage ~= "armed" then return false end
  state.stage, state.reason, state.since = "draining", reason, rille.now()
  unwatch(state, false)
  if state.root:cancelled() then return true end
  state.limit = state.root:go({name = "shutdown", daemon = true}, limit, state)
  start_hooks(all_hooks(), reason)
  return true
end

local function close(state)
  if state.stage == "closed" then return end
  state.stage, installed = "closed", nil
  unwatch(state, true)
  if state.limit then state.limit:cancel() end
end

-- The second signal after a trigger() of the program's: the binary counts only
-- those that are signals.
local function on_signal(state, name)
  return function(number)
    if not trigger(state, name) then os.exit(128 + number) end
  end
end

local function watch_all(state, signals)
  for _, name in ipairs(signals) do
    local watched, err = state.watched[name], "a string expected"
    if type(name) == "string" and not watched then
      watched, err = watch(name, on_signal(state, name))
    end
    if not watched then
      unwatch(state, true)
      core.arg_error("shutdown", 1, ("option 'signals': %s: %s"):format(tostring(name), err))
    end
    state.watched[name] = watched
  end
end

local methods = {}
local meta = {__index = methods, __newindex = core.refuse_fields "rille.shutdown",
  __name = "rille.shutdown", __metatable = "rille.shutdown"}

local function state_of(object, method)
  return type(object) == "table" and rawget(object, STATE)
    or core.misuse(("calling '%s' on bad self (a rille.shutdown expected, got %s)")
      :format(method, core.shown(object)))
end

local read_options = core.options("shutdown", 1, {
  timeout = {"seconds", 30}, signals = {"table", {"sigint", "sigterm"}},
})

--- Has the program end in good order when a signal comes: what was given to
-- `s:on_shutdown` runs, all else may end by itself, and after `timeout` the root
-- scope is cancelled with a reason of kind `shutdown`. A second signal ends the
-- process at once, with status 128 and the signal's number. Lasts until it is
-- closed, or the root scope ends. Never suspends.
-- @function shutdown
-- @tparam[opt] table opts `timeout` (30 seconds), `signals` (a list of names as
-- luv has them: {"sigint", "sigterm"})
-- @return an object
-- @raise when one is installed already; when luv is needed and not installed
-- @usage local shutdown <close> = rille.shutdown{timeout = 10}
function rille.shutdown(opts)
  local o, root = read_options(opts), rille.root()
  if not root then
    core.misuse "rille.shutdown: no root scope is open; call it inside rille.run()"
  end
  if installed then core.misuse "rille.shutdown: it is installed already; close it first" end
  local state = {stage = "armed", timeout = o.timeout, root = root, watched = {}}
  watch_all(state, o.signals)
  root:defer(close, state)
  installed = state
  return setmetatable({[STATE] = state}, meta)
end

--- Does what a signal would do. Never suspends; a second call does nothing.
-- @function shutdown:trigger
-- @param[opt="shutdown"] reason what the functions are called with
-- @treturn boolean true if this call was the first
function methods.trigger(object, reason)
  if reason == nil then reason = "shutdown" end
  return trigger(state_of(object, "trigger"), reason)
end

--- Gives the signals back; what drains is not cancelled any more. Never
-- suspends; idempotent. `<close>` does the same.
-- @function shutdown:close
function methods.close(object)
  close(state_of(object, "close"))
end

meta.__close = methods.close

--- @function shutdown:stats
-- @treturn table `state` ("armed", "draining", "cancelled", "closed"),
-- `reason`, `since` (a `rille.now()` time), `functions` that are registered
function methods.stats(object)
  local state = state_of(object, "stats")
  return {
    state = state.stage, reason = state.reason, since = state.since, functions = #all_hooks(),
  }
end

function meta.__tostring(object)
  local state = state_of(object, "tostring")
  local reason = state.reason ~= nil and ", " .. tostring(state.reason) or ""
  return ("rille.shutdown: %s%s"):format(state.stage, reason)
end
