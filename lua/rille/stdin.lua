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
core.load "rille.fs_request"

local buffers = core.load "rille.byte_buffer"
local uv = rille.uv()

local CHUNK <const> = 65536

local methods = {}

-- {reader=, wake=, front=, fetching=}; `wake` ends the read that waits, `front`
-- is what a select waits on, `fetching` whether a task fetches for it.
local state = {}

local new, state_of, meta = core.class("stdin", methods, function()
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
    local function keep(data) buffers.keep(state.reader, data) end
    local data, err = core.request("the standard input", keep, uv.fs_read, 0, CHUNK, -1)
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

state.reader = core.reader("the standard input", fill)
core.add_reading(methods, state_of)

-- Fetches what comes next for all who wait for it in a select. If they have
-- taken another case meanwhile, it stays for the next read.
local function fetch(front)
  local _ <close> = setmetatable({}, {__close = function() state.fetching = false end})
  repeat
    local piece, err = core.in_turn(state.reader, buffers.read, state.reader)
    if not piece then return front:close(err) end
    state.reader.front = front
    front:try_send(piece)
  until front:stats().receivers == 0
end

-- For select: the next piece.
function meta.__source()
  if state.fetching or state.front and #state.front > 0 then return state.front end
  state.front, state.fetching = rille.channel(1), true
  rille.root():go({name = "the standard input", daemon = true}, fetch, state.front)
  return state.front
end

--- The standard input: what a `reader` has. What it has read ahead, `io.read`
-- does not get. As a case of a select it gives the next piece.
-- @field stdin
-- @usage for line in rille.stdin:lines() do print(line:upper()) end
rille.stdin = new(state)

return rille.stdin
