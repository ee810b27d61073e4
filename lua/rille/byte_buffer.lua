--[[
byte_buffer.lua - bytes that come in pieces, taken as the reader wants them.

A source of bytes that comes by itself, a socket or a pipe, puts its pieces into
a channel, `incoming`: that is the queue, and the place to wait. What a reader has
taken out of it and not used is `rest`, from the byte `at` on:

    callback --> incoming: [piece][piece]   rest: "....|unread"   --> reader
                                                       at

Reading goes on in the background, up to HIGH bytes that nobody has taken; then
the source is paused, and started again when somebody waits for more. So memory
is bounded, and who sends feels it. Of a source that must be asked, a file, each
piece is fetched when it is wanted, by `fill`; there is no `incoming`.

A read that collects several pieces keeps them in `pieces`. If it does not come
to an end - the limit, the end of the bytes, a cancellation - what it had is put
back: nothing is lost, the next read finds it. Only one task reads at a time.
`reader`, the last argument of every read, is the object that the user has: kept
while the read waits, so that it is not collected.

    buffer = {incoming=, rest=, at=, held=, started=, ended=, reader=, pieces=,
              front=, selected=, ending=}
    buffer = {fill=, name=, rest=, at=, late=, reader=, pieces=}
]]
local rille, core = ...

local HIGH = 256 * 1024 -- bytes in `incoming` at which the source is paused

local concat, find, sub = table.concat, string.find, string.sub
local recv_within = core.recv_within

local M = {}

-- Puts back what an unfinished read has collected. A buffer is also the guard of
-- a read that may wait: closed when that ends.
local function end_read(buffer)
  buffer.reader = nil
  local pieces = buffer.pieces
  if not pieces then return end
  buffer.pieces = nil
  buffer.rest, buffer.at = concat(pieces), 1
end

--- Makes a kind of buffers: `start(buffer)` begins the reading, so that `feed`
-- and `finish` are called, `stop(buffer)` pauses it. new(buffer) makes one of
-- a table, which may have fields of its own. There are many of them, and most
-- wait: so what a waiting one does not need is not in it.
function M.class(start, stop)
  local meta = {__close = end_read, __index = {
    rest = "", at = 1, held = 0, started = false, start = start, stop = stop,
  }}
  return function(buffer)
    buffer.incoming = rille.channel(math.huge)
    return setmetatable(buffer, meta)
  end
end

local pulled_meta = {__close = end_read, __index = {rest = "", at = 1}}

--- Makes a buffer of a source that is asked: fill() returns a piece, or nil at
-- the end, or nil and an error; it may suspend.
function M.pulled(name, fill)
  return setmetatable({name = name, fill = fill}, pulled_meta)
end

--- Keeps what a fill has brought after its read was cancelled: the next read
-- gets it.
function M.keep(buffer, data)
  if data ~= "" then buffer.late = (buffer.late or "") .. data end
end

--- Forgets all that has come.
function M.drop(buffer)
  buffer.rest, buffer.at, buffer.late = "", 1, nil
end

--- Takes all that has come from a source that is asked.
function M.take(buffer)
  local left = sub(buffer.rest, buffer.at) .. (buffer.late or "")
  M.drop(buffer)
  return left
end

--- A piece has come. From callbacks.
function M.feed(buffer, piece)
  local held = buffer.held + #piece
  buffer.held = held
  buffer.incoming:try_send(piece)
  if held > HIGH then
    buffer.started = false
    buffer:stop()
  end
end

--- No more will come; `err` is what readers get after the last piece.
function M.finish(buffer, err)
  buffer.ended, buffer.started = true, false
  buffer.incoming:close(err)
  if buffer.ending then buffer.ending:close() end
end

-- Starts a source that is paused, once all that it had brought is taken.
local function resume(buffer)
  if buffer.started or buffer.ended or #buffer.incoming > 0 then return end
  buffer.held, buffer.started = 0, true
  buffer:start()
end

