--[[
common.lua - what the parts that run users' functions share.

    class     objects without public fields
    outcome   how a protected call has ended
    reached   whether an instant has come
]]
local rille, core = ...

-- Half the clock's resolution: what arithmetic in floating point may lack.
local SLACK = 5e-10

local function refuse_field(object)
  error(("a %s has no fields to set"):format(getmetatable(object)), 2)
end

--- Makes a type of objects.
-- An object is an empty table; what belongs to it is kept beside it, under
-- its identity, for as long as it lives. So a script can neither read nor
-- break it, and a receiver is known by having a state.
-- class(name, methods, text) gives two functions: new(state) makes an object,
-- state(object, method) finds its state or raises; and the metatable, to which
-- others can be added. `text(state)` is what tostring says after the name.
function core.class(name, methods, text)
  local states = setmetatable({}, {__mode = "k"})
  local title = "rille." .. name
  local meta = {__index = methods, __newindex = refuse_field, __name = title,
    __metatable = title}

  function meta.__tostring(object) return title .. ": " .. text(states[object]) end

  local function new(state)
    local object = setmetatable({}, meta)
    states[object] = state
    return object
  end

  return new, function(object, method)
    local found = states[object]
    if found then return found end
    error(("calling '%s' on bad self (%s expected, got %s)")
      :format(method, title, type(object)), 3)
  end, meta
end

--- How the protected call has ended that gave these values: true; or false
-- and its error. Raises where that is the cancellation of the running task.
function core.outcome(ok, ...)
  if not core.failed(ok, ...) then return true end
  local err
  if ok then err = select(2, ...) else err = ... end
  if rille.is_cancellation(err) then error(err, 0) end
  return false, err
end

--- Whether the clock stands at `time` or after it.
function core.reached(time)
  return rille.now() + SLACK >= time
end
