--[[
tracer_protobuf.lua - messages in protobuf's wire format.

    write(schema.request, {resourceSpans = {...}}) -> bytes
    read(bytes) -> {[number] = value}, the last of each field

The schema is that of tracer_otlp.lua. A field is a tag, number << 3 | wire type,
and its value: a varint (0), 8 bytes (1), a length and bytes (2) or 4 bytes (5).
See https://protobuf.dev/programming-guides/encoding/. A field is written where
the message has one: so a oneof keeps its zeros.
]]
local _, core = ...

local M = {}

local char, pack = string.char, string.pack

-- Seven bits in a byte, the lowest first; a negative number has ten bytes.
local function varint(n)
  if n >= 0 and n < 128 then return char(n) end
  local bytes = {}
  while n < 0 or n > 127 do
    bytes[#bytes + 1] = char(n & 127 | 128)
    n = n >> 7
  end
  bytes[#bytes + 1] = char(n)
  return table.concat(bytes)
end

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return char(tonumber(pair, 16)) end))
end

-- kind -> wire type, and the value as bytes
local kinds = {
  string = {2, function(value) return core.tracer_otlp.utf8(value) end},
  hex = {2, unhex},
  bool = {0, function(value) return value and "\1" or "\0" end},
  double = {1, function(value) return pack("<d", value) end},
  fixed64 = {1, function(value) return pack("<i8", value) end},
  fixed32 = {5, function(value) return pack("<I4", value) end},
  int64 = {0, varint}, uint32 = {0, varint}, enum = {0, varint},
}

local function bytes_of(kind, value)
  if type(kind) == "table" then return 2, M.write(kind, value) end
  return kinds[kind][1], kinds[kind][2](value)
end

local function add_field(parts, field, value)
  local wire, bytes = bytes_of(field.kind, value)
  parts[#parts + 1] = varint(field.number << 3 | wire)
  if wire == 2 then parts[#parts + 1] = varint(#bytes) end
  parts[#parts + 1] = bytes
end

--- A message of this schema as bytes.
function M.write(schema, message)
  local parts = {}
  for _, field in ipairs(schema) do
    local value = message[field.name]
    if value ~= nil and field.repeated then
      for _, item in ipairs(value) do add_field(parts, field, item) end
    elseif value ~= nil then
      add_field(parts, field, value)
    end
  end
  return table.concat(parts)
end

-- The varint at `at`, and where it ends; nothing if it does not.
local function read_varint(bytes, at)
  local n, shift = 0, 0
  repeat
    local byte = bytes:byte(at)
    if not byte or shift > 63 then return nil end
    n, at, shift = n | (byte & 127) << shift, at + 1, shift + 7
  until byte < 128
  return n, at
end

-- wire type -> the value at `at`, and where it ends
local readers = {
  [0] = read_varint,
  [1] = function(bytes, at) return bytes:sub(at, at + 7), at + 8 end,
  [2] = function(bytes, at)
    local size, from = read_varint(bytes, at)
    if not size or size < 0 or size > #bytes then return nil end
    return bytes:sub(from, from + size - 1), from + size
  end,
  [5] = function(bytes, at) return bytes:sub(at, at + 3), at + 4 end,
}

--- The fields of a message; nil if it is none.
function M.read(bytes)
  local fields, at = {}, 1
  while at <= #bytes do
    local tag, value
    tag, at = read_varint(bytes, at)
    local reader = tag and readers[tag & 7]
    if not reader then return nil end
    value, at = reader(bytes, at)
    if not value or at > #bytes + 1 then return nil end
    fields[tag >> 3] = value
  end
  return fields
end

core.tracer_protobuf = M
return M
