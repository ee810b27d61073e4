--[[
reader.lua - reading by pieces: so many bytes, lines, up to a delimiter.

What files, pipes and the standard input have in common. They give a function
that brings the next chunk, however large, and get the methods:

    state.reader = core.reader(name, fill)   fill() -> chunk; nil at the end;
                                             nil, err
    core.add_reading("file", methods, state_of)

What was brought and not yet taken is `r.text` from `r.at` on, and then
`r.parts`. A read that fails or is cancelled takes nothing: the next one gets
what it had. Reads of several tasks take turns, in the order in which they
come; the turn is a channel that holds one value.
]]
local rille, core = ...

local huge = math.huge

function core.reader(name, fill)
  local turn = rille.channel(1)
  local leave = setmetatable({}, {__close = function() turn:try_recv() end})
  return {name = name, fill = fill, text = "", at = 1, parts = {}, turn = turn, leave = leave}
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

-- Makes one text of what there is.
local function join(r)
  if r.parts[1] == nil then return end
  r.text, r.at = r.text:sub(r.at) .. table.concat(r.parts), 1
  r.parts = {}
end

--- Bytes that were brought and not taken.
function core.reader_size(r)
  join(r)
  return #r.text - r.at + 1
end

--- Forgets them.
function core.reader_drop(r)
  r.text, r.at, r.parts = "", 1, {}
end

--- Keeps what a request has brought after the task that made it was cancelled:
-- the next read gets it.
function core.reader_keep(r, data)
  if data ~= "" then r.parts[#r.parts + 1] = data end
end

-- Takes what is there up to the place `last`.
local function take(r, last)
  local piece = r.text:sub(r.at, last)
  r.at = last + 1
  if r.at > #r.text then core.reader_drop(r) end
  return piece
end

local function end_error(r)
  return core.error("closed", r.name .. " has ended")
end

-- Brings more: at least `wanted` bytes, or up to a chunk that has `sought` in
-- it, if given. What grows is joined only when it has doubled, so a long line
-- costs no more per byte than a short one. Returns true; nil at the end; nil
-- and an error.
local function bring(r, wanted, sought)
  local got = 0
  wanted = math.max(wanted, core.reader_size(r))
  local chunk, err
  repeat
    chunk, err = r.fill()
    if chunk then
      r.parts[#r.parts + 1] = chunk
      got = got + #chunk
    end
  until not chunk or got >= wanted or sought and chunk:find(sought, 1, true)
  join(r)
  if err then return nil, err end
  return got > 0 or nil
end

-- What is there, or else what comes next.
local function read_some(r)
  if core.reader_size(r) == 0 then
    local more, err = bring(r, 1)
    if not more then return nil, err or end_error(r) end
  end
  return take(r, #r.text)
end

-- n bytes; fewer at the end.
local function read_exactly(r, n)
  while core.reader_size(r) < n do
    local more, err = bring(r, n - core.reader_size(r))
    if err then return nil, err end
    if not more then break end
  end
  if core.reader_size(r) == 0 then return nil, end_error(r) end
  return take(r, math.min(#r.text, r.at + n - 1))
end

local function too_long(r, max)
  return nil, core.error("too_large", ("%s: more than %d bytes"):format(r.name, max))
end

-- All that is left: "" at the end.
local function read_all(r, max)
  local more, err
  repeat
    if core.reader_size(r) > max then return too_long(r, max) end
    more, err = bring(r, 1)
  until not more
  if err then return nil, err end
  return take(r, #r.text)
end

local function read_until(r, delimiter, max)
  local last = delimiter:sub(-1)
  join(r)
  local from = r.at
  while true do
    local first, final = r.text:find(delimiter, from, true)
    if (first and first - r.at or core.reader_size(r)) > max then return too_long(r, max) end
    if first then
      local piece = take(r, first - 1)
      take(r, r.at + final - first)
      return piece
    end
    local seen = core.reader_size(r)
    local more, err = bring(r, 1, last)
    if err then return nil, err end
    if not more and seen == 0 then return nil, end_error(r) end
    if not more then return take(r, #r.text) end
    from = math.max(1, seen - #delimiter + 2)
  end
end

local function read(r, format)
  if format == "a" then return read_all(r, huge) end
  if format == "l" then return read_until(r, "\n", huge) end
  if format then return read_exactly(r, format) end
  return read_some(r)
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

--- What can be read from: files, pipes, the standard input.
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
    return core.in_turn(r, read_until, delimiter, check_max(max, "read_until", 2))
  end

  --- Reads a line, without its "\n". Suspends.
  -- @function reader:read_line
  -- @tparam[opt] integer max bytes of the line
  -- @treturn string nil and an error as `read_until`
  -- @raise cancelled
  function methods.read_line(object, max)
    local r = state_of(object, "read_line").reader
    return core.in_turn(r, read_until, "\n", check_max(max, "read_line", 1))
  end

  --- Reads all that is left: "" at the end. Suspends.
  -- @function reader:read_all
  -- @tparam[opt] integer max bytes
  -- @treturn string nil and an error: `io`, or `too_large`, and nothing is
  -- taken
  -- @raise cancelled
  function methods.read_all(object, max)
    local r = state_of(object, "read_all").reader
    return core.in_turn(r, read_all, check_max(max, "read_all", 1))
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
      -- The object is kept by being an argument: who else has it, nobody knows.
      local line, err = core.in_turn(r, read_until, "\n", max, object)
      if line == nil and not rille.is_error(err, "closed") then error(err, 0) end
      return line
    end
  end
end

--- Checks what is to be written: a string, or a list of them. Returns one
-- string.
function core.check_data(data, name, argument)
  argument = argument or 1
  core.check(data, "string|table", name, argument)
  if type(data) == "string" then return data end
  for i, piece in ipairs(data) do
    if type(piece) ~= "string" then
      core.arg_error(name, argument,
        ("a list of strings expected, got %s at %d"):format(type(piece), i))
    end
  end
  return table.concat(data)
end
