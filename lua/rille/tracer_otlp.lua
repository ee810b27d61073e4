--[[
tracer_otlp.lua - spans as the messages of OTLP, opentelemetry-proto 1.x.

    make_request(spans, resource) -> a table, which both writers understand:
        tracer_protobuf.lua   application/x-protobuf
        tracer_json.lua       application/json

The schema below is what of opentelemetry/proto/collector/trace/v1,
trace/v1, resource/v1 and common/v1 is used here. What a table lacks is not
written.
]]
local rille, core = ...

local M = {}

local SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"

----------------------------------------------------------------------------
-- The schema

-- field(number, name, kind): a kind is a name, or the schema of a message.
local function field(number, name, kind) return {number = number, name = name, kind = kind} end

local function list(number, name, kind)
  return {number = number, name = name, kind = kind, repeated = true}
end

local any_value = {
  field(1, "stringValue", "string"), field(2, "boolValue", "bool"), field(3, "intValue", "int64"),
  field(4, "doubleValue", "double"),
}
any_value[5] = field(5, "arrayValue", {list(1, "values", any_value)})

local key_value = {field(1, "key", "string"), field(2, "value", any_value)}

local event = {
  field(1, "timeUnixNano", "fixed64"), field(2, "name", "string"), list(3, "attributes", key_value),
  field(4, "droppedAttributesCount", "uint32"),
}

local link = {
  field(1, "traceId", "hex"), field(2, "spanId", "hex"), field(3, "traceState", "string"),
  list(4, "attributes", key_value), field(5, "droppedAttributesCount", "uint32"),
  field(6, "flags", "fixed32"),
}

local span = {
  field(1, "traceId", "hex"), field(2, "spanId", "hex"), field(3, "traceState", "string"),
  field(4, "parentSpanId", "hex"), field(5, "name", "string"), field(6, "kind", "enum"),
  field(7, "startTimeUnixNano", "fixed64"), field(8, "endTimeUnixNano", "fixed64"),
  list(9, "attributes", key_value), field(10, "droppedAttributesCount", "uint32"),
  list(11, "events", event), field(12, "droppedEventsCount", "uint32"),
  list(13, "links", link), field(14, "droppedLinksCount", "uint32"),
  field(15, "status", {field(2, "message", "string"), field(3, "code", "enum")}),
  field(16, "flags", "fixed32"),
}

local scope_spans = {
  field(1, "scope", {field(1, "name", "string"), field(2, "version", "string")}),
  list(2, "spans", span), field(3, "schemaUrl", "string"),
}

local resource_spans = {
  field(1, "resource", {list(1, "attributes", key_value)}),
  list(2, "scopeSpans", scope_spans), field(3, "schemaUrl", "string"),
}

M.schema = {request = {list(1, "resourceSpans", resource_spans)}}

----------------------------------------------------------------------------
-- Values

-- One or more bytes that are no UTF-8, as U+FFFD each.
local function repair(text)
  local parts, at = {}, 1
  while at <= #text do
    local good, bad = utf8.len(text, at)
    if good then
      parts[#parts + 1] = text:sub(at)
      break
    end
    parts[#parts + 1] = text:sub(at, bad - 1) .. "\u{FFFD}"
    at = bad + 1
  end
  return table.concat(parts)
end

--- `text`, or the nearest that is UTF-8, as every string of a message must be.
function M.utf8(text)
  return utf8.len(text) and text or repair(text)
end

local function any(value)
  local kind = math.type(value) or type(value)
  if kind == "string" then return {stringValue = value} end
  if kind == "boolean" then return {boolValue = value} end
  if kind == "integer" then return {intValue = value} end
  if kind == "float" then return {doubleValue = value} end
  local values = {}
  for i, item in ipairs(value) do values[i] = any(item) end
  return {arrayValue = {values = values[1] and values}}
end

-- A list of key and value, in the order of the keys; nil if there are none.
local function attributes(map)
  local keys, made = {}, {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do made[i] = {key = key, value = any(map[key])} end
  return made[1] and made
end

local function positive(n) return n > 0 and n or nil end

-- Each of `records` as make(record); nil if there are none.
local function each(records, make)
  local made = {}
  for i, record in ipairs(records) do made[i] = make(record) end
  return made[1] and made
end

----------------------------------------------------------------------------
-- Messages

local kinds = {internal = 1, server = 2, client = 3, producer = 4, consumer = 5}
local codes = {ok = 1, error = 2}

-- Bit 8 says that bit 9, whether the other one is in another program, is known.
local function flags(record, remote)
  return record.flags & 255 | 256 | (remote and 512 or 0)
end

local function make_event(record)
  return {timeUnixNano = record.time_ns, name = record.name,
    attributes = attributes(record.attributes),
    droppedAttributesCount = positive(record.dropped_attributes)}
end

local function make_link(record)
  return {traceId = record.trace_id, spanId = record.span_id, traceState = record.trace_state,
    attributes = attributes(record.attributes), flags = flags(record, record.remote),
    droppedAttributesCount = positive(record.dropped_attributes)}
end

local function make_status(status)
  return {code = codes[status.code], message = status.message}
end

local function make_span(record)
  return {
    traceId = record.trace_id, spanId = record.span_id, parentSpanId = record.parent_span_id,
    traceState = record.trace_state, name = record.name, kind = kinds[record.kind],
    startTimeUnixNano = record.start_ns, endTimeUnixNano = record.end_ns,
    attributes = attributes(record.attributes),
    droppedAttributesCount = positive(record.dropped_attributes),
    events = each(record.events, make_event),
    droppedEventsCount = positive(record.dropped_events),
    links = each(record.links, make_link),
    droppedLinksCount = positive(record.dropped_links),
    status = make_status(record.status), flags = flags(record, record.remote_parent),
  }
end

--- The request that exports these records; `resource` holds the attributes of
-- who exports.
function M.make_request(records, resource)
  return {resourceSpans = {{
    resource = {attributes = attributes(resource)},
    scopeSpans = {{
      scope = {name = "rille", version = rille.version},
      spans = each(records, make_span),
      schemaUrl = SCHEMA_URL,
    }},
    schemaUrl = SCHEMA_URL,
  }}}
end

core.tracer_otlp = M
return M
