--[[
echo.lua - a TCP echo server on copas.

    lua5.1 scripts/benchmarks/copas/echo.lua

Prints "port N" and serves until it is killed. Messages are of 64 bytes, so
that many are asked for: copas reads whole amounts.
]]
local copas = require "copas"
local socket = require "socket"

local server = assert(socket.bind("127.0.0.1", 0, 1024))
copas.addserver(server, function(client)
  client:setoption("tcp-nodelay", true)
  while true do
    local data = copas.receive(client, 64)
    if not data then return end
    copas.send(client, data)
  end
end, 0)
print("port " .. select(2, server:getsockname()))
io.stdout:flush()
copas.loop()
