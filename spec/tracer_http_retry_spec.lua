-- OTLP over HTTP, to a collector that has its troubles; on the virtual clock,
-- against one in a process of its own.
local rille = require "rille"
local helper = require "spec.helper"

-- Answers what the path says: "/a/b/c" is answered with a, then b, then c again
-- and again. "503-7" is that status with that Retry-After; "cut" ends the
-- connection, "slow" says nothing. "/count?/a/b" tells how often "/a/b" was asked.
local collector = [[
local rille = require "rille"
local turns, listener = {}, nil
local function respond(status, body, after)
  return table.concat({"HTTP/1.1 " .. status .. " X", "Connection: close", "Location: /other",
    after ~= "" and "Retry-After: " .. after or "A: b", "Content-Length: " .. #body, "", body},
    "\r\n")
end
local function answer(conn, path)
  local asked = path:match "^/count%?(.*)$"
  if asked then return conn:write(respond(200, tostring(turns[asked] or 0), "")) end
  if path == "/quit" then return listener:close() end
  turns[path] = (turns[path] or 0) + 1
  local parts = {}
  for part in path:match "^[^?]*":gmatch "[^/]+" do parts[#parts + 1] = part end
  local part = parts[math.min(turns[path], #parts)]
  if part == "cut" then return end
  if part == "slow" then return conn:read_until "never" end
  local status, after = part:match "^(%d+)%-?(.*)$"
  conn:write(respond(status, "", after))
end
listener = assert(rille.net.listen("127.0.0.1", 0, function(conn)
  local head = conn:read_until "\r\n\r\n"
  local size = tonumber(head:lower():match "content%-length: (%d+)" or 0)
  if size > 0 then conn:read(size) end
  answer(conn, head:match "^%S+ (%S+)")
end))
print(listener:port())
io.stdout:flush()
]]

local path, pipe, base

setup(function()
  path = os.tmpname()
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(collector)
  end
  local binary = os.getenv "RILLE_BINARY" or "build/rille"
  pipe = assert(io.popen(("exec '%s' %s"):format(binary, path)))
  base = ("http://127.0.0.1:%d"):format(pipe:read "n")
end)

teardown(function()
  rille.run(function() rille.http.get(base .. "/quit") end)
  pipe:close()
  os.remove(path)
end)

local scene = 0

-- Sends a span to the collector that behaves as `answers` says; returns the
-- tracer's stats, how many requests there were, and how long it took.
local function send(answers, opts)
  scene = scene + 1 -- the path is asked for in this one alone
  local url = ("%s/%s"):format(base, answers)
  opts = opts or {}
  opts.traces_endpoint = url .. "?" .. scene
  return helper.run(function()
    local t <close> = rille.tracer(opts)
    t:start_span "x":finish()
    t:force_flush()
    local took = rille.now()
    local counted = rille.http.get(("%s/count?/%s?%d"):format(base, answers, scene)).body
    return t:stats(), tonumber(counted), took
  end)
end

describe("a span is sent again", function()
  for _, status in ipairs { 429, 502, 503, 504 } do
    it(("after %d"):format(status), function()
      local stats, requests, took = send(("%d/%d/200"):format(status, status))
      assert.are.same({ 3, 1, 0 }, { requests, stats.exported, stats.failed })
      assert.is_true(took >= 1.5 and took <= 3) -- 0.5 to 1, and 1 to 2 seconds
    end)
  end

  it("after a connection that was cut", function()
    local stats, requests = send "cut/200"
    assert.are.same({ 2, 1 }, { requests, stats.exported })
  end)

  it("when the collector says", function()
    local stats, requests, took = send "429-7/200"
    assert.are.same({ 2, 1, 7 }, { requests, stats.exported, took })
  end)
end)

describe("a span is not sent again", function()
  for _, status in ipairs { 400, 401, 404, 413, 500, 501, 301 } do
    it(("after %d"):format(status), function()
      local stats, requests, took = send(("%d/200"):format(status))
      assert.are.same({ 1, 0, 1, 0 }, { requests, stats.exported, stats.failed, took })
    end)
  end

  it("when that would be too late", function()
    local stats, requests, took = send "503-60/200"
    assert.are.same({ 1, 1, 0 }, { requests, stats.failed, took })
  end)

  it("after export_timeout", function()
    local stats, requests, took = send("503", { export_timeout = 10 })
    assert.is_true(requests >= 3 and took <= 10)
    assert.are.equal(1, stats.failed)
  end)
end)

describe("an export", function()
  -- Virtual time stands still while an answer is awaited; so this is cancelled
  -- when the request has arrived.
  it("that is cancelled while it waits for an answer leaves nothing behind", function()
    helper.run(function()
      local t = rille.tracer { traces_endpoint = base .. "/slow" }
      t:start_span "x":finish()
      local task = rille.root():task(function() return t:force_flush() end)
      repeat until rille.http.get(base .. "/count?/slow").body == "1"
      assert.are.equal(1, t:stats().inflight)
      task:cancel()
      task:await()
      assert.are.equal("1 0", t:stats().queued .. " " .. t:stats().inflight)
      t:shutdown(0)
      assert.are.equal(1, t:stats().dropped)
    end)
  end)

  it("to nobody does not disturb the program", function()
    local t = rille.tracer { endpoint = "http://127.0.0.1:1", grace = 1 }
    assert.are.equal(7, helper.run({ tracer = t }, function()
      rille.sleep(100)
      return 7
    end))
    assert.are.equal(1, t:stats().dropped + t:stats().failed)
  end)

  it("on the real clock is given up after `timeout`", function()
    local t = rille.tracer { traces_endpoint = base .. "/slow?real", timeout = 0.02,
      export_timeout = 0.05 }
    t:start_span "x":finish()
    t:force_flush()
    assert.are.equal(1, t:stats().failed)
  end)
end)
