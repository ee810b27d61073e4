--[[
file.lua - open files.

Every call on a file waits for its turn, in order: so two tasks that read one
file get pieces that follow each other, and a file is not closed while libuv
reads it.

The place in a regular file is kept here and given to each request. What can
only be read in order (a FIFO, a terminal) has its place in the system; -1
says so to libuv.
]]
local rille, core = ...

core.load "rille.common"
core.load "rille.reader"
core.load "rille.fs_request"

local buffers = core.load "rille.byte_buffer"
local uv = rille.uv()

-- A file that gets too large is an error of the write.
core.ignore_default(uv.constants.SIGXFSZ)

local CHUNK = 65536 -- bytes asked for at a time

local methods = {}

-- state: {fd=, path=, offset=(nil where there is none), append=, reader=,
-- temporary=}; `fd` is nil once closed.
local new, state_of, meta = core.class("file", methods, function(state)
  return ("%s (%s)"):format(state.path, state.fd and "open" or "closed")
end)

core.add_reading(methods, state_of)

-- Runs fn(state, ...) when it is its turn.
local function in_turn(state, fn, ...)
  return core.in_turn(state.reader, function(_, ...) return fn(state, ...) end, ...)
end

local function closed_error(state)
  return core.error("closed", ("the file %s is closed"):format(state.path))
end

local function request(state, fn, ...)
  return core.request(state.path, nil, fn, ...)
end

local function move(state, n)
  if state.offset then state.offset = state.offset + n end
end

-- The next chunk, for the reader.
local function fill(state)
  local function keep(data)
    move(state, #data)
    buffers.keep(state.reader, data)
  end
  local data, err = core.request(state.path, keep, uv.fs_read, state.fd, CHUNK, state.offset or -1)
  if not data then return nil, err end
  move(state, #data)
  return data ~= "" and data or nil
end

-- What is ahead in the reader was not read, as far as the place goes.
local function place(state)
  return state.offset - buffers.size(state.reader)
end

local function set_place(state, offset)
  buffers.drop(state.reader)
  state.offset = offset
end

local function write_all(state, data)
  local placed = state.offset and not state.append
  if placed then set_place(state, place(state)) end
  local function written(n)
    if placed then move(state, n) end
  end
  repeat
    local n, err = core.request(state.path, written, uv.fs_write, state.fd, data,
      placed and state.offset or -1)
    if not n then return nil, err end
    written(n)
    data = data:sub(n + 1)
  until data == ""
  return true
end

--- Writes all of it. Suspends. A failure, or a cancellation, may come when a
-- part has been written.
-- @function file:write
-- @tparam string|table data a string, or a list of strings
-- @treturn boolean true; nil and an error of kind `io` or `closed`
-- @raise cancelled
function methods.write(file, data)
  local state = state_of(file, "write")
  data = core.check_data(data, "write")
  return in_turn(state, write_all, data)
end

local function seek(state, whence, offset)
  if not state.offset then
    return nil, core.io_error("ESPIPE: this file has no place to go to", state.path)
  end
  local from = whence == "cur" and place(state) or 0
  if whence == "end" then
    local stat, err = request(state, uv.fs_fstat, state.fd)
    if not stat then return nil, err end
    from = stat.size
  end
  if from + offset < 0 then
    return nil, core.io_error("EINVAL: a place before the start", state.path)
  end
  set_place(state, from + offset)
  return from + offset
end

--- Goes to a place, or tells where it is. Suspends.
-- @function file:seek
-- @tparam[opt="cur"] string whence "set", "cur" or "end"
-- @tparam[opt=0] integer offset bytes from there
-- @treturn integer the place, from the start; nil and an error
-- @raise cancelled
function methods.seek(file, whence, offset)
  local state = state_of(file, "seek")
  core.check(whence or "cur", "'set'|'cur'|'end'", "seek", 1)
  if offset ~= nil and math.type(offset) ~= "integer" then
    core.arg_error("seek", 2, "a whole number expected")
  end
  return in_turn(state, seek, whence or "cur", offset or 0)
end

--- What the system knows of the file, as `rille.fs.stat`. Suspends.
-- @function file:stat
-- @treturn table or nil and an error
-- @raise cancelled
function methods.stat(file)
  local state = state_of(file, "stat")
  return core.read_stat(in_turn(state, request, uv.fs_fstat, state.fd))
end

--- Has what was written brought to the disk. Suspends.
-- @function file:sync
-- @treturn boolean true; nil and an error
-- @raise cancelled
function methods.sync(file)
  local state = state_of(file, "sync")
  return in_turn(state, request, uv.fs_fsync, state.fd)
end

--- Cuts the file, or fills it up with zeros. Suspends.
-- @function file:truncate
-- @tparam integer size bytes it will have
-- @treturn boolean true; nil and an error
-- @raise cancelled
function methods.truncate(file, size)
  local state = state_of(file, "truncate")
  core.check(size, "natural", "truncate", 1)
  return in_turn(state, request, uv.fs_ftruncate, state.fd, size)
end

--- Sets the rights. Suspends.
-- @function file:chmod
-- @tparam integer mode such as `tonumber("644", 8)`
-- @treturn boolean true; nil and an error
-- @raise cancelled
function methods.chmod(file, mode)
  local state = state_of(file, "chmod")
  core.check(mode, "rights", "chmod", 1)
  return in_turn(state, request, uv.fs_fchmod, state.fd, mode)
end

--- @function file:path
-- @treturn string as it was opened
function methods.path(file)
  return state_of(file, "path").path
end

local function close(state)
  local fd = state.fd
  if not fd then return true end
  state.fd = nil
  buffers.drop(state.reader)
  local ok, err = request(state, uv.fs_close, fd)
  if state.temporary then request(state, uv.fs_unlink, state.path) end
  return ok, err
end

-- Where nobody can wait, nobody can be in a call either.
local function close_now(state)
  local fd = state.fd
  state.fd = nil
  if fd then uv.fs_close(fd) end
  if fd and state.temporary then uv.fs_unlink(state.path) end
  return true
end

--- Closes the file, when the calls before this one are done; also in a task
-- that is cancelled. Suspends; idempotent. `<close>` does so too, and a file
-- that is forgotten is closed when it is collected.
-- @function file:close
-- @treturn boolean true; nil and an error of kind `io`: what was written may
-- be lost
function methods.close(file)
  local state = state_of(file, "close")
  if not state.fd then return true end
  if not rille.current() then return close_now(state) end
  return rille.shield(function()
    state.reader.turn:send(true)
    local _ <close> = state.reader.leave
    return close(state)
  end)
end

function meta.__close(file) methods.close(file) end

function meta.__gc(file) close_now(state_of(file, "close")) end

-- Regular files have a place of ours.
local function has_place(stat)
  return stat ~= nil and (stat.type == "file" or stat.type == "block")
end

--- Makes the object of an open descriptor.
function core.new_file(fd, path, flags)
  local state = {fd = fd, path = path, append = flags:find "a" ~= nil}
  state.offset = has_place(uv.fs_fstat(fd)) and 0 or nil
  state.reader = core.reader(path, function() return fill(state) end)
  state.reader.refuse = function() return not state.fd and closed_error(state) end
  return new(state)
end

--- Has a file removed when it is closed.
function core.make_temporary(file)
  state_of(file, "temp_file").temporary = true
  return file
end
