--[[
net_listen.lua - servers: a task that accepts, and a task for each connection.

    backlog --accept--> task of the scope: handler(conn) --> closed

The accepting task waits for one thing at a time, always on `wake`: a connection
(a uv_poll_t tells), room under `max_connections`, or, out of descriptors, a
moment or the end of a connection. What is not accepted stays in the kernel's
backlog, so nothing is lost.
]]
local rille, core = ...

local net = core.net
local streams = core.load "rille.byte_stream"
local uv = rille.uv()

local PAUSE = 0.05 -- seconds until the next try when no descriptor is left
local BATCH = 64   -- connections accepted before others get a turn

-- What accept tells of the whole process or system, and what passes: it is to
-- be tried again later. See accept(2).
local exhausted = {EMFILE = true, ENFILE = true, ENOBUFS = true, ENOMEM = true}
local transient = {ECONNABORTED = true, EPROTO = true, ENETDOWN = true, EHOSTUNREACH = true,
  ENETUNREACH = true, ETIMEDOUT = true}

local methods = {}

-- state: {handle= (nil once closed), poll=, fd=, name=, unix=, wake=, handler=,
-- scope=, opts=, owner=, active=, accepted=, errors=, broken=, pauses=, object=,
-- leaving=}; closing `leaving` counts the end of a connection.
local new, state_of, meta = core.class("listener", methods, function(state)
  return ("%s (%d connections%s)"):format(state.name, state.active,
    state.handle and "" or ", closed")
end)

local guard = {}

local function close_state(state)
  if not state.handle then return end
  state.poll:close() -- before the descriptor that it watches
  core.close_handle(state)
  state.wake:close()
end

guard.__close = close_state

local function wake(state) state.wake:try_send(true) end

-- When a connection has ended there is room, and a descriptor.
local function leaving(state)
  return setmetatable({}, {__close = function()
    state.active = state.active - 1
    wake(state)
  end})
end

local function report(state, connection, err, trace)
  state.errors = state.errors + 1
  local on_error = state.opts.on_error
  if on_error == "raise" then error(err, 0) end
  if on_error then return on_error(err, connection) end
  io.stderr:write(("rille: %s: a handler failed: %s\n"):format(state.name,
    trace or core.error_text(err)))
end

-- task -> the traceback of what its handler has raised
local traces = setmetatable({}, {__mode = "k"})

local function note(err)
  if not rille.is_cancellation(err) then
    traces[rille.current()] = core.traceback(core.error_text(err), 1)
  end
  return core.note_traceback(err)
end

-- The task of one connection.
local function serve(state, connection)
  local _ <close> = state.leaving
  local open <close> = connection
  local ok, err = core.outcome(xpcall(state.handler, note, open, state.object))
  if ok then return end
  if err == streams.failure(connection) then
    state.broken = state.broken + 1
    return
  end
  report(state, connection, err, traces[rille.current()])
end

-- Makes the stream of an accepted descriptor.
local function open_stream(state, fd)
  local handle = state.unix and uv.new_pipe(false) or uv.new_tcp()
  local ok, err = handle:open(fd)
  if not ok then
    handle:close()
    uv.fs_close(fd)
    return nil, err
  end
  if not state.unix and state.opts.nodelay then handle:nodelay(true) end
  return streams.new(handle, "connection to " .. state.name, state.scope)
end

local function admit(state, fd)
  local connection = open_stream(state, fd)
  if not connection then return end
  if state.opts.keepalive then connection:keepalive(state.opts.keepalive) end
  state.accepted = state.accepted + 1
  state.active = state.active + 1
  state.scope:go({name = ("%s #%d"):format(state.name, state.accepted)}, serve, state, connection)
end

-- Waits for `wake`; false when the listener was closed.
local function wait(state)
  return state.wake:recv() ~= nil
end

-- Waits for a connection in the backlog.
local function wait_readable(state)
  state.poll:start("r", state.on_readable)
  return wait(state)
end

local function wait_exhausted(state)
  state.pauses = state.pauses + 1
  local i, value = rille.select({{state.wake}}, {timeout = PAUSE})
  return i == nil or value ~= nil
end

-- Accepts once. Returns whether to go on, and whether one was accepted.
local function accept(state)
  if state.active >= state.opts.max_connections then return wait(state) end
  local fd, code = core.accept_from(state.fd)
  if fd then
    admit(state, fd)
    return true, true
  end
  if code == "EAGAIN" then return wait_readable(state) end
  if exhausted[code] then return wait_exhausted(state) end
  if transient[code] then return true end
  error(core.io_error(code, "accept on " .. state.name), 0)
end

-- The accepting task.
local function accept_loop(state)
  local _ <close> = state
  local batch = 0
  while state.handle do
    local go_on, accepted = accept(state)
    if not go_on then return end
    batch = accepted and batch + 1 or 0
    if batch == BATCH then
      batch = 0
      rille.yield()
    end
  end
