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

-- Writing to what nobody reads is an error of the write.
core.ignore_default(rille.uv().constants.SIGPIPE)

local methods = {}

-- state: {handle=, name=, reader=, ended=, wake=}; `handle` is nil once closed,
-- `wake` resolves the read that waits.
local new, state_of, meta = core.class("pipe", methods, function(state)
  return ("%s (%s)"):format(state.name, state.handle and "open" or "closed")
end)

core.add_reading(methods, state_of)

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

local function close(state)
  local handle = state.handle
  state.handle = nil
  if not handle then return end
  if state.wake then state.wake(closed_error(state)) end
  if not handle:is_closing() then handle:close() end
end

--- Writes all of it. Suspends until the system has taken it. Several tasks may
-- write: what each call writes stays together.
-- @function pipe:write
-- @tparam string|table data a string, or a list of strings
-- @treturn boolean true; nil and an error: `io`, with `code` "EPIPE" when
-- nobody reads any more, or `closed`
-- @raise cancelled: what was not written yet still will be, unless the stream
-- is closed
function methods.write(pipe, data)
  local state = state_of(pipe, "write")
  data = core.check_data(data, "write")
  if not state.handle then return nil, closed_error(state) end
  local err = rille.await(function(resolve)
    local request, err = state.handle:write(data, resolve)
    if not request then resolve(err) end
  end)
  if err and not state.handle then return nil, closed_error(state) end
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

-- One that is forgotten.
function meta.__gc(pipe) close(state_of(pipe, "close")) end

--- Makes the object of an open stream handle.
function core.new_pipe(handle, name)
  local state = {handle = handle, name = name}
  state.reader = core.reader(name, function() return fill(state) end)
  return new(state)
end
