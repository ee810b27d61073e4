-- Hedged requests to replicas of unequal speed, over real sockets.
--
-- Three replicas of a service are served on the loopback: one reads the
-- question and falls asleep, one hangs up, one answers. A question goes to one
-- of them; if the answer keeps us waiting it goes to the next one as well, and
-- the first answer counts. The attempt that lost is cancelled: its socket is
-- closed before the call returns, and the sleeper sees its client hang up.
local rille = require "rille"
local uv = rille.uv()

local SOON, LATE = 0.02, 30 -- seconds until the next replica is asked
local PATIENCE = 0.1 -- seconds for a question that nobody answers

local open_sockets = 0

-- A socket for a `<close>` variable; its calls wait.
local Socket = {}
Socket.__index = Socket

function Socket.new()
  open_sockets = open_sockets + 1
  return setmetatable({ tcp = uv.new_tcp() }, Socket)
end

function Socket:__close()
  rille.await(function(resolve) self.tcp:close(resolve) end)
  open_sockets = open_sockets - 1
end

-- Begins a request of luv's; true, or nil and an error.
function Socket:request(name, ...)
  local arguments = table.pack(...)
  return rille.await(function(resolve)
    arguments[arguments.n + 1] = function(err) resolve(not err or nil, err) end
    self.tcp[name](self.tcp, table.unpack(arguments, 1, arguments.n + 1))
  end)
end

-- The next bytes; nil and an error, also at the end.
function Socket:read()
  return rille.await(function(resolve)
    self.tcp:read_start(function(err, data)
      self.tcp:read_stop()
      resolve(data, err or (not data and "hung up" or nil))
    end)
    return function() self.tcp:read_stop() end
  end)
end

local hangups = rille.channel(math.huge)

local behaviours = {
  asleep = function(socket)
    socket:read()
    hangups:send("asleep") -- its read has ended: the client is gone
  end,
  broken = function() end, -- leaves, and so hangs up
  quick = function(socket, question)
    socket:request("write", "the answer to " .. question)
  end,
}

-- Accepts for ever, a task for each connection. Returns the port.
local function serve(scope, name)
  local server, arrivals = Socket.new(), rille.channel(math.huge)
  server.tcp:bind("127.0.0.1", 0)
  server.tcp:listen(16, function() arrivals:try_send(true) end)
  scope:go({ name = name, daemon = true }, function()
    local _ <close> = server
    rille.scope(function(connections)
      for _ in arrivals do
        connections:go(function()
          local socket <close> = Socket.new()
          server.tcp:accept(socket.tcp)
          behaviours[name](socket, socket:read())
        end)
      end
    end)
  end)
  return server.tcp:getsockname().port
end

local function ask(port, question)
  local socket <close> = Socket.new()
  local ok, err = socket:request("connect", "127.0.0.1", port)
  if not ok then return nil, err end
  socket:request("write", question)
  return socket:read()
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

rille.scope(function(scope)
  local asleep, broken = serve(scope, "asleep"), serve(scope, "broken")
  local quick = serve(scope, "quick")

  print("one sleeps", ask_any(SOON, { asleep, quick }, "life"))
  print("its client", hangups:recv() and "hung up")
  print("one hangs up", ask_any(LATE, { broken, quick }, "all")) -- the next at once
  print("one answers", ask_any(LATE, { quick, asleep }, "everything"))
  print("all hang up", ask_any(LATE, { broken, broken }, "?"))

  local answer, err = rille.timeout(PATIENCE, ask_any, SOON, { asleep, asleep }, "?")
  print("all sleep", answer, err.kind)
end)
print("sockets open", open_sockets)

-- expect: one sleeps	the answer to life	2
-- expect: its client	hung up
-- expect: one hangs up	the answer to all	2
-- expect: one answers	the answer to everything	1
-- expect: all hang up	no answer: hung up	2
-- expect: all sleep	nil	timeout
-- expect: sockets open	0
