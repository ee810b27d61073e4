--[[
echo.lua - a TCP echo server on Tarantool: a fiber for each connection.

    tarantool scripts/benchmarks/tarantool/echo.lua

Prints "port N" and serves until it is killed.
]]
local socket = require "socket"

local server = socket.tcp_server("127.0.0.1", 0, {
  backlog = 1024,
  handler = function(client)
    while true do
      if not client:readable() then return end
      local data = client:sysread(4096)
      if not data or data == "" then return end
      client:write(data)
    end
  end,
})
print("port " .. server:name().port)
io.stdout:flush()