--- A channel that is closed when it is known that no more will come, though not
-- all that has come was taken.
function M.ending(buffer)
  if not buffer.ending then
    buffer.ending = rille.channel()
    if buffer.ended then buffer.ending:close() end
  end
  resume(buffer)
  return buffer.ending
end

-- What a select was offered and has not taken is unread again.
local function withdraw(buffer)
  local rest = buffer.front:try_recv()
  buffer.front = nil
  if rest then buffer.rest, buffer.at = rest, 1 end
end

local function refuse()
  core.misuse "another task reads from this stream; let one task read and hand on"
end

-- Whether a task waits in a select for the next piece.
local function is_selected(buffer)
  return buffer.selected and buffer.incoming:stats().receivers > 0
end

-- Begins a read.
local function enter(buffer)
  if buffer.reader or is_selected(buffer) then refuse() end
  if buffer.front then withdraw(buffer) end
end

local function pull(buffer)
  local late = buffer.late
  if late then
    buffer.late = nil
    return late
  end
  local piece, err = buffer.fill()
  if piece or err then return piece, err end
  return nil, core.error("closed", buffer.name .. " has ended")
end

-- The next piece. Suspends. For a read that is guarded.
local function receive(buffer)
  local incoming = buffer.incoming
  if not incoming then return pull(buffer) end
  if not buffer.started then resume(buffer) end
  local piece, err = incoming:recv()
  if not piece then return nil, err end
  buffer.held = buffer.held - #piece
  return piece
end

-- What is left of the last piece, if anything.
local function take_rest(buffer)
  local rest, at = buffer.rest, buffer.at
  buffer.rest, buffer.at = "", 1
  if at > 1 then rest = sub(rest, at) end
  return rest
end

--- The next bytes, as many as there are. Suspends while there are none.
function M.read(buffer, reader)
  enter(buffer)
  if buffer.at <= #buffer.rest then
    core.checkpoint()
    return take_rest(buffer)
  end
  buffer.reader = reader
  local _ <close> = buffer
  return receive(buffer)
end

--- The next piece, for who reads nothing but pieces and alone; false when none
-- has come in so many seconds; nil and an error at the end. Suspends.
function M.pull(buffer, seconds)
  if not buffer.started then resume(buffer) end
  local piece, err = recv_within(buffer.incoming, seconds)
  if piece then buffer.held = buffer.held - #piece end
  return piece, err
end

-- Begins to collect pieces, the rest being the first. The buffer must be
-- guarded. Returns the list and how many bytes are in it.
local function collect(buffer, reader)
  buffer.reader = reader
  buffer.pieces = {take_rest(buffer)}
  return buffer.pieces, #buffer.pieces[1]
end

-- Ends a read with success: all but what is left at `at` of `rest` is used.
local function leave(buffer, rest, at)
  buffer.pieces = nil
  buffer.rest, buffer.at = rest, at
end

