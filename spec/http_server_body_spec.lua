-- http_server_body_spec.lua - request bodies, whole or as they come.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"

local head, exchange = h.head, h.exchange

local function post(body, ...)
  return head("POST / HTTP/1.1", "Host: x", "Content-Length: " .. #body, ...) .. body
end

local chunked_head = head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")

local function chunked(...)
  local parts = {chunked_head}
  for _, piece in ipairs{...} do parts[#parts + 1] = ("%x\r\n%s\r\n"):format(#piece, piece) end
  return table.concat(parts) .. "0\r\n\r\n"
end

local function echo(req) return req.body end

describe("a body", function()
  it("is empty where there is none", function()
    assert.equal(h.plain "", exchange(h.get, echo))
    assert.equal(h.plain "", exchange(post "", echo))
  end)

  it("of any size is there when the handler is called", function()
    for _, size in ipairs{1, 2, 65535, 65536, 65537, 200000} do
      local body = ("x"):rep(size - 1) .. "y"
      assert.equal(h.plain(body), exchange(post(body), echo))
    end
  end)

  it("may have any bytes", function()
    local body = {}
    for byte = 0, 255 do body[#body + 1] = string.char(byte) end
    body = table.concat(body)
    assert.equal(h.plain(body), exchange(post(body), echo))
    assert.equal(h.plain(body), exchange(chunked(body), echo))
  end)

  it("may come in chunks", function()
    assert.equal(h.plain "abcd", exchange(chunked("a", "bcd"), echo))
    assert.equal(h.plain "", exchange(chunked(), echo))
    local large = ("x"):rep(70000)
    assert.equal(h.plain("a" .. large), exchange(chunked("a", large), echo))
  end)

  it("may come in chunks byte by byte", function()
    local bytes = {}
    for byte in chunked("a", "bcd", "0123456789abcdef"):gmatch "." do bytes[#bytes + 1] = byte end
    assert.equal(h.plain "abcd0123456789abcdef", exchange(bytes, echo))
  end)

  it("may have chunks with extensions, and trailers, which are dropped", function()
    local bytes = chunked_head .. "1;a=b\r\nA\r\n1 ;c\r\nB\r\n000\r\nHost: y\r\nC: d\r\n\r\n"
    assert.equal(h.plain "ABx" .. h.plain "x", exchange(bytes .. h.get, function(req)
      return req.body .. req.headers.host .. (req.headers.c or "")
    end))
  end)

  it("may have a size in capitals, with zeros before it", function()
    assert.equal(h.plain "0123456789abc",
      exchange(chunked_head .. "00D\r\n0123456789abc\r\n0\r\n\r\n", echo))
  end)

  it("may come many times on a connection", function()
    local bytes = post "ab" .. chunked("c", "d") .. h.get .. chunked "ef"
    assert.equal(h.plain "ab" .. h.plain "cd" .. h.plain "" .. h.plain "ef", exchange(bytes, echo))
  end)

  it("that is cut off is no request", function()
    for _, bytes in ipairs{
      post("abc"):sub(1, -2), chunked("abc"):sub(1, -2), chunked("abc"):sub(1, -8), chunked_head,
    } do
      assert.equal("400", h.status(exchange(bytes, function() error "called" end)))
    end
  end)
end)

describe("max_body", function()
  it("limits a body of known length before it is sent", function()
    local opts = {max_body = 4}
    assert.equal(h.plain "abcd", exchange(post "abcd", echo, opts))
    assert.equal("413", h.status(exchange(head("POST / HTTP/1.1", "Host: x", "Content-Length: 5",
      "Expect: 100-continue"), echo, opts)))
    assert.equal("413", h.status(exchange(post "abcde", echo, opts)))
  end)

  it("limits a chunked body as it comes", function()
    local opts = {max_body = 4}
    assert.equal(h.plain "abcd", exchange(chunked("ab", "cd"), echo, opts))
    assert.equal("413", h.status(exchange(chunked("ab", "cd", "e"), echo, opts)))
  end)

  it("is 1 MiB", function()
    assert.equal("200", h.status(exchange(post(("x"):rep(1 << 20)), echo)))
    assert.equal("413", h.status(exchange(post(("x"):rep((1 << 20) + 1)), echo)))
  end)

  it("may be 0", function()
    assert.equal(h.plain "", exchange(h.get, echo, {max_body = 0}))
    assert.equal("413", h.status(exchange(post "a", echo, {max_body = 0})))
  end)

  it("limits what a handler reads of a stream", function()
    local told
    local got = exchange(post "abcde", function(req) return req:read_all() end,
      {max_body = 4, stream = true, on_error = function(err) told = err end})
    assert.equal("413", h.status(got))
    assert.is_nil(told)
  end)
end)

describe("a client that expects a 100", function()
  local expecting = head("POST / HTTP/1.1", "Host: x", "Content-Length: 3", "Expect: 100-continue")
  local go_on = "HTTP/1.1 100 Continue\r\n\r\n"

  it("gets it before the body", function()
    h.run(function()
      local server <close> = h.serve(echo)
      local conn <close> = h.connect(server)
      conn:write(expecting)
      assert.equal(go_on, conn:read())
      conn:write("abc")
      assert.equal(h.plain "abc", h.undated(conn:read()))
    end)
  end)

  it("gets it when the handler asks for the body", function()
    h.run(function()
      local asked = false
      local server <close> = h.serve(function(req)
        asked = true
        return req:read()
      end, {stream = true})
      local conn <close> = h.connect(server)
      conn:write(expecting)
      assert.equal(go_on, conn:read())
      assert.is_true(asked)
      conn:write("abc")
      assert.equal(h.plain "abc", h.undated(conn:read()))
    end)
  end)

  it("gets the answer alone when the handler does not", function()
    local got = exchange(expecting, function() return "no" end, {stream = true})
    assert.equal(h.plain("no", "Connection: close\r\n"), got)
  end)

  it("of HTTP/1.0 gets none", function()
    local bytes = head("POST / HTTP/1.0", "Content-Length: 3", "Expect: 100-continue") .. "abc"
    assert.equal(h.plain("abc", "Connection: close\r\n"), exchange(bytes, echo))
  end)

  it("without a body gets none", function()
    local bytes = head("GET / HTTP/1.1", "Host: x", "Expect: 100-Continue")
    assert.equal(h.plain "", exchange(bytes, echo))
  end)
end)

describe("a streamed body", function()
  local function streamed(bytes, handler, opts)
    opts = opts or {}
    opts.stream = true
    return exchange(bytes, handler, opts)
  end

  it("is read piece by piece, to its end", function()
    local read = {}
    streamed(chunked("a", "bc"), function(req)
      assert.is_nil(req.body)
      for piece in req:chunks() do read[#read + 1] = piece end
      assert.is_nil(req:read())
      return ""
    end)
    assert.same({"a", "bc"}, read)
  end)

  it("can be read whole", function()
    assert.equal(h.plain "abc" .. h.plain "", streamed(chunked("a", "bc") .. h.get, function(req)
      return (req:read_all())
    end))
    assert.equal("413", h.status(streamed(post "abc", function(req) return req:read_all(2) end)))
  end)

  it("can be larger than what is kept whole", function()
    local size = 0
    local body = ("x"):rep(3 << 20)
    assert.equal(h.plain(tostring(#body)), streamed(post(body), function(req)
      for piece in req:chunks() do size = size + #piece end
      return tostring(size)
    end))
  end)

  it("is not read ahead: the client waits for the handler", function()
    h.run(function(s)
      local go_on = rille.event()
      local server <close> = h.serve(function(req)
        go_on:wait()
        local size = 0
        for piece in req:chunks() do size = size + #piece end
        return tostring(size)
      end, {stream = true})
      local conn <close> = h.connect(server)
      local body = ("x"):rep(16 << 20)
      local sent = s:task(function() return conn:write(post(body, "Connection: close")) end)
      for _ = 1, 20 do rille.sleep(0.001) end
      assert.equal("waiting", sent:status())
      go_on:set()
      assert.is_true(sent:await())
      assert.equal(h.plain(tostring(#body), "Connection: close\r\n"), h.undated(conn:read_all()))
    end)
  end)

  it("can be the response", function()
    local got = streamed(chunked("a", "bc") .. h.get, function(req)
      return {body = req:chunks()}
    end)
    assert.matches("\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\nHTTP/1.1 200 OK.*\r\n\r\n0\r\n\r\n$", got)
  end)

  it("that nobody reads is dropped if it is there", function()
    assert.equal(h.plain "x" .. h.plain "x", streamed(chunked("a", "bc") .. post "abc", function()
      return "x"
    end))
  end)

  it("that nobody reads ends the connection if it is not there", function()
    h.run(function()
      local server <close> = h.serve(function() return "enough" end, {stream = true})
      local conn <close> = h.connect(server)
      conn:write(head("POST / HTTP/1.1", "Host: x", "Content-Length: 100") .. "ab")
      assert.equal(h.plain("enough", "Connection: close\r\n"), h.undated(conn:read()))
      assert.is_true(conn:write "cd")
      conn:shutdown()
      assert.equal("", conn:read_all())
    end)
  end)

  it("that is cut off fails the read with io; the client gets a 400", function()
    for _, bytes in ipairs{post("abc"):sub(1, -2), chunked_head .. "3\r\nab"} do
      local err
      local got = streamed(bytes, function(req)
        assert.equal("ab", req:read())
        err = select(2, req:read())
        assert.equal(err, select(2, req:read()))
        return nil, err
      end, {on_error = "raise"})
      assert.equal("400", h.status(got))
      assert.same({"io", "EOF"}, {err.kind, err.code})
    end
  end)

  it("that is malformed fails the read with io", function()
    local err
    local got = streamed(chunked_head .. "2\r\nabcd", function(req)
      err = helper.raises_kind("io", function() for _ in req:chunks() do end end)
      return "answered"
    end)
    assert.equal(h.plain("answered", "Connection: close\r\n"), got)
    assert.equal("EPROTO", err.code)
  end)

  it("is out of reach once the request was answered", function()
    h.run(function()
      local kept
      local server <close> = h.serve(function(req)
        kept = kept or req
        return "x"
      end, {stream = true})
      h.talk(server, post "abc" .. h.get)
      helper.refused("closed", kept:read())
    end)
  end)
end)

describe("a body that is there", function()
  it("can be read as one piece, too", function()
    assert.equal(h.plain "abc", exchange(post "abc", function(req)
      local all = {}
      for piece in req:chunks() do all[#all + 1] = piece end
      assert.same({"abc"}, all)
      assert.equal("", req:read_all())
      return req.body
    end))
    assert.equal(h.plain "", exchange(h.get, function(req) return req:read() or "" end))
  end)
end)
