-- A circuit breaker in front of a server that fails, and recovers.
--
-- A TCP server on the loopback answers a line with a line, until it is told to
-- fail: then it hangs up on everybody. Its client asks through a breaker, and
-- falls back on the last answer it has: while the circuit is open it asks the
-- server nothing. When the server is well again a single probe finds out, and
-- the circuit closes.
local rille = require "rille"
local net = require "rille.net"

----------------------------------------------------------------------------
-- The server

local healthy, connections = true, 0

local function answer(conn)
  connections = connections + 1
  local line = conn:read_line()
  if line and healthy then conn:write("the price of " .. line .. " is 7\n") end
end

----------------------------------------------------------------------------
-- The client

local RESET_TIMEOUT = 30 -- seconds

local breaker = rille.breaker {
  name = "prices",
  failure_threshold = 3,
  reset_timeout = RESET_TIMEOUT,
  on_state_change = function(from, to) print("  circuit: " .. from .. " -> " .. to) end,
}

-- One question on a connection of its own; fails when there is no answer.
local function ask(port, what)
  local conn <close>, err = net.connect("127.0.0.1", port)
  if not conn then return nil, err end
  conn:write(what .. "\n")
  local line = conn:read_line()
  if not line then return nil, "hung up" end
  return line
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

local function session(title, questions)
  local listener <close> = net.listen("127.0.0.1", 0, answer)
  local port, before = listener:port(), connections
  print(title)
  for _ = 1, questions do print("  " .. price(port, "tea")) end
  print(("  %d questions, %d connections"):format(questions, connections - before))
end

-- On the virtual clock, which stands still while a server is there, and which
-- makes the sleeps take no time.
session("the server is well", 2)
healthy = false
session("the server hangs up", 5)
rille.sleep(RESET_TIMEOUT)
session("a probe finds it still down", 2)
healthy = true
session("it is well, but nobody asks yet", 1)
rille.sleep(RESET_TIMEOUT)
session("a probe finds it well", 3)
print("refused in all: " .. breaker:stats().refused)

-- options: --virtual
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
