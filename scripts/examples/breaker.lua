-- A circuit breaker in front of a server that fails, and recovers.
--
-- A TCP server on the loopback answers a line with a line, until it is told to
-- fail: then it hangs up on everybody. Its client asks through a breaker, and
-- falls back on the last answer it has: while the circuit is open it asks the
-- server nothing. When the server is well again a single probe finds out, and
-- the circuit closes.
local rille = require "rille"
local uv = require "luv"

----------------------------------------------------------------------------
-- Sockets whose calls wait. Each belongs to a `<close>` variable.

local Socket = {}
Socket.__index = Socket

local function new_socket() return setmetatable({ handle = uv.new_tcp() }, Socket) end

function Socket:__close()
  rille.await(function(resolve) self.handle:close(resolve) end)
end

-- A luv callback gets (err, value): the waiting task gets value, or nil, err.
local function settle(resolve)
  return function(err, value)
    if err then resolve(nil, err) else resolve(value or true) end
  end
end

function Socket:connect(port)
  return rille.await(function(resolve)
    self.handle:connect("127.0.0.1", port, settle(resolve))
  end)
end

function Socket:write(text)
  return rille.await(function(resolve) self.handle:write(text, settle(resolve)) end)
end

-- The next bytes; or nil at the end; or nil and an error.
function Socket:read()
  return rille.await(function(resolve)
    self.handle:read_start(function(err, data)
      self.handle:read_stop()
      resolve(data, err)
    end)
    return function() self.handle:read_stop() end
  end)
end

----------------------------------------------------------------------------
-- The server

local healthy, connections = true, 0

local function answer(server)
  local socket <close> = new_socket()
  server.handle:accept(socket.handle)
  connections = connections + 1
  local line = socket:read()
  if line and healthy then socket:write("the price of " .. line:match "%w+" .. " is 7\n") end
end

-- A luv callback cannot wait, but it can put word into a channel.
local function serve(port_known)
  local server <close> = new_socket()
  local arrivals <close> = rille.channel(math.huge)
  server.handle:bind("127.0.0.1", 0)
  server.handle:listen(128, function(err) arrivals:try_send(err or "arrived") end)
  port_known:send(server.handle:getsockname().port)
  rille.scope(function(scope)
    for _ in arrivals do scope:go(answer, server) end
  end)
end

----------------------------------------------------------------------------
-- The client

local RESET_TIMEOUT = 0.2 -- seconds

local breaker = rille.breaker {
  name = "prices",
  failure_threshold = 3,
  reset_timeout = RESET_TIMEOUT,
  on_state_change = function(from, to) print("  circuit: " .. from .. " -> " .. to) end,
}

-- One question on a connection of its own; fails when there is no answer.
local function ask(port, what)
  local socket <close> = new_socket()
  local ok, err = socket:connect(port)
  if not ok then return nil, err end
  socket:write(what .. "\n")
  local line
  line, err = socket:read()
  if not line then return nil, err or "hung up" end
  return line:match "[^\n]+"
end

local last_answer = {}

local function old_price(what, err)
  local reason = rille.is_error(err) and err.kind or err
  return ("%s (not new: %s)"):format(last_answer[what] or "the price is unknown", reason)
end

local function price(port, what)
  local value, err = breaker:call(ask, port, what)
  last_answer[what] = value or last_answer[what]
  return value or old_price(what, err)
end

local function session(port, title, questions)
  local before = connections
  print(title)
  for _ = 1, questions do print("  " .. price(port, "tea")) end
  print(("  %d questions, %d connections"):format(questions, connections - before))
end

rille.scope(function(scope)
  local port_known = rille.channel(1)
  scope:go({ daemon = true }, serve, port_known)
  local port = port_known:recv()

  session(port, "the server is well", 2)
  healthy = false
  session(port, "the server hangs up", 5)
  rille.sleep(RESET_TIMEOUT)
  session(port, "a probe finds it still down", 2)
  healthy = true
  session(port, "it is well, but nobody asks yet", 1)
  rille.sleep(RESET_TIMEOUT)
  session(port, "a probe finds it well", 3)
  print("refused in all: " .. breaker:stats().refused)
end)

-- expect: the server is well
-- expect:   the price of tea is 7
-- expect:   the price of tea is 7
-- expect:   2 questions, 2 connections
-- expect: the server hangs up
-- expect:   the price of tea is 7 (not new: hung up)
-- expect:   the price of tea is 7 (not new: hung up)
-- expect:   circuit: closed -> open
-- expect:   the price of tea is 7 (not new: hung up)
-- expect:   the price of tea is 7 (not new: circuit_open)
-- expect:   the price of tea is 7 (not new: circuit_open)
-- expect:   5 questions, 3 connections
-- expect: a probe finds it still down
-- expect:   circuit: open -> half_open
-- expect:   circuit: half_open -> open
-- expect:   the price of tea is 7 (not new: hung up)
-- expect:   the price of tea is 7 (not new: circuit_open)
-- expect:   2 questions, 1 connections
-- expect: it is well, but nobody asks yet
-- expect:   the price of tea is 7 (not new: circuit_open)
-- expect:   1 questions, 0 connections
-- expect: a probe finds it well
-- expect:   circuit: open -> half_open
-- expect:   circuit: half_open -> closed
-- expect:   the price of tea is 7
-- expect:   the price of tea is 7
-- expect:   the price of tea is 7
-- expect:   3 questions, 3 connections
-- expect: refused in all: 4
