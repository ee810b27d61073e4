--[[
pipe.lua - streams of bytes over luv's stream handles.

Reading is on only while a task waits for it, so the other side is slowed down
by a reader that is slow; a write waits until the system has taken it all.
Whoever closes the stream wakes its readers.
]]
local rille, core = ...

core.load "rille.common"
core.load "rille.reader"
core.load "rille.uv"

local methods = {}

-- state: {handle=, name=, reader=, turn=, leave=, ended=, wake=}; `handle` is
-- nil once closed, `wake` resolves the read that waits.
local new, state_of, meta = core.class("pipe", methods, function(state)
  return ("%s (%s)"):format(state.name, state.handle and "open" or "closed")
end)

local function closed_error(state)
  return core.error("closed", ("%s is closed"):format(state.name))
end

-- The next chunk, for the reader.
local function fill(state)
  local handle = state.handle
  if not handle then return nil, closed_error(state) end
  if state.ended then return nil end
  local err, chunk = rille.await(function(resolve)
    local function finish(...)
      state.wake = nil
      if not handle:is_closing() then handle:read_stop() end
      resolve(...)
    end
    local ok, err = handle:read_start(finish)
    if not ok then return resolve(err) end
    state.wake = finish
    return finish
  end)
  if err then return nil, core.io_error(err, state.name) end
  state.ended = chunk == nil
  return chunk
end

local function reading(state, fn, ...)
  state.turn:send(true)
  local _ <close> = state.leave
  return fn(state.reader, ...)
end

--- Reads. At the end: nil, but "" for "a". Suspends.
-- @function pipe:read
-- @tparam[opt] integer|string format a number of bytes: up to so many; "l": a
-- line, without its end; "a": all that is left; without it, what comes
-- @treturn string or nil at the end; nil and an error of kind `io`, or
-- `closed`
-- @raise cancelled
function methods.read(pipe, format)
  local state = state_of(pipe, "read")
  core.check_format(format, "read")
  return reading(state, core.reader_read, format)
end

--- Reads up to a delimiter. Suspends.
-- @function pipe:read_until
-- @tparam string delimiter
-- @tparam[opt] integer max bytes before it, at most
-- @treturn string without the delimiter; nil at the end; nil and an error,
-- also of kind `too_large`
-- @raise cancelled
function methods.read_until(pipe, delimiter, max)
  local state = state_of(pipe, "read_until")
  core.check_delimiter(delimiter, max, "read_until")
  return reading(state, core.reader_until, delimiter, max or math.huge)
end

--- Iterates over lines. Each step may suspend.
-- @function pipe:lines
-- @tparam[opt] integer max bytes in a line, at most
-- @treturn function an iterator; it raises where `read` returns an error
-- @usage for line in p:stdout():lines() do print(line) end
function methods.lines(pipe, max)
  local state = state_of(pipe, "lines")
  core.check_delimiter("\n", max, "lines", 1)
  return core.lines_of(function()
    return reading(state, core.reader_until, "\n", max or math.huge)
  end)
end

local function close(state)
  local handle = state.handle
  state.handle = nil
  if not handle then return end
  if state.wake then state.wake(closed_error(state)) end
  if not handle:is_closing() then handle:close() end
end

--- Writes all of it. Suspends until the system has taken it. If the task is
-- cancelled meanwhile the stream is closed: nobody can tell what was written.
-- @function pipe:write
-- @tparam string|table data a string, or a list of strings
-- @treturn boolean true; nil and an error of kind `io` or `closed`
-- @raise cancelled
function methods.write(pipe, data)
  local state = state_of(pipe, "write")
  data = core.check_data(data, "write")
  if not state.handle then return nil, closed_error(state) end
  local err = rille.await(function(resolve)
    local request, err = state.handle:write(data, resolve)
    if not request then return resolve(err) end
    return function() close(state) end
  end)
  if err then return nil, core.io_error(err, state.name) end
  return true
end

--- Closes the stream. Never suspends; idempotent. `<close>` does so too.
-- @function pipe:close
-- @treturn boolean true
function methods.close(pipe)
  close(state_of(pipe, "close"))
  return true
end

meta.__close = methods.close

--- Makes the object of an open stream handle.
function core.new_pipe(handle, name)
  local state = {handle = handle, name = name}
  state.turn, state.leave = core.new_turn()
  state.reader = core.reader(function() return fill(state) end)
  return new(state)
end
