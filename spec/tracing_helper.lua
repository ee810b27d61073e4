-- A tracer as a user might write one, which keeps what it is told; and a run
-- under it.
local rille = require "rille"
local helper = require "spec.helper"

local M = {}

local Span = {}
Span.__index = Span

function Span:set_attribute(key, value) self.attributes[key] = value end

function Span:add_event(name, attributes)
  self.events[#self.events + 1] = { name = name, attributes = attributes or {} }
end

function Span:set_status(code, message) self.status, self.message = code, message end

function Span:finish()
  self.finished = (self.finished or 0) + 1
  self.tracer.ended[#self.tracer.ended + 1] = self
end

local Tracer = {}
Tracer.__index = Tracer

function Tracer:start_span(name, opts)
  local span = setmetatable({ tracer = self, name = name, parent = opts.parent, kind = opts.kind,
    start_time = opts.start_time, attributes = {}, events = {} }, Span)
  for key, value in pairs(opts.attributes or {}) do span.attributes[key] = value end
  self[#self + 1] = span
  return span
end

--- A new tracer: a list of its spans, in the order in which they were started;
-- `ended` likewise.
function M.tracer()
  return setmetatable({ ended = {} }, Tracer)
end

--- Runs `fn(scope)` in a scope of that tracer, on the virtual clock; returns the
-- tracer and what the scope gives.
function M.trace(fn, opts)
  local tracer = M.tracer()
  opts = opts or {}
  opts.tracer = tracer
  return tracer, helper.run(function() return pcall(rille.scope, opts, fn) end)
end

--- The spans as "name" or "name(inner name(...) ...)", in the order of starting.
function M.tree(tracer, parent)
  local parts = {}
  for _, span in ipairs(tracer) do
    if span.parent == parent then
      local inner = M.tree(tracer, span)
      parts[#parts + 1] = span.name .. (inner ~= "" and "(" .. inner .. ")" or "")
    end
  end
  return table.concat(parts, " ")
end

--- The first span with that name.
function M.find(tracer, name)
  for _, span in ipairs(tracer) do
    if span.name == name then return span end
  end
end

--- The names of a span's events, separated by spaces.
function M.events(span)
  local names = {}
  for i, event in ipairs(span.events) do names[i] = event.name end
  return table.concat(names, " ")
end

--- A rille.tracer, and what its exporter has got: a list of batches. export(spans), if
-- given, is what the exporter does.
function M.batches(opts, export)
  local got = {}
  opts = opts or {}
  opts.exporter = function(spans)
    local names = {}
    for i, span in ipairs(spans) do names[i] = span.name end
    got[#got + 1] = table.concat(names, " ")
    if export then return export(spans) end
  end
  return rille.tracer(opts), got
end

--- Makes spans that are called 1, 2 and so on.
function M.make(t, from, to)
  for i = from, to or from do t:start_span(tostring(i)):finish() end
end

return M
