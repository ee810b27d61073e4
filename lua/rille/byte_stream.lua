--[[
byte_stream.lua - a stream of libuv's, TCP or pipe, as an object whose calls
suspend the task: connections, and the pipes to processes.

Reading is byte_buffer.lua's. A write goes to the kernel at once when it takes
it; what it does not take libuv keeps, and the task waits until that is gone.
So a write that has returned is out of our hands, nothing is queued by halves,
and closing after it loses nothing.

The object can be collected: libuv holds the state below, which does not know
it. Its finalizer closes the handle, as do `close`, `<close>` and the end of the
scope that it belongs to.
]]
local rille, core = ...

core.load "rille.common"
core.load "rille.uv"
core.load "rille.handle"
local buffers = core.load "rille.byte_buffer"

local try_write = rille.uv().try_write -- or an error that names the package

-- Writing to what nobody reads is an error of the write.
core.ignore_default(rille.uv().constants.SIGPIPE)

local LONGEST_SILENCE = 32767 -- seconds before a probe; see tcp(7)
local LINE = 65536 -- bytes of a line or a delimited piece, unless said otherwise

local concat, sub = table.concat, string.sub

local methods = {}

-- A state is a buffer with {handle = (nil once closed), name=, owner= (see
-- handle.lua), failed= (the error that broke the stream), shut= (nothing more
-- will be written), as_file=}.
local new, state_of, meta = core.class("byte_stream", methods, function(state)
  return ("%s (%s)"):format(state.name, not state.handle and "closed"
    or state.failed and "broken" or state.ended and "ended" or "open")
end)

local M = {}

local function end_error(state)
  return core.error("closed", state.name .. (state.handle and " has ended" or " is closed"))
end

local function closed(state)
  return nil, end_error(state)
end

-- The error object for a failure of the stream.
local function broken(state, err)
  if not state.handle then return closed(state) end
  state.failed = core.io_error(err, state.name)
  return nil, state.failed
end

local function close_state(state)
  if not core.close_handle(state) then return end
  if not state.ended then buffers.finish(state, end_error(state)) end
end

local function start_reading(state)
  local function on_read(err, piece)
    if piece then return buffers.feed(state, piece) end
    if err then broken(state, err) end
    buffers.finish(state, err and state.failed or end_error(state))
  end
  local ok, err = state.handle:read_start(on_read)
  if not ok then on_read(err) end
end

local new_state = buffers.class(start_reading, function(state) state.handle:read_stop() end)

--- Makes a stream of an open handle. It belongs to `scope`. `as_file`: lines are
-- those of a file, of any length, and end with "\n" alone; and read_until
-- returns at the end what is left.
function M.new(handle, name, scope, as_file)
  local state = new_state{handle = handle, name = name, as_file = as_file}
  state.owner = core.own_handle(scope, state, close_state)
  return new(state)
end

--- The error that broke the stream, or nil.
function M.failure(stream)
  return state_of(stream, "failure").failed
end

--- For other parts: what `pull`, `ending` and `push` take instead of the stream.
function M.state(stream)
  return state_of(stream, "read")
end

M.pull, M.ending = buffers.pull, buffers.ending

--- Byte streams.
-- @type byte_stream

-- The limit of a read that goes to a delimiter.
local function check_limit(buffer, max, name, argument)
  if max ~= nil then core.check(max, "size", name, argument) end
  return max or buffer.as_file and math.huge or LINE
end

-- A line without its end; the last one may have none.
local function read_line(buffer, max, stream)
  local line, err = buffers.read_piece(buffer, "\n", max, stream)
  if not line then return nil, err end
  if not buffer.as_file and sub(line, -1) == "\r" then return sub(line, 1, -2) end
  return line
end

--- Reads the next bytes: as many as there are, or exactly `n`. Suspends until
-- they have come.
-- @function byte_stream:read
-- @tparam[opt] integer|string n; of a process also "l": as `read_line`, and
-- "a": as `read_all`
-- @treturn string the bytes; fewer than `n` only at the end of the stream; nil
-- and an error: kind `closed` at the end, `io` when the connection has failed
-- @raise cancelled: what has come is still there; when another task reads
-- @usage local header, err = conn:read(4)
function methods.read(stream, n)
  local buffer = state_of(stream, "read")
  if n == nil then return buffers.read(buffer, stream) end
  if buffer.as_file and n == "l" then return read_line(buffer, math.huge, stream) end
  if buffer.as_file and n == "a" then return buffers.read_all(buffer, math.huge, stream) end
  core.check(n, "count", "read", 1)
  return buffers.read_exactly(buffer, n, stream)
end

