-- Hedged requests to replicas of unequal speed, over real sockets.
--
-- Three replicas of a service are served on the loopback: one reads the
-- question and falls asleep, one hangs up, one answers. A question goes to one
-- of them; if the answer keeps us waiting it goes to the next one as well, and
-- the first answer counts. The attempt that lost is cancelled: its socket is
-- closed before the call returns, and the sleeper sees its client hang up.
local rille = require "rille"
local net = require "rille.net"

local SOON, LATE = 0.02, 30 -- seconds until the next replica is asked
local PATIENCE = 0.1 -- seconds for a question that nobody answers

local hangups = rille.channel(math.huge)

local behaviours = {
  asleep = function(conn)
    conn:read()
    hangups:send("asleep") -- its read has ended: the client is gone
  end,
  broken = function() end, -- leaves, and so hangs up
  quick = function(conn, question) conn:write("the answer to " .. question) end,
}

-- Serves until the scope is left. Returns the port.
local function serve(name)
  local listener = net.listen("127.0.0.1", 0, function(conn)
    behaviours[name](conn, conn:read())
  end, { daemon = true })
  return listener:port()
end

local function ask(port, question)
  local conn <close>, err = net.connect("127.0.0.1", port)
  if not conn then return nil, err end
  conn:write(question)
  local answer = conn:read()
  if not answer then return nil, "hung up" end
  return answer
end

-- Asks the replicas in turn, hedged. Returns also how many were asked.
local function ask_any(delay, ports, question)
  local asked = 0
  local function attempt()
    asked = asked + 1
    return ask(ports[asked], question)
  end
  local answer, err = rille.hedge({ delay = delay, max = #ports }, attempt)
  return answer or "no answer: " .. tostring(err), asked
end

rille.scope(function()
  local asleep, broken = serve "asleep", serve "broken"
  local quick = serve "quick"

  print("one sleeps", ask_any(SOON, { asleep, quick }, "life"))
  print("its client", hangups:recv() and "hung up")
  print("one hangs up", ask_any(LATE, { broken, quick }, "all")) -- the next at once
  print("one answers", ask_any(LATE, { quick, asleep }, "everything"))
  print("all hang up", ask_any(LATE, { broken, broken }, "?"))

  local answer, err = rille.timeout(PATIENCE, ask_any, SOON, { asleep, asleep }, "?")
  print("all sleep", answer, err.kind)
end)
print("left", #rille.testing.leaks())

-- expect: one sleeps	the answer to life	2
-- expect: its client	hung up
-- expect: one hangs up	the answer to all	2
-- expect: one answers	the answer to everything	1
-- expect: all hang up	no answer: hung up	2
-- expect: all sleep	nil	timeout
-- expect: left	0
