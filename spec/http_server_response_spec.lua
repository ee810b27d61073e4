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
  return exchange(request or h.get, function(req) return make(req) end)
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

  it("of 204 and 304 has neither body nor length", function()
    assert.equal("HTTP/1.1 204 No Content\r\n\r\n", response{status = 204})
    assert.equal(("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"):rep(2),
      response({status = 304, headers = {ETag = "x"}, body = "dropped"}, h.get .. h.get))
    assert.equal("HTTP/1.1 204 No Content\r\n\r\n", made(function()
      return {status = 204, body = function() error "not asked for" end}
    end))
  end)
end)

describe("a streamed response", function()
  local start = "HTTP/1.1 200 OK\r\n" .. TEXT .. "Transfer-Encoding: chunked\r\n\r\n"

  -- An iterator over these.
  local function pieces(...)
    local list, i = {...}, 0
    return function()
      i = i + 1
      return list[i]
    end
  end

  it("may come from an iterator; empty pieces are left out", function()
    local expected = start .. "1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    assert.equal(expected .. expected, made(function()
      return {body = pieces("a", "", "0123456789abcdef")}
    end, h.get .. h.get))
  end)

  it("may be empty", function()
    assert.equal(start .. "0\r\n\r\n", made(function() return {body = pieces()} end))
  end)

  it("may come from a channel", function()
    h.run(function(s)
      local server <close> = h.serve(function()
        local ch = s:channel()
        s:go(function()
          ch:send "a"
          ch:send "b"
          ch:close()
        end)
        return {body = ch}
      end)
      assert.equal(start .. "1\r\na\r\n1\r\nb\r\n0\r\n\r\n", h.talk(server, h.get))
    end)
  end)

  it("may come from a reader, which is closed", function()
    local closed = 0
    local reader = {read = pieces("ab"), close = function() closed = closed + 1 end}
    assert.equal(start .. "2\r\nab\r\n0\r\n\r\n", made(function() return {body = reader} end))
    assert.equal(1, closed)
  end)

  it("may be a stream", function()
    assert.equal(start .. "1\r\nA\r\n1\r\nB\r\n0\r\n\r\n", made(function()
      return {body = rille.stream{"a", "b"}:map(string.upper)}
    end))
  end)

  it("is sent as it comes", function()
    h.run(function(s)
      local ch = s:channel()
      local server <close> = h.serve(function() return {body = ch} end)
      local conn <close> = h.connect(server)
      conn:write(h.get)
      assert.equal(start, h.undated(conn:read()))
      ch:send "now"
      assert.equal("3\r\nnow\r\n", conn:read())
      ch:close()
      assert.equal("0\r\n\r\n", conn:read())
    end)
  end)

  it("with a Content-Length needs no chunks", function()
    assert.equal("HTTP/1.1 200 OK\r\n" .. TEXT .. "Content-Length: 3\r\n\r\nabc", made(function()
      return {headers = {["content-length"] = 3}, body = pieces("a", "bc")}
    end))
  end)

  it("to HTTP/1.0 ends with the connection", function()
    assert.equal("HTTP/1.1 200 OK\r\n" .. TEXT .. "Connection: close\r\n\r\nabc", made(function()
      return {body = pieces("a", "bc")}
    end, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"))
  end)

  it("to HEAD is not pulled, and closed", function()
    local closed = 0
    local reader = {
      read = function() error "not asked for" end,
      close = function() closed = closed + 1 end,
    }
    assert.equal(start .. start, made(function() return {body = reader} end,
      ("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"):rep(2)))
    assert.equal(2, closed)
  end)

  it("waits for a slow client", function()
    h.run(function()
      local given, piece = 0, ("x"):rep(65536)
      local server <close> = h.serve(function()
        return {body = function()
          given = given + 1
          return given <= 400 and piece or nil
        end}
      end)
      local conn <close> = h.connect(server)
      conn:write(h.last)
      local before
      repeat
        before = given
        rille.sleep(0.02)
      until given == before and given > 0
      assert.is_true(given < 400)
      assert.is_true(#conn:read_all() > 400 * #piece)
    end)
  end)

  it("stops when the client has gone, and is closed", function()
    h.run(function()
      local closed = rille.event()
      local server <close> = h.serve(function()
        return {body = {
          read = function() return ("x"):rep(65536) end,
          close = function() closed:set() end,
        }}
      end, {on_error = "raise"})
      local conn = h.connect(server)
      conn:write(h.get)
      conn:read()
      conn:close()
      closed:wait()
      h.wait_until(function() return server:stats().active == 0 end)
      assert.same({0, 1}, {server:stats().errors, server:stats().broken})
    end)
  end)

  it("that fails breaks off: the client sees no end", function()
    local told
    local got = exchange(h.get .. h.get, function()
      local n = 0
      return {body = function()
        n = n + 1
        if n == 2 then error("bug", 0) end
        return "a"
      end}
    end, {on_error = function(err) told = err end})
    assert.equal(start .. "1\r\na\r\n", got)
    assert.equal("bug", told)
  end)

  it("that gives something else than strings breaks off", function()
    local told
    exchange(h.get, function() return {body = pieces(7)} end,
      {on_error = function(err) told = err end})
    assert.equal("bad response: the body gives a number; strings expected", told)
  end)

  it("must have as many bytes as it says", function()
    for _, case in ipairs{{"a", 2}, {"abc", 2}} do
      local told
      local got = exchange(h.get .. h.get, function()
        return {headers = {["Content-Length"] = tostring(case[2])}, body = pieces(case[1])}
      end, {on_error = function(err) told = err end})
      assert.matches("the body has .* 2", told)
      assert.equal(1, select(2, got:gsub("HTTP/1.1", "")))
    end
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
