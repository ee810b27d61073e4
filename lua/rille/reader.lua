--[[
reader.lua - reading in turn: files, and the standard input.

They give a function that brings the next chunk, however large, and get the
methods; the bytes are kept and cut by byte_buffer.lua:

    state.reader = core.reader(name, fill)   fill() -> chunk; nil at the end;
                                             nil, err
    core.add_reading(methods, state_of)

Reads of several tasks take turns, in the order in which they come; the turn is
a channel that holds one value.
]]
local rille, core = ...

local buffers = core.load "rille.byte_buffer"

local huge = math.huge

--- Makes what reads from `fill`: a buffer, with a turn.
function core.reader(name, fill)
  local r, turn = buffers.pulled(name, fill), rille.channel(1)
  r.turn = turn
  r.leave = setmetatable({}, {__close = function() turn:try_recv() end})
  return r
end

--- Runs fn(r, ...) when it is its turn. `r.refuse`, if it has one, returns an
-- error when there is nothing to read from any more.
function core.in_turn(r, fn, ...)
  r.turn:send(true)
  local _ <close> = r.leave
  local err = r.refuse and r.refuse()
  if err then return nil, err end
  return fn(r, ...)
end

local function read(r, format)
  if format == "a" then return buffers.read_all(r, huge, r) end
  if format == "l" then return buffers.read_piece(r, "\n", huge, r) end
  if format then return buffers.read_exactly(r, format, r) end
  return buffers.read(r, r)
end

local function check_format(format)
  if format == nil or format == "l" or format == "a" then return end
  if math.type(format) == "integer" and format >= 1 then return end
  core.arg_error("read", 1, "a number of bytes from 1, 'l' or 'a' expected")
end

local function check_max(max, name, argument)
  if max ~= nil then core.check(max, "size", name, argument) end
  return max or huge
end

--- What can be read from in turn: files, the standard input.
-- @type reader

--- Adds the methods of reading to a type.
-- add_reading(methods, state_of): the state has a `reader`
function core.add_reading(methods, state_of)
  --- Reads. Suspends until the bytes have come. Several tasks may read: each
  -- gets a piece, in the order of their calls.
  -- @function reader:read
  -- @tparam[opt] integer|string format so many bytes, fewer only at the end;
  -- "l": a line, without its "\n"; "a": all that is left, "" at the end;
  -- without it, what is there
  -- @treturn string nil and an error: kind `closed` at the end, which is no
  -- failure, or `io`
  -- @raise cancelled: what has come is kept for the next read
  -- @usage local magic = file:read(4)
  function methods.read(object, format)
    local r = state_of(object, "read").reader
    check_format(format)
    return core.in_turn(r, read, format)
  end

  --- Reads up to a delimiter, which is taken but not returned; at the end,
  -- what is left. Suspends.
  -- @function reader:read_until
  -- @tparam string delimiter
  -- @tparam[opt] integer max bytes before it
  -- @treturn string nil and an error as `read`; or `too_large`, and nothing
  -- is taken
  -- @raise cancelled
  function methods.read_until(object, delimiter, max)
    local r = state_of(object, "read_until").reader
    core.check(delimiter, "string", "read_until", 1)
    if delimiter == "" then core.arg_error("read_until", 1, "the delimiter is empty") end
    return core.in_turn(r, buffers.read_piece, delimiter, check_max(max, "read_until", 2), r)
  end

  --- Reads a line, without its "\n". Suspends.
  -- @function reader:read_line
  -- @tparam[opt] integer max bytes of the line
  -- @treturn string nil and an error as `read_until`
  -- @raise cancelled
  function methods.read_line(object, max)
    local r = state_of(object, "read_line").reader
    return core.in_turn(r, buffers.read_piece, "\n", check_max(max, "read_line", 1), r)
  end

  --- Reads all that is left: "" at the end. Suspends.
  -- @function reader:read_all
  -- @tparam[opt] integer max bytes
  -- @treturn string nil and an error: `io`, or `too_large`, and nothing is
  -- taken
  -- @raise cancelled
  function methods.read_all(object, max)
    local r = state_of(object, "read_all").reader
    return core.in_turn(r, buffers.read_all, check_max(max, "read_all", 1), r)
  end

  --- Iterates over the lines from here on. Each step may suspend.
  -- @function reader:lines
  -- @tparam[opt] integer max bytes of a line
  -- @treturn function an iterator, which raises `io` and `too_large`
  -- @usage for line in rille.stdin:lines() do print(line:upper()) end
  function methods.lines(object, max)
    local r = state_of(object, "lines").reader
    max = check_max(max, "lines", 1)
    return function()
      return buffers.pass(core.in_turn(r, buffers.read_piece, "\n", max, r))
    end
  end
end

--- Checks what is to be written: a string, or a list of them. Returns one
-- string.
function core.check_data(data, name, argument)
  buffers.check_data(data, name, argument or 1)
  return type(data) == "table" and table.concat(data) or data
end
