-- http_client_pool_spec.lua - connections: kept, limited, closed.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

local http = require "rille.http"

local gated = h.gated

describe("connections", function()
  it("are used again", function()
    h.run(function(client)
      local url, listener = h.serve(function() return h.response "x" end)
      for _ = 1, 5 do assert(client:get(url)) end
      assert.equal(1, listener:stats().accepted)
      assert.same({running = 0, requests = 5, connects = 1, closed = false}, client:stats())
    end)
  end)

  it("are used again after a streamed body that was read to its end", function()
    h.run(function(client)
      local url, listener = h.serve(function() return h.response "x" end)
      for _ = 1, 3 do
        local r <close> = assert(client:get(url, {stream = true}))
        assert.equal("x", r.body:read_all())
      end
      assert.equal(1, listener:stats().accepted)
    end)
  end)

  it("are not used again when the server closes them", function()
    h.run(function(client)
      local url, listener = h.serve(function() return h.response("x", "Connection: close") end)
      for _ = 1, 3 do assert(client:get(url)) end
      assert.equal(3, listener:stats().accepted)
    end)
  end)

  it("that the server has closed meanwhile are replaced", function()
    h.run(function(client)
      local url = h.listen(function(conn)
        h.read_request(conn)
        conn:write(h.response "x")
      end)
      for _ = 1, 3 do assert.equal("x", assert(client:post(url, {body = "y"})).body) end
      assert.equal(3, client:stats().connects)
    end)
  end)

  it("are a client's own", function()
    h.run(function(client)
      local other <close> = http.client()
      local url, listener = h.serve(function() return h.response "x" end)
      assert(client:get(url))
      assert(other:get(url))
      assert.equal(2, listener:stats().accepted)
    end)
  end)
end)

describe("a limit", function()
  -- Makes six requests, and waits each time for as many as the limit lets go.
  -- Returns how many were under way at most.
  local function most_at_once(client, urls, s, limit)
    local gates, counts, most = {}, {}, 0
    for i, server in ipairs(urls) do gates[i], counts[i] = server[2], server[3] end
    local tasks = {}
    for i = 1, 6 do
      tasks[i] = s:task(function() return client:get(urls[(i - 1) % #urls + 1][1]) end)
    end
    local function waiting()
      local n = 0
      for _, count in ipairs(counts) do n = n + count() end
      return n
    end
    for left = 6, 1, -1 do
      h.wait_until(function() return waiting() >= math.min(limit, left) end)
      for _ = 1, 5 do rille.sleep(0.001) end
      most = math.max(most, waiting())
      for i, count in ipairs(counts) do
        if count() > 0 then gates[i]:send(true) break end
      end
    end
    for _, task in ipairs(tasks) do assert.equal("x", task:await().body) end
    return most
  end

  it("of connections for one host holds others back", function()
    h.run(function(client, s)
      assert.equal(2, most_at_once(client, {{gated()}}, s, 2))
    end, {max_per_host = 2})
  end)

  it("of connections in all holds others back", function()
    h.run(function(client, s)
      assert.equal(3, most_at_once(client, {{gated()}, {gated()}}, s, 3))
    end, {max_connections = 3})
  end)

  it("lets a request go that waits for a connection and is cancelled", function()
    h.run(function(client, s)
      local url, gate, waiting = gated()
      local first = s:task(function() return client:get(url) end)
      h.wait_until(function() return waiting() == 1 end)
      helper.refused("timeout", client:get(url, {timeout = 0.01}))
      gate:send(true)
      assert.equal("x", first:await().body)
      assert.equal(0, client:stats().running)
    end, {max_per_host = 1})
  end)
end)

describe("client:close", function()
  it("refuses what comes after", function()
    h.run(function(client)
      client:close()
      client:close()
      assert.is_true(client:is_closed())
      helper.refused("closed", client:get "http://127.0.0.1:1/")
    end)
  end)

  it("ends requests that run", function()
    h.run(function(client, s)
      local url, _, waiting = gated()
      local task = s:task(function() return client:get(url) end)
      h.wait_until(function() return waiting() == 1 end)
      client:close()
      local err = helper.refused("closed", task:await())
      assert.matches("the client was closed", err.message)
      s:cancel()
    end)
  end)

  it("ends streams with a failure, after what has come", function()
    h.run(function(client)
      local url = h.half()
      local r = assert(client:get(url, {stream = true}))
      assert.equal("a", r.body:read(1))
      client:close()
      assert.equal("bc", r.body:read())
      helper.refused("protocol", r.body:read())
      helper.raises_kind("protocol", function() for _ in r.body do end end)
    end)
  end)

  it("ends uploads", function()
    h.run(function(client, s)
      local body = rille.channel()
      local url = h.silence()
      local task = s:task(function() return client:put(url, {body = body}) end)
      body:send "x"
      h.wait_until(function() return client:stats().running == 1 end)
      client:close()
      helper.refused("closed", task:await())
    end)
  end)
end)

describe("a client that nobody has any more", function()
  it("is closed with the garbage", function()
    h.run(function()
      local url, listener = h.serve(function() return h.response "x" end)
      assert(http.client():get(url))
      assert.equal(1, listener:stats().active)
      h.wait_until(function()
        collectgarbage()
        return listener:stats().active == 0
      end)
    end)
  end)

  it("lives on while a stream of it is read", function()
    h.run(function()
      local go_on = rille.channel()
      local url, listener = h.listen(function(conn)
        h.read_request(conn)
        conn:write "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"
        go_on:recv()
        conn:write "b"
        conn:read()
      end)
      local r = assert(http.client():get(url, {stream = true}))
      assert.equal("a", r.body:read())
      collectgarbage()
      collectgarbage()
      go_on:send(true)
      assert.equal("b", r.body:read())
      helper.refused("closed", r.body:read())
      r = nil -- luacheck: ignore
      h.wait_until(function()
        collectgarbage()
        return listener:stats().active == 0
      end)
    end)
  end)
end)
