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

local LINGER = 1           -- seconds that a client may go on sending at the end
local LINGER_BYTES = 1 << 20

local M = {}

-- Who closes while bytes come in resets the connection, and the client may
-- never see the answer: RFC 9112, 9.6.
local function linger(conn)
  conn.busy = false
  local stream, left, deadline = conn.stream, LINGER_BYTES, rille.now() + LINGER
  if not stream:shutdown() then return end
  repeat
    local piece = streams.read_within(stream, deadline - rille.now())
    left = left - #(piece or "")
  until not piece or left < 0
end

-- Answers a request that is none.
local function refuse(conn, status, detail)
  conn.server.refused = conn.server.refused + 1
  conn.keep, conn.left, conn.is_head = false, 0, false
  responses.send_status(conn, status, detail)
  linger(conn)
end

-- Begins a request whose head was taken up to `stop`.
local function begin(conn, stop, method, version, keep, length, expects)
  local text, at = conn.text, conn.at
  conn.at, conn.version, conn.keep, conn.left, conn.expects = stop, version, keep, length, expects
  conn.busy, conn.started, conn.is_head = true, false, method == "HEAD"
  conn.taken, conn.failure = 0, nil
  if at == 1 and stop > #text then return text end
  return sub(text, at, stop - 1)
end

-- Waits for more of a head. `deadline` is set once it has begun.
local function wait_head(conn, deadline)
  local opts = conn.server.opts
  if conn.at > #conn.text then conn.text, conn.at = "", 1 end
  local seconds = deadline and deadline - rille.now()
    or conn.request and opts.idle_timeout or opts.header_timeout
  local ok = requests.more(conn, seconds)
  if ok == false and deadline then refuse(conn, 408) end
  return ok
end

-- The next request; nil when there will be none. With `stream` its body is
-- still to be read.
local function read_request(conn)
  local deadline
  while true do
    if conn.at <= #conn.text then
      local stop, method, url, path, query, version, keep, length, expects =
        http_head(conn.parser, conn.text, conn.at)
      if stop then
        local head = begin(conn, stop, method, version, keep, length, expects)
        return requests.new(conn, head, method, url, path, query, version)
      end
      if stop == nil then return refuse(conn, method, url) end
      conn.busy = true
      deadline = deadline or rille.now() + conn.server.opts.header_timeout
    end
    if not wait_head(conn, deadline) then return nil end
  end
end

-- The next request with its body; nil when there will be none.
local function next_request(conn)
  local server = conn.server
  local req = read_request(conn)
  if not req then return nil end
  if req.method == "CONNECT" then return refuse(conn, 501) end
  if not server.opts.stream then
    local body = ""
    if conn.left ~= 0 then
      body = requests.take_all(conn, server.max_body, server.opts.body_timeout)
      if not body then return refuse(conn, conn.failure.status) end
    end
    req.body = body
  end
  conn.request = req
  server.requests = server.requests + 1
  return req
end

-- Sends what the handler has returned. False when the connection is over.
local function answer(conn, response, err)
  if not response and err ~= nil then error(err, 0) end
  if conn.failure or conn.server.closing then conn.keep = false end
  local ok = responses.send(conn, response)
  requests.settle(conn)
  if not ok then
    conn.server.broken = conn.server.broken + 1
    return false
  end
  if conn.left ~= 0 then linger(conn) end
  return conn.keep
end

-- Serves until the connection is over, or the handler fails.
local function converse(conn)
  local server = conn.server
  local handler = server.handler
  while not server.closing do
    conn.busy = conn.at <= #conn.text
    local req = next_request(conn)
    if not req or not answer(conn, handler(req)) then return end
  end
end

-- The handler has failed. Returns whether the connection can go on.
local function recover(conn, err, trace)
  local failure = conn.failure
  local status = 500
  if failure and failure.err == err then
    status = failure.status
    conn.server.broken = conn.server.broken + 1
  else
    conn.server:report(err, conn.request, trace)
  end
  if conn.started then return false end
  if failure or conn.server.closing then conn.keep = false end
  local ok = responses.send_status(conn, status)
  if ok and conn.left ~= 0 then linger(conn) end
  return ok and conn.keep
end

local function run(conn)
  local trace
  local function note(err)
    if not rille.is_cancellation(err) then trace = debug.traceback(tostring(err), 2) end
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
    server = server, stream = stream, text = "", at = 1, left = 0, busy = false, keep = true,
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
