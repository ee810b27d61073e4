-- http_client_spec.lua - requests and responses.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

local http = require "rille.http"

-- A server that answers with the request: method, path, body.
local function echo()
  return h.serve(function(request)
    return h.response(("%s %s [%s]"):format(request.method, request.path, request.body))
  end)
end

-- The head of the one request that fn(client, url) makes.
local function head_of(fn)
  return h.run(function(client)
    local head
    fn(client, h.serve(function(request)
      head = request
      return h.response ""
    end))
    return head
  end)
end

describe("http", function()
  for _, case in ipairs{
    {"get", nil, "GET /a?b=c []"},
    {"post", "body", "POST /a?b=c [body]"},
    {"post", nil, "POST /a?b=c []"},
    {"put", "body", "PUT /a?b=c [body]"},
    {"patch", "body", "PATCH /a?b=c [body]"},
    {"delete", nil, "DELETE /a?b=c []"},
    {"delete", "body", "DELETE /a?b=c [body]"},
    {"get", "body", "GET /a?b=c [body]"},
  } do
    it(("%s sends %s"):format(case[1], case[2] and "a body" or "no body"), function()
      h.run(function(client)
        local r = assert(client[case[1]](client, echo() .. "a?b=c", {body = case[2]}))
        assert.equal(case[3], r.body)
      end)
    end)
  end

  it("request sends any method", function()
    h.run(function(client)
      assert.equal("PROPFIND / [x]",
        client:request{url = echo(), method = "propfind", body = "x"}.body)
    end)
  end)

  it("head takes no body, whatever length is told", function()
    h.run(function(client)
      local url = h.serve(function() return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" end)
      local r = assert(client:head(url))
      assert.equal("", r.body)
      assert.equal("10", r.headers["content-length"])
    end)
  end)

  it("sends bodies of any bytes", function()
    h.run(function(client)
      local body = "\0\r\n" .. ("\255"):rep(300000)
      local url = h.serve(function(request) return h.response(request.body) end)
      assert.equal(body, client:post(url, {body = body}).body)
    end)
  end)

  it("has a default client for the engine", function()
    rille.run(function()
      rille.scope(function(s)
        local url = h.serve(function() return h.response("x", "Connection: close") end)
        assert.equal("x", http.get(url).body)
        assert.equal("x", http.request{url = url, method = "POST"}.body)
        s:cancel()
      end)
    end)
  end)
end)

describe("a response", function()
  it("has status, reason, version, headers, body and URL", function()
    h.run(function(client)
      local url = h.serve(function()
        return h.response("text", "X-A: 1\r\nx-a:  2 ", "418 I'm a teapot")
      end)
      local r = assert(client:get(url))
      assert.same({418, "I'm a teapot", "1.1", "text", url},
        {r.status, r.reason, r.version, r.body, r.url})
      assert.same({"1", "2"}, r.headers:all "X-A")
      assert.equal("rille.http_response: 418 " .. url, tostring(r))
    end)
  end)

  it("may have no reason, folded lines and lines that are no fields", function()
    h.run(function(client)
      local url = h.once("HTTP/1.0 204\r\nA: 1\r\n\t2\r\nB:\r\n\r\n")
      local r = assert(client:get(url))
      assert.same({204, "", "1.0", "1 2", ""},
        {r.status, r.reason, r.version, r.headers.a, r.headers.b})
    end)
  end)

  it("is the last one after interim ones", function()
    h.run(function(client)
      local url = h.once("HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n"
        .. "Content-Length: 1\r\n\r\nx")
      local r = assert(client:get(url))
      assert.same({200, nil, "2", "x"}, {r.status, r.headers.a, r.headers.b, r.body})
    end)
  end)

  it("may come in chunks, with a trailer that is no header", function()
    h.run(function(client)
      local url = h.once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n")
      local r = assert(client:get(url))
      assert.same({"abcde"}, {r.body, r.headers["x-t"]})
    end)
  end)

  it("ends with the connection where no length is told", function()
    h.run(function(client)
      assert.equal("all", client:get(h.once "HTTP/1.1 200 OK\r\n\r\nall").body)
    end)
  end)
end)

describe("headers of a request", function()
  it("are sent as they are given", function()
    local request = head_of(function(client, url)
      client:get(url, {headers = {["X-A"] = "1", ["X-B"] = {"2", "3"}, ["X-Empty"] = ""}})
    end)
    assert.matches("X%-A: 1\r\nX%-B: 2\r\nX%-B: 3\r\nX%-Empty:", request.head)
    assert.equal("rille/" .. rille.version, request.get "user-agent")
  end)

  it("are the client's where the request has none of that name", function()
    h.run(function(client)
      local seen
      local url = h.serve(function(request)
        seen = request
        return h.response ""
      end)
      client:get(url, {headers = {a = "mine"}})
      assert.equal("mine", seen.get "a")
      assert.equal("theirs", seen.get "b")
      assert.equal("me", seen.get "user-agent")
    end, {headers = {A = "theirs", B = "theirs", ["User-Agent"] = "me"}})
  end)

  it("tell no type of the body that was not given", function()
    local request = head_of(function(client, url) client:post(url, {body = "x"}) end)
    assert.is_nil(request.get "content-type")
    assert.is_nil(request.get "expect")
    assert.equal("1", request.get "content-length")
  end)

  it("tell the length of the body, whatever was given", function()
    local request = head_of(function(client, url)
      client:post(url, {body = "xyz", headers = {["Content-Length"] = 1}})
    end)
    assert.equal("3", request.get "content-length")
  end)
end)

describe("a status from 400", function()
  it("is a response", function()
    h.run(function(client)
      local url = h.serve(function() return h.response("gone", nil, "404 Not Found") end)
      assert.equal(404, assert(client:get(url)).status)
    end)
  end)

  it("is an error of kind status with fail", function()
    h.run(function(client)
      local url = h.serve(function() return h.response("gone", nil, "404 Not Found") end)
      local err = helper.refused("status", client:get(url, {fail = true}))
      assert.equal(404, err.status)
      assert.equal("gone", err.response.body)
      assert.equal(("GET %s: 404 Not Found"):format(url), err.message)
    end)
  end)

  it("closes a streamed body with fail", function()
    h.run(function(client)
      local url = h.serve(function() return h.response("gone", nil, "500 Oops") end)
      local err = helper.refused("status", client:get(url, {fail = true, stream = true}))
      assert.is_true(err.response.body:is_closed())
    end)
  end)
end)

describe("max_body", function()
  local function get(max, length)
    return h.run(function(client)
      local url = h.once(("HTTP/1.1 200 OK\r\n%s\r\n0123456789"):format(
        length and "Content-Length: 10\r\n" or ""))
      return client:get(url, {max_body = max})
    end)
  end

  it("lets a body through that is as long", function()
    assert.equal("0123456789", get(10).body)
    assert.equal("0123456789", get(10, true).body)
  end)

  it("refuses a longer one", function()
    assert.equal(9, helper.refused("too_large", get(9)).limit)
    assert.equal(9, helper.refused("too_large", get(9, true)).limit)
  end)

  it("is the client's where the request has none", function()
    h.run(function(client)
      helper.refused("too_large", client:get(h.once "HTTP/1.1 200 OK\r\n\r\nab"))
    end, {max_body = 1})
  end)
end)

describe("compressed bodies", function()
  -- "hello", by gzip -n.
  local packed = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6"
    .. "\x10\x36\x05\x00\x00\x00"

  local function serve()
    return h.serve(function(request)
      local asked = request.get "accept-encoding"
      return h.response(packed, "Content-Encoding: gzip\r\nX-Asked: " .. tostring(asked))
    end)
  end

  it("are asked for and unpacked", function()
    h.run(function(client)
      local r = assert(client:get(serve()))
      assert.equal("hello", r.body)
      assert.matches("gzip", r.headers["x-asked"])
      assert.is_nil(r.headers["content-encoding"])
      assert.is_nil(r.headers["content-length"])
    end)
  end)

  it("are left as they are with decompress = false", function()
    h.run(function(client)
      local r = assert(client:get(serve(), {decompress = false}))
      assert.equal(packed, r.body)
      assert.equal("nil", r.headers["x-asked"])
      assert.equal("gzip", r.headers["content-encoding"])
    end)
  end)

  it("that unpack to too much are refused", function()
    h.run(function(client)
      helper.refused("too_large", client:get(serve(), {max_body = 4}))
    end)
  end)
end)
