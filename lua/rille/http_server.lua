--[[
http_server.lua - rille.http.serve: a server is a listener of rille.net whose
connections speak HTTP.

    serving --close(), the scope's cancellation, a shutdown--> draining --> ended

Draining: no more is accepted, idle connections are closed, what runs may finish
within `grace`; then its connections are cancelled. The task that waits for the
end of serving sees to that, shielded; so a server ends in the same way whoever
ends it.
]]
local rille, core = ...

core.load "rille.net"
local http, net = core.load "rille.http", core.net
local connections = core.load "rille.http_connection"

local methods = {}

-- state: {listener=, handler=, opts=, max_body=, library=, name=, scope=, conns=
-- (the set of connections), active=, requests=, errors=, refused=, broken=,
-- closing=, stopping=, drained= (events), object=}
local new, state_of, meta = core.class("http_server", methods, function(state)
  return ("%s (%d connections%s)"):format(state.name, state.active,
    state.closing and ", closed" or "")
end)

-- scope -> {[state] = true}: the servers to be closed when the program is shut
-- down. One hook for each scope, as it lasts as long as the scope.
local sets = setmetatable({}, {__mode = "k"})

-- Stops the intake. Never suspends.
local function close_state(state)
  if state.closing then return end
  state.closing = true
  state.listener:close()
  sets[state.scope][state] = nil
  for conn in next, state.conns do
    if not conn.busy then conn.stream:close() end
  end
  state.stopping:set()
end

local function close_on_shutdown(state)
  local set = sets[state.scope]
  if not set then
    set = {}
    sets[state.scope] = set
    state.scope:on_shutdown(function()
      for one in next, set do close_state(one) end
    end)
  end
  set[state] = true
end

-- Lets what runs finish, and cancels what does not.
local function drain(state)
  close_state(state)
  if state.active == 0 then return end
  if rille.select({{state.drained}}, {timeout = state.opts.grace}) then return end
  for conn in next, state.conns do
    if conn.scope then conn.scope:cancel "the server is closed" end
  end
end

-- The task that waits for the end of serving.
local function attend(state)
  local ok, err = pcall(state.stopping.wait, state.stopping)
  rille.shield(drain, state)
  if not ok then error(err, 0) end
end

-- A handler has failed. With "raise" the connection will raise it.
local function report(state, err, req, trace)
  state.errors = state.errors + 1
  local on_error = state.opts.on_error
  if on_error == "raise" then return end
  if on_error then return on_error(err, req) end
  local what = req and req.method .. " " .. req.path .. ": " or ""
  io.stderr:write(("rille: %s: %sa handler failed: %s\n"):format(state.name, what,
    trace or core.error_text(err)))
end

-- Not more than http-parser itself takes.
core.add_kind("header_size", "a whole number from 1 to 65536", function(v)
  return math.type(v) == "integer" and v >= 1 and v <= 65536
end)

local read_options = core.options("serve", 4, {
  max_connections = {"size", math.huge}, backlog = {"count", 511},
  max_header = {"header_size", 16384}, max_url = {"header_size", 8192}, max_body = "count",
  header_timeout = {"period", 10}, body_timeout = {"period", 30}, idle_timeout = {"period", 60},
  write_timeout = {"period", 30}, grace = {"seconds", 5}, stream = {"boolean", false},
  on_error = "function|'raise'", nodelay = {"boolean", true}, keepalive = "period|boolean",
  family = "'inet'|'inet6'", scope = "scope",
})

local for_net = {"max_connections", "backlog", "nodelay", "keepalive", "family"}

-- What is found wrong in a connection's task is a bug, or on_error's failure.
local function net_options(state)
  local opts = {scope = state.scope, on_error = "raise"}
  for _, name in ipairs(for_net) do opts[name] = state.opts[name] end
  return opts
end

