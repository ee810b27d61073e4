--[[
policy.lua - several layers of resilience around a function, in one order.

A layer is a function that is called as layer(fn, ...), runs fn(...) in its
way, and returns its results or nil and an error. So two make one,

    outer(inner, fn, ...)      outer runs inner(fn, ...), which runs fn(...)

and a call makes no closure: the rest of the layers travels as an argument.

Other parts that take such options use what is underneath:

    core.layer_kinds         their kinds, for core.options
    core.make_layers(name, argument, o)   the objects, once, from options that
                             were read, for function `name`
    core.compose(layers)     one function, call(fn, ...), from these; or nil
]]
local rille, core = ...

core.load "rille.fallback"
core.load "rille.cache"
core.load "rille.hedge"
core.load "rille.retry"

-- Outermost first.
local order = {"fallback", "cache", "total_timeout", "retry", "hedge", "circuit_breaker",
  "limiter", "bulkhead", "timeout"}

-- Layers that turn what a function raises into nil and an error.
local settles = {fallback = true, cache = true, retry = true, hedge = true, circuit_breaker = true}

local function is_caller(value)
  local kind = type(value)
  return (kind == "userdata" or kind == "table") and type(value.call) == "function"
end

core.add_kind("caller", "an object with a method 'call'", is_caller)

core.layer_kinds = {
  fallback = "function",
  cache = "table",
  cache_key = "function",
  total_timeout = "seconds",
  retry = "table",
  hedge = "table",
  circuit_breaker = "caller|table",
  limiter = "caller|table",
  bulkhead = "caller|table",
  timeout = "seconds",
}

-- name -> makes the object of a layer from its options
local makers = {
  retry = core.retry_reader("policy", 1),
  cache = function(opts) return core.is_cache(opts) and opts or rille.cache(opts) end,
  hedge = function(opts) return core.hedge_options(opts) end,
  circuit_breaker = function(opts) return rille.breaker(opts) end,
  limiter = function(opts) return rille.limiter(opts) end,
  bulkhead = function(opts) return rille.bulkhead(opts) end,
}

-- name -> makes a layer of an object. `wraps` says that there are layers
-- inside: then the function is the first of the arguments.
local layers = {}

function layers.fallback(alternative, wraps)
  local for_arguments = wraps and function(err, _, ...) return alternative(err, ...) end
  return function(fn, ...)
    return core.fallback(fn, for_arguments or alternative, ...)
  end
end

local function first_argument(first)
  if first == nil then
    core.misuse("policy: a call through a cache needs a key: a first argument, or the option "
      .. "'cache_key'")
  end
  return first
end

function layers.cache(cache, wraps, given)
  local key = given.cache_key or first_argument
  if not wraps then
    return function(fn, ...) return core.cache_fetch(cache, key(...), fn, ...) end
  end
  local function key_of(_, ...) return key(...) end
  return function(fn, ...) return core.cache_fetch(cache, key_of(...), fn, ...) end
end

-- Counts the deadlines that have fired, when somebody asks for it.
local function count_expired(counts, value, err, ...)
  if value == nil and rille.is_error(err, "timeout") then counts.expired = counts.expired + 1 end
  return value, err, ...
end

function layers.timeout(seconds, _, given, name)
  local timeout, counts = rille.timeout, given.counts and given.counts[name]
  if not counts then
    return function(fn, ...) return timeout(seconds, fn, ...) end
  end
  return function(fn, ...) return count_expired(counts, timeout(seconds, fn, ...)) end
end

layers.total_timeout = layers.timeout

function layers.retry(o)
  return function(fn, ...) return core.retry(o, fn, ...) end
end

function layers.hedge(o)
  return function(fn, ...) return core.hedge(o, fn, ...) end
end

function layers.circuit_breaker(object)
  return function(fn, ...) return object:call(fn, ...) end
end

layers.limiter = layers.circuit_breaker
layers.bulkhead = layers.circuit_breaker

local function chain(outer, inner)
  return function(fn, ...) return outer(inner, fn, ...) end
end

function core.make_layers(name, argument, o)
  local made = {}
  for key, value in pairs(o) do
    local make = makers[key]
    if make and value and not is_caller(value) then
      value = core.read_option(name, argument, key, make, value)
    end
    made[key] = value
  end
  return made
end

function core.compose(made)
  local call
  for i = #order, 1, -1 do
    local object = made[order[i]]
    if object ~= nil then
      local layer = layers[order[i]](object, call ~= nil, made, order[i])
      call = call and chain(layer, call) or layer
    end
  end
  return call
