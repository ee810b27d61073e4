-- A small HTTP API: notes that can be written, read, listed and watched. It ends
-- in good order: who is being answered is answered to the end. The client here is
-- a part of the same program, and speaks HTTP by hand.
local rille = require "rille"
local http, net = rille.http, rille.net

----------------------------------------------------------------------------
-- The server

-- name -> text, and everybody who watches
local notes, news = {}, rille.broadcast { buffer = 16 }

local function not_found(req)
  return { status = 404, body = req.path .. ": no such note\n" }
end

-- The names come one by one; a long list would take no memory.
local function list()
  local names = {}
  for name in pairs(notes) do names[#names + 1] = name end
  table.sort(names)
  return { body = rille.stream(names):map(function(name) return name .. "\n" end) }
end

local function read(req, name)
  if not notes[name] then return not_found(req) end
  return notes[name]
end

-- The body is counted while it comes: `stream = true` below.
local function write(req, name)
  local text, err = req:read_all(1000)
  if not text then return nil, err end
  local created = not notes[name]
  notes[name] = text
  news:send(name)
  return { status = created and 201 or 204, headers = { Location = "/notes/" .. name } }
end

-- A response without an end of its own: it ends with the news.
local function watch()
  local changes = news:subscribe()
  return { body = rille.stream(changes):map(function(name) return name .. " was written\n" end) }
end

local function handle(req)
  local name = req.path:match "^/notes/(%w+)$"
  if req.path == "/notes" and req.method == "GET" then return list() end
  if req.path == "/watch" and req.method == "GET" then return watch() end
  if not name then return not_found(req) end
  if req.method == "GET" then return read(req, name) end
  if req.method == "PUT" then return write(req, name) end
  return { status = 405, headers = { Allow = "GET, PUT" }, body = "GET or PUT\n" }
end

----------------------------------------------------------------------------
-- The client

local function ask(conn, method, path, body)
  body = body or ""
  conn:write(("%s %s HTTP/1.1\r\nHost: notes\r\nContent-Length: %d\r\n\r\n%s")
    :format(method, path, #body, body))
  local head = conn:read_until("\r\n\r\n")
  return head:match " (%d+)", head
end

-- A body by its length, or in chunks.
local function read_body(conn, head)
  local length = head:match "Content%-Length: (%d+)"
  if length then return conn:read(tonumber(length)) end
  local pieces = {}
  if not head:find "chunked" then return "" end
  repeat
    local size = tonumber(conn:read_line(), 16)
    pieces[#pieces + 1] = conn:read(size)
    conn:read_line()
  until size == 0
  return table.concat(pieces)
end

local function show(conn, method, path, body)
  local status, head = ask(conn, method, path, body)
  print(method, path, status .. ":" .. read_body(conn, head):gsub("\n", ";"))
end

-- Watches until the server ends the news.
local function watcher(port, watching)
  local conn <close> = assert(net.connect("127.0.0.1", port))
  local _, head = ask(conn, "GET", "/watch")
  watching:set()
  print("watched", (read_body(conn, head):gsub("\n", ";")))
end

local function visitor(port)
  local conn <close> = assert(net.connect("127.0.0.1", port))
  show(conn, "PUT", "/notes/sea", "Mare Tranquillitatis")
  show(conn, "PUT", "/notes/crater", "Tycho")
  show(conn, "PUT", "/notes/crater", "Copernicus")
  show(conn, "GET", "/notes/crater")
  show(conn, "GET", "/notes")
  show(conn, "GET", "/notes/rille")
  show(conn, "DELETE", "/notes/sea")
  show(conn, "PUT", "/notes/long", ("x"):rep(1001))
end

rille.scope(function(s)
  local server = assert(http.serve("127.0.0.1", 0, handle, { stream = true }))
  local watching = rille.event()
  s:go(watcher, server:port(), watching)
  watching:wait()
  visitor(server:port())
  server:close() -- the watcher is still being answered
  news:close()
end)
print "the server has ended"

-- expect: PUT	/notes/sea	201:
-- expect: PUT	/notes/crater	201:
-- expect: PUT	/notes/crater	204:
-- expect: GET	/notes/crater	200:Copernicus
-- expect: GET	/notes	200:crater;sea;
-- expect: GET	/notes/rille	404:/notes/rille: no such note;
-- expect: DELETE	/notes/sea	405:GET or PUT;
-- expect: PUT	/notes/long	413:Content Too Large;
-- expect: watched	sea was written;crater was written;crater was written;
-- expect: the server has ended
