-- http_client_stream_spec.lua - bodies that are read while they come.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

-- A server that sends each piece once the last one was read: the client's
-- `more()` lets the next one go. Returns the URL and more.
local function pieces(...)
  local list, turn = {...}, rille.channel(1)
  local url = h.listen(function(conn)
    h.read_request(conn)
    conn:write "HTTP/1.1 200 OK\r\n\r\n"
    for _, piece in ipairs(list) do
      if not turn:recv() then return end
      conn:write(piece)
    end
    turn:recv()
  end)
  return url, function() turn:send(true) end
end

-- Runs fn(body, more, client) on a streamed response of those pieces.
local function stream(list, fn)
  return h.run(function(client)
    local url, more = pieces(table.unpack(list))
    local r <close> = assert(client:get(url, {stream = true}))
    return fn(r.body, more, client)
  end)
end

describe("a streamed body", function()
  it("is there before all of it has come", function()
    stream({"ab", "cd"}, function(body, more)
      more()
      assert.equal("ab", body:read())
      more()
      assert.equal("cd", body:read())
      more()
      helper.refused("closed", body:read())
      helper.refused("closed", body:read())
    end)
  end)

  it("is read by bytes, lines and delimiters", function()
    stream({"one\ntwo;thr", "ee"}, function(body, more)
      more()
      more()
      more()
      assert.equal("o", body:read(1))
      assert.equal("ne", body:read_line())
      assert.equal("two", body:read_until ";")
      assert.equal("three", body:read_all())
    end)
  end)

  it("is iterated over", function()
    stream({"ab", "cd"}, function(body, more)
      more()
      more()
      more()
      local text = ""
      for chunk in body do text = text .. chunk end
      assert.equal("abcd", text)
    end)
  end)

  it("is a source of rille.stream", function()
    stream({"ab", "cd"}, function(body, more)
      more()
      more()
      more()
      assert.equal("ABCD", table.concat(rille.stream(body):map(string.upper):collect()))
    end)
  end)

  it("is a case of a select", function()
    stream({"ab", "cd"}, function(body, more)
      local sel = rille.selector{{body}}
      assert.equal(0, (rille.select({{body}}, {default = true})))
      more()
      assert.same({1, "ab"}, {sel:wait()})
      more()
      assert.same({1, "cd"}, {rille.select{{body}, {rille.after(100)}}})
      more()
      local i, value, err = sel:wait()
      assert.same({1, nil, "closed"}, {i, value, err.kind})
    end)
  end)

  it("gives a select what a reader has left", function()
    stream({"ab\ncd"}, function(body, more)
      more()
      assert.equal("ab", body:read_line())
      assert.same({1, "cd"}, {rille.select{{body}}})
    end)
  end)

  it("gives each piece to one of several readers", function()
    stream({"ab", "cd"}, function(body, more)
      local a = helper.start(function() return (rille.select{{body}}) and "selected" end)
      local b = helper.start(function() return body:read() end)
      more()
      assert.equal("selected", a:await())
      more()
      assert.equal("cd", b:await())
    end)
  end)

  it("gives a piece to who waits, whoever else looks meanwhile", function()
    stream({"ab"}, function(body, more)
      local waiting = helper.start(function() return select(2, rille.select{{body}}) end)
      more()
      repeat
        assert.equal(0, (rille.select({{body}}, {default = true})))
        rille.yield()
      until waiting:status() == "done"
      assert.equal("ab", waiting:await())
    end)
  end)

  it("keeps what was read when a read is cancelled", function()
    stream({"ab", "cd"}, function(body, more)
      more()
      helper.refused("timeout", rille.timeout(0.05, body.read, body, 4))
      more()
      assert.equal("abcd", body:read(4))
    end)
  end)

  it("of a response without one ends at once", function()
    h.run(function(client)
      local url = h.serve(function() return "HTTP/1.1 204 No Content\r\n\r\n" end)
      local r <close> = assert(client:get(url, {stream = true}))
      assert.equal("", r.body:read_all())
    end)
  end)

  it("says what it is", function()
    stream({}, function(body)
      assert.matches("^rille.http_body: GET http://127.0.0.1:%d+/ %(open%)$", tostring(body))
      body:close()
      assert.matches("%(closed%)$", tostring(body))
    end)
  end)
end)

describe("back-pressure", function()
  it("lets the server wait for the reader", function()
    h.run(function(client)
      local sent, size = 0, 64 * 1024 * 1024
      local url = h.listen(function(conn)
        h.read_request(conn)
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: " .. size .. "\r\n\r\n")
        local piece = ("x"):rep(1024 * 1024)
        while sent < size and conn:write(piece) do sent = sent + #piece end
      end)
      local r <close> = assert(client:get(url, {stream = true}))
      local before
      repeat -- until the server sends no more
        before = sent
        for _ = 1, 20 do rille.sleep(0.001) end
      until sent == before and sent > 0
      assert.is_true(sent < size / 2, sent)
      local read = 0
      for chunk in r.body do read = read + #chunk end
      assert.equal(size, read)
    end)
  end)
end)

describe("body:close", function()
  it("closes the connection in the middle", function()
    stream({"ab"}, function(body, more, client)
      more()
      body:read()
      assert.equal(1, client:stats().running)
      body:close()
      body:close()
      assert.is_true(body:is_closed())
      assert.equal(0, client:stats().running)
      helper.refused("closed", body:read())
    end)
  end)

  it("wakes who reads", function()
    stream({}, function(body)
      local reader = helper.start(function() return body:read() end)
      local selecting = helper.start(function() return select(2, rille.select{{body}}) end)
      body:close()
      helper.refused("closed", reader:await())
      assert.is_nil((selecting:await()))
    end)
  end)

  it("is done by <close> of the response", function()
    h.run(function(client)
      local url = pieces "ab"
      do
        local r <close> = assert(client:get(url, {stream = true}))
        assert.equal(200, r.status)
      end
      assert.equal(0, client:stats().running)
    end)
  end)

  it("is done at the end of the scope that is given", function()
    h.run(function(client)
      local body
      local url = pieces "ab"
      rille.scope(function(s)
        body = assert(client:get(url, {stream = true, scope = s})).body
        assert.is_false(body:is_closed())
      end)
      assert.is_true(body:is_closed())
      assert.equal(0, client:stats().running)
    end)
  end)

  it("is done when a body is garbage that nobody has read", function()
    h.run(function(client)
      assert(client:get(pieces "ab", {stream = true}))
      h.wait_until(function()
        collectgarbage()
        return client:stats().running == 0
      end)
    end)
  end)

  it("is not done by the end of a timeout it was made under", function()
    h.run(function(client)
      local url, more = pieces "ab"
      local r <close> = rille.timeout(60, client.get, client, url, {stream = true})
      more()
      assert.equal("ab", r.body:read())
    end)
  end)
end)

describe("a stream that nobody waits for", function()
  it("keeps nobody alive", function()
    helper.run(function()
      local http, body = require "rille.http", nil
      rille.scope(function(s)
        body = assert(http.get(pieces "ab", {stream = true, headers = {Connection = "close"}})).body
        s:cancel()
      end)
      rille.sleep(1000) -- on the virtual clock, which no connection holds back
      body:close()
    end)
  end)
end)