end

-- Listens on a bound handle.
local function start(handle, state)
  local ok, code = core.listen_on(state.fd, state.opts.backlog)
  if not ok then
    handle:close()
    return nil, core.io_error(code, "listen on " .. state.name)
  end
  state.owner = core.own_handle(state.scope, state, close_state)
  state.poll = uv.new_poll(state.fd)
  function state.on_readable()
    state.poll:stop()
    wake(state)
  end
  state.object, state.leaving = new(state), leaving(state)
  state.scope:go({name = "listen " .. state.name, daemon = state.opts.daemon}, accept_loop, state)
  return state.object
end

-- An address that is in use is noticed only when the name is asked for.
local function bind(handle, state, ...)
  local ok, err = handle:bind(...)
  if ok then ok, err = handle:getsockname() end
  if not ok then
    handle:close()
    return nil, core.io_error(err, "listen on " .. state.name)
  end
  state.handle, state.fd = handle, handle:fileno()
  if not state.unix then
    state.host, state.port = ok.ip, ok.port
    state.name = net.address_text(ok.ip, ok.port)
  end
  return start(handle, state)
end

local function listen_unix(state, path)
  local fits, too_long = net.check_fits(path, "listen on " .. state.name)
  if not fits then return nil, too_long end
  return bind(uv.new_pipe(false), state, path)
end

local function listen_tcp(state, host, port)
  local addresses, err = net.resolve(host, {family = state.opts.family})
  if not addresses then return nil, err end
  return bind(uv.new_tcp(), state, addresses[1].host, port)
end

local read_options = core.options("listen", 4, {
  max_connections = {"size", math.huge}, backlog = {"natural", 511},
  nodelay = {"boolean", true}, keepalive = "period|boolean", family = "'inet'|'inet6'",
  on_error = "function|'raise'", daemon = {"boolean", false}, scope = "scope",
})

--- Listens on an address and serves what connects: each connection is a task
-- of the scope in which this is called, which runs `handler(conn, listener)`
-- and closes the connection when that ends, however it ends. Suspends only to
-- resolve a name.
--
-- The scope does not end before the listener is closed and the last handler
-- has ended, unless it is cancelled.
-- @function net.listen
-- @tparam string host a name or an address; "unix": a Unix socket
-- @tparam integer|string port 0: any that is free; for a Unix socket its path
-- @tparam function handler
-- @tparam[opt] table opts `max_connections` (no more are accepted until one
-- ends; math.huge), `backlog` (511), `on_error` (function(err, conn), or
-- "raise": a failure is the scope's; without it, it is reported on stderr),
-- `daemon` (the scope does not wait for the listener; false), `nodelay` (true),
-- `keepalive`, `family`, `scope`
-- @treturn listener or nil and an error of kind `io`: "EADDRINUSE", "EACCES"
-- @raise cancelled; closed when the scope has ended
-- @usage rille.net.listen("127.0.0.1", 7, function(conn)
--   for piece in conn do conn:write(piece) end
-- end)
function net.listen(host, port, handler, opts)
  local is_unix, name = net.check_address(host, port, "listen")
  core.check_function(handler, "listen", 3)
  local o = read_options(opts)
  core.checkpoint()
  local state = setmetatable({
    unix = is_unix, name = name, handler = handler, opts = o,
    scope = o.scope or core.innermost_scope "net.listen",
    wake = rille.channel(1, {overflow = "drop_newest"}),
    active = 0, accepted = 0, errors = 0, broken = 0, pauses = 0,
  }, guard)
  if is_unix then return listen_unix(state, port) end
  return listen_tcp(state, host, port)
end

--- Listeners.
-- @type listener

--- The port that it listens on; nil for a Unix socket. Never suspends.
-- @function listener:port
-- @treturn integer
function methods.port(listener)
  return state_of(listener, "port").port
end

--- The address that it listens on. Never suspends.
-- @function listener:address
-- @treturn string host, or the path of a Unix socket
-- @treturn integer port
function methods.address(listener)
  local state = state_of(listener, "address")
  if state.unix then return (state.name:gsub("^unix ", "")) end
  return state.host, state.port
end

--- Stops listening. The connections go on. Never suspends; idempotent;
-- `<close>` does it.
-- @function listener:close
function methods.close(listener)
  close_state(state_of(listener, "close"))
end

meta.__close = methods.close

--- Never suspends.
-- @function listener:stats
-- @treturn table `active` (connections now), `accepted` (in all), `errors`
-- (handlers that failed), `broken` (that ended by the failure of their own
-- connection), `pauses` (times that no descriptor was left), `closed`
function methods.stats(listener)
  local state = state_of(listener, "stats")
  return {active = state.active, accepted = state.accepted, errors = state.errors,
    broken = state.broken, pauses = state.pauses, closed = state.handle == nil}
end
