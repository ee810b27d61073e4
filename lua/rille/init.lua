--[[
init.lua - what the module is made of.

A part is a Lua file of the engine: a chunk that is called with the module and
the functions of the C part, and defines public names. One that nobody has
asked for is not even compiled: it is loaded when one of its names is first
looked up, here or by `require "rille.NAME"`.
]]
local rille, core = ...

-- The names that each part defines: of the module, or, after "s:", of scopes.
local parts = {
  testing = "testing",
  uv = "uv_call",
  fs = "fs",
  process = "process",
  signal = "signal",
  stdin = "stdin",
  tty = "tty",
  cache = "cache",
  debounce = "debounce throttle",
  fallback = "fallback",
  hedge = "hedge",
  net = "net",
  http = "http",
  once = "once",
  policy = "policy",
  singleflight = "singleflight",
  event_bus = "event_bus s:event_bus",
  poll = "s:poll",
  service = "s:provide s:use s:has",
  retry = "retry retry_budget",
  breaker = "breaker",
  limiter = "limiter",
  parallel = "s:parallel s:map s:race s:any",
  worker_pool = "worker_pool",
  pipeline = "pipeline fan_out fan_in",
  resource_pool = "resource_pool",
  supervise = "supervise",
  stream = "stream s:stream",
  shutdown = "shutdown s:on_shutdown",
  tracing = "span",
  tracer = "tracer",
}

-- name -> the part that defines it
local module_names, scope_names = {}, {}

for part, names in pairs(parts) do
  for word in names:gmatch "%S+" do
    local of_scope = word:match "^s:(.+)"
    local known = of_scope and scope_names or module_names
    known[of_scope or word] = "rille." .. part
  end
end

-- Lets a look-up that finds nothing load the part that defines the name.
local function load_from(names)
  return function(object, name)
    local part = names[name]
    if part == nil then return nil end
    core.load(part)
    return rawget(object, name)
  end
end

-- Takes back what a part has defined that could not be loaded to its end.
function core.forget(part)
  for name, owner in pairs(module_names) do
    if owner == part then rawset(rille, name, nil) end
  end
  for name, owner in pairs(scope_names) do
    if owner == part then rawset(core.scope_meta.__index, name, nil) end
  end
end

setmetatable(rille, {__index = load_from(module_names)})
setmetatable(core.scope_meta.__index, {__index = load_from(scope_names)})

core.learn_frames()
core.load "rille.options"
core.load "rille.scope"
