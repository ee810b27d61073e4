--[[
http_request.lua - what a handler gets, and the body that comes with it.

A body is in one of two states: complete, a string (`req.body`), or still to
come, taken piece by piece as the handler asks; the connection keeps where it
stands:

    conn.left      bytes that are still to come; -1: chunked; 0: no more
    conn.expects   the client waits for a 100 before it sends any
    conn.failure   why there will be no more: {err =, status = of the answer}

A request does not outlive its answer: then its connection is the next one's.
]]
local rille, core = ...

core.load "rille.http_headers"
local streams = core.load "rille.byte_stream"

local M = {}

local sub, http_chunk = string.sub, core.http_chunk

local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

-- Where a request keeps its connection, the bytes of its head, and that its body
-- was read.
local CONN, HEAD, TAKEN = {}, {}, {}

local methods = {}

-- Bodies -------------------------------------------------------------------

local function fail(conn, status, err)
  conn.failure = {err = err, status = status}
  return nil, err
end

--- Brings more bytes into conn.text, behind those that are not used. True;
-- false after so many seconds; nil and an error when there will be no more.
function M.more(conn, seconds)
  local piece, err = streams.pull(conn.state, seconds)
  if not piece then return piece, err end
  local text, at = conn.text, conn.at
  conn.text = at > #text and piece or sub(text, at) .. piece
  conn.at = 1
  return true
end

-- No more of the body has come: why.
local function break_off(conn, timed_out, err)
  if timed_out then
    return fail(conn, 408, core.error("timeout", "the body does not come"))
  end
  if rille.is_error(err, "closed") then
    err = core.error("io", "the request ended in the middle of its body", {code = "EOF"})
  end
  return fail(conn, 400, err)
end

local function take_counted(conn)
  local text, at, left = conn.text, conn.at, conn.left
  local here = #text - at + 1
  if here > left then here = left end
  conn.at, conn.left = at + here, left - here
  if at == 1 and here == #text then return text end
  return sub(text, at, at + here - 1)
end

-- A piece; or nil, where there is only framing, or what is wrong.
local function take_chunk(conn)
  local at, piece, ended = http_chunk(conn.parser, conn.text, conn.at)
  if not at then
    return fail(conn, piece, core.error("io", "bad request: " .. ended, {code = "EPROTO"}))
  end
  conn.at = at
  if ended then conn.left = 0 end
  return piece
end


--- The next piece of the body; nil at its end; nil and an error. Suspends for
-- at most so many seconds.
function M.take(conn, seconds)
  while conn.left ~= 0 do
    if conn.failure then return nil, conn.failure.err end
    if conn.expects then
      conn.expects = false
      streams.push(conn.state, CONTINUE, seconds)
    end
    if conn.at > #conn.text then
      local ok, err = M.more(conn, seconds)
      if not ok then return break_off(conn, ok == false, err) end
    end
    local piece, err
    if conn.left > 0 then piece = take_counted(conn) else piece, err = take_chunk(conn) end
    if piece or err then return piece, err end
  end
  return nil
end

--- Drops what has come of a body that nobody has read; if that is not all of
-- it, the connection cannot go on.
function M.settle(conn)
  if conn.left == 0 then return end
  while conn.left ~= 0 and conn.at <= #conn.text and not conn.failure and not conn.expects do
    M.take(conn, 0)
  end
  if conn.left ~= 0 then conn.keep = false end
end

local function too_large(conn, max)
  return fail(conn, 413, core.error("too_large",
    ("the body has more than %d bytes"):format(max), {limit = max}))
end

