--[[
common.lua - what the parts that run users' functions share.

    outcome      how a protected call has ended
    told         the error that comes back after a nil
    error_text   any error, for people
    reached      whether an instant has come
]]
local rille, core = ...

core.load "rille.class"

core.add_kind("scope", "a scope", function(v)
  return getmetatable(v) == "rille.scope" and pcall(core.state, v)
end)

-- Half the clock's resolution: what arithmetic in floating point may lack.
local SLACK = 5e-10

--- How the protected call has ended that gave these values: true; or false
-- and its error. Raises where that is the cancellation of the running task.
function core.outcome(ok, ...)
  if not core.failed(ok, ...) then return true end
  local err
  if ok then err = select(2, ...) else err = ... end
  if rille.is_cancellation(err) then error(err, 0) end
  return false, err
end

--- The error that comes back after a nil: `err`; but for a nil that was raised,
-- which could not be told from a success, an error of kind `invalid`.
function core.told(err)
  if err ~= nil then return err end
  return core.error("invalid", "the function raised nil")
end

--- The text of any error, even of one whose __tostring raises.
function core.error_text(err)
  local ok, text = pcall(tostring, err)
  return ok and text or type(err) .. " (its __tostring raises)"
end

--- Whether the clock stands at `time` or after it.
function core.reached(time)
  return rille.now() + SLACK >= time
end
