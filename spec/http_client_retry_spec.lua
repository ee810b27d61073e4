-- http_client_retry_spec.lua - Retry-After, and rille.retry around requests; on
-- the virtual clock, against a server in a process of its own.
local rille = require "rille"
local helper = require "spec.helper"

local http = require "rille.http"

local core = helper.core()

-- Answers what the path says, "/a/b/c" being answered with a, then b, then c:
-- "503-7" is that status with that Retry-After; "quit" ends the server.
local server = [[
local rille = require "rille"
local turns = {}
local listener
local function answer(path)
  if path == "/quit" then listener:close() end
  local n = (turns[path] or 0) + 1
  turns[path] = n
  local part
  for word in path:gmatch "[^/]+" do
    n = n - 1
    if n == 0 then part = word end
  end
  local status, after = (part or "200"):match "^(%d+)%-?(.*)$"
  after = (after or ""):gsub("_", " ")
  return table.concat({"HTTP/1.1 " .. (status or 200) .. " X", "Connection: close",
    "Date: Fri, 31 Dec 1999 23:59:00 GMT", after ~= "" and "Retry-After: " .. after or "A: b",
    "Content-Length: 1", "", "x"}, "\r\n")
end
listener = assert(rille.net.listen("127.0.0.1", 0, function(conn)
  conn:write(answer(conn:read_until("\r\n\r\n"):match "^%S+ (%S+)"))
end))
print(listener:port())
io.stdout:flush()
]]

-- Runs fn(url) as the main task on the virtual clock.
local function run(fn)
  local path = os.tmpname()
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(server)
  end
  local binary = os.getenv "RILLE_BINARY" or "build/rille"
  local pipe <close> = assert(io.popen(("exec '%s' %s"):format(binary, path)))
  local url = ("http://127.0.0.1:%d"):format(pipe:read "n")
  local _ <close> = helper.closing(function()
    rille.run(function() http.get(url .. "/quit") end)
    os.remove(path)
  end)
  return helper.run(fn, url)
end

-- The virtual seconds that fn() takes.
local function time(fn)
  local before = rille.now()
  fn()
  return rille.now() - before
end

describe("on the virtual clock", function()
  it("a request takes no time", function()
    run(function(url)
      assert.equal(0, time(function() assert.equal(200, http.get(url .. "/200").status) end))
    end)
  end)

  it("other tasks' time stands still while a request is under way", function()
    run(function(url)
      rille.scope(function(s)
        local woken
        s:go({daemon = true}, function()
          rille.sleep(1000)
          woken = true
        end)
        assert(http.get(url .. "/200"))
        assert.is_nil(woken)
      end)
    end)
  end)
end)

describe("retry_after", function()
  it("is in a response with 429 or 503, in seconds", function()
    run(function(url)
      assert.equal(7, http.get(url .. "/503-7").retry_after)
      assert.equal(0, http.get(url .. "/429-0").retry_after)
      assert.is_nil(http.get(url .. "/503").retry_after)
      assert.is_nil(http.get(url .. "/500-7").retry_after)
      assert.is_nil(http.get(url .. "/503-soon").retry_after)
    end)
  end)

  it("is the time between two dates", function()
    run(function(url)
      local path = "/503-Fri,_31_Dec_1999_23:59:59_GMT"
      assert.equal(59, http.get(url .. path).retry_after)
      assert.equal(0, http.get(url .. "/503-Fri,_31_Dec_1999_23:00:00_GMT").retry_after)
    end)
  end)
end)

describe("rille.retry around a request with fail", function()
  local function get(url, opts)
    return rille.retry(opts or {}, http.get, url, {fail = true})
  end

  it("waits as long as the server asks for", function()
    run(function(url)
      assert.equal(10, time(function()
        assert.equal(200, assert(get(url .. "/503-7/429-3/200")).status)
      end))
    end)
  end)

  it("waits until the date that the server names", function()
    run(function(url)
      assert.equal(59, time(function()
        assert(get(url .. "/503-Fri,_31_Dec_1999_23:59:59_GMT/200"))
      end))
    end)
  end)

  it("gives up before a deadline that is nearer", function()
    run(function(url)
      local err
      assert.equal(0, time(function()
        rille.timeout(5, function() err = select(2, get(url .. "/503-7/200")) end)
      end))
      assert.same({"status", 503, 7}, {err.kind, err.status, err.retry_after})
    end)
  end)

  it("tries again what retry_if says", function()
    run(function(url)
      local opts = {delay = 1, retry_if = function(err) return err.status ~= 404 end}
      assert.equal(1, time(function()
        assert.equal(404, select(2, get(url .. "/500/404/200", opts)).status)
      end))
    end)
  end)
end)

describe("a date", function()
  core.load "rille.retry_after"

  for _, case in ipairs{
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
    {"Fri, 01 Mar 2024 00:00:00 GMT", 1709251200},
    {"Thursday, 01-Jan-26 00:00:00 GMT", 1767225600},
    {"Sun, 06 Xyz 1994 08:49:37 GMT", nil},
    {"Sun, 06 Nov 1994 08:49:37 CET", nil},
    {"tomorrow", nil},
    {"", nil},
  } do
    it(("'%s' is %s"):format(case[1], case[2] or "none"), function()
      assert.equal(case[2], core.http_date(case[1]))
    end)
  end
end)