--- The whole body, which must have come in so many seconds; nil and an error.
function M.take_all(conn, max, seconds)
  if conn.left > max then return too_large(conn, max) end
  if conn.left > 0 and not conn.expects and #conn.text - conn.at + 1 >= conn.left then
    return take_counted(conn)
  end
  local deadline, pieces, size = rille.now() + seconds, {}, 0
  while true do
    local piece, err = M.take(conn, deadline - rille.now())
    if not piece then
      if err then return nil, err end
      return table.concat(pieces)
    end
    size = size + #piece
    if size > max then return too_large(conn, max) end
    pieces[#pieces + 1] = piece
  end
end

-- Requests -----------------------------------------------------------------

-- The lines of a head whose form is known to be right.
local function read_headers(head)
  local list = {}
  head = head:gsub("^[\r\n]+", "")
  for name, value in head:gmatch "\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
    list[#list + 1] = {name, (value:gsub("[ \t]+$", ""))}
  end
  return core.received_headers(list)
end

local function peer(req)
  return req[CONN].stream:peer()
end

-- What is made when it is first asked for.
local later = {
  headers = function(req) return read_headers(req[HEAD]) end,
  url = function(req) return (req[HEAD]:match "^[\r\n]*%S+ +(%S+)") end,
  version = function(req) return (req[HEAD]:match "HTTP/(%d%.%d)\r\n") end,
  peer = function(req) return (peer(req)) end,
  peer_port = function(req) return (select(2, peer(req))) end,
}

local meta = {__name = "rille.request", __metatable = "rille.request"}

function meta.__index(req, name)
  local method = methods[name]
  if method then return method end
  local make = later[name]
  if not make then return nil end
  local value = make(req)
  rawset(req, name, value)
  return value
end

function meta.__tostring(req)
  return ("rille.request: %s %s"):format(req.method, req.url)
end

--- Makes the request whose head has come; `body` is nil if it is to be read.
function M.new(conn, head, method, path, query, body)
  return setmetatable({method = method, path = path, query = query, body = body,
    [CONN] = conn, [HEAD] = head}, meta)
end

--- Requests: what the handler of `rille.http.serve` gets. Besides these methods
-- a request has `method`, `url` (as it was sent), `path` and `query` (parts of
-- it, not decoded), `version` ("1.1", "1.0"), `headers`, `peer` and `peer_port`
-- (the client's address), and `body` (a string; nil with `stream = true`).
-- @type request

local function conn_of(req, method)
  local conn = type(req) == "table" and rawget(req, CONN)
  if not conn then
    error(("calling '%s' on bad self (a request expected, got %s)"):format(method, type(req)), 3)
  end
  return conn
end

-- A body that is there is one piece.
local function take_body(req)
  if req[TAKEN] or req.body == "" then return nil end
  rawset(req, TAKEN, true)
  return req.body
end

--- Reads the next piece of the body, as it comes; with `stream = true` what is
-- not read stays with the client. Suspends while nothing comes.
-- @function request:read
-- @treturn string the piece; nil at the end; nil and an error: `timeout`, `io`
-- (the client has gone, or sends nonsense), `too_large` (see `max_body`),
-- `closed` (the request was answered)
-- @raise cancelled
-- @usage local piece, err = req:read()
function methods.read(req)
  local conn = conn_of(req, "read")
  if req.body then return take_body(req) end
  if conn.request ~= req then
    return nil, core.error("closed", "the request has been answered")
  end
  local piece, err = M.take(conn, conn.server.opts.body_timeout)
  if not piece then return nil, err end
  conn.taken = conn.taken + #piece
  local max = conn.server.max_body
  if conn.taken > max then return too_large(conn, max) end
  return piece
end

--- Iterates over the pieces of the body. Suspends while nothing comes.
-- @function request:chunks
-- @return an iterator; it raises what `read` returns as an error
-- @usage for piece in req:chunks() do file:write(piece) end
function methods.chunks(req)
  conn_of(req, "chunks")
  return function()
    local piece, err = methods.read(req)
    if err then error(err, 0) end
    return piece
  end
end

--- Reads the rest of the body. Suspends until it has come.
-- @function request:read_all
-- @tparam[opt=math.huge] integer max bytes
-- @treturn string the bytes, perhaps none; nil and an error, as `read`
-- @raise cancelled
function methods.read_all(req, max)
  local conn = conn_of(req, "read_all")
  if max ~= nil then core.check(max, "count", "read_all", 1) end
  local pieces, size = {}, 0
  while true do
    local piece, err = methods.read(req)
    if err then return nil, err end
    if not piece then return table.concat(pieces) end
    size = size + #piece
    if size > (max or math.huge) then return too_large(conn, max) end
    pieces[#pieces + 1] = piece
  end
end

--- A channel that is closed when the client has gone: it has closed the
-- connection, or only its own side of it, or the connection has failed. For
-- select, or to ask: `req:gone():is_closed()`. Never suspends.
-- @function request:gone
-- @return the channel
-- @usage rille.select{{news}, {req:gone()}}
function methods.gone(req)
  return streams.ending(conn_of(req, "gone").state)
end

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- The parameters in the query: "a=1&b=x%20y". Never suspends.
-- @function request:params
-- @treturn table name -> value, decoded; the first of several; "" if it has none
-- @usage local page = tonumber(req:params().page) or 1
function methods.params(req)
  conn_of(req, "params")
  local found = {}
  for pair in (req.query or ""):gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=?(.*)$"
    name = decode(name)
    if found[name] == nil then found[name] = decode(value) end
  end
  return found
end

return M
