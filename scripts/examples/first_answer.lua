-- The first answer wins: several servers are asked at once; the others are
-- cancelled when one has answered, and their connections closed.
--
-- `race` takes the first that ends, be it with an error; `any` the first that
-- succeeds. The servers are real ones on the loopback, made with luv: a quick
-- one, slow ones, one that hangs up.
local rille = require "rille"
local uv = rille.uv()

local open = 0 -- sockets

local Socket = {}
Socket.__index = Socket

local function new_socket()
  open = open + 1
  return setmetatable({ handle = uv.new_tcp() }, Socket)
end

-- Runs also when the task is cancelled, and may wait even then.
function Socket:__close()
  rille.await(function(resolve) self.handle:close(resolve) end)
  open = open - 1
end

local function settle(resolve)
  return function(err) resolve(not err or nil, err) end
end

function Socket:connect(port)
  return rille.await(function(resolve)
    self.handle:connect("127.0.0.1", port, settle(resolve))
  end)
end

function Socket:write(text)
  return rille.await(function(resolve) self.handle:write(text, settle(resolve)) end)
end

-- What comes next; nil at the end; nil and an error.
function Socket:read()
  return rille.await(function(resolve)
    self.handle:read_start(function(err, data)
      self.handle:read_stop()
      resolve(data, err)
    end)
    return function() self.handle:read_stop() end
  end)
end

-- A server that answers each connection with `text` after a while; without a
-- text it hangs up. Returns its port.
local function serve(scope, text, seconds)
  local server, arrivals = new_socket(), scope:channel(math.huge)
  server.handle:bind("127.0.0.1", 0)
  server.handle:listen(16, function(err) arrivals:try_send(err or "arrived") end)
  scope:go({ name = "server", daemon = true }, function()
    local _ <close> = server
    for _ in arrivals do
      local client <close> = new_socket()
      server.handle:accept(client.handle)
      rille.sleep(seconds)
      if text then client:write(text) end
    end
  end)
  return server.handle:getsockname().port
end

local function ask(port)
  return function()
    local socket <close> = new_socket()
    assert(socket:connect(port))
    local answer, err = socket:read()
    if not answer then return nil, err or "hung up" end
    return answer
  end
end

rille.scope({ name = "servers" }, function(scope)
  local near = ask(serve(scope, "near", 0.05))
  local far = ask(serve(scope, "far", 60))
  local lost = ask(serve(scope, "lost", 60))
  local broken = ask(serve(scope, nil, 0))

  print("race", scope:race { far, near, lost })
  print("race", scope:race { far, near, broken })
  print("any", scope:any { far, near, broken })

  local answer, err = scope:any { broken, ask(1) }
  print("any", answer, err.kind, err.errors[1], err.errors[2]:match "ECONNREFUSED")

  print("too slow", rille.timeout(0.05, function() return scope:race { far, lost } end) == nil)
  print("sockets open while the servers run: " .. (open > 0 and "some" or "none"))
end)
print("sockets open: " .. open)

-- expect: race	near
-- expect: race	nil	hung up
-- expect: any	near
-- expect: any	nil	all_failed	hung up	ECONNREFUSED
-- expect: too slow	true
-- expect: sockets open while the servers run: some
-- expect: sockets open: 0
