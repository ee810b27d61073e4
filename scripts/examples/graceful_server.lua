-- A TCP echo server that ends in good order when it gets a SIGTERM: it stops
-- accepting, serves those that are connected to the end, and exits. Here it
-- sends the signal to itself, in the middle of a conversation.
local rille = require "rille"
local net = require "rille.net"
local uv = rille.uv()

----------------------------------------------------------------------------
-- The server

-- Echoes what comes until the client is done.
local function echo(conn)
  rille.stream(conn):each(function(text) return conn:write(text) end)
end

-- Accepts until the program is shut down; then leaving the scope waits for the
-- connections that are left.
local function serve(ready, stopped)
  rille.scope({ name = "server" }, function(s)
    local listener = net.listen("127.0.0.1", 0, echo)
    s:on_shutdown(function(reason)
      print("server: stops accepting, because of " .. reason)
      listener:close()
      print(("server: %d connection left"):format(listener:stats().active))
      stopped:close()
    end)
    ready:send(listener:port())
  end)
  print("server: drained")
end

----------------------------------------------------------------------------
-- The clients

local function say(conn, text)
  assert(conn:write(text))
  print("client: said " .. text .. ", heard " .. conn:read())
end

local function converse(port, stopped)
  local conn <close> = assert(net.connect("127.0.0.1", port))
  say(conn, "hello")
  uv.kill(uv.os_getpid(), "sigterm")
  stopped:recv()
  print("client: another one gets " .. select(2, net.connect("127.0.0.1", port)).code)
  say(conn, "still there")
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
