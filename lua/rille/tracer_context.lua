--[[
tracer_context.lua - the context of a span, between programs.

    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    tracestate:  vendor=value,other@vendor=value
    baggage:     passed on as it came

See https://www.w3.org/TR/trace-context/. A context is a table {trace_id=,
span_id=, trace_flags=, trace_state=, baggage=, remote=}; ids are lower-case
hexadecimal digits.
]]
local _, core = ...

local M = {}

local MOST_MEMBERS, MOST_BYTES, LONG_MEMBER = 32, 512, 128

local function is_id(text, digits)
  return type(text) == "string" and #text == digits and not text:find "[^%da-f]"
    and text:find "[^0]" ~= nil
end

--- Whether `value` is a context of a trace.
function M.is_context(value)
  return type(value) == "table" and is_id(value.trace_id, 32) and is_id(value.span_id, 16)
end

-- What a header of version 00 tells, and one of a later version in its first 55
-- bytes; or nil.
local function parse_parent(text)
  local version, trace_id, span_id, flags, rest =
    text:match "^(%x%x)%-(%x+)%-(%x+)%-(%x%x)(.*)$"
  if not version or text:sub(1, 55):find "%u" or version == "ff" then return nil end
  if rest ~= "" and (version == "00" or rest:sub(1, 1) ~= "-") then return nil end
  if not (is_id(trace_id, 32) and is_id(span_id, 16)) then return nil end
  flags = tonumber(flags, 16)
  return {trace_id = trace_id, span_id = span_id, remote = true,
    trace_flags = version == "00" and flags & 3 or flags & 1}
end

local function is_key(key)
  if #key > 256 then return false end
  local tenant, system = key:match "^(.-)@(.*)$"
  if tenant then
    return #tenant <= 241 and tenant:find "^[%l%d][%l%d_%-%*/]*$" ~= nil
      and #system <= 14 and system:find "^%l[%l%d_%-%*/]*$" ~= nil
  end
  return key:find "^[%l%d][%l%d_%-%*/]*$" ~= nil
end

local function is_value(value)
  return #value >= 1 and #value <= 256 and not value:find "[^ -~]" and not value:find "[,=]"
    and not value:find " $"
end

-- The members of a header, or nil when one of them is not as it should be.
local function parse_members(text)
  local members, seen = {}, {}
  for member in (text .. ","):gmatch "([^,]*)," do
    member = member:match "^[ \t]*(.-)[ \t]*$"
    if member ~= "" then
      local key, value = member:match "^([^=]*)=(.*)$"
      if not key or not is_key(key) or not is_value(value) or seen[key] then return nil end
      seen[key] = true
      members[#members + 1] = member
    end
  end
  if #members > MOST_MEMBERS then return nil end
  return members
end

-- Takes members away until they fit: the long ones first, then from the right.
local function shorten(members)
  for i = #members, 1, -1 do
    if #table.concat(members, ",") <= MOST_BYTES then return end
    if #members[i] > LONG_MEMBER then table.remove(members, i) end
  end
  while #table.concat(members, ",") > MOST_BYTES do table.remove(members) end
end

--- What is passed on of a tracestate; nil when it is empty or invalid.
function M.parse_state(text)
  local members = parse_members(text)
  if not members then return nil end
  shorten(members)
  return members[1] and table.concat(members, ",") or nil
end

-- One string of what a carrier holds: several headers of one name are a list.
local function text_of(value)
  if type(value) == "string" then return value end
  if type(value) == "table" and type(value[1]) == "string" then return table.concat(value, ",") end
end

-- The value of a field in any case. `carrier` may be an object whose __index
-- does that already, such as the headers of rille.http.
local function field(carrier, name)
  if type(carrier.all) == "function" then return text_of(carrier:all(name)) end
  local value = carrier[name]
  if value ~= nil then return text_of(value) end
  for key, other in pairs(carrier) do
    if type(key) == "string" and key:lower() == name then return text_of(other) end
  end
end

--- The context in a carrier; nil when there is none.
function M.extract(carrier, propagators)
  local context = {}
  if propagators.tracecontext then
    local text = field(carrier, "traceparent")
    context = text and parse_parent(text:match "^[ \t]*(.-)[ \t]*$") or context
    local state = context.trace_id and field(carrier, "tracestate")
    context.trace_state = state and M.parse_state(state)
  end
  if propagators.baggage then context.baggage = field(carrier, "baggage") end
  return next(context) ~= nil and context or nil
end

-- Sets a field of a table, or of an object as the headers of rille.http.
local function set_field(carrier, name, value)
  if type(carrier.set) == "function" then
    carrier:set(name, value)
  else
    carrier[name] = value
  end
end

--- Puts a context into a carrier; returns the carrier. `spell` makes the name of
-- a field.
function M.inject(context, carrier, propagators, spell)
  if propagators.tracecontext and context.trace_id then
    set_field(carrier, spell "traceparent", ("00-%s-%s-%02x"):format(context.trace_id,
      context.span_id, context.trace_flags))
    set_field(carrier, spell "tracestate", context.trace_state)
  end
  if propagators.baggage and context.baggage then
    set_field(carrier, spell "baggage", context.baggage)
  end
  return carrier
end
core.tracer_context = M
return M
