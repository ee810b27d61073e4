-- A TCP echo server and 500 clients, in one process: every connection is a
-- task at either end, and none of them knows of the others.
local rille = require "rille"
local net = require "rille.net"

local CLIENTS, MESSAGES = 500, 4

-- Serves one connection until the client ends it.
local function echo(conn)
  for piece in conn do conn:write(piece) end
end

-- Sends lines and counts those that come back as they were.
local function talk(port, name)
  local conn <close> = assert(net.connect("127.0.0.1", port, {timeout = 30}))
  local same = 0
  for i = 1, MESSAGES do
    local line = ("%s, message %d"):format(name, i)
    assert(conn:write{line, "\n"})
    if conn:read_line() == line then same = same + 1 end
  end
  conn:shutdown()
  assert(conn:read_all() == "")
  return same
end

local echoed, stats = 0, nil
local before = #rille.testing.leaks()

rille.scope(function()
  local listener <close> = assert(net.listen("127.0.0.1", 0, echo))
  rille.scope(function(s)
    for i = 1, CLIENTS do
      s:go(function()
        local same = talk(listener:port(), "client " .. i)
        echoed = echoed + same
      end)
    end
  end)
  stats = listener:stats()
end)

print(("%d connections, %d failed"):format(stats.accepted, stats.errors + stats.broken))
print(("%d of %d lines came back"):format(echoed, CLIENTS * MESSAGES))
print(("left open: %d"):format(#rille.testing.leaks() - before))

-- expect: 500 connections, 0 failed
-- expect: 2000 of 2000 lines came back
-- expect: left open: 0
