-- json.lua - writes a Lua value as JSON: lists, tables with string keys in
-- order, strings, numbers, booleans. No cycles, no nulls.

local json = {}

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r"}

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    error("JSON has no " .. tostring(value))
  end
  return math.tointeger(value) and ("%d"):format(value) or ("%.9g"):format(value)
end

local encode

local function encode_table(value, indent)
  local inner, parts = indent .. "  ", {}
  local is_list = #value > 0 or next(value) == nil
  if is_list then
    for i, item in ipairs(value) do parts[i] = encode(item, inner) end
  else
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do
      parts[i] = quote(key) .. ": " .. encode(value[key], inner)
    end
  end
  local open, close = "{", "}"
  if is_list then open, close = "[", "]" end
  local line = open .. table.concat(parts, ", ") .. close
  if #line < 80 and not line:find "\n" then return line end
  return open .. "\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. close
end

function encode(value, indent)
  local kind = type(value)
  if kind == "table" then return encode_table(value, indent) end
  if kind == "string" then return quote(value) end
  if kind == "number" then return number(value) end
  if kind == "boolean" then return tostring(value) end
  error("JSON has no " .. kind)
end

-- The text of `value`, indented, with a newline at the end.
function json.encode(value)
  return encode(value, "") .. "\n"
end

return json
