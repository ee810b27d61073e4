-- http_client_upload_spec.lua - bodies of requests that come by and by.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

-- Answers with the body and how it came.
local function echo()
  return h.serve(function(request)
    return h.response(("%s [%s] %s"):format(request.method, request.body,
      request.get "transfer-encoding" or request.get "content-length"))
  end)
end

-- A function that gives those values, and then nil.
local function giving(...)
  local list, i = {...}, 0
  return function()
    i = i + 1
    return list[i]
  end
end

describe("a body", function()
  it("comes from a function", function()
    h.run(function(client)
      assert.equal("POST [abcd] chunked",
        client:post(echo(), {body = giving("ab", "", "cd")}).body)
    end)
  end)

  it("is a list of strings, whose size is known", function()
    h.run(function(client)
      assert.equal("POST [abcd] 4", client:post(echo(), {body = {"ab", "", "cd"}}).body)
    end)
  end)

  it("comes from a channel, as it is sent", function()
    h.run(function(client, s)
      local body = rille.channel()
      local task = s:task(function() return client:put(echo(), {body = body}) end)
      body:send "ab"
      body:send "cd"
      body:close()
      assert.equal("PUT [abcd] chunked", task:await().body)
    end)
  end)

  it("comes from a file", function()
    h.run(function(client, _, dir)
      assert(rille.fs.write_file(dir .. "/f", ("x"):rep(300000)))
      local file <close> = assert(rille.fs.open(dir .. "/f"))
      assert.equal("PUT [" .. ("x"):rep(300000) .. "] chunked",
        client:put(echo(), {body = file}).body)
    end)
  end)

  it("comes from the body of another response", function()
    h.run(function(client)
      local url = h.serve(function() return h.response "data" end)
      local r <close> = assert(client:get(url, {stream = true}))
      assert.equal("POST [data] chunked", client:post(echo(), {body = r.body}).body)
    end)
  end)

  it("comes from a stream", function()
    h.run(function(client)
      local body = rille.stream{"a", "b"}:map(string.upper)
      assert.equal("POST [AB] chunked", client:post(echo(), {body = body}).body)
    end)
  end)

  it("has its length where that is told", function()
    h.run(function(client)
      assert.equal("PUT [abcd] 4", client:put(echo(),
        {body = giving("ab", "cd"), headers = {["Content-Length"] = 4}}).body)
    end)
  end)

  it("may be empty", function()
    h.run(function(client)
      assert.equal("POST [] chunked", client:post(echo(), {body = giving()}).body)
    end)
  end)

  it("goes with any method", function()
    h.run(function(client)
      assert.equal("GET [ab] chunked", client:get(echo(), {body = giving "ab"}).body)
    end)
  end)
end)

describe("back-pressure", function()
  it("lets the body wait for the server", function()
    h.run(function(client, s)
      local gate, given = rille.channel(), 0
      local piece = ("x"):rep(1024 * 1024)
      local url = h.listen(function(conn)
        h.read_head(conn)
        gate:recv()
        conn:read_until "0\r\n\r\n"
        conn:write(h.response "done")
      end)
      local task = s:task(function()
        return client:post(url, {body = function()
          given = given + 1
          return given <= 64 and piece or nil
        end})
      end)
      local before
      repeat
        before = given
        for _ = 1, 20 do rille.sleep(0.001) end
      until given == before and given > 0
      assert.is_true(given < 32, given)
      gate:close()
      task:cancel()
    end)
  end)
end)

describe("a response before the end of the body", function()
  -- Reads the head and the first piece, then answers.
  local function early(status)
    return h.listen(function(conn)
      h.read_head(conn)
      conn:write(h.response("early", "Connection: close", status))
      conn:read_until "0\r\n\r\n"
    end)
  end

  it("is returned when it refuses the rest", function()
    h.run(function(client)
      local body = rille.channel()
      local feeder = helper.start(function() for _ = 1, 10 do body:send "x" end end)
      local r = assert(client:post(early "413 Too Large", {body = body}))
      assert.same({413, "early"}, {r.status, r.body})
      feeder:cancel()
    end)
  end)

  it("is returned as a stream while the body goes on", function()
    h.run(function(client)
      local body = rille.channel()
      local url = h.listen(function(conn)
        h.read_head(conn)
        conn:write "HTTP/1.1 200 OK\r\n\r\n"
        for _ = 1, 3 do
          conn:read_line()
          conn:write(conn:read_line())
        end
      end)
      local r <close> = assert(client:post(url, {body = body, stream = true}))
      for _, piece in ipairs{"a", "b", "c"} do
        body:send(piece)
        assert.equal(piece, r.body:read())
      end
    end)
  end)
end)

describe("a body that fails", function()
  local function post(body)
    return h.run(function(client)
      local results = table.pack(client:post(h.silence(), {body = body}))
      assert.equal(0, client:stats().running)
      return table.unpack(results, 1, results.n)
    end)
  end

  it("fails the request with its own error", function()
    local oops = {}
    assert.same({nil, oops}, {post(function() error(oops) end)})
    assert.equal(oops, select(2, post(function() error(oops) end)))
    assert.equal(oops, select(2, post(function() return nil, oops end)))
  end)

  it("fails it with nil too", function()
    helper.refused("invalid", post(function() error(nil) end))
  end)

  it("fails it when it gives no strings", function()
    local _, err = post(giving(1))
    assert.equal("the body of the request must give strings, it gave a number", err)
  end)

  it("after the response has begun is a failure of the stream", function()
    h.run(function(client)
      local body = rille.channel()
      local url = h.listen(function(conn)
        h.read_head(conn)
        conn:write "HTTP/1.1 200 OK\r\n\r\n"
        conn:read_until "never"
      end)
      local r <close> = assert(client:post(url, {body = function() return body:recv() end,
        stream = true}))
      body:close "oops"
      local value, err = r.body:read()
      assert.same({nil, "oops"}, {value, err})
    end)
  end)
end)

describe("a cancelled request", function()
  it("cancels the reading of its body", function()
    h.run(function(client, s)
      local begun, ended = rille.event(), rille.event()
      local function body()
        local _ <close> = helper.closing(function() ended:set() end)
        begun:set()
        rille.sleep(math.huge)
      end
      local task = s:task(function() return client:post(h.silence(), {body = body}) end)
      begun:wait()
      task:cancel()
      helper.refused("cancelled", task:await())
      ended:wait()
    end)
  end)
end)
