--[[
options.lua - checking arguments and tables of options.

    local read = core.options("retry", 1, {max_retries = {"count", 3}, ...})
    local o = read(opts)

`read` returns a new table with every option checked and the defaults filled
in, or raises an argument error, where the user's code made the call, that
names the option, the value and what is expected. An option is described by a
kind and perhaps a default: "seconds", or {"seconds", 30}. Alternatives are
parted by bars; a word in quotes stands for itself: "seconds|function",
"'full'|'none'".
]]
local _, core = ...

local huge = math.huge

local function number(value, least, most)
  return type(value) == "number" and value >= least and value <= most
end

local function whole(value, least)
  return number(value, least, huge) and (value == huge or math.tointeger(value) ~= nil)
end

-- kind -> what it is called, and a test. A kind that is not listed is a type
-- of Lua's.
local kinds = {
  seconds = {"a number of seconds", function(v) return type(v) == "number" and v == v end},
  period = {"a number of seconds above 0", function(v) return number(v, 0, huge) and v > 0 end},
  count = {"a whole number from 0, or math.huge", function(v) return whole(v, 0) end},
  natural = {"a whole number from 0", function(v) return whole(v, 0) and v < huge end},
  rights = {"a whole number from 0 to octal 7777", function(v) return whole(v, 0) and v < 4096 end},
  size = {"a whole number from 1, or math.huge", function(v) return whole(v, 1) end},
  workers = {"a whole number from 1", function(v) return whole(v, 1) and v < huge end},
  rate = {"a number from 0", function(v) return number(v, 0, huge) end},
  factor = {"a number from 1", function(v) return number(v, 1, huge) end},
  fraction = {"a number above 0, up to 1", function(v) return number(v, 0, 1) and v > 0 end},
  any = {"a value", function(v) return v ~= nil end},
  off = {"false", function(v) return v == false end},
}

-- Lets an option be an object: add_kind("limiter", "a rille.limiter", test).
function core.add_kind(kind, name, test)
  kinds[kind] = {name, test}
end

-- Objects that options share, whether or not their part is loaded.
for _, name in ipairs {"breaker", "limiter", "retry_budget"} do
  core.add_kind(name, "a rille." .. name, function(v) return core.is(v, name) end)
end

-- "seconds|function" -> a list of {name, test}
local function read_kind(text)
  local list = {}
  for alternative in text:gmatch "[^|]+" do
    local word = alternative:match "^'(.*)'$"
    if word then
      list[#list + 1] = {alternative, function(v) return v == word end}
    else
      list[#list + 1] = kinds[alternative]
        or {"a " .. alternative, function(v) return type(v) == alternative end}
    end
  end
  return list
end

local function accepts(list, value)
  for _, kind in ipairs(list) do
    if kind[2](value) then return true end
  end
  return false
end

local function expected(list)
  local names = {}
  for i, kind in ipairs(list) do names[i] = kind[1] end
  return table.concat(names, " or ")
end

-- What is wrong with `value`, or nil.
local function wrong(list, value)
  if accepts(list, value) then return nil end
  return ("%s expected, got %s"):format(expected(list), core.shown(value))
end

local read_kinds = setmetatable({}, {__index = function(cache, text)
  cache[text] = read_kind(text)
  return cache[text]
end})

--- Checks an argument of a public function.
-- check(value, kind, function's name, argument's number)
function core.check(value, kind, name, argument)
  local message = wrong(read_kinds[kind], value)
  if message then core.arg_error(name, argument, message) end
end

function core.check_span(value, name, argument)
  core.check(value, "seconds", name, argument)
end

function core.check_function(value, name, argument)
  if type(value) ~= "function" then core.check(value, "function", name, argument) end
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function unknown(key, known)
  if type(key) ~= "string" then return "option names must be strings, got " .. core.shown(key) end
  local hint = core.nearest(key, sorted_keys(known))
  return ("unknown option %s%s"):format(core.shown(key),
    hint and ("; did you mean '%s'?"):format(hint) or "")
end

local function check_keys(opts, known, name, argument)
  for key in next, opts do
    if known[key] == nil then core.arg_error(name, argument, unknown(key, known)) end
  end
end

-- The value of one option: what is given, as it will be used, or the default.
local function take(option, given, key, name, argument)
  if given == nil then return option.default end
  local message = wrong(option.kinds, given)
  if message then
    core.arg_error(name, argument, ("option '%s': %s"):format(key, message))
  end
  if option.seconds and type(given) == "number" and given < 0 then return 0 end
  return given
end

--- Makes a reader of option tables: see the head of this file. A reader of nil
-- gives the defaults.
-- options(function's name, argument's number, {option = kind or {kind, default}})
function core.options(name, argument, described)
  local known = {}
  for key, option in pairs(described) do
    local kind = type(option) == "table" and option[1] or option
    known[key] = {
      kinds = read_kinds[kind],
      seconds = kind:find "seconds" ~= nil,
      default = type(option) == "table" and option[2] or nil,
    }
  end
  return function(opts)
    local read = {}
    if opts ~= nil then
      core.check(opts, "table", name, argument)
      check_keys(opts, known, name, argument)
    end
    for key, option in pairs(known) do
      read[key] = take(option, opts and rawget(opts, key), key, name, argument)
    end
    return read
  end
end

--- Calls read(value), which reads what option `key` of a function was given:
-- what it finds wrong is then told of that option of that function.
function core.read_option(name, argument, key, read, value)
  local ok, result = pcall(read, value)
  if ok then return result end
  local message = type(result) == "string"
    and result:match "bad argument #%d+ to '[^']*' %((.*)%)$"
  if not message then error(result, 0) end
  return core.arg_error(name, argument, ("option '%s': %s"):format(key, message))
end
