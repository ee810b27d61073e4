-- Checks the links of a list, many at a time, and is polite about it.
--
--     rille scripts/examples/health_check.lua [FILE]
--
-- FILE has one URL a line, and the seconds that it may take, if not 10. Hosts are
-- checked at the same time, the links of one host one after the other. A limiter
-- bounds the requests per second of all; what may pass is tried again, after as
-- long as the server asks for; a host that is down is left alone by its circuit
-- breaker. Without a FILE, it checks two little servers of its own. The exit status
-- is 1 if a link is broken.
local rille = require "rille"
local http = rille.http

local TIMEOUT, HOSTS, PER_SECOND = 10, 8, 200

----------------------------------------------------------------------------
-- Checking

-- The request is not to blame: it may work the next time.
local function is_temporary(err)
  if err.kind == "status" then return err.status >= 500 or err.status == 429 end
  return err.kind == "connect" or err.kind == "timeout"
end

local limiter = rille.limiter{rate = PER_SECOND}

-- What guards all requests to one host.
local function policy_of_host()
  return rille.policy{
    retry = {max_retries = 2, backoff = {initial = 0.01, jitter = "none"}, retry_if = is_temporary},
    circuit_breaker = rille.breaker{failure_threshold = 3, is_failure = is_temporary},
    limiter = limiter,
  }
end

local function describe(response, err, tries)
  if not response then return err.kind == "status" and tostring(err.status) or err.kind end
  return response.status .. (tries > 1 and (" after %d tries"):format(tries) or "")
end

local function check(client, policy, link)
  local tries = 0
  local response, err = policy:call(function()
    tries = tries + 1
    return client:get(link.url, {fail = true, timeout = link.seconds})
  end)
  link.ok, link.result = response ~= nil, describe(response, err, tries)
end

-- A line that is written over, for whoever looks; not for a file.
local function show_progress(done, all)
  if not rille.tty.is_tty(2) then return end
  io.stderr:write(("\r%d of %d links%s"):format(done, #all, done == #all and "\n" or ""))
end

-- The links of each host, in lists.
local function by_host(links)
  local hosts, list_of = {}, {}
  for _, link in ipairs(links) do
    local host = link.url:match "^%a+://([^/]*)" or "?"
    if not list_of[host] then
      list_of[host] = {}
      hosts[#hosts + 1] = list_of[host]
    end
    table.insert(list_of[host], link)
  end
  return hosts
end

local function check_all(links)
  local client <close> = http.client{timeout = TIMEOUT, redirects = 5}
  local done = 0
  rille.scope(function(s)
    assert(s:map(by_host(links), function(list)
      local policy = policy_of_host()
      for _, link in ipairs(list) do
        check(client, policy, link)
        done = done + 1
        show_progress(done, links)
      end
    end, {concurrency = HOSTS}))
  end)
end

local function report(links)
  local broken = 0
  for _, link in ipairs(links) do
    print(("%-18s %s"):format(link.result, link.label))
    if not link.ok then broken = broken + 1 end
  end
  print(("%d of %d links work"):format(#links - broken, #links))
  return broken == 0
end

-- The links of a file; `places` says what stands for {name}.
local function read_links(path, places)
  local links = {}
  for line in assert(rille.fs.open(path)):lines() do
    local label, seconds = line:match "^%s*([^#%s]+)%s*([%d.]*)"
    if label then
      links[#links + 1] = {label = label, url = label:gsub("{(%a+)}", places),
        seconds = tonumber(seconds)}
    end
  end
  return links
end

----------------------------------------------------------------------------
-- Two servers to check

local busy = true

local answers = {
  ["/"] = "200 OK\r\nContent-Length: 5\r\n\r\nhello",
  ["/moved"] = "301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
  ["/loop"] = "302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
  ["/missing"] = "404 Not Found\r\nContent-Length: 0\r\n\r\n",
  ["/cut-off"] = "200 OK\r\nContent-Length: 100\r\n\r\nhello",
}

local function answer(path)
  if path == "/hangs" then rille.sleep(600) end
  if path == "/busy" and busy then
    busy = false
    return "503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
  end
  return answers[path] or answers["/"]
end

local function serve(conn)
  repeat
    local head = conn:read_until "\r\n\r\n"
    local path = head and head:match "^GET (%S+)"
    if path then conn:write("HTTP/1.1 " .. answer(path)) end
  until not path or path == "/cut-off"
end

local function start_server(host)
  local listener = assert(rille.net.listen(host, 0, serve))
  return ("%s:%d"):format(listener:address())
end

----------------------------------------------------------------------------

local function check_file(path, places)
  local links = read_links(path, places or {})
  check_all(links)
  return report(links)
end

local all_work
if arg[1] then
  all_work = check_file(arg[1])
else
  rille.scope(function(s)
    local places = {a = start_server "127.0.0.1", b = start_server "127.0.0.1", dead = "127.0.0.1"}
    all_work = check_file("scripts/examples/data/links.txt", places)
    s:cancel() -- the servers
  end)
end
os.exit(all_work)

-- expect: 200                http://{a}/
-- expect: 200                http://{a}/moved
-- expect: connect            http://{dead}:1/one
-- expect: 200 after 2 tries  http://{b}/busy
-- expect: 404                http://{a}/missing
-- expect: circuit_open       http://{dead}:1/two
-- expect: protocol           http://{b}/cut-off
-- expect: protocol           http://{a}/loop
-- expect: timeout            http://{b}/hangs
-- expect: circuit_open       http://{dead}:1/three
-- expect: 3 of 10 links work
-- status: 1
