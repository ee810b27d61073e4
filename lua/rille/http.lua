--[[
http.lua - HTTP: a client on libcurl, a server on http-parser.

    http.request, get, post ..., client    http_client.lua
    http.serve                             http_server.lua
    what both make of header lines         http_headers.lua

Each half is loaded when one of its names is first looked up: so a script that
only serves needs no libcurl, and one that only asks needs no http-parser.
]]
local rille, core = ...

core.load "rille.http_headers"

local M = {}

-- For the other files of this part.
core.http = M

local halves = {
  http_client = "client request get head post put patch delete",
  http_server = "serve",
}

-- name -> the part that defines it
local names = {}

for half, words in pairs(halves) do
  for word in words:gmatch "%S+" do names[word] = "rille." .. half end
end

setmetatable(M, {__index = function(_, name)
  if not names[name] then return nil end
  core.load(names[name])
  return rawget(M, name)
end})

rille.http = M
return M
