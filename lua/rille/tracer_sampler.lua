--[[
tracer_sampler.lua - which traces are kept.

A sampler is a function(parent, trace_id, span) -> boolean: `parent` is the
context of the parent or nil, `span` says {name=, kind=, attributes=}. The
decision for a ratio is a comparison with the low 56 bits of the trace id, as
consistent probability sampling has it: so two programs with the same ratio keep
the same traces.
]]
local _, core = ...

local M = {}

local BITS = 1 << 56

local function ratio(fraction)
  local least = math.floor((1 - fraction) * BITS + 0.5)
  return function(_, trace_id)
    return tonumber(trace_id:sub(-14), 16) >= least
  end
end

local roots = {
  always_on = function() return function() return true end end,
  always_off = function() return function() return false end end,
  traceidratio = ratio,
}

-- As the parent was, if there is one.
local function parent_based(root)
  return function(parent, trace_id, span)
    if parent then return parent.trace_flags & 1 == 1 end
    return root(parent, trace_id, span)
  end
end

--- The sampler of that name, for the ones with a ratio; a function of the user's
-- stands for itself, and what it raises is the caller's.
function M.make(sampler, fraction)
  if type(sampler) == "function" then
    return function(parent, trace_id, span)
      span.parent, span.trace_id = parent, trace_id
      return (sampler(span)) and true or false
    end
  end
  local name = sampler:match "^parentbased_(.*)$"
  local root = roots[name or sampler](fraction)
  return name and parent_based(root) or root
end

--- The names there are, as a kind of core.options.
M.names = "'always_on'|'always_off'|'traceidratio'|'parentbased_always_on'"
  .. "|'parentbased_always_off'|'parentbased_traceidratio'|function"

core.tracer_samplers = M
return M
