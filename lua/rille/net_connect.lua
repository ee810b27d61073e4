--[[
net_connect.lua - making connections.

A host may have several addresses, and some of them may be dead. They are tried
one after the other, each a moment after the one before, or as soon as that has
failed; the first connection wins and the rest are closed. This is "happy
eyeballs", RFC 8305, with its 250 ms between two attempts.
]]
local rille, core = ...

local net = core.net
local streams = core.load "rille.byte_stream"
local uv = rille.uv()

local DELAY = 0.25 -- seconds between attempts: RFC 8305, 5

-- The attempts that are under way: {[handle] = true}. Closing the set closes
-- those that have not been taken out.
local attempts_meta = {}

function attempts_meta.__close(attempts)
  for handle in next, attempts do
    if not handle:is_closing() then handle:close() end
  end
end

-- Begins to connect; the end is an event {handle=, err=, name=}.
local function attempt(address, port, o, attempts, events)
  local handle = uv.new_tcp()
  attempts[handle] = true
  local name = net.address_text(address.host, port)
  local function tell(err)
    events:try_send{handle = handle, name = name, err = err}
  end
  local ok, err = true, nil
  if o.local_address then ok, err = handle:bind(o.local_address, 0) end
  if ok then ok, err = handle:connect(address.host, port, tell) end
  if not ok then tell(err) end
end

-- The next event, or nil when it is time for another attempt.
local function next_event(events, more)
  if not more then return (events:recv()) end
  local i, event = rille.select({{events}}, {timeout = DELAY})
  return i and event
end

local function failure(errors)
  local last = errors[#errors]
  if #errors > 1 then last.errors = errors end
  return nil, last
end

-- A connected handle and its name, or nil and the error of the last attempt.
local function race(addresses, port, o)
  local attempts <close> = setmetatable({}, attempts_meta)
  local events, begun, errors = rille.channel(math.huge), 0, {}
  while true do
    if begun < #addresses then
      begun = begun + 1
      attempt(addresses[begun], port, o, attempts, events)
    end
    local event
    repeat
      event = next_event(events, begun < #addresses)
      if event and not event.err then
        attempts[event.handle] = nil
        return event.handle, event.name
      end
      if event then errors[#errors + 1] = core.io_error(event.err, "connect to " .. event.name) end
      if #errors == #addresses then return failure(errors) end
    until not event or begun < #addresses
  end
end

local function connect_tcp(host, port, o)
  local addresses, err = net.resolve(host, {family = o.family})
  if not addresses then return nil, err end
  local handle, name = race(net.interleave(addresses), port, o)
  if not handle then return nil, name end
  if o.nodelay then handle:nodelay(true) end
  local stream = streams.new(handle, "tcp " .. name, net.scope_of(o.scope))
  if o.keepalive then stream:keepalive(o.keepalive) end
  return stream
end

local function connect_unix(path, o)
  local fits, too_long = net.check_fits(path, "connect to unix " .. path)
  if not fits then return nil, too_long end
  local attempts <close> = setmetatable({}, attempts_meta)
  local handle = uv.new_pipe(false)
  attempts[handle] = true
  local ok, err = rille.uv_call(handle.connect, handle, path)
  if not ok then return nil, core.io_error(err, "connect to unix " .. path) end
  attempts[handle] = nil
  return streams.new(handle, "unix " .. path, net.scope_of(o.scope))
end

local read_options = core.options("connect", 3, {
  timeout = "seconds", nodelay = {"boolean", true}, keepalive = "period|boolean",
  family = "'inet'|'inet6'", local_address = "string", scope = "scope",
})

--- Connects to a host and port, or to a Unix socket. Suspends until connected.
-- @function net.connect
-- @tparam string host a name or an address; "unix": a Unix socket
-- @tparam integer|string port; for a Unix socket its path
-- @tparam[opt] table opts `timeout` (seconds, for all of it, names included),
-- `nodelay` (true), `keepalive` (seconds, or true: 60), `family` ("inet",
-- "inet6"), `local_address`, `scope` (it is closed when that ends; the root)
-- @treturn byte_stream or nil and an error: `io` with `code` ("ECONNREFUSED",
-- "EAI_NONAME") and, when several addresses failed, `errors`; `timeout`
-- @raise cancelled
-- @usage local conn <close> = assert(rille.net.connect("localhost", 8080))
function net.connect(host, port, opts)
  local is_unix = net.check_address(host, port, "connect")
  local o = read_options(opts)
  core.checkpoint()
  local function connect()
    if is_unix then return connect_unix(port, o) end
    return connect_tcp(host, port, o)
  end
  if o.timeout then return rille.timeout(o.timeout, connect) end
  return connect()
end
