--[[
echo.lua - a TCP echo server in luv's callbacks: the floor of the echo rows.

    lua5.4 scripts/benchmarks/luv/echo.lua

Prints "port N" and serves until it is killed. What has been read is written
back from the callback of the read; nobody waits for a write to end.
]]
local uv = require "luv"

local server = uv.new_tcp()
server:bind("127.0.0.1", 0)
server:listen(1024, function()
  local socket = uv.new_tcp()
  server:accept(socket)
  socket:read_start(function(_, chunk)
    if chunk then
      socket:write(chunk)
    else
      socket:close()
    end
  end)
end)
print("port " .. server:getsockname().port)
io.stdout:flush()
uv.run()
