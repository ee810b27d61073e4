-- A crawler of real sockets: deadlines, cancellation and cleanup.
--
-- A small web site of good, slow, broken and missing pages is served on the
-- loopback, and a crawler looks there for three pieces of gold. It goes level
-- by level with at most three fetches at a time; each fetch has a deadline,
-- the crawl as a whole has one, and when enough was found the fetches that
-- still run are cancelled. In the end no socket is open: that is counted.
local rille = require "rille"
local uv = rille.uv()

local FETCH_DEADLINE, CRAWL_DEADLINE = 0.25, 10 -- seconds
local WANTED = 3

local SITE = {
  ["/"] = { links = { "/news", "/archive", "/broken", "/missing" } },
  ["/news"] = { links = { "/gold/1", "/slow", "/" } },
  ["/archive"] = { links = { "/gold/2", "/archive/2" }, delay = 0.01 },
  ["/archive/2"] = { links = { "/stuck/1", "/stuck/2", "/gold/3", "/late" } },
  ["/gold/1"] = { gold = true },
  ["/gold/2"] = { gold = true, delay = 0.02 },
  ["/gold/3"] = { gold = true, delay = 0.02 },
  ["/slow"] = { delay = 60 },
  ["/stuck/1"] = { delay = 60 },
  ["/stuck/2"] = { delay = 60 },
  ["/late"] = { gold = true },
  ["/broken"] = { hangs_up = true },
}

----------------------------------------------------------------------------
-- Sockets whose calls wait. Each belongs to a `<close>` variable.

local open_sockets = 0
local Socket = {}
Socket.__index = Socket

local function new_socket()
  open_sockets = open_sockets + 1
  return setmetatable({ handle = uv.new_tcp() }, Socket)
end

-- Runs also when its task is cancelled, and may wait even then.
function Socket:__close()
  rille.await(function(resolve) self.handle:close(resolve) end)
  open_sockets = open_sockets - 1
end

-- A luv callback gets (err, value): the waiting task gets value, or nil, err.
local function settle(resolve)
  return function(err, value)
    if err then resolve(nil, err) else resolve(value or true) end
  end
end

function Socket:connect(port)
  return rille.await(function(resolve)
    self.handle:connect("127.0.0.1", port, settle(resolve))
  end)
end

function Socket:write(text)
  return rille.await(function(resolve) self.handle:write(text, settle(resolve)) end)
end

-- The next bytes; or nil at the end; or nil and an error.
function Socket:read()
  return rille.await(function(resolve)
    self.handle:read_start(function(err, data)
      self.handle:read_stop()
      resolve(data, err)
    end)
    return function() self.handle:read_stop() end
  end)
end

