--[[
http.lua - an HTTP server on rille.http that answers every request with a text.

    build/rille scripts/benchmarks/rille/http.lua

Prints "port N" and serves until it is killed.
]]
local rille = require "rille"

local server = assert(rille.http.serve("127.0.0.1", 0, function()
  return "hello\n"
end, {backlog = 1024}))

print("port " .. server:port())
io.stdout:flush()
