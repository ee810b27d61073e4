--[[
stdin.lua - the standard input, without stopping the other tasks.

The handle is opened for each chunk that is waited for, and closed after it: so
nothing is left open, and the input is again as blocking as its other users
expect. What a chunk brought beyond what was asked for is kept here.

In the REPL the prompt reads the input; a task that reads it then is told so.
]]
local rille, core = ...

core.load "rille.common"
core.load "rille.reader"
core.load "rille.request"

local uv = rille.uv()

local CHUNK <const> = 65536

local methods = {}

-- The one state: {reader=, turn=, leave=, kind=, wake=}; `wake` ends the read
-- that waits.
local state = {}

local new, state_of = core.class("stdin", methods, function()
  return uv.guess_handle(0) or "closed"
end)

local OPENERS = {
  tty = function() return uv.new_tty(0, true) end,
  pipe = function()
    local handle = uv.new_pipe(false)
    return handle, handle:open(0)
  end,
  tcp = function()
    local handle = uv.new_tcp()
    return handle, handle:open(0)
  end,
}

local function open(kind)
  local opener = OPENERS[kind]
  if not opener then return nil, "EBADF: the standard input cannot be read" end
  local handle, ok, err = opener()
  if handle and ok == nil and err then
    handle:close()
    return nil, err
  end
  return handle, ok
end

local function prompt_error()
  return core.error("invalid", "the prompt is reading the standard input")
end

-- Waits for what comes next on a stream.
local function receive(resolve, kind)
  local handle, err = open(kind)
  if not handle then return resolve(err) end
  local function finish(...)
    state.wake = nil
    if not handle:is_closing() then
      handle:read_stop()
      handle:set_blocking(true)
      handle:close()
    end
    resolve(...)
  end
  local ok, failed = handle:read_start(finish)
  if not ok then return finish(failed) end
  state.wake = finish
  return finish
end

local function fill()
  if core.prompting then return nil, prompt_error() end
  local kind = uv.guess_handle(0)
  if kind == "file" then
    local data, err = core.request("the standard input", nil, uv.fs_read, 0, CHUNK, -1)
    return data ~= "" and data or nil, err
  end
  local err, chunk = rille.await(function(resolve) return receive(resolve, kind) end)
  if err then return nil, core.io_error(err, "the standard input") end
  return chunk
end

-- The prompt takes over.
function core.end_stdin_read()
  if state.wake then state.wake(prompt_error()) end
end

local function reading(fn, ...)
  state.turn:send(true)
  local _ <close> = state.leave
  return fn(state.reader, ...)
end

--- Reads. At the end: nil, but "" for "a". Suspends, this task only.
-- @function stdin:read
-- @tparam[opt] integer|string format a number of bytes: up to so many; "l": a
-- line, without its end; "a": all that is left; without it, what comes
-- @treturn string or nil at the end; nil and an error of kind `io`
-- @raise cancelled: what has come is kept for the next read
-- @usage local answer = rille.stdin:read "l"
function methods.read(stdin, format)
  state_of(stdin, "read")
  core.check_format(format, "read")
  return reading(core.reader_read, format)
end

--- Reads up to a delimiter. Suspends.
-- @function stdin:read_until
-- @tparam string delimiter
-- @tparam[opt] integer max bytes before it, at most
-- @treturn string without the delimiter; nil at the end; nil and an error,
-- also of kind `too_large`
-- @raise cancelled
function methods.read_until(stdin, delimiter, max)
  state_of(stdin, "read_until")
  core.check_delimiter(delimiter, max, "read_until")
  return reading(core.reader_until, delimiter, max or math.huge)
end

--- Iterates over lines. Each step may suspend.
-- @function stdin:lines
-- @tparam[opt] integer max bytes in a line, at most
-- @treturn function an iterator; it raises where `read` returns an error
-- @usage for line in rille.stdin:lines() do print(line:upper()) end
function methods.lines(stdin, max)
  state_of(stdin, "lines")
  core.check_delimiter("\n", max, "lines", 1)
  return core.lines_of(function()
    return reading(core.reader_until, "\n", max or math.huge)
  end)
end

state.turn, state.leave = core.new_turn()
state.reader = core.reader(fill)

rille.stdin = new(state)