function Socket:read_all()
  local pieces = {}
  while true do
    local data, err = self:read()
    if err then return nil, err end
    if not data then return table.concat(pieces) end
    pieces[#pieces + 1] = data
  end
end

----------------------------------------------------------------------------
-- The server: one task that accepts, one task per connection.

local function response_to(path)
  local page = SITE[path]
  if not page then return "HTTP/1.0 404 Not Found\r\n\r\n" end
  if page.delay then rille.sleep(page.delay) end
  if page.hangs_up then return "HTTP/1.0 200 OK\r\n\r\n<html><a hr" end
  local lines = { page.gold and "<p>gold</p>" or "<p>dust</p>" }
  for _, link in ipairs(page.links or {}) do
    lines[#lines + 1] = ('<a href="%s">'):format(link)
  end
  return "HTTP/1.0 200 OK\r\n\r\n<html>" .. table.concat(lines, "\n") .. "</html>"
end

-- The task that accepts a connection owns it: had the socket been opened by
-- another and handed over, a cancellation in between could lose it.
local function answer(server)
  local socket <close> = new_socket()
  server.handle:accept(socket.handle)
  local request = socket:read()
  local path = request and request:match("^GET (%S+)")
  if path then socket:write(response_to(path)) end
end

-- A luv callback cannot wait, but it can put word into a channel.
local function serve(port_known)
  local server <close> = new_socket()
  local arrivals <close> = rille.channel(math.huge)
  server.handle:bind("127.0.0.1", 0)
  server.handle:listen(128, function(err) arrivals:try_send(err or "arrived") end)
  port_known:send(server.handle:getsockname().port)
  rille.scope({ name = "connections" }, function(connections)
    for _ in arrivals do connections:go(answer, server) end
  end)
end

----------------------------------------------------------------------------
-- The crawler

local function fetch(port, path)
  local socket <close> = new_socket()
  local ok, err = socket:connect(port)
  if not ok then return nil, err end
  socket:write("GET " .. path .. " HTTP/1.0\r\n\r\n")
  local response
  response, err = socket:read_all()
  if not response then return nil, err end
  local status = response:match("^HTTP/1.0 (%d+)")
  if status ~= "200" then return nil, "status " .. (status or "unknown") end
  if not response:find("</html>", 1, true) then return nil, "cut short" end
  return response
end

local function visit(crawl, level, path)
  crawl.outcome[path] = "cancelled" -- unless the next line returns
  local page, err = rille.timeout(FETCH_DEADLINE, fetch, crawl.port, path)
  if not page then
    crawl.outcome[path] = rille.is_error(err, "timeout") and "timeout" or err
    return
  end
  crawl.outcome[path], crawl.links[path] = "ok", {}
  for link in page:gmatch('href="([^"]+)"') do table.insert(crawl.links[path], link) end
  if page:find("<p>gold</p>", 1, true) then
    crawl.gold, crawl.outcome[path] = crawl.gold + 1, "gold"
    if crawl.gold == WANTED then level:cancel("enough gold") end
  end
end

-- Fetches `paths`, at most three at a time, and returns the links found in
-- them that are new.
local function crawl_level(crawl, paths)
  for _, path in ipairs(paths) do crawl.outcome[path] = "never started" end
  rille.scope({ name = "level", concurrency = 3 }, function(level)
    for _, path in ipairs(paths) do
      level:go({ name = "fetch " .. path }, visit, crawl, level, path)
    end
  end)
  local fresh = {}
  for _, path in ipairs(paths) do
    print(("  %-12s%s"):format(path, crawl.outcome[path]))
    for _, link in ipairs(crawl.links[path] or {}) do
      if not crawl.outcome[link] then
        crawl.outcome[link] = "found"
        fresh[#fresh + 1] = link
      end
    end
  end
  return fresh
end

local function crawl_site(port)
  local crawl = { port = port, gold = 0, outcome = {}, links = {} }
  local paths, level = { "/" }, 0
  while #paths > 0 and crawl.gold < WANTED do
    level = level + 1
    print("level " .. level)
    paths = crawl_level(crawl, paths)
  end
  return crawl.gold
end

rille.scope({ name = "crawl" }, function(scope)
  local port_known = scope:channel()
  scope:go({ name = "server", daemon = true }, serve, port_known)
  local gold, err = rille.timeout(CRAWL_DEADLINE, crawl_site, port_known:recv())
  print("gold found: " .. (gold or tostring(err)))
  print("sockets open while the server runs: " .. (open_sockets > 0 and "some" or "none"))
end)
print("sockets open: " .. open_sockets)

-- expect: level 1
-- expect:   /           ok
-- expect: level 2
-- expect:   /news       ok
-- expect:   /archive    ok
-- expect:   /broken     cut short
-- expect:   /missing    status 404
-- expect: level 3
-- expect:   /gold/1     gold
-- expect:   /slow       timeout
-- expect:   /gold/2     gold
-- expect:   /archive/2  ok
-- expect: level 4
-- expect:   /stuck/1    cancelled
-- expect:   /stuck/2    cancelled
-- expect:   /gold/3     gold
-- expect:   /late       never started
-- expect: gold found: 3
-- expect: sockets open while the server runs: some
-- expect: sockets open: 0
