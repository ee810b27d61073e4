-- What the specs of the HTTP client share: runs that fail on whatever is left
-- behind, descriptors included, and servers that send exactly what they are
-- told to.
local rille = require "rille"
local sys = require "spec.sys_helper"

local net, http = rille.net, require "rille.http"

local M = {}

--- A URL whose host does not exist; no name server is asked for it.
M.no_host = "http://no-such..host/"

--- Runs fn(client, scope, dir) on the real clock, with a client of its own that
-- is closed afterwards, and the scope with its servers cancelled.
function M.run(fn, opts)
  return sys.run(function(dir)
    local results
    rille.scope(function(s)
      local client <close> = http.client(opts)
      results = table.pack(fn(client, s, dir))
      s:cancel()
    end)
    return table.unpack(results, 1, results.n)
  end)
end

-- The header `name` in a head as text, or nil.
local function header(head, name)
  for key, value in head:gmatch "([^\r\n:]+):[ \t]*([^\r\n]*)" do
    if key:lower() == name then return value end
  end
  return nil
end

local function read_chunks(conn)
  local pieces = {}
  while true do
    local size = tonumber(assert(conn:read_line()), 16)
    pieces[#pieces + 1] = conn:read(size)
    conn:read_line()
    if size == 0 then return table.concat(pieces) end
  end
end

local function read_body(conn, head)
  if header(head, "transfer-encoding") == "chunked" then return read_chunks(conn) end
  local size = tonumber(header(head, "content-length") or 0)
  return size > 0 and conn:read(size) or ""
end

--- Reads the head of a request: {method=, path=, head=, get(name)}; nil at the
-- end.
function M.read_head(conn)
  local head = conn:read_until "\r\n\r\n"
  if not head then return nil end
  local method, path = head:match "^(%S+) (%S+)"
  return {method = method, path = path, head = head,
    get = function(name) return header(head, name) end}
end

--- The same with the `body`.
function M.read_request(conn)
  local request = M.read_head(conn)
  if request then request.body = read_body(conn, request.head) end
  return request
end

--- A response: status line, the lines given, Content-Length, body.
function M.response(body, lines, status)
  return table.concat{"HTTP/1.1 ", status or "200 OK", "\r\n", lines and lines .. "\r\n" or "",
    "Content-Length: ", #body, "\r\n\r\n", body}
end

--- Listens; serve(conn, listener) is the handler, whose failure is the test's,
-- or on_error's. Returns the URL, which ends with "/", and the listener.
function M.listen(serve, on_error)
  local opts = {daemon = true, on_error = on_error or "raise"}
  local listener = assert(net.listen("127.0.0.1", 0, serve, opts))
  return ("http://127.0.0.1:%d/"):format(listener:port()), listener
end

--- Answers requests, one after the other on each connection, with what
-- answer(request, conn) returns.
function M.serve(answer)
  return M.listen(function(conn)
    for request in M.read_request, conn do
      local bytes = answer(request, conn)
      if bytes == nil then return end
      if not conn:write(bytes) then return end
    end
  end)
end

--- Sends `bytes` for any request, and closes.
function M.once(bytes)
  return M.listen(function(conn)
    M.read_request(conn)
    conn:write(bytes)
  end)
end

--- Never answers: holds the connection until the other side closes it.
function M.silence()
  return M.listen(function(conn)
    while conn:read() do rille.yield() end
  end)
end

--- Sends "abc" of ten bytes, and then waits for the client to close.
function M.half()
  return M.listen(function(conn)
    M.read_request(conn)
    conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    conn:read()
  end)
end

--- Sends the head, and "late" once the event that is returned with the URL is set.
function M.late()
  local event = rille.event()
  return M.listen(function(conn)
    M.read_request(conn)
    conn:write "HTTP/1.1 200 OK\r\n\r\n"
    event:wait()
    conn:write "late"
  end), event
end

--- Answers "x" when the channel `gate` gives something. Returns the URL, gate, a
-- function that counts those who wait, and the listener.
function M.gated()
  local gate, waiting = rille.channel(), 0
  local url, listener = M.serve(function()
    waiting = waiting + 1
    gate:recv()
    waiting = waiting - 1
    return M.response "x"
  end)
  return url, gate, function() return waiting end, listener
end

--- Waits until test() holds.
function M.wait_until(test)
  while not test() do rille.sleep(0.001) end
end

-- What is opened once and kept: by libuv, by libcurl, by the TLS library.
rille.run(function()
  rille.scope(function()
    local client <close> = http.client()
    client:get(M.serve(function() return M.response "" end))
    client:get "http://127.0.0.1:1/"
  end)
end)

return M
