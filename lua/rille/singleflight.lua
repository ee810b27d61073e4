--[[
singleflight.lua - one run per key at a time.
]]
local rille, core = ...

core.load "rille.flight"

local methods = {}

local new, state = core.class("singleflight", methods, function(group)
  return ("%d in flight"):format(core.count_flights(group))
end)

--- Makes a group in which each key has one run at a time. Never suspends.
-- @function singleflight
-- @return the group
-- @usage local fetches = rille.singleflight()
function rille.singleflight()
  return new(core.flights "singleflight")
end

--- Runs `fn(...)`, unless a run for `key` is under way: then waits and shares
-- its outcome. If the caller that runs it is cancelled, the next one that waits
-- runs its own function; another caller's cancellation is its own affair.
-- Suspends.
-- @function singleflight:call
-- @param key any value but nil and NaN
-- @tparam function fn
-- @param ... its arguments
-- @return its results, or nil and an error when it failed: for all the same
-- @raise cancelled; deadlock where the function that runs for `key` has called
-- @usage local page, err = fetches:call(url, fetch, url)
function methods.call(g, key, fn, ...)
  local group = state(g, "call")
  core.check_key(key, "call")
  core.check_function(fn, "call", 2)
  core.checkpoint()
  return core.fly(group, key, fn, ...)
end

--- Lets the next call for `key` begin a run of its own. Those that wait for the
-- present one still share its outcome. Never suspends.
-- @function singleflight:forget
-- @param key
function methods.forget(g, key)
  local group = state(g, "forget")
  core.check_key(key, "forget")
  group.flights[key] = nil
end

--- @function singleflight:stats
-- @treturn table `runs`: functions run; `shared`: calls that got the outcome of
-- another's; `active`: keys in flight
function methods.stats(g)
  local group = state(g, "stats")
  return {runs = group.runs, shared = group.shared, active = core.count_flights(group)}
end
