-- http_server_response_spec.lua - what a handler may return, and its bytes.
local rille = require "rille"
local h = require "spec.http_helper"

local exchange = h.exchange

-- The response to one request, for what the handler returns.
local function response(returned, request, opts)
  return exchange(request or h.get, function() return returned end, opts)
end

-- The same for what is made in the run.
local function made(make, request)
  return exchange(request or h.get, make)
end

-- The engine's own functions.
local core

for i = 1, 9 do
  local name, value = debug.getupvalue(rille.timeout, i)
  if name == "core" then core = value end
end

local TEXT = "Content-Type: text/plain; charset=utf-8\r\n"

-- What a handler did wrong: the error that on_error gets. The client gets a 500.
local function mistake(returned)
  local told
  local got = response(returned, nil, {on_error = function(err) told = err end})
  assert.equal("HTTP/1.1 500 Internal Server Error\r\n" .. TEXT
    .. "Content-Length: 22\r\n\r\nInternal Server Error\n", got)
  return told
end

describe("a response", function()
  it("that is a string is a text with status 200", function()
    assert.equal(h.plain "hello", response "hello")
    assert.equal(h.plain "", response "")
  end)

  it("may be large", function()
    for _, size in ipairs{16384, 16385, 1 << 20} do
      assert.equal(h.plain(("x"):rep(size)), response(("x"):rep(size)))
    end
  end)

  it("has the Date", function()
    h.run(function()
      local server <close> = h.serve()
      local conn <close> = h.connect(server)
      conn:write(h.last)
      local date = conn:read_all():match "\r\nDate: ([^\r]+)\r\n"
      assert.matches("^%a%a%a, %d%d %a%a%a 20%d%d %d%d:%d%d:%d%d GMT$", date)
    end)
  end)

  it("that is a table has a status, headers and a body", function()
    assert.equal("HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nnone",
      response{status = 404, headers = {["Content-Type"] = "a/b"}, body = "none"})
  end)

  it("without a body has none", function()
    assert.equal("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
      response{status = 302, headers = {Location = "/x"}})
    assert.equal("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", response{})
  end)

  it("may have a status without a name", function()
    assert.equal("HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n\r\n", response{status = 299})
  end)

  it("has its headers in a fixed order; several of a name; numbers", function()
    assert.equal("HTTP/1.1 200 OK\r\nA: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n" .. TEXT
      .. "Content-Length: 1\r\n\r\nx",
      response{headers = {["Set-Cookie"] = {"a", "b"}, A = 1}, body = "x"})
    assert.equal("HTTP/1.1 200 OK\r\nB: 1\r\nA: 2\r\nContent-Length: 0\r\n\r\n",
      response{headers = {{"B", "1"}, {"A", "2"}}})
  end)

  it("may have a Date of its own", function()
    assert.equal("HTTP/1.1 200 OK\r\nDate: never\r\nContent-Length: 0\r\n\r\n",
      response{headers = {Date = "never"}})
  end)

  it("may end the connection", function()
    h.run(function()
      local server <close> = h.serve(function() return {headers = {connection = "Close"}} end)
      local conn <close> = h.connect(server)
      conn:write(h.get .. h.get)
      assert.equal("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        h.undated(conn:read_all()))
    end)
  end)

  it("may be a list of strings", function()
    assert.equal(h.plain "abc", response{body = {"a", "bc"}})
    assert.equal(h.plain "", response{body = {}})
  end)

  it("to HEAD has no body, but its length", function()
    local head = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal(h.plain("hello"):gsub("hello", "") .. h.plain("hello"):gsub("hello", ""),
      response("hello", head .. head))
    assert.equal("HTTP/1.1 200 OK\r\n" .. TEXT .. "Content-Length: 3\r\n\r\n",
      response({body = {"a", "bc"}}, head))
  end)

  it("to HEAD may tell the length of a body that is not made", function()
    assert.equal("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
      response({headers = {["Content-Length"] = 1000000}}, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"))
  end)

  it("of 204 and 304 has neither body nor length", function()
    assert.equal("HTTP/1.1 204 No Content\r\n\r\n", response{status = 204})
    assert.equal(("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"):rep(2),
      response({status = 304, headers = {ETag = "x"}, body = "dropped"}, h.get .. h.get))
    assert.equal("HTTP/1.1 204 No Content\r\n\r\n", made(function()
      return {status = 204, body = function() error "not asked for" end}
    end))
  end)
end)

describe("a handler's mistake", function()
  it("is a response of another type", function()
    local text = "bad response: the handler returned a %s; a string or a table expected"
    assert.equal(text:format "nil", mistake(nil))
    assert.equal(text:format "number", mistake(404))
    assert.equal(text:format "boolean", mistake(false))
  end)

  it("is a status that is none", function()
    for _, status in ipairs{"200", 199, 101, 1000, 200.5, {}} do
      assert.matches("a status from 200 to 999 expected, got ", mistake{status = status})
    end
  end)

  it("is an unknown field", function()
    assert.equal("bad response: unknown field 'code'", mistake{code = 200})
    assert.equal("bad response: unknown field '1'", mistake{"text"})
  end)

  it("is a body of another type", function()
    assert.matches("expected, got number", mistake{body = 7})
    assert.matches("string expected at body%[2%], got number", mistake{body = {"a", 7}})
  end)

  it("is a line break in a header: nothing of it is sent", function()
    for _, headers in ipairs{
      {A = "b\r\nSet-Cookie: c"}, {A = "b\nc"}, {A = "b\rc"}, {A = "b\0c"}, {["A\r\nB"] = "c"},
      {["A:"] = "b"}, {["A b"] = "c"}, {[""] = "a"}, {{"A", "b\r\n\r\nc"}}, {A = {"b", "c\n"}},
      {Location = "/\r\n", B = "c"},
    } do
      assert.matches("bad .*header", tostring(mistake{headers = headers, body = "x"}))
    end
  end)

  it("is a line break in headers that another server has sent", function()
    for _, value in ipairs{"a\rb", "a\nb", "a\0b"} do
      local received = core.received_headers{{"A", value}}
      assert.matches("line break or a zero byte in header A", mistake{headers = received})
    end
  end)

  it("is headers that are none", function()
    assert.matches("table of headers expected", mistake{headers = "A: b"})
    assert.matches("string or a number expected", mistake{headers = {A = true}})
  end)

  it("is a framing of its own", function()
    assert.equal("bad response: Transfer-Encoding is the server's to choose",
      mistake{headers = {["transfer-encoding"] = "chunked"}, body = "0\r\n\r\n"})
    assert.equal("bad response: Content-Length is '4', but the body has 3 bytes",
      mistake{headers = {["Content-Length"] = "4"}, body = "abc"})
    assert.matches("Content%-Length is 'x'",
      mistake{headers = {["Content-Length"] = "x"}, body = "abc"})
  end)

  it("leaves the connection to the next request", function()
    h.run(function()
      local server <close> = h.serve(function(req)
        if req.path == "/bad" then return 7 end
        return "good"
      end, {on_error = function() end})
      local got = h.talk(server, h.get:gsub("/ ", "/bad ") .. h.get)
      assert.matches("^HTTP/1.1 500 .*HTTP/1.1 200 OK", got)
    end)
  end)
end)

describe("Content-Length", function()
  it("that is right may be given", function()
    assert.equal(h.plain "abc", response{headers = {["Content-Length"] = "3"}, body = "abc"})
  end)
end)

describe("headers of a client", function()
  it("can be sent back as they came", function()
    assert.equal("HTTP/1.1 200 OK\r\nHost: x\r\nContent-Length: 0\r\n\r\n", made(function(req)
      return {headers = req.headers}
    end))
  end)
end)
