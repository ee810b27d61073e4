--[[
http_body.lua - the body of a response, read while it comes.

    libcurl --> received (C, 256 KiB, then paused) --> read, for, select

Reading by pieces is reader.lua's. The state does not know the object, so that
one which is forgotten is collected, and its transfer ended with it.
]]
local rille, core = ...

core.load "rille.class"
core.load "rille.reader"
local buffers = core.load "rille.byte_buffer"

local M, methods = {}, {}

-- state: {transfer=, name=, reader=, failure= ({error} of the request's body),
-- pump= (the task that sends it), client= (whose connections it needs), kept=
-- (there is an object), closed=}
local new, state_of, meta = core.class("http_body", methods, function(state)
  return ("%s (%s)"):format(state.name, state.closed and "closed" or "open")
end)

local state_meta = {__index = {}}

function state_meta.__index.close(state)
  if state.closed then return end
  state.closed, state.client = true, nil
  state.transfer:close()
  if state.pump then state.pump:cancel() end
  buffers.drop(state.reader)
end

function state_meta.__index.is_closed(state) return state.closed end

-- A state guards its transfer until there is an object.
function state_meta.__close(state)
  if not state.kept then state:close() end
end

-- The next bytes for the reader; nil at the end.
local function filler(state)
  return function()
    local piece, err = state.transfer:read()
    if piece then return piece end
    if state.failure then return nil, state.failure[1] end
    if rille.is_error(err, "closed") then return nil end
    return nil, err
  end
end

--- The state of a transfer, whose body is called `name` in messages. To be
-- closed, unless it is kept.
function M.state(transfer, name)
  local state = {transfer = transfer, name = name, closed = false}
  state.reader = core.reader(name, filler(state))
  function state.reader.refuse()
    return state.closed and core.error("closed", name .. ": the body is closed") or nil
  end
  return setmetatable(state, state_meta)
end

--- All of the body, up to `max` bytes; nil and an error.
function M.collect(state, max)
  local pieces, size = {}, 0
  while true do
    local piece, err = state.reader.fill()
    if err then return nil, err end
    if not piece then return table.concat(pieces) end
    size = size + #piece
    if size > max then return nil, M.too_large(state, max) end
    pieces[#pieces + 1] = piece
  end
end

function M.too_large(state, max)
  return core.error("too_large", ("%s: the body has more than %d bytes"):format(state.name, max),
    {limit = max})
end

--- Makes the object of a state: it is closed when `scope` ends.
function M.new(state, scope)
  core.own(scope, state)
  state.kept = true
  return new(state)
end

--- The body of a response to a request with `stream = true`. It reads as a
-- file does: `read`, `read_line`, `read_until`, `read_all`, `lines`; it is a
-- source for `rille.stream` and a case of a select, which gives the next bytes.
-- @type http_body

core.add_reading(methods, state_of)

-- The body itself iterates over its pieces as they come.
function meta.__call(body) return buffers.pass(body:read()) end

-- For select: the next piece. What a reader has left goes first.
function meta.__source(body)
  local state = state_of(body, "select")
  local left = buffers.take(state.reader)
  if left ~= "" then state.transfer:unread(left) end
  return state.transfer
end

--- Closes it: the rest is not wanted, the connection is closed if there is a
-- rest. Never suspends; idempotent; `<close>`, the end of the scope and the
-- garbage collector do it.
-- @function http_body:close
function methods.close(body) state_of(body, "close"):close() end

meta.__close = methods.close

function meta.__gc(body) pcall(methods.close, body) end

--- Whether `close` was called. Never suspends.
-- @function http_body:is_closed
-- @treturn boolean
function methods.is_closed(body) return state_of(body, "is_closed").closed end

return M
