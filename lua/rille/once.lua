--[[
once.lua - a function that runs once.
]]
local rille, core = ...

core.load "rille.flight"

local read = core.options("once", 2, {keep_errors = {"boolean", false}})

--- Makes a function that runs `fn` once: with the arguments of its first call.
-- Calls that come meanwhile wait and share the results, or the failure; later
-- ones get the results at once. If the caller that runs `fn` is cancelled, the
-- next one that waits runs it. A failure is not kept: a later call runs `fn`
-- anew. Making one never suspends; calling it does while `fn` runs.
-- @function once
-- @tparam function fn
-- @tparam[opt] table opts `keep_errors` (boolean, false): a failure is kept
-- as results are
-- @treturn function returns the results of `fn`, or nil and an error when it
-- failed; raises cancelled, and `deadlock` where `fn` itself calls it
-- @usage local config = rille.once(function() return parse(read "app.conf") end)
function rille.once(fn, opts)
  core.check_function(fn, "once", 1)
  local keep_errors, kept = read(opts).keep_errors, nil
  local group = core.flights("once", function(_, good, outcome)
    if good or keep_errors then kept, fn = outcome, nil end
  end)
  return function(...)
    core.checkpoint()
    if kept then return table.unpack(kept, 1, kept.n) end
    return core.fly(group, true, fn, ...)
  end
end
