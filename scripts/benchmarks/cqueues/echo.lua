--[[
echo.lua - a TCP echo server on cqueues.

    lua5.4 scripts/benchmarks/cqueues/echo.lua

Prints "port N" and serves until it is killed. Unbuffered, so that what has
been read is written at once.
]]
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local loop = cqueues.new()

local function serve(client)
  client:setmode("bn", "bn")
  while true do
    local data = client:read(-4096) -- what is there, up to 4096 bytes
    if not data then break end
    client:write(data)
  end
  client:close()
end

loop:wrap(function()
  local server = socket.listen{host = "127.0.0.1", port = 0, nodelay = true}
  server:listen()
  local _, _, port = server:localname()
  print("port " .. port)
  io.stdout:flush()
  for client in server:clients() do loop:wrap(serve, client) end
end)
assert(loop:loop())
