--[[
tracer_json.lua - messages as JSON, in the mapping of OTLP.

    write(schema.request, {resourceSpans = {...}}) -> text

The schema is that of tracer_otlp.lua. Fields are written in its order, so the
same message always is the same text. It differs from protobuf's own mapping of
JSON in that bytes are hexadecimal. See the OTLP specification, "JSON Protobuf
Encoding".
]]
local _, core = ...

local M = {}

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

local function escape(char)
  return escapes[char] or ("\\u%04x"):format(char:byte())
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

local function double(value)
  if value ~= value then return '"NaN"' end
  if value == math.huge then return '"Infinity"' end
  if value == -math.huge then return '"-Infinity"' end
  local text = ("%.17g"):format(value)
  local short = ("%.15g"):format(value)
  return tonumber(short) == value and short or text
end

local function wide(value) return ('"%d"'):format(value) end
local function narrow(value) return ("%d"):format(value) end

-- How a value of each kind is written that is no message.
local writers = {
  string = function(value) return quote(core.tracer_otlp.utf8(value)) end,
  hex = quote,
  bool = tostring,
  double = double,
  int64 = wide, fixed64 = wide,
  uint32 = narrow, enum = narrow, fixed32 = narrow,
}

local function value_of(kind, value)
  if type(kind) == "table" then return M.write(kind, value) end
  return writers[kind](value)
end

local function list_of(kind, list)
  local parts = {}
  for i, value in ipairs(list) do parts[i] = value_of(kind, value) end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- A message of this schema as text.
function M.write(schema, message)
  local parts = {}
  for _, field in ipairs(schema) do
    local value = message[field.name]
    if value ~= nil then
      parts[#parts + 1] = quote(field.name) .. ":"
        .. (field.repeated and list_of or value_of)(field.kind, value)
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

core.tracer_json = M
return M
