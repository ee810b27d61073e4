--[[
handle.lua - libuv's handles, each of which belongs to a scope and is closed when
that ends.

A handle is kept in a state, `{handle=, owner=}`. A scope may outlive any number
of them: so it owns one set, and a state that is closed before goes out of that.
]]
local _, core = ...

-- scope -> {[state] = close}: what is closed when the scope ends. The set is an
-- object with the methods that core.own wants.
local sets = setmetatable({}, {__mode = "k"})

local set_meta = {__index = {}}

function set_meta.__index.close(set)
  for state, close in next, set do
    set[state] = nil
    close(state)
  end
end

function set_meta.__index.is_closed() return false end

-- Raises, with the handle closed, if the scope has ended.
local function new_set(scope, state)
  local ok, set = pcall(core.own, scope, setmetatable({}, set_meta))
  if not ok then
    state.handle:close()
    error(set, 0)
  end
  sets[scope] = set
  return set
end

--- Lets close(state) be called when the scope ends. Returns the set that the
-- state is in, to be its `owner`: `owner[state] = nil` takes it out. Raises if
-- the scope has ended.
function core.own_handle(scope, state, close)
  local set = core.state(scope) ~= "ended" and sets[scope] or new_set(scope, state)
  set[state] = close
  return set
end

--- Closes `state.handle`, if it has one yet, and takes the state out of the set
-- of its owner. Whether it had one.
function core.close_handle(state)
  local handle = state.handle
  if not handle then return false end
  state.handle = nil
  state.owner[state] = nil
  if not handle:is_closing() then handle:close() end
  return true
end
