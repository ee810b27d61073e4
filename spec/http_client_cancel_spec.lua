-- http_client_cancel_spec.lua - requests that end before their response does.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"
local sys = require "spec.sys_helper"

-- A server that does not answer; the number of connections it has now.
local function silence()
  local url, listener = h.silence()
  return url, function() return listener:stats().active end
end

-- Waits until the server has seen the connections end.
local function gone(active)
  h.wait_until(function() return active() == 0 end)
end

describe("timeout", function()
  it("ends a request that is not answered", function()
    h.run(function(client)
      local url, active = silence()
      local err = helper.refused("timeout", client:get(url, {timeout = 0.02}))
      assert.equal(("GET %s: no response within 0.02 s"):format(url), err.message)
      gone(active)
      assert.equal(0, client:stats().running)
    end)
  end)

  it("ends a body that does not come", function()
    h.run(function(client)
      local url = h.half()
      helper.refused("timeout", client:get(url, {timeout = 0.02}))
    end)
  end)

  it("holds for all redirections together", function()
    h.run(function(client)
      local url = h.serve(function()
        rille.sleep(0.01)
        return h.response("", "Location: /", "302 Found")
      end)
      helper.refused("timeout", client:get(url, {timeout = 0.03, redirects = math.huge}))
    end)
  end)

  it("is over when a stream has begun", function()
    h.run(function(client)
      sys.patiently(function(seconds)
        local url, late = h.late()
        local r <close> = assert(client:get(url, {timeout = seconds, stream = true}))
        rille.sleep(seconds * 1.5)
        late:set()
        assert.equal("late", r.body:read_all())
      end, 0.05)
    end)
  end)

  it("of 0 is over at once, math.huge never", function()
    h.run(function(client)
      local url = h.serve(function() return h.response "x" end)
      helper.refused("timeout", client:get(url, {timeout = 0}))
      assert.equal("x", client:get(url, {timeout = math.huge}).body)
    end)
  end)

  it("does not swallow a cancellation from outside", function()
    h.run(function(client)
      local result = table.pack(rille.timeout(0.01, function()
        client:get((silence()), {timeout = 5})
        error "not reached"
      end))
      helper.refused("timeout", result[1], result[2])
      assert.matches("^scope#", result[2].message)
    end)
  end)
end)

describe("a cancelled request", function()
  it("closes its connection", function()
    h.run(function(client, s)
      local url, active = silence()
      local task = s:task(function() return client:get(url) end)
      h.wait_until(function() return active() == 1 end)
      task:cancel()
      helper.refused("cancelled", task:await())
      assert.equal(0, client:stats().running)
      gone(active)
    end)
  end)

  it("closes its connection though a program was started meanwhile", function()
    h.run(function(client, s)
      local url, active = silence()
      local task = s:task(function() return client:get(url) end)
      h.wait_until(function() return active() == 1 end)
      local _ <close> = assert(rille.process.spawn({"sleep", "60"}))
      task:cancel()
      gone(active)
    end)
  end)

  it("is closed while its host name is looked up", function()
    h.run(function(client, s)
      for turns = 1, 5 do
        local task = s:task(function() return client:get(h.no_host) end)
        for _ = 1, turns do rille.yield() end
        task:cancel()
        local _, err = task:await()
        assert.truthy(err.kind == "cancelled" or err.kind == "resolve" and turns > 1, err)
      end
    end)
  end)

  it("does not begin in a cancelled scope", function()
    h.run(function(client)
      helper.refused("cancelled", rille.scope(function(s)
        s:cancel()
        client:get "http://127.0.0.1:1/"
        error "not reached"
      end))
      assert.equal(0, client:stats().requests)
    end)
  end)

  it("leaves the others alone", function()
    h.run(function(client, s)
      local url, gate = h.gated()
      local good = s:task(function() return client:get(url) end)
      helper.refused("timeout", client:get(url, {timeout = 0.01}))
      gate:close()
      assert.equal("x", good:await().body)
    end)
  end)

  it("in the middle of a hundred leaves nothing", function()
    h.run(function(client)
      local url, active = silence()
      helper.refused("timeout", rille.timeout(0.05, function()
        rille.scope(function(s)
          for _ = 1, 100 do s:go(client.get, client, url) end
        end)
      end))
      assert.equal(0, client:stats().running)
      gone(active)
    end)
  end)

  it("of a stream is the end of a read, no more", function()
    h.run(function(client)
      local url, late = h.late()
      local r <close> = assert(client:get(url, {stream = true}))
      helper.refused("timeout", rille.timeout(0.01, r.body.read, r.body))
      late:set()
      assert.equal("late", r.body:read())
    end)
  end)
end)

describe("the engine's end", function()
  local before = [[
    local rille = require "rille"
    local http = rille.http
    local listener = rille.net.listen("127.0.0.1", 0, function(conn)
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
      while conn:read() do end
      rille.sleep(math.huge)
    end)
    local url = ("http://127.0.0.1:%d/"):format(listener:port())
  ]]

  -- What the script has written when it ends, with that status.
  local function ends(script, status)
    local output, was = sys.script(before .. script)
    assert.equal(status, was, output)
    return output
  end

  it("closes what runs", function()
    ends([[
      local s = rille.current():scope()
      for i = 1, 5 do s:go(http.get, url) end
      held = http.get(url, {stream = true})
      rille.sleep(0.01)
      os.exit(7, true)]], 7)
  end)

  it("closes what runs, with an upload", function()
    ends([[
      local s = rille.current():scope()
      local ch = rille.channel()
      s:go(http.post, url, {body = ch})
      s:go(function() while true do ch:send "x" rille.sleep(0) end end)
      rille.sleep(0.01)
      os.exit(7, true)]], 7)
  end)

  it("comes before finalizers that still ask", function()
    assert.equal("closed\n", ends([[
      local r = http.get(url, {stream = true})
      local client = http.client()
      keep = setmetatable({}, {__gc = function()
        r.body:close()
        client:close()
        print(tostring(r.body):match "%((%a+)%)")
        pcall(http.get, url)
        pcall(r.body.read, r.body)
        pcall(http.client)
      end})
      os.exit(7, true)]], 7))
  end)

  it("comes after a root that was cancelled by a failure", function()
    assert.matches("oops", ends([[
      local s = rille.current():scope()
      s:go(http.get, url)
      held = http.get(url, {stream = true})
      error "oops"]], 1))
  end)
end)
