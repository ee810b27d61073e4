--[[
http_headers.lua - the header fields of a message.

They stay in the order and the spelling in which they came; a name is found in
whatever case it is asked for, and may be there several times:

    fields:  {name = "Set-Cookie", key = "set-cookie", value = "a=1"} ...

What is to be sent must not break the message it is in (RFC 9110, 5): a name is
a token, a value has no line break and no zero byte. What was received is taken
as it came.
]]
local _, core = ...

core.load "rille.class"

local lower = string.lower

local methods = {}

-- A state is the list of fields.
local new, state_of, meta = core.class("headers", methods, function(fields)
  return ("%d field%s"):format(#fields, #fields == 1 and "" or "s")
end)

-- How an error shows what is not fit to be shown.
local function quote(text)
  return "'" .. text:gsub("[%c\127]", function(c) return ("\\x%02x"):format(c:byte()) end) .. "'"
end

--- For the other files: what is wrong with the name of a header or a method, or
-- nil. See RFC 9110, 5.6.2.
function core.bad_token(text)
  if type(text) ~= "string" then return "a string expected, got " .. type(text) end
  if text:find "^[%w!#$%%&'*+.^_`|~-]+$" then return nil end
  return quote(text) .. " is not a token"
end

-- What is wrong with the value of field `name`, or nil.
local function bad_value(name, value)
  if type(value) == "number" then return nil end
  if type(value) ~= "string" then
    return ("'%s': a string or a number expected, got %s"):format(name, type(value))
  end
  if not value:find "[\r\n\0]" then return nil end
  return ("'%s': %s has a line break or a zero byte in it"):format(name, quote(value))
end

-- Appends a field of what is to be sent; refuse(message) raises if it cannot.
local function add(fields, name, value, refuse)
  local wrong = core.bad_token(name)
  if wrong then refuse("a bad header name: " .. wrong) end
  wrong = bad_value(name, value)
  if wrong then refuse("a bad value of header " .. wrong) end
  fields[#fields + 1] = {name = name, key = lower(name), value = tostring(value)}
end

-- The same for one value or a list of them.
local function add_values(fields, name, values, refuse)
  if type(values) ~= "table" then return add(fields, name, values, refuse) end
  for _, value in ipairs(values) do add(fields, name, value, refuse) end
end

-- Table keys in a fixed order, so that the same headers make the same message.
local function sorted_names(list, refuse)
  local names = {}
  for name in next, list do
    if type(name) == "string" then
      names[#names + 1] = name
    elseif math.type(name) ~= "integer" or name < 1 or name > #list then
      refuse("a bad header name: a string expected, got " .. type(name))
    end
  end
  table.sort(names)
  return names
end

local function read_list(fields, list, refuse)
  for _, pair in ipairs(list) do
    if type(pair) ~= "table" then
      refuse("a list of {name, value} expected, got a list of " .. type(pair))
    end
    add(fields, pair[1], pair[2], refuse)
  end
  for _, name in ipairs(sorted_names(list, refuse)) do
    add_values(fields, name, list[name], refuse)
  end
end

--- Makes headers that are to be sent.
-- headers(list, [function's name, argument's number])
-- `list`: pairs {name, value}, or name = value or a list of values, or headers,
-- which are copied; nil: none
function core.headers(list, name, argument)
  local fields = {}
  local function refuse(message)
    if name then core.arg_error(name, argument, message) end
    error(message, 0)
  end
  if getmetatable(list) == "rille.headers" then
    for i, field in ipairs(state_of(list, "headers")) do fields[i] = field end
  elseif list ~= nil then
    if type(list) ~= "table" then refuse("a table of headers expected, got " .. type(list)) end
    read_list(fields, list, refuse)
  end
  return new(fields)
end

--- Makes headers of what has come, a list of pairs {name, value}, unchecked.
function core.received_headers(list)
  local fields = {}
  for i, pair in ipairs(list) do
    fields[i] = {name = pair[1], key = lower(pair[1]), value = pair[2]}
  end
  return new(fields)
end

--- The header fields of a request or a response: in order, found in any case.
-- `headers[name]` is `headers:get(name)`, but for the names of methods.
-- @type headers

--- Never suspends.
-- @function headers:get
-- @tparam string name in any case
-- @treturn string the first value; nil if there is none
-- @usage local kind = response.headers:get "content-type"
function methods.get(headers, name)
  local fields = state_of(headers, "get")
  local key = type(name) == "string" and lower(name)
  for i = 1, #fields do
    if fields[i].key == key then return fields[i].value end
  end
  return nil
end

--- Never suspends.
-- @function headers:all
-- @tparam string name in any case
-- @treturn table the list of its values, perhaps empty
function methods.all(headers, name)
  local fields = state_of(headers, "all")
  core.check(name, "string", "headers:all", 1)
  local key, values = lower(name), {}
  for _, field in ipairs(fields) do
    if field.key == key then values[#values + 1] = field.value end
  end
  return values
end

local function refuser(method)
  return function(message) core.arg_error("headers:" .. method, 1, message) end
end

--- Adds a field at the end. Never suspends.
-- @function headers:add
-- @tparam string name
-- @tparam string|number value
-- @raise for a name or a value that would break the message
function methods.add(headers, name, value)
  add(state_of(headers, "add"), name, value, refuser "add")
end

--- Gives a name this value alone. Never suspends.
-- @function headers:set
-- @tparam string name
-- @tparam string|number|table value or a list of them; nil: takes the name out
-- @raise for a name or a value that would break the message
function methods.set(headers, name, value)
  local fields, added = state_of(headers, "set"), {}
  local refuse = refuser "set"
  local wrong = core.bad_token(name)
  if wrong then refuse("a bad header name: " .. wrong) end
  if value ~= nil then add_values(added, name, value, refuse) end
  local key, kept = lower(name), {}
  for _, field in ipairs(fields) do
    if field.key ~= key then
      kept[#kept + 1] = field
    else
      table.move(added, 1, #added, #kept + 1, kept)
      added = {}
    end
  end
  table.move(added, 1, #added, #kept + 1, kept)
  for i = 1, math.max(#fields, #kept) do fields[i] = kept[i] end
end

--- Iterates over all fields in order. `pairs(headers)` does so too. Never
-- suspends.
-- @function headers:pairs
-- @return an iterator of names, as they were spelled, and values
-- @usage for name, value in headers:pairs() do print(name, value) end
function methods.pairs(headers)
  local fields, i = state_of(headers, "pairs"), 0
  return function()
    i = i + 1
    local field = fields[i]
    if field then return field.name, field.value end
  end
end

meta.__pairs = methods.pairs

function meta.__index(headers, name)
  return methods[name] or methods.get(headers, name)
end
