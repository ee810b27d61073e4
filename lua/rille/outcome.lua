--[[
outcome.lua - how a user's function has ended.

It fails by raising, or by returning nil or false and an error. A cancellation
is neither a result nor a failure: it goes on.
]]
local rille, core = ...

local outcome = {}

--- The first result of a function that returned `value, err`; raises a failure.
function outcome.result(value, err)
  if value or err == nil then return value end
  if core.failed(true, value, err) then error(err, 0) end
  return value
end

local function pass_cancellation(ok, ...)
  if not ok and rille.is_cancellation((...)) then error((...), 0) end
  return ok, ...
end

--- pcall, but a cancellation goes on.
function outcome.attempt(fn, ...)
  return pass_cancellation(pcall(fn, ...))
end

--- What `attempt` returned as `true, first result` or `false, error`.
function outcome.judge(ok, value, err)
  if ok and (value or err == nil) then return true, value end
  if not core.failed(ok, value, err) then return true, value end
  if ok then return false, err end
  return false, value
end

--- What `attempt` returned as a record: {ok = true, value =} or {ok = false,
-- err =}.
function outcome.record(...)
  local ok, value = outcome.judge(...)
  if ok then return {ok = true, value = value} end
  return {ok = false, err = value}
end

return outcome
