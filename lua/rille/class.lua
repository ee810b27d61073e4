--[[
class.lua - objects without fields.

    local new, state, meta = core.class("worker_pool", methods, text)

An object is an empty table; its state is kept beside it under its identity,
for as long as it lives. So a script can neither read nor break it, and a
receiver is known by having a state.
]]
local _, core = ...

--- A __newindex for objects that have no fields.
function core.refuse_fields(title)
  return function() core.misuse(("a %s has no fields to set"):format(title)) end
end

--- Makes a type of objects. new(state) makes one; state(object, method) gives
-- its state back, or raises for another receiver; text(state) is what tostring
-- says of it; other metamethods can be added to `meta`.
-- class(name, methods, text)
function core.class(name, methods, text)
  local states, title = setmetatable({}, {__mode = "k"}), "rille." .. name
  local meta = {__index = methods, __name = title, __metatable = title}

  function meta.__tostring(object) return title .. ": " .. text(states[object]) end

  meta.__newindex = core.refuse_fields(title)

  local function new(state)
    local object = setmetatable({}, meta)
    states[object] = state
    return object
  end

  local function state(object, method)
    return states[object]
      or core.misuse(("calling '%s' on bad self (a %s expected, got %s)")
        :format(method, title, core.shown(object)))
  end

  return new, state, meta
end