--- Reads all that comes until the end. Suspends.
-- @function byte_stream:read_all
-- @tparam[opt=math.huge] integer max bytes
-- @treturn string the bytes; nil and an error: `io`, or `too_large` when more
-- than `max` come, which are still there to be read
-- @raise as `read`
function methods.read_all(stream, max)
  if max ~= nil then core.check(max, "count", "read_all", 1) end
  return buffers.read_all(state_of(stream, "read_all"), max or math.huge, stream)
end

--- Reads up to a delimiter, which is taken but not returned. Suspends.
-- @function byte_stream:read_until
-- @tparam string delimiter not empty
-- @tparam[opt=65536] integer max bytes before the delimiter
-- @treturn string the bytes before it; nil and an error: `closed` or `io` when
-- the stream ended before it, `too_large`. What has come is still there. From a
-- process: at the end what is left
-- @raise as `read`
-- @usage local head, err = conn:read_until("\r\n\r\n", 8192)
function methods.read_until(stream, delimiter, max)
  local buffer = state_of(stream, "read_until")
  core.check(delimiter, "string", "read_until", 1)
  if delimiter == "" then core.arg_error("read_until", 1, "the delimiter is empty") end
  local read = buffer.as_file and buffers.read_piece or buffers.read_until
  return read(buffer, delimiter, check_limit(buffer, max, "read_until", 2), stream)
end

--- Reads a line, which ends with "\n" or "\r\n", or with the stream. Suspends.
-- Of a process: with "\n" alone, and of any length unless `max` is given.
-- @function byte_stream:read_line
-- @tparam[opt=65536] integer max bytes of the line, a "\r" included
-- @treturn string the line without its end; nil and an error as `read_until`
-- @raise as `read`
function methods.read_line(stream, max)
  local buffer = state_of(stream, "read_line")
  return read_line(buffer, check_limit(buffer, max, "read_line", 1), stream)
end

--- Iterates over the lines. Suspends while the next one has not come.
-- @function byte_stream:lines
-- @tparam[opt=65536] integer max bytes of a line
-- @return an iterator; it raises `io` and `too_large`
-- @usage for line in conn:lines() do print(line) end
function methods.lines(stream, max)
  local buffer = state_of(stream, "lines")
  max = check_limit(buffer, max, "lines", 1)
  return function() return buffers.pass(read_line(buffer, max, stream)) end
end

-- The stream itself iterates over its pieces as they come.
function meta.__call(stream)
  return buffers.pass(buffers.read(state_of(stream, "iterate"), stream))
end

-- For select: the next piece.
function meta.__source(stream)
  return buffers.source(state_of(stream, "select"))
end

-- Gives libuv what the kernel has not taken, and waits until that is gone. It
-- is handed over before the task can be cancelled: a write is never torn.
local function write_rest(state, data, stream)
  local ended, failure, wake = false, nil, nil
  local request, err = state.handle:write(data, function(result)
    ended, failure = true, result
    if wake then wake(stream) end -- which so is not collected meanwhile
  end)
  if not request then return broken(state, err) end
  rille.await(function(resolve)
    if ended then return resolve() end
    wake = resolve
  end)
  if failure then return broken(state, failure) end
  return true
end

--- Writes all of it. Suspends while the kernel does not take it: while the
-- other side is slower. Several tasks may write: what each call writes stays
-- together.
-- @function byte_stream:write
-- @tparam string|table data a string, or a list of strings
-- @treturn boolean true; or nil and an error: `io` with `code` ("EPIPE",
-- "ECONNRESET") when the other side has gone, `closed` after `close`
-- @raise cancelled: before it, nothing was written; while it waits, the rest
-- is still sent unless the stream is closed
-- @usage local ok, err = conn:write{header, "\r\n", body}
function methods.write(stream, data)
  local state = state_of(stream, "write")
  local size = buffers.check_data(data, "write", 1)
  core.checkpoint()
  local handle = state.handle
  if not handle then return closed(state) end
  if size == 0 then return true end
  local n, err, code = handle:try_write(data)
  if n == size then return true end
  if not n then
    if code ~= "EAGAIN" then return broken(state, err) end
    return write_rest(state, data, stream)
  end
  return write_rest(state, sub(type(data) == "table" and concat(data) or data, n + 1), stream)
end

-- An empty write is done when all before it are.
local function flush(state)
  if not state.handle then return closed(state) end
  return rille.uv_call(state.handle.write, state.handle, "")
end

-- Writes what the kernel has not taken at once.
local function push_rest(state, data, seconds)
  local before = #data
  local ok, err = rille.timeout(seconds, write_rest, state, data)
  while not ok and rille.is_error(err, "timeout") do
    local left = state.handle and state.handle:get_write_queue_size()
    if not left or left >= before then return nil, err end
    before = left
    ok, err = rille.timeout(seconds, flush, state)
  end
  return ok, err