end

-- The names of the layers there are, outermost first.
local function names_of(made)
  local names = {}
  for _, name in ipairs(order) do
    if made[name] ~= nil then names[#names + 1] = name end
  end
  return names
end

-- "fallback > total_timeout 5 s > fn"
local function describe(made)
  local texts = names_of(made)
  for i, name in ipairs(texts) do
    if layers[name] == layers.timeout then texts[i] = ("%s %g s"):format(name, made[name]) end
  end
  texts[#texts + 1] = "fn"
  return table.concat(texts, " > ")
end

local function settle(...)
  local good, err = core.outcome(...)
  if good then return select(2, ...) end
  return nil, core.told(err)
end

-- The layers as one function that raises nothing but cancellation.
local function settled(made)
  local call = core.compose(made)
  if not call then
    return function(fn, ...) return settle(pcall(fn, ...)) end
  end
  if settles[names_of(made)[1]] then return call end
  return function(fn, ...) return settle(pcall(call, fn, ...)) end
end

-- Calls `hook` after it has counted.
local function counting(counts, field, hook)
  return function(...)
    counts[field] = counts[field] + 1
    if hook then return hook(...) end
  end
end

-- A copy of `options` with a hook that counts.
local function with_count(options, hook, counts, field)
  local copy = {}
  for key, value in pairs(options) do copy[key] = value end
  copy[hook] = counting(counts, field, options[hook])
  return copy
end

-- The layers that are no objects, and so have no statistics of their own, are
-- made to count: returns the layers with `counts`.
local function instrument(made)
  local counts = {
    fallback = made.fallback and {used = 0},
    total_timeout = made.total_timeout and {expired = 0},
    retry = made.retry and {retries = 0},
    hedge = made.hedge and {hedges = 0},
    timeout = made.timeout and {expired = 0},
  }
  if made.fallback then made.fallback = counting(counts.fallback, "used", made.fallback) end
  if made.retry then made.retry = with_count(made.retry, "on_retry", counts.retry, "retries") end
  if made.hedge then made.hedge = with_count(made.hedge, "on_hedge", counts.hedge, "hedges") end
  made.counts = counts
  return made
end

local methods = {}

local new, state = core.class("policy", methods, function(policy)
  return policy.text
end)

local read = core.options("policy", 1, core.layer_kinds)

--- Makes a policy: layers around a function, in a fixed order, outermost first:
-- fallback, cache, total_timeout, retry, hedge, circuit_breaker, limiter,
-- bulkhead, timeout. A layer's option is what its constructor takes, or an
-- object made before, to be shared. Never suspends.
-- @function policy
-- @tparam[opt] table opts `fallback`: `function(err, ...)`; `cache`: options or
-- a cache; `cache_key`: `function(...)` gives the key for the arguments of a
-- call, the first of them without it; `total_timeout`: seconds for all;
-- `retry`: options; `hedge`: options; `circuit_breaker`, `limiter`, `bulkhead`:
-- options or an object; `timeout`: seconds for each attempt
-- @return the policy
-- @usage local api = rille.policy{retry = {max_retries = 2}, timeout = 5}
function rille.policy(opts)
  local made = instrument(core.make_layers("policy", 1, read(opts)))
  return new {layers = made, call = settled(made), text = describe(made)}
end

--- Runs `fn(...)` through the layers. Suspends as they and `fn` do.
-- @function policy:call
-- @tparam function fn
-- @param ... its arguments
-- @return its results; nil and an error when it failed or was refused
-- @raise cancelled
-- @usage local page, err = api:call(fetch, url)
function methods.call(p, fn, ...)
  local policy = state(p, "call")
  core.check_function(fn, "call", 1)
  return policy.call(fn, ...)
end

--- @function policy:describe
-- @treturn string the layers in a line: "retry > timeout 5 s > fn"
function methods.describe(p)
  return state(p, "describe").text
end

--- @function policy:stats
-- @treturn table of each layer, by name: what cache, circuit_breaker, limiter
-- and bulkhead say themselves; `used` of the fallback, `retries`, `hedges`, and
-- how often a timeout has `expired`
function methods.stats(p)
  local made, stats = state(p, "stats").layers, {}
  for _, name in ipairs(names_of(made)) do
    local counts, object = made.counts[name], made[name]
    if counts then
      stats[name] = {}
      for field, value in pairs(counts) do stats[name][field] = value end
    elseif object.stats then
      stats[name] = object:stats()
    end
  end
  return stats
end
