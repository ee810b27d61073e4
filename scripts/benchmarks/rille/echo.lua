--[[
echo.lua - a TCP echo server: luv's handles on the engine's loop, a task for
each connection.

    build/rille scripts/benchmarks/rille/echo.lua

Prints "port N" and serves until it is killed. Reading goes through
rille.await; what arrives between two reads waits in a list. Writing is tried
at once and awaited only when the socket is full.
]]
local rille = require "rille"
local uv = rille.uv()

local connection = {}
connection.__index = connection

local function open(socket)
  local c = setmetatable({socket = socket, chunks = {}}, connection)
  socket:read_start(function(_, chunk)
    local waiting = c.waiting
    c.waiting = nil
    if waiting then
      waiting(chunk)
    else
      c.chunks[#c.chunks + 1] = chunk or false
    end
  end)
  return c
end

-- The next chunk; nil at the end. Suspends.
function connection:read()
  if #self.chunks > 0 then return table.remove(self.chunks, 1) or nil end
  return rille.await(function(resolve) self.waiting = resolve end)
end

-- Suspends while the socket's buffer is full.
function connection:write(data)
  local sent = self.socket:try_write(data) or 0
  if sent == #data then return end
  rille.await(function(resolve) self.socket:write(data:sub(sent + 1), resolve) end)
end

local function serve(socket)
  local c = open(socket)
  for chunk in c.read, c do c:write(chunk) end
  socket:close()
end

rille.scope(function(s)
  local server = uv.new_tcp()
  server:bind("127.0.0.1", 0)
  server:listen(1024, function()
    local socket = uv.new_tcp()
    server:accept(socket)
    s:go(serve, socket)
  end)
  print("port " .. server:getsockname().port)
  io.stdout:flush()
  rille.await(function() end)
end)
