--[[
net_udp.lua - datagrams.

What comes is put into a bounded channel, and dropped when nobody takes it, as
the network itself would.
]]
local rille, core = ...

local net = core.net
core.load "rille.handle"
local uv = rille.uv()

local methods = {}

-- state: {handle= (nil once closed), name=, owner=, incoming=, started=,
-- dropped=}; a datagram is {data=, host=, port=}.
local new, state_of, meta = core.class("udp_socket", methods, function(state)
  return ("%s (%s)"):format(state.name, state.handle and "open" or "closed")
end)

local function closed(state)
  return nil, core.error("closed", ("udp %s is closed"):format(state.name))
end

local function close_state(state)
  if core.close_handle(state) then state.incoming:close() end
end

-- Receives from now on.
local function start(state)
  if state.started or not state.handle then return end
  state.started = true
  state.handle:recv_start(function(err, data, address)
    if err or not address then return end
    state.incoming:try_send{data = data or "", host = address.ip, port = address.port}
  end)
end

local read_options = core.options("udp", 3, {
  buffer = {"size", 256}, broadcast = {"boolean", false}, family = "'inet'|'inet6'",
  scope = "scope",
})

local function open(address, port, o)
  local handle = uv.new_udp()
  local ok, err = handle:bind(address.host, port)
  if ok and o.broadcast then ok, err = handle:set_broadcast(true) end
  local found
  if ok then found, err = handle:getsockname() end
  if not found then
    handle:close()
    return nil, core.io_error(err, "udp " .. net.address_text(address.host, port))
  end
  local state = {handle = handle, name = net.address_text(found.ip, found.port), dropped = 0}
  state.incoming = rille.channel(o.buffer, {overflow = "drop_newest", on_drop = function()
    state.dropped = state.dropped + 1
  end})
  state.owner = core.own_handle(net.scope_of(o.scope), state, close_state)
  return new(state)
end

--- Opens a UDP socket. Suspends only to resolve a name.
-- @function net.udp
-- @tparam[opt="0.0.0.0"] string host
-- @tparam[opt=0] integer port 0: any that is free
-- @tparam[opt] table opts `buffer` (datagrams kept for a task that is to
-- receive them, 256; more are dropped), `broadcast` (false), `family`, `scope`
-- @treturn udp_socket or nil and an error of kind `io`
-- @raise cancelled
-- @usage local socket <close> = assert(rille.net.udp("127.0.0.1", 0))
function net.udp(host, port, opts)
  host, port = host or "0.0.0.0", port or 0
  core.check(host, "string", "udp", 1)
  core.check(port, "port", "udp", 2)
  local o = read_options(opts)
  local addresses, err = net.resolve(host, {family = o.family})
  if not addresses then return nil, err end
  return open(addresses[1], port, o)
end

--- UDP sockets.
-- @type udp_socket

-- Where to: a host and a port, or what was received from there.
local function destination(host, port)
  if type(host) == "table" then host, port = host.host, host.port end
  core.check(host, "string", "send", 2)
  core.check(port, "port", "send", 3)
  local addresses, err = net.resolve(host)
  if not addresses then return nil, err end
  return addresses[1].host, port
end

--- Sends a datagram. Suspends to resolve a name, and while the kernel's buffer
-- is full.
-- @function udp_socket:send
-- @tparam string data
-- @tparam string|table host or a datagram, whose sender is answered
-- @tparam[opt] integer port
-- @treturn boolean true; or nil and an error: `io`, `closed`
-- @raise cancelled
function methods.send(socket, data, host, port)
  local state = state_of(socket, "send")
  core.check(data, "string", "send", 1)
  local address, number = destination(host, port)
  if not address then return nil, number end
  local handle = state.handle
  if not handle then return closed(state) end
  local sent, err, code = handle:try_send(data, address, number)
  if sent then return true end
  if code ~= "EAGAIN" then return nil, core.io_error(err, "udp " .. state.name) end
  return rille.uv_call(handle.send, handle, data, address, number)
end

--- Receives a datagram. Suspends until one comes.
-- @function udp_socket:recv
-- @treturn string its bytes; nil and an error of kind `closed` after `close`
-- @treturn table the datagram: `{data=, host=, port=}`, the sender's address
-- @raise cancelled
-- @usage local data, from = socket:recv() socket:send(data, from)
function methods.recv(socket)
  local state = state_of(socket, "recv")
  start(state)
  local datagram, err = state.incoming:recv()
  if not datagram then return nil, err end
  return datagram.data, datagram
end

-- For select and loops: the next datagram, as a table.
function meta.__source(socket)
  local state = state_of(socket, "select")
  start(state)
  return state.incoming
end

function meta.__call(socket)
  return (select(2, methods.recv(socket)))
end

--- The address that it is bound to. Never suspends.
-- @function udp_socket:address
-- @treturn string host; nil and an error of kind `closed`
-- @treturn integer port
function methods.address(socket)
  local state = state_of(socket, "address")
  if not state.handle then return closed(state) end
  local found = state.handle:getsockname()
  return found.ip, found.port
end

--- Closes it. Never suspends; idempotent; `<close>` does it.
-- @function udp_socket:close
function methods.close(socket)
  close_state(state_of(socket, "close"))
end

meta.__close = methods.close

function meta.__gc(socket)
  pcall(close_state, state_of(socket, "close"))
end

--- Never suspends.
-- @function udp_socket:stats
-- @treturn table `buffered` and `dropped` (datagrams), `closed`
function methods.stats(socket)
  local state = state_of(socket, "stats")
  return {buffered = #state.incoming, dropped = state.dropped, closed = state.handle == nil}
end
