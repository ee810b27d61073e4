--[[
service.lua - services: what a scope has for everything that runs in it.

A service stands in the info of the scope that provides it, by its name:

    info.services = {db = {value = v}, cache = {maker = task, ...}}

The second is still being made: its factory runs. A look-up goes outward from
scope to scope (core.inherited) and takes the first entry it finds, so it
sees what is there now. How a value is disposed of is one of the scope's
deferred functions, so there is one order for all that happens at the end.
]]
local rille, core = ...

local methods = core.scope_meta.__index

-- task -> the service that it is making, the innermost one; what is made
-- outside a task stands under `core`.
local making = setmetatable({}, {__mode = "k"})

local function maker()
  return rille.current() or core
end

-- An entry whose factory runs, from here to the end of the block.
local entry_meta = {}

local function begin(services, name)
  local task = maker()
  local entry = setmetatable({name = name, services = services, maker = task,
    outer = making[task]}, entry_meta)
  services[name], making[task] = entry, entry
  return entry
end

entry_meta.__close = function(entry)
  making[entry.maker] = entry.outer
  entry.maker, entry.outer = nil, nil
  if entry.value == nil then entry.services[entry.name] = nil end
end

local function services_of(s)
  return core.has_info(s) and core.info(s).services or nil
end

local function find(s, name)
  while s do
    local services = services_of(s)
    local entry = services and services[name]
    if entry then return entry end
    s = core.inherited(s)
  end
end

-- Where the look-up has been, and every name that it has seen.
local function look_around(s)
  local places, known = {}, {}
  while s do
    for name in pairs(services_of(s) or {}) do known[#known + 1] = name end
    local next_scope = core.inherited(s)
    local last = not next_scope and s:parent()
    places[#places + 1] = s:name() .. (last and ", which inherits none" or "")
    s = next_scope
  end
  table.sort(known)
  return places, known
end

local function missing(s, name)
  local places, known = look_around(s)
  local hint = core.nearest(name, known)
  return ("there is no service '%s' (looked in %s)%s"):format(name, table.concat(places, ", "),
    hint and ("; did you mean '%s'?"):format(hint) or "")
end

-- Why a service that is being made cannot be used: "a -> b -> a" in the task
-- that makes it.
local function unready(entry)
  local task = maker()
  if entry.maker ~= task then
    local name = entry.maker == core and "a callback" or entry.maker:name()
    return ("service '%s' is still being made, by %s"):format(entry.name, name)
  end
  local chain, step = {entry.name}, making[task]
  while step and step ~= entry do
    table.insert(chain, 1, step.name)
    step = step.outer
  end
  return ("service '%s' needs itself while it is made: %s -> %s"):format(entry.name, entry.name,
    table.concat(chain, " -> "))
end

local function check_free(s, services, name)
  local entry = services[name]
  if entry then
    core.arg_error("provide", 1, ("service '%s' %s in %s"):format(name,
      entry.maker and "is being made" or "is there already", s:name()))
  end
end

-- Runs the factory. Nil and an error, or false and one, is a failure.
local function make(s, services, name, factory)
  local entry <close> = begin(services, name)
  local value, err = factory(s)
  if not value and err ~= nil then error(err, 0) end
  if value == nil then
    core.arg_error("provide", 2, ("the factory of service '%s' returned nil"):format(name))
  end
  entry.value = value
  return value
end

local function close_value(value)
  local _ <close> = value
end

-- The cleanup of a service. Later ones find it no more.
local function dispose_of(services, name, dispose, value)
  services[name] = nil
  dispose(value)
end

--- Provides a service to the scope and to all scopes in it. The factory runs
-- now, once, in the calling task, and may suspend.
-- @function scope:provide
-- @tparam string name a scope below may provide another by the same name
-- @tparam function factory is called with the scope; returns the service,
-- anything but nil. What it raises, or returns after nil, is raised unchanged
-- @tparam[opt] function dispose is called with the service when the scope
-- ends, after all tasks that could use it, in one order with what was given
-- to `defer`, last first, out of reach of cancellation; by default the
-- service's `__close`, if it has one
-- @return the scope
-- @raise closed or cancelled when the scope is
-- @usage s:provide("db", function() return connect(url) end, function(db) db:quit() end)
function methods.provide(s, name, factory, dispose)
  core.startable(s)
  core.check(name, "string", "provide", 1)
  core.check_function(factory, "provide", 2)
  if dispose ~= nil then core.check_function(dispose, "provide", 3) end
  local info = core.info(s)
  info.services = info.services or {}
  check_free(s, info.services, name)
  local value = make(s, info.services, name, factory)
  dispose = dispose or core.closable(value) and close_value
  if core.state(s) == "ended" then -- while another task ran the factory
    if dispose then rille.shield(dispose, value) end
    core.startable(s)
  end
  if dispose then methods.defer(s, dispose_of, info.services, name, dispose, value) end
  return s
end

--- Finds a service: the scope's own, or that of the nearest scope around it
-- that has one, as of now. Never suspends.
-- @function scope:use
-- @tparam string name
-- @return what its factory made
-- @raise when there is none, or while its factory runs; closed when the scope
-- has ended
-- @usage local db = s:use "db"
function methods.use(s, name)
  local ended = core.state(s) == "ended"
  core.check(name, "string", "use", 1)
  if ended then core.startable(s) end
  local entry = find(s, name)
  if not entry then core.arg_error("use", 1, missing(s, name)) end
  if entry.maker then core.arg_error("use", 1, unready(entry)) end
  return entry.value
end

--- Tells whether `use` would find a service. Never suspends.
-- @function scope:has
-- @tparam string name
-- @treturn boolean
function methods.has(s, name)
  local ended = core.state(s) == "ended"
  core.check(name, "string", "has", 1)
  local entry = not ended and find(s, name)
  return entry and not entry.maker or false
end
