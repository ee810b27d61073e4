--[[
echo.lua - a TCP echo server on rille.net: a task for each connection.

    build/rille scripts/benchmarks/rille/echo.lua

Prints "port N" and serves until it is killed.
]]
local net = require "rille.net"

local listener = assert(net.listen("127.0.0.1", 0, function(conn)
  for piece in conn do conn:write(piece) end
end, {backlog = 1024}))

print("port " .. listener:port())
io.stdout:flush()