end

--- For other parts: writes as `write` does; nil and `timeout` when the other
-- side has taken nothing in so many seconds: then the stream is to be closed.
-- Does not check for cancellation unless it waits.
function M.push(state, data, seconds)
  local handle = state.handle
  if not handle then return closed(state) end
  local n, err, code = try_write(handle, data)
  if n == #data and type(data) == "string" then return true end
  if type(data) == "table" then data = concat(data) end
  if n == #data then return true end
  if not n and code ~= "EAGAIN" then return broken(state, err) end
  return push_rest(state, n and n > 0 and sub(data, n + 1) or data, seconds)
end

--- Ends the writing: the other side reads the end of the stream, and can still
-- write. Suspends until all is sent; idempotent.
-- @function byte_stream:shutdown
-- @treturn boolean true; or nil and an error, `io` or `closed`
-- @raise cancelled
function methods.shutdown(stream)
  local state = state_of(stream, "shutdown")
  if not state.handle then return closed(state) end
  if state.shut then return true end
  state.shut = true
  local ok, err = rille.uv_call(state.handle.shutdown, state.handle)
  if not ok then return broken(state, err) end
  return true
end

--- Closes the stream. Who waits in a read or a write gets nil and `closed`. What
-- was read from the network and not by a task is dropped. Never suspends;
-- idempotent; `<close>` does it.
-- @function byte_stream:close
-- @treturn boolean true
function methods.close(stream)
  close_state(state_of(stream, "close"))
  return true
end

meta.__close = methods.close

-- At the end of the Lua state the engine may be gone: then only the handle is.
function meta.__gc(stream)
  local state = state_of(stream, "close")
  pcall(close_state, state)
end

--- Whether `close` was called. Never suspends.
-- @function byte_stream:is_closed
-- @treturn boolean
function methods.is_closed(stream)
  return state_of(stream, "is_closed").handle == nil
end

-- The address that `handle` tells by `ask`: host and port, or a path.
local function address(state, ask)
  if not state.handle then return closed(state) end
  local method = state.handle[ask]
  if not method then return nil end
  local found, err = method(state.handle)
  if not found then return nil, core.io_error(err, state.name) end
  if type(found) == "string" then return found end
  return found.ip, found.port
end

--- The address of the other side. Never suspends.
-- @function byte_stream:peer
-- @treturn string host; of a Unix socket its path, "" if it has none; nil and
-- an error when it is not connected
-- @treturn integer port
function methods.peer(stream)
  return address(state_of(stream, "peer"), "getpeername")
end

--- The address of this side. Never suspends.
-- @function byte_stream:address
-- @treturn string host or path; nil and an error
-- @treturn integer port
function methods.address(stream)
  return address(state_of(stream, "address"), "getsockname")
end

-- Sets an option of the handle that only TCP has.
local function set(stream, name, ...)
  local state = state_of(stream, name)
  local handle = state.handle
  if not handle then return closed(state) end
  if not handle[name] then return true end
  local ok, err = handle[name](handle, ...)
  if not ok then return broken(state, err) end
  return true
end

--- Sends small writes at once (on, as streams begin) or gathers them. Without
-- effect on what is not TCP. Never suspends.
-- @function byte_stream:nodelay
-- @tparam boolean on
-- @treturn boolean true; or nil and an error
function methods.nodelay(stream, on)
  core.check(on, "boolean", "nodelay", 1)
  return set(stream, "nodelay", on)
end

--- Probes a silent connection, so that a peer that is gone is noticed. Without
-- effect on what is not TCP. Never suspends.
-- @function byte_stream:keepalive
-- @tparam number|boolean seconds of silence before the first probe (whole ones);
-- false: off
-- @treturn boolean true; or nil and an error
function methods.keepalive(stream, seconds)
  core.check(seconds, "period|boolean", "keepalive", 1)
  if seconds == true then seconds = 60 end
  local silence = seconds and math.ceil(math.min(seconds, LONGEST_SILENCE)) or 0
  return set(stream, "keepalive", seconds ~= false, silence)
end

--- Never suspends.
-- @function byte_stream:stats
-- @treturn table `buffered` (bytes that no task has read), `writing` (bytes that
-- the kernel has not taken), `paused` (reading waits for a task), `closed`
function methods.stats(stream)
  local state = state_of(stream, "stats")
  local handle = state.handle
  return {
    buffered = buffers.size(state),
    writing = handle and handle:get_write_queue_size() or 0,
    paused = not state.started and not state.ended and #state.incoming > 0,
    closed = handle == nil,
  }
end

return M
