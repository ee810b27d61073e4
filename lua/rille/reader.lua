--[[
reader.lua - reading by pieces: so many bytes, lines, up to a delimiter.

What files, pipes and the standard input have in common. They give a function
that brings the next chunk, however large:

    local r = core.reader(fill)     fill() -> chunk; nil at the end; nil, err
    core.reader_read(r, format)     n: up to n bytes that are there; "l", "a"
    core.reader_until(r, delim, max)

What was brought and not yet taken is `r.text` from `r.at` on, and then
`r.parts`. A read that fails or is cancelled takes nothing: the next one gets
what it had.
]]
local rille, core = ...

function core.reader(fill)
  return {fill = fill, text = "", at = 1, parts = {}}
end

--- A turn, for calls that must not overlap, in the order in which they come:
--     turn:send(true)
--     local _ <close> = leave
-- It is a channel that holds one value.
function core.new_turn()
  local turn = rille.channel(1)
  return turn, setmetatable({}, {__close = function() turn:try_recv() end})
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

local function take(r, last)
  local piece = r.text:sub(r.at, last)
  r.at = last + 1
  if r.at > #r.text then core.reader_drop(r) end
  return piece
end

-- Brings more. A piece that grows is joined only when it has doubled, or when
-- what is sought (if anything) may be there: so a long line costs no more per
-- byte than a short one. Returns true, nil at the end, or nil and an error.
local function bring(r, sought)
  local size, got = core.reader_size(r), 0
  local chunk, err
  repeat
    chunk, err = r.fill()
    if chunk then
      r.parts[#r.parts + 1] = chunk
      got = got + #chunk
    end
  until not chunk or got >= size or sought and chunk:find(sought, 1, true)
  join(r)
  if err then return nil, err end
  return got > 0 or nil
end

-- All that is left: "" at the end.
local function read_all(r)
  local more, err
  repeat more, err = bring(r) until not more
  if err then return nil, err end
  return take(r, #r.text)
end

local function too_long(max)
  return nil, core.error("too_large", ("more than %d bytes without the delimiter"):format(max))
end

--- The bytes up to `delimiter`, without it; the rest, if it ends before; nil
-- at the end; nil and an error of kind `too_large` when `max` bytes do not
-- have it.
function core.reader_until(r, delimiter, max)
  local last = delimiter:sub(-1)
  join(r)
  local from = r.at
  while true do
    local first, final = r.text:find(delimiter, from, true)
    if (first and first - r.at or core.reader_size(r)) > max then return too_long(max) end
    if first then
      local piece = take(r, first - 1)
      take(r, r.at + final - first)
      return piece
    end
    local seen = core.reader_size(r)
    local more, err = bring(r, last)
    if err then return nil, err end
    if not more then return seen > 0 and take(r, #r.text) or nil end
    from = math.max(1, seen - #delimiter + 2)
  end
end

-- Up to n bytes: what is there, or else what comes next.
local function read_some(r, n)
  if core.reader_size(r) == 0 then
    local more, err = bring(r)
    if not more then return nil, err end
  end
  return take(r, math.min(#r.text, r.at + n - 1))
end

--- Checks a format: nil, a count of bytes, "l" or "a".
function core.check_format(format, name)
  if format == nil or format == "l" or format == "a" then return end
  if math.type(format) == "integer" and format >= 1 then return end
  core.arg_error(name, 1, "a number of bytes from 1, \"l\" or \"a\" expected")
end

--- Reads as `format` says. nil is as much as is there.
function core.reader_read(r, format)
  if format == "a" then return read_all(r) end
  if format == "l" then return core.reader_until(r, "\n", math.huge) end
  return read_some(r, format or math.huge)
end

--- An iterator over lines, by `read(max)`: it raises what `read` returns as
-- an error.
function core.lines_of(read)
  return function()
    local line, err = read()
    if line == nil and err ~= nil then error(err, 0) end
    return line
  end
end

--- Checks a delimiter, and the largest number of bytes before it, which is
-- argument number `argument`.
function core.check_delimiter(delimiter, max, name, argument)
  core.check(delimiter, "string", name, 1)
  if delimiter == "" then core.arg_error(name, 1, "a delimiter of at least one byte expected") end
  if max ~= nil then core.check(max, "size", name, argument or 2) end
end

--- Checks what is to be written: a string, or a list of them. Returns one
-- string.
function core.check_data(data, name, argument)
  core.check(data, "string|table", name, argument or 1)
  if type(data) == "string" then return data end
  for i, piece in ipairs(data) do
    if type(piece) ~= "string" then
      core.arg_error(name, argument or 1,
        ("a list of strings expected, got %s at %d"):format(type(piece), i))
    end
  end
  return table.concat(data)
end