local function collect_exactly(buffer, n, reader)
  local _ <close> = buffer
  local pieces, size = collect(buffer, reader)
  while size < n do
    local piece, err = receive(buffer)
    if not piece then
      if size == 0 or not rille.is_error(err, "closed") then return nil, err end
      break
    end
    pieces[#pieces + 1] = piece
    size = size + #piece
  end
  local last, all = pieces[#pieces], concat(pieces)
  if size <= n then
    leave(buffer, "", 1)
    return all
  end
  leave(buffer, last, #last - (size - n) + 1)
  return sub(all, 1, n)
end

--- Exactly n bytes; at the end of the bytes what is left of them. Suspends.
function M.read_exactly(buffer, n, reader)
  enter(buffer)
  local at = buffer.at
  if #buffer.rest - at + 1 < n then return collect_exactly(buffer, n, reader) end
  core.checkpoint()
  buffer.at = at + n
  return sub(buffer.rest, at, at + n - 1)
end

local function too_large(max)
  return nil, core.error("too_large", ("more than %d bytes came"):format(max), {limit = max})
end

--- All bytes up to the end; nil and `too_large` beyond `max`. Suspends.
function M.read_all(buffer, max, reader)
  enter(buffer)
  local _ <close> = buffer
  local pieces, size = collect(buffer, reader)
  while size <= max do
    local piece, err = receive(buffer)
    if not piece then
      if not rille.is_error(err, "closed") then return nil, err end
      local all = concat(pieces)
      leave(buffer, "", 1)
      return all
    end
    pieces[#pieces + 1] = piece
    size = size + #piece
  end
  return too_large(max)
end

-- What was collected is `size` bytes before `piece`, and the delimiter begins
-- at `from` of all that. Splits it there.
local function split(buffer, pieces, piece, size, from, length)
  pieces[#pieces + 1] = piece
  local all = concat(pieces)
  leave(buffer, piece, from + length - size)
  return sub(all, 1, from - 1)
end

-- Collects pieces until one brings the delimiter, which may begin in the one
-- before: so the search goes over the last bytes, `tail`, once more.
local function collect_until(buffer, delimiter, max, reader)
  local _ <close> = buffer
  local length = #delimiter
  local pieces, size = collect(buffer, reader)
  local tail = length > 1 and sub(pieces[1], 1 - length) or ""
  while size < max + length do
    local piece, err = receive(buffer)
    if not piece then return nil, err end
    local window = tail == "" and piece or tail .. piece
    local at = find(window, delimiter, 1, true)
    local from = at and size - #tail + at
    if from and from - 1 <= max then
      return split(buffer, pieces, piece, size, from, length)
    end
    pieces[#pieces + 1] = piece
    size = size + #piece
    if from then break end
    if length > 1 then tail = sub(window, 1 - length) end
  end
  return too_large(max)
end

--- The bytes before `delimiter`, which is taken too; nil and `too_large` when
-- more than `max` come without it. Suspends.
function M.read_until(buffer, delimiter, max, reader)
  enter(buffer)
  local at = buffer.at
  local from, to = find(buffer.rest, delimiter, at, true)
  if not from and #buffer.rest - at + 1 < max + #delimiter then
    return collect_until(buffer, delimiter, max, reader)
  end
  core.checkpoint()
  if not from or from - at > max then return too_large(max) end
  buffer.at = to + 1
  return sub(buffer.rest, at, from - 1)
end

--- As read_until; but at the end of the bytes, what is left of them.
function M.read_piece(buffer, delimiter, max, reader)
  local piece, err = M.read_until(buffer, delimiter, max, reader)
  if piece then return piece end
  local size = M.size(buffer)
  if size == 0 or not rille.is_error(err, "closed") then return nil, err end
  if size > max then return too_large(max) end
  return M.read(buffer, reader)
end

--- Passes a value on to a loop, which ends with the bytes; raises what else
-- came in its way.
function M.pass(value, err)
  if value == nil and not rille.is_error(err, "closed") then error(err, 0) end
  return value
end

--- Checks what is to be written: a string, or a list of them. Returns how many
-- bytes that is.
function M.check_data(data, name, argument)
  if type(data) == "string" then return #data end
  core.check(data, "string|table", name, argument)
  local size = 0
  for i = 1, #data do
    if type(data[i]) ~= "string" then
      core.arg_error(name, argument,
        ("string expected at [%d], got %s"):format(i, type(data[i])))
    end
    size = size + #data[i]
  end
  return size
end

--- The channel that gives the next bytes to a select. What a reader has left is
-- offered in a channel of its own.
function M.source(buffer)
  if buffer.reader or is_selected(buffer) then refuse() end
  if buffer.front then withdraw(buffer) end
  buffer.selected = true
  if buffer.at <= #buffer.rest then
    buffer.front = rille.channel(1)
    buffer.front:try_send(take_rest(buffer))
    return buffer.front
  end
  resume(buffer)
  return buffer.incoming
end

--- Bytes that have come and nobody has taken yet.
function M.size(buffer)
  local rest, incoming = #buffer.rest - buffer.at + 1, buffer.incoming
  if not incoming then return rest + #(buffer.late or "") end
  return (#incoming > 0 and buffer.held or 0) + rest
end

return M
