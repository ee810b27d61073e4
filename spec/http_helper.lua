-- What the specs of rille.http.serve share: a server and clients that say and
-- see bytes.
local rille = require "rille"
local net_helper = require "spec.net_helper"

local helper = require "spec.helper"

local http, net = rille.http, rille.net

local M = {run = net_helper.run, wait_until = net_helper.wait_until}

--- A handler for what does not matter.
function M.hello() return "hello" end

function M.serve(handler, opts)
  return assert(http.serve("127.0.0.1", 0, handler or M.hello, opts))
end

function M.connect(server)
  return assert(net.connect("127.0.0.1", server:port()))
end

-- The function in the upvalues of `fn`, or in theirs, that has the upvalue `wanted`,
-- and its number.
local function find_upvalue(fn, wanted, seen)
  seen[fn] = true
  for i = 1, 60 do
    local name, value = debug.getupvalue(fn, i)
    if name == wanted then return fn, i end
    local inner, at
    if type(value) == "function" and debug.getinfo(value, "S").source:find "http_connection"
      and not seen[value] then
      inner, at = find_upvalue(value, wanted, seen)
    end
    if inner then return inner, at end
  end
end

--- Sets for how many seconds a server listens to a client that it has refused.
function M.linger(seconds)
  local serve = helper.core().load "rille.http_connection".serve
  local fn, i = find_upvalue(serve, "LINGER", {})
  debug.setupvalue(fn, i, seconds)
end

M.linger(100) -- or a machine that stalls for one would reset connections

--- The bytes of a head of these lines.
function M.head(...)
  return table.concat({...}, "\r\n") .. "\r\n\r\n"
end

--- A GET that ends its connection.
M.last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

M.get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

--- Responses without what changes from one second to the next.
function M.undated(text)
  return (text:gsub("Date: %a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT\r\n", ""))
end

--- Sends the bytes, at once or piece by piece, and no more; returns all that comes
-- back until the server ends the connection, undated.
function M.talk(server, bytes)
  local conn <close> = M.connect(server)
  for _, piece in ipairs(type(bytes) == "table" and bytes or {bytes}) do
    if not conn:write(piece) then break end
    rille.yield()
  end
  conn:shutdown()
  return M.undated((conn:read_all()))
end

--- The same with a server of its own, in a run of its own.
function M.exchange(bytes, handler, opts)
  return M.run(function()
    local server <close> = M.serve(handler, opts)
    return M.talk(server, bytes)
  end)
end

--- The plain response with this text.
function M.plain(text, extra)
  return ("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n%sContent-Length: %d\r\n"
    .. "\r\n%s"):format(extra or "", #text, text)
end

--- The first line of a response.
function M.status(response)
  return response:match "^HTTP/1%.1 (%d+)" or "nothing: " .. response
end

--- Runs fn with io.stderr replaced; returns what was written there.
function M.captured(fn)
  local text, stderr = {}, io.stderr
  rawset(io, "stderr", {write = function(_, ...) text[#text + 1] = table.concat{...} end})
  local ok, err = pcall(fn)
  rawset(io, "stderr", stderr)
  if not ok then error(err, 0) end
  return table.concat(text)
end

return M