local function start(state, host, port)
  local function serve(conn) connections.serve(state, conn) end
  local listener, err = net.listen(host, port, serve, net_options(state))
  if not listener then return nil, err end
  state.listener = listener
  state.name = "http " .. (host == "unix" and port or net.address_text(listener:address()))
  state.object = new(state)
  close_on_shutdown(state)
  state.scope:go({name = state.name}, attend, state)
  return state.object
end

--- Serves HTTP/1.1 (and 1.0) on an address. Each connection is a task of the
-- scope in which this is called; the handler runs in it, one request after the
-- other. Suspends only to resolve a name.
--
-- `handler(req)` gets a request and returns the response: a string (status
-- 200), or `{status = 200, headers = {}, body = }`, where the body is a string,
-- a list of strings, or anything that `rille.stream` takes: an iterator, a
-- channel, a reader; that is sent as it comes. A handler that fails is answered
-- for with a 500.
--
-- The scope does not end before the server is closed and the last request was
-- answered. When it is cancelled, or `rille.shutdown` is triggered, the server
-- is closed as by `close`.
-- @function http.serve
-- @tparam string host a name or an address; "unix": a Unix socket
-- @tparam integer|string port 0: any that is free; for a Unix socket its path
-- @tparam function handler
-- @tparam[opt] table opts limits in bytes: `max_header` (16384, up to 65536),
-- `max_url` (8192), `max_body` (1 MiB; with `stream` math.huge); in seconds:
-- `header_timeout` (10), `body_timeout` (30), `idle_timeout` (60),
-- `write_timeout` (30), `grace` (5); `stream` (false: the body is there when the
-- handler is called), `on_error` (function(err, req), or "raise"; without it a
-- failure is reported on stderr); `max_connections`, `backlog`, `nodelay`,
-- `keepalive`, `family`, `scope` as for `net.listen`
-- @treturn http_server or nil and an error of kind `io`: "EADDRINUSE"
-- @raise cancelled; an error that names the package when http-parser is missing
-- @usage rille.http.serve("127.0.0.1", 8080, function(req)
--   return "hello, " .. req.path .. "\n"
-- end)
function http.serve(host, port, handler, opts)
  net.check_address(host, port, "serve")
  core.check_function(handler, "serve", 3)
  local o = read_options(opts)
  return start({
    handler = handler, opts = o, library = core.http_library(), report = report,
    max_body = o.max_body or o.stream and math.huge or 1 << 20,
    scope = o.scope or core.innermost_scope "http.serve", conns = {}, stopping = rille.event(),
    drained = rille.event(), active = 0, requests = 0, errors = 0, refused = 0, broken = 0,
  }, host, port)
end

--- HTTP servers.
-- @type http_server

--- The port that it listens on; nil for a Unix socket. Never suspends.
-- @function http_server:port
-- @treturn integer
function methods.port(server)
  return state_of(server, "port").listener:port()
end

--- The address that it listens on. Never suspends.
-- @function http_server:address
-- @treturn string host, or the path of a Unix socket
-- @treturn integer port
function methods.address(server)
  return state_of(server, "address").listener:address()
end

--- Stops serving: no more is accepted, idle connections are closed at once, a
-- request that has begun may be answered within `grace` seconds, then it is
-- cancelled. Never suspends: its scope waits for the end. Idempotent; `<close>`
-- does it.
-- @function http_server:close
function methods.close(server)
  close_state(state_of(server, "close"))
end

meta.__close = methods.close

--- Never suspends.
-- @function http_server:stats
-- @treturn table `active` (connections now), `busy` (of them in a request),
-- `accepted` (connections in all), `requests`, `errors` (handlers that failed),
-- `refused` (requests that were none), `broken` (whose client has gone),
-- `pauses` (times that no descriptor was left), `closed`
function methods.stats(server)
  local state = state_of(server, "stats")
  local of_net, busy = state.listener:stats(), 0
  for conn in next, state.conns do busy = busy + (conn.busy and 1 or 0) end
  return {active = state.active, busy = busy, accepted = of_net.accepted,
    requests = state.requests, errors = state.errors, refused = state.refused,
    broken = state.broken, pauses = of_net.pauses, closed = state.closing or false}
end
