--[[
layers.lua - the policies of tasks: those of a task's own options, and the
defaults of its scope.

What a scope has by default is worked out once, when it is opened, and kept in
its info: its own options over those that it inherits. The C part asks for it
only where there is something to ask for: see core/bind/block.c and start.c.
]]
local _, core = ...

core.load "rille.policy"

local kinds = core.layer_kinds

local read_defaults = core.options("scope", 1, {
  retry = kinds.retry,
  task_timeout = kinds.timeout,
  circuit_breaker = kinds.circuit_breaker,
  limiter = kinds.limiter,
})

local read_own = core.options("task", 2, {
  retry = kinds.retry .. "|off",
  timeout = kinds.timeout .. "|off",
  total_timeout = kinds.total_timeout,
  circuit_breaker = kinds.circuit_breaker .. "|off",
  limiter = kinds.limiter .. "|off",
  fallback = kinds.fallback,
})

-- The defaults that scope `s` has, or nil.
local function defaults_of(s)
  while s do
    local defaults = core.has_info(s) and core.info(s).defaults
    if defaults then return defaults end
    s = core.inherited(s)
  end
end

-- `own` over `inherited`, as {layers=, call=}; false takes a layer away.
local function overlay(inherited, own)
  local layers = {}
  for name, layer in pairs(inherited and inherited.layers or {}) do layers[name] = layer end
  for name, layer in pairs(own) do layers[name] = layer or nil end
  return {layers = layers, call = core.compose(layers)}
end

local POLICIES, TRACER = 1, 2 -- rl_layers of core/bind/bind.h

--- For the C part: what the options of a new scope come to that are for its
-- tasks; they are checked here, before there is a scope. A breaker given as
-- options is made.
function core.make_defaults(opts)
  local tracing
  if opts.tracer ~= nil or opts.otel ~= nil then
    tracing = core.load "rille.tracing".read_options(opts)
    opts.tracer, opts.otel = nil, nil
  end
  if next(opts) == nil then return {tracing = tracing} end
  local o = read_defaults(opts)
  o.timeout, o.task_timeout = o.task_timeout, nil
  return {layers = core.make_layers("scope", 1, o), tracing = tracing}
end

--- For the C part: scope `s` is open and has these defaults, or none of its own
-- (nil); `opts` are all its options. What it inherits and what it comes to have
-- are told as rl_layers.
function core.set_defaults(s, made, inherited, opts)
  local mask = inherited
  if made and made.layers then
    core.info(s).defaults = overlay(defaults_of(core.inherited(s)), made.layers)
    mask = mask | POLICIES
  end
  if mask & TRACER == 0 and not (made and made.tracing) then return mask end
  local traced = core.load "rille.tracing".open(s, made and made.tracing, opts)
  return traced and mask | TRACER or mask & ~TRACER
end

--- For the C part: checks the option `otel` of a function that starts a task.
function core.check_otel(name, argument, otel)
  core.load "rille.tracing".check_otel(name, argument, otel)
end

local function wrap(policy, fn)
  local call = policy.call
  if not call then return fn end
  return function(s) return call(fn, s) end
end

--- For the C part: what a task of scope `s` is to run for `fn`, with these policy
-- options (nil: none) and the defaults of the scope.
function core.add_layers(s, fn, opts)
  local defaults = defaults_of(s)
  if not opts then return defaults and wrap(defaults, fn) or fn end
  return wrap(overlay(defaults, core.make_layers("task", 2, read_own(opts))), fn)
end
