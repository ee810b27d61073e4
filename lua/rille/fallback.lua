--[[
fallback.lua - what to do instead, when a function fails.
]]
local rille, core = ...

core.load "rille.common"

-- The alternative has ended.
local function conclude(first, ...)
  local good, err = core.outcome(...)
  if good then return select(2, ...) end
  if rille.is_error(err) and err.cause == nil and not rawequal(err, first) then
    err.cause = first
  end
  return nil, core.told(err)
end

-- The function has ended.
local function recover(alternative, arguments, ...)
  local good, err = core.outcome(...)
  if good then return select(2, ...) end
  if core.trace_event then core.trace_event "fallback.used" end
  return conclude(err, pcall(alternative, err, table.unpack(arguments, 1, arguments.n)))
end

--- For other parts: as rille.fallback.
function core.fallback(fn, alternative, ...)
  return recover(alternative, table.pack(...), pcall(fn, ...))
end

--- Runs `fn(...)`, and if it fails `alternative(err, ...)`. A cancellation is
-- no failure: it passes. Suspends as the two do.
-- @function fallback
-- @tparam function fn
-- @tparam function alternative
-- @param ... arguments of both
-- @return the results of `fn`, or of `alternative`; nil and an error when that
-- failed too: if it is an error object without a `cause`, it gets the first
-- error as `cause`
-- @raise cancelled
-- @usage local page = rille.fallback(fetch, function(err, url)
--   return archive:find(url)
-- end, url)
function rille.fallback(fn, alternative, ...)
  core.check_function(fn, "fallback", 1)
  core.check_function(alternative, "fallback", 2)
  return core.fallback(fn, alternative, ...)
end
