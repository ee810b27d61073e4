-- A chat server: what one says, all hear. A connection is two tasks, one that
-- listens to the room and one that listens to its user; when one of them ends,
-- so does the other. 500 users come, say one line each and leave.
local rille = require "rille"
local net = require "rille.net"

local USERS = 500

-- Serves one user: the first line is the name.
local function serve(room)
  return function(conn)
    local name = conn:read_line(40)
    if not name then return end
    rille.scope(function(s)
      local heard <close> = room:subscribe(nil, {buffer = 64})
      conn:write(("welcome, %s\n"):format(name))
      s:go({daemon = true}, function()
        for line in heard do
          if not conn:write(line) then return end
        end
      end)
      for line in conn:lines(200) do room:send(("%s: %s\n"):format(name, line)) end
    end)
  end
end

-- One user: comes, waits until all are there, speaks, and hears everybody.
local function visit(port, name, all_there)
  local conn <close> = assert(net.connect("127.0.0.1", port))
  conn:write(name .. "\n")
  assert(conn:read_line() == "welcome, " .. name)
  all_there()
  conn:write("hello\n")
  local heard = {}
  for _ = 1, USERS do heard[assert(conn:read_line())] = true end
  return heard
end

-- A function that returns, to everybody, once it was called `n` times.
local function barrier(n)
  local arrived, open = 0, rille.channel()
  return function()
    arrived = arrived + 1
    if arrived == n then open:close() end
    open:recv()
  end
end

local heard_all, listener = 0, nil
local before = #rille.testing.leaks()

rille.scope(function()
  local room <close> = rille.broadcast()
  local open <close> = assert(net.listen("127.0.0.1", 0, serve(room)))
  listener = open
  local all_there = barrier(USERS)
  rille.scope(function(s)
    for i = 1, USERS do
      s:go(function()
        local heard, count = visit(open:port(), "user" .. i, all_there), 0
        for _ in pairs(heard) do count = count + 1 end
        if count == USERS and heard["user1: hello"] then heard_all = heard_all + 1 end
      end)
    end
  end)
end)

print(("%d users came, %d handlers failed"):format(listener:stats().accepted,
  listener:stats().errors))
print(("%d heard all %d lines"):format(heard_all, USERS))
print(("still there: %d"):format(listener:stats().active))
print(("left open: %d"):format(#rille.testing.leaks() - before))

-- expect: 500 users came, 0 handlers failed
-- expect: 500 heard all 500 lines
-- expect: still there: 0
-- expect: left open: 0
