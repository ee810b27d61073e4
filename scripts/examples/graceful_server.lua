-- A TCP echo server that ends in good order when it gets a SIGTERM: it stops
-- accepting, serves those that are connected to the end, and exits. Here it
-- sends the signal to itself, in the middle of a conversation.
local rille = require "rille"
local uv = rille.uv()

----------------------------------------------------------------------------
-- Sockets whose calls wait. Each belongs to a `<close>` variable.

local Socket = {}
Socket.__index = Socket

local function new_socket()
  return setmetatable({ handle = uv.new_tcp() }, Socket)
end

function Socket:close()
  if self.handle:is_closing() then return end
  rille.await(function(resolve) self.handle:close(resolve) end)
end

Socket.__close = Socket.close

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

-- The next bytes; nil at the end; or nil and an error: a source for a stream.
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

-- Echoes what comes until the client is done.
local function echo(listener)
  local socket <close> = new_socket()
  listener.handle:accept(socket.handle)
  rille.stream(socket):each(function(text) return socket:write(text) end)
end

-- Accepts until the program is shut down; then leaving the scope waits for the
-- connections that are left.
local function serve(ready, stopped)
  rille.scope({ name = "server" }, function(s)
    local listener <close> = new_socket()
    local arrivals = s:channel(math.huge)
    listener.handle:bind("127.0.0.1", 0)
    listener.handle:listen(128, function(err) arrivals:try_send(err or "a client") end)
    s:on_shutdown(function(reason)
      print("server: stops accepting, because of " .. reason)
      listener:close()
      arrivals:close()
      stopped:close()
    end)
    ready:send(listener.handle:getsockname().port)
    for _ in arrivals do s:go({ name = "echo" }, echo, listener) end
    print(("server: %d connection left"):format(s:active()))
  end)
  print("server: drained")
end

----------------------------------------------------------------------------
-- The clients

local function say(socket, text)
  assert(socket:write(text))
  print("client: said " .. text .. ", heard " .. socket:read())
end

local function converse(port, stopped)
  local socket <close> = new_socket()
  local late <close> = new_socket()
  assert(socket:connect(port))
  say(socket, "hello")
  uv.kill(uv.os_getpid(), "sigterm")
  stopped:recv()
  print("client: another one gets " .. select(2, late:connect(port)))
  say(socket, "still there")
end

local shutdown <close> = rille.shutdown { timeout = 10, signals = { "sigterm" } }
rille.scope(function(s)
  local ready, stopped = s:channel(), s:channel()
  s:go({ name = "server" }, serve, ready, stopped)
  s:go({ name = "client" }, converse, ready:recv(), stopped)
end)
print("the end: " .. shutdown:stats().reason)

-- expect: client: said hello, heard hello
-- expect: server: stops accepting, because of sigterm
-- expect: server: 1 connection left
-- expect: client: another one gets ECONNREFUSED
-- expect: client: said still there, heard still there
-- expect: server: drained
-- expect: the end: sigterm
