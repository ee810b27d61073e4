--[[
stream_source.lua - what a stream can be made of.

Each function makes a part (see stream_flow.lua). What does not wait for the
engine by itself checks for cancellation before every value.

    direct   the object, if select can wait for it
    again    it can be opened more than once, each time from its beginning
]]
local rille, core = ...

local flow = core.load "rille.stream_flow"

local point, pass, received = flow.point, flow.pass, flow.received

local M = {}

local function field(object, name) return object[name] end

-- A field that is a function, of a table or userdata; never raises.
local function method(object, name)
  local kind = type(object)
  if kind ~= "table" and kind ~= "userdata" then return nil end
  local ok, fn = pcall(field, object, name)
  return ok and type(fn) == "function" and fn or nil
end

local function is_callable(object)
  if type(object) == "function" then return true end
  local meta = getmetatable(object)
  return type(meta) == "table" and rawget(meta, "__call") ~= nil
end

-- Whether select can wait for the object.
local function is_source(object)
  return type(object) == "userdata" and (pcall(rille.selector, {{object}}))
end

-- A channel that was passed in is not the stream's to close.
local function defer_close(run, object)
  local close = getmetatable(object) ~= "rille.channel" and method(object, "close")
  if close then run:defer(function() close(object) end) end
end

local function from_list(list)
  local function open()
    local i = 0
    return function()
      pass(point)
      i = i + 1
      return list[i]
    end
  end
  return {label = "list", open = open, again = true}
end

-- An engine's object, whose `receive` waits and checks by itself.
local function from_source(object, receive)
  local function open(run)
    defer_close(run, object)
    return function()
      local value, err = receive(object)
      if value == nil then return received(nil, err) end
      return value
    end
  end
  return {label = tostring(getmetatable(object)):gsub("^rille%.", ""), open = open, direct = object}
end

local function from_reader(object, read)
  local function open(run)
    defer_close(run, object)
    return function()
      pass(point)
      return received(read(object))
    end
  end
  return {label = "reader", open = open}
end

-- What a generic `for` takes: its first variable is the value.
local function from_iterator(fn, state, control, closing)
  local function open(run)
    defer_close(run, fn)
    if closing ~= nil then
      run:defer(function() local _ <close> = closing end)
    end
    return function()
      pass(point)
      local value, err = fn(state, control)
      if value == nil then return received(nil, err) end
      control = value
      return value
    end
  end
  return {label = "iterator", open = open}
end

-- {open = function() -> source}, called anew each time the stream is opened.
local function from_opener(object, make)
  local function open(run)
    local branch, pull = run:branch(), nil
    return function()
      if not pull then
        pass(point)
        local made, err = make(object)
        flow.check_result(made, err)
        pull = M.part(made, "open").open(branch)
      end
      return pull()
    end
  end
  return {label = "opener", open = open, again = true}
end

local function is_list(object)
  return type(object) == "table" and (rawget(object, 1) ~= nil or next(object) == nil
    or rawget(object, "n") == 0)
end

local function find(source, ...)
  local recv, read = method(source, "recv"), method(source, "read")
  if getmetatable(source) == "rille.every" then return from_source(source, source.wait) end
  if recv and is_source(source) then return from_source(source, recv) end
  if recv or read then return from_reader(source, recv or read) end
  if method(source, "open") then return from_opener(source, source.open) end
  if is_callable(source) then return from_iterator(source, ...) end
  if is_list(source) then return from_list(source) end
  return nil
end

local function describe(source)
  if type(source) == "table" then return "a table that is none of these" end
  return type(source)
end

--- The part for `source`, the argument number `argument` of the function
-- `name`, or the result of a user's function `name`. Takes a stream over.
function M.part(source, name, argument, ...)
  local part = M.take_over(source, name) or find(source, ...)
  if part then return part end
  local message = ("a channel, subscription, ticker, list, iterator, stream, or an object with "
    .. "recv, read or open expected, got %s"):format(describe(source))
  if argument then core.arg_error(name, argument, message) end
  error(("bad result of the function given to '%s' (%s)"):format(name, message), 0)
end

return M
