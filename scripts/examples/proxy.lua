-- A TCP proxy: each connection is passed on to a server behind it, both ways at
-- once. The end of one direction is passed on too; a failure ends both.
local rille = require "rille"
local net = require "rille.net"

-- Passes on what comes, and then its end.
local function pump(from, to)
  for piece in from do
    local ok, err = to:write(piece)
    if not ok then return nil, err end
  end
  return to:shutdown()
end

-- A handler that passes connections on to host and port.
local function proxy(host, port)
  return function(client)
    local server <close> = assert(net.connect(host, port, {timeout = 30}))
    rille.scope(function(s)
      s:go(pump, client, server)
      s:go(pump, server, client)
    end)
  end
end

-- The server behind: answers a whole request, once it has ended.
local function shout(conn)
  conn:write(conn:read_all():upper())
end

-- Sends a request through `port` and returns the answer.
local function ask(port, text)
  local conn <close> = assert(net.connect("127.0.0.1", port))
  conn:write(text)
  conn:shutdown()
  return conn:read_all()
end

rille.scope(function(s)
  local behind <close> = assert(net.listen("127.0.0.1", 0, shout))
  local front <close> = assert(net.listen("127.0.0.1", 0, proxy("127.0.0.1", behind:port()), {
    on_error = function(err) print("proxy:", err.code) end,
  }))
  print(ask(front:port(), "a small request"))

  -- Much more than the buffers on the way hold: both ends wait for each other.
  local text = ("0123456789abcdef"):rep(128 * 1024)
  local asked = s:task(function() return ask(front:port(), text) end)
  print(#asked:await() == #text, asked:await() == text:upper())

  behind:close()
  rille.yield()
  print(ask(front:port(), "is anybody there?") or "")
end)

-- expect: A SMALL REQUEST
-- expect: true	true
-- expect: proxy:	ECONNREFUSED
-- expect:
