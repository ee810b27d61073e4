-- A crawler of real sockets: deadlines, cancellation and cleanup.
--
-- A small web site of good, slow, broken and missing pages is served on the
-- loopback, and a crawler looks there for three pieces of gold. It goes level
-- by level with at most three fetches at a time; each fetch has a deadline,
-- the crawl as a whole has one, and when enough was found the fetches that
-- still run are cancelled. In the end no socket is open: that is counted.
local rille = require "rille"
local net = require "rille.net"

local FETCH_DEADLINE, CRAWL_DEADLINE = 30, 120 -- seconds
-- What was slow the last time gets little time.
local DEADLINE_OF = { ["/slow"] = 0.05 }
local WANTED = 3

local SITE = {
  ["/"] = { links = { "/news", "/archive", "/broken", "/missing" } },
  ["/news"] = { links = { "/gold/1", "/slow", "/" } },
  ["/archive"] = { links = { "/gold/2", "/archive/2" }, delay = 0.01 },
  ["/archive/2"] = { links = { "/stuck/1", "/stuck/2", "/gold/3", "/late" } },
  ["/gold/1"] = { gold = true },
  ["/gold/2"] = { gold = true, delay = 0.02 },
  ["/gold/3"] = { gold = true, delay = 0.02 },
  ["/slow"] = { delay = 600 },
  ["/stuck/1"] = { delay = 600 },
  ["/stuck/2"] = { delay = 600 },
  ["/late"] = { gold = true },
  ["/broken"] = { hangs_up = true },
}

----------------------------------------------------------------------------
-- The server: a task for each connection.

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

local function answer(connection)
  local path = (connection:read_until("\r\n\r\n") or ""):match("^GET (%S+)")
  if path then connection:write(response_to(path)) end
end

----------------------------------------------------------------------------
-- The crawler

local function fetch(port, path)
  local connection <close>, err = net.connect("127.0.0.1", port)
  if not connection then return nil, err end
  connection:write("GET " .. path .. " HTTP/1.0\r\n\r\n")
  local response, failure = connection:read_all()
  if not response then return nil, failure end
  local status = response:match("^HTTP/1.0 (%d+)")
  if status ~= "200" then return nil, "status " .. (status or "unknown") end
  if not response:find("</html>", 1, true) then return nil, "cut short" end
  return response
end

local function visit(crawl, level, path)
  crawl.outcome[path] = "cancelled" -- unless the next line returns
  local page, err = rille.timeout(DEADLINE_OF[path] or FETCH_DEADLINE, fetch, crawl.port, path)
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

local function open_sockets()
  local count = 0
  for _, open in ipairs(rille.testing.leaks()) do
    if open.kind == "handle" then count = count + 1 end
  end
  return count
end

rille.scope({ name = "crawl" }, function(scope)
  local server = assert(net.listen("127.0.0.1", 0, answer))
  local gold, err = rille.timeout(CRAWL_DEADLINE, crawl_site, server:port())
  print("gold found: " .. (gold or tostring(err)))
  print("sockets open while the server runs: " .. (open_sockets() > 0 and "some" or "none"))
  scope:cancel "done" -- the server, and the connections that it still has
end)
print("sockets open: " .. open_sockets())

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
