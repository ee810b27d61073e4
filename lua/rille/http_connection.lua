--[[
http_connection.lua - one connection of a server: requests in, responses out.

    idle --bytes--> head --> body (unless it is streamed) --> handler --> response
     ^                                                                       |
     '------------------------- keep-alive ----------------------------------'

What was read and not used stays in `text`, from the byte `at` on: the rest of a
body, or the next requests, which are so answered in order. A request that is
none gets its answer and the connection ends; so does one that comes too slowly.

The connection is a shielded scope in a task of the server's: a scope that is
cancelled first lets running requests finish (http_server.lua), then cancels it.

    conn = {server=, stream=, parser=, scope=, text=, at=, busy= (a request has
            begun), keep= (there may be another one), version=, is_head=, started=
            (the response is on its way), request=, and what http_request.lua
            keeps of the body}
]]
local rille, core = ...

local streams = core.load "rille.byte_stream"
local requests = core.load "rille.http_request"
local responses = core.load "rille.http_response"

local sub, http_head = string.sub, core.http_head
local plain, push = responses.plain, streams.push

local LINGER = 1           -- seconds that a client may go on sending at the end
local LINGER_BYTES = 1 << 20

local M = {}

-- Who closes while bytes come in resets the connection, and the client may
-- never see the answer: RFC 9112, 9.6.
local function linger(conn)
  conn.busy = false
  local left, deadline = LINGER_BYTES, rille.now() + LINGER
  if not conn.stream:shutdown() then return end
  repeat
    local piece = streams.pull(conn.state, deadline - rille.now())
    left = left - #(piece or "")
  until not piece or left < 0
end

-- Answers a request that is none.
local function refuse(conn, status, detail)
  conn.server.refused = conn.server.refused + 1
  conn.keep, conn.left, conn.is_head, conn.version = false, 0, false, "1.1"
  responses.send_status(conn, status, detail)
  linger(conn)
end

-- Notes what is not as in most requests.
local function note_odds(conn, length, odds)
  conn.plain, conn.left, conn.taken = false, length, 0
  if not odds then return end
  if odds & 1 ~= 0 then conn.version = "1.0" end
  if odds & 2 ~= 0 then conn.keep = false end
  conn.expects, conn.is_head = odds & 4 ~= 0, odds & 8 ~= 0
end

-- Makes the request whose head ends before `stop`.
local function begin(conn, stop, method, path, query, length, odds)
  local text, at = conn.text, conn.at
  conn.at = stop
  if not conn.plain then
    conn.plain, conn.version, conn.keep, conn.failure = true, "1.1", true, nil
    conn.expects, conn.is_head = false, false
  end
  if length ~= 0 or odds then note_odds(conn, length, odds) end
  if at > 1 or stop <= #text then text = sub(text, at, stop - 1) end
  local req = requests.new(conn, text, method, path, query, length == 0 and "" or nil)
  conn.request = req
  return req
end

-- Waits for more of a head. `deadline` is set once it has begun.
local function wait_head(conn, deadline)
  local opts = conn.server.opts
  local seconds = deadline and deadline - rille.now()
    or conn.request ~= nil and opts.idle_timeout or opts.header_timeout
  local ok = requests.more(conn, seconds)
  if ok == false and deadline then refuse(conn, 408) end
  return ok
end

-- The next request; nil when there will be none. Its body is still to be read.
local function read_request(conn)
  local deadline
  while true do
    if conn.at <= #conn.text then
      local stop, method, path, query, length, odds = http_head(conn.parser, conn.text, conn.at)
      if stop then return begin(conn, stop, method, path, query, length, odds) end
      if stop == nil then return refuse(conn, method, path) end
      deadline = deadline or rille.now() + conn.server.opts.header_timeout
      conn.busy = true
    end
    if not wait_head(conn, deadline) then return nil end
    conn.busy = true
  end
end

-- Reads the body before the handler is called. False when that cannot be.
local function complete(conn, req)
  local server = conn.server
  if req.method == "CONNECT" then return refuse(conn, 501) end
  if server.opts.stream then return true end
  local body = requests.take_all(conn, server.max_body, server.opts.body_timeout)
  if not body then return refuse(conn, conn.failure.status) end
  req.body = body
  return true
end

-- Sends what the handler has returned. False when the connection is over.
local function answer(conn, response, err)
  if not response and err ~= nil then error(err, 0) end
  if conn.failure or conn.server.closing then conn.keep = false end
  local ok = responses.send(conn, response)
  conn.started = false
  requests.settle(conn)
  if not ok then
    conn.server.broken = conn.server.broken + 1
    return false
  end
  if conn.left ~= 0 then linger(conn) end
  return conn.keep
end

-- Serves until the connection is over, or the handler fails. Most requests have
-- no body, and most responses are plain: these take the short way.
local function converse(conn)
  local server, state = conn.server, conn.state
  local handler = server.handler
  while not server.closing do
    if conn.at > #conn.text then
      conn.text, conn.at, conn.busy = "", 1, false
      if conn.request then conn.request = false end -- it is not to be kept
    else
      core.checkpoint()
    end
    local req = read_request(conn)
    if not req or not conn.plain and not complete(conn, req) then return end
    server.requests = server.requests + 1
    local response, err = handler(req)
    local data = conn.plain and not server.closing and plain(response)
    if not data then
      if not answer(conn, response, err) then return end
    elseif not push(state, data, server.opts.write_timeout) then
      server.broken = server.broken + 1
      return
    end
  end
end

-- Whose failure it is, as a status: the client's, if the error is that of the
-- body it has sent.
local function blame(conn, err, trace)
  local server, failure = conn.server, not conn.plain and conn.failure
  if failure or server.closing then conn.keep = false end
  if failure and failure.err == err then
    server.broken = server.broken + 1
    return failure.status
  end
  server:report(err, conn.request, trace)
  return 500
end

-- The handler has failed. Returns whether the connection can go on.
local function recover(conn, err, trace)
  local status = blame(conn, err, trace)
  local raises = status == 500 and conn.server.opts.on_error == "raise"
  if raises then conn.keep = false end
  local ok = not conn.started and responses.send_status(conn, status)
  conn.started = false
  if raises then error(err, 0) end
  if ok and conn.left ~= 0 then linger(conn) end
  return ok and conn.keep
end

local function run(conn)
  local trace
  local function note(err)
    if not rille.is_cancellation(err) then trace = core.traceback(core.error_text(err), 1) end
    return core.note_traceback(err)
  end
  while true do
    trace = nil
    local ok, err = xpcall(converse, note, conn)
    if ok then return end
    if rille.is_cancellation(err) then error(err, 0) end
    if not recover(conn, err, trace) then return end
  end
end

local conn_meta = {}

function conn_meta.__close(conn)
  local server = conn.server
  server.conns[conn] = nil
  server.active = server.active - 1
  conn.request = nil
  if server.active == 0 then server.drained:set() end
end

local shielded = {name = "connection", shield = true}

--- Serves a connection to its end. Suspends.
function M.serve(server, stream)
  local opts = server.opts
  local conn <close> = setmetatable({
    server = server, stream = stream, state = streams.state(stream), text = "", at = 1,
    left = 0, busy = false, plain = false, version = "1.1", keep = true, is_head = false,
    started = false,
    parser = core.http_parser(server.library, opts.max_header, opts.max_url),
  }, conn_meta)
  server.conns[conn] = true
  server.active = server.active + 1
  server.drained:clear()
  rille.scope(shielded, function(s)
    conn.scope = s
    run(conn)
  end)
end

return M
