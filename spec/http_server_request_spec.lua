-- http_server_request_spec.lua - what a handler is told of a request, and how
-- requests follow one another on a connection.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"

local head, exchange = h.head, h.exchange

-- What the handler sees of a request: look(req) for the bytes.
local function seen(bytes, look, opts)
  local found
  exchange(bytes, function(req)
    found = table.pack(look(req))
    return ""
  end, opts)
  return table.unpack(found, 1, found.n)
end

local function asked(target, method)
  return head((method or "GET") .. " " .. target .. " HTTP/1.1", "Host: x")
end

local function parts(req) return req.method, req.url, req.path, req.query end

describe("a request", function()
  it("has a method, a target, a path and a query", function()
    assert.same({"DELETE", "/a/b?c=d&e", "/a/b", "c=d&e"},
      {seen(asked("/a/b?c=d&e", "DELETE"), parts)})
  end)

  it("without a query has none, and an empty one is empty", function()
    assert.same({"GET", "/", "/", nil}, {seen(asked "/", parts)})
    assert.same({"GET", "/?", "/", ""}, {seen(asked "/?", parts)})
  end)

  it("for a whole URL has its path", function()
    assert.same({"GET", "http://a:8/b?c", "/b", "c"}, {seen(asked "http://a:8/b?c", parts)})
    assert.same({"GET", "http://a", "/", nil}, {seen(asked "http://a", parts)})
    assert.same({"GET", "http://a?b", "/", "b"}, {seen(asked "http://a?b", parts)})
  end)

  it("for all of the server has the path *", function()
    assert.same({"OPTIONS", "*", "*", nil}, {seen(asked("*", "OPTIONS"), parts)})
  end)

  it("has a path without a fragment", function()
    assert.same({"GET", "/a?b#c", "/a", "b"}, {seen(asked "/a?b#c", parts)})
    assert.same({"GET", "/a#b?c", "/a", nil}, {seen(asked "/a#b?c", parts)})
  end)

  it("has a path as it was sent", function()
    assert.same({"GET", "/%2f%41/\195\164", "/%2f%41/\195\164", nil},
      {seen(asked "/%2f%41/\195\164", parts)})
  end)

  it("has headers in any case, in order, each as often as it came", function()
    local bytes = head("GET / HTTP/1.1", "Host: x", "a-b:1", "X: \t y z\t ", "A-B: 2", "Empty:")
    local headers = seen(bytes, function(req) return req.headers end)
    assert.same({"x", "1", "y z", "", nil}, {headers.host, headers["A-b"], headers.X,
      headers.empty, headers.none})
    assert.same({"1", "2"}, headers:all "A-B")
    local names = {}
    for name in headers:pairs() do names[#names + 1] = name end
    assert.same({"Host", "a-b", "X", "A-B", "Empty"}, names)
  end)

  it("has no headers of the next one, nor of its body", function()
    local bytes = head("POST / HTTP/1.1", "Host: x", "Content-Length: 8") .. "\r\nA: b\r\n"
      .. head("GET / HTTP/1.1", "Host: y", "C: d")
    local all = {}
    exchange(bytes, function(req)
      all[#all + 1] = {req.headers.host, req.headers.a, req.headers.c, req.body}
      return ""
    end)
    assert.same({{"x", nil, nil, "\r\nA: b\r\n"}, {"y", nil, "d", ""}}, all)
  end)

  it("may come after empty lines", function()
    local bytes = "\r\n\r\n" .. head("GET http://a/b HTTP/1.1", "Host: x")
    assert.same({"http://a/b", "/b", "x", "1.1"}, {seen(bytes, function(req)
      return req.url, req.path, req.headers.host, req.version
    end)})
    assert.equal(1, select(2, seen(bytes, function(req)
      local n = 0
      for _ in req.headers:pairs() do n = n + 1 end
      return true, n
    end)))
  end)

  it("has a version", function()
    local function version(req) return req.version end
    assert.equal("1.1", seen(h.get, version))
    assert.equal("1.0", seen("GET / HTTP/1.0\r\n\r\n", version))
    assert.equal("1.7", seen("GET / HTTP/1.7\r\nHost: x\r\n\r\n", version))
  end)

  it("has the address of its client", function()
    local host, port = seen(h.get, function(req) return req.peer, req.peer_port end)
    assert.equal("127.0.0.1", host)
    assert.equal("integer", math.type(port))
  end)

  it("has decoded parameters, the first of each name", function()
    local function ask(req) return req:params() end
    local params = seen(asked "/?a=1&b=x%20y+z&a=2&c&=d&%41=%zz", ask)
    assert.same({a = "1", b = "x y z", c = "", [""] = "d", A = "%zz"}, params)
    assert.same({}, seen(h.get, ask))
  end)

  it("tells what it is, and has no other fields", function()
    assert.same({"rille.request: GET /a?b", nil, "rille.request"}, {seen(asked "/a?b", function(req)
      return tostring(req), req.nothing, getmetatable(req)
    end)})
  end)

  it("refuses methods on what is none", function()
    seen(h.get, function(req)
      helper.raises(function() req.read({}) end, "calling 'read' on bad self")
      helper.raises(function() req.params(1) end, "calling 'params' on bad self")
    end)
  end)

  it("may come byte by byte", function()
    local bytes = {}
    local text = head("POST /a?b HTTP/1.1", "Host: x", "Content-Length: 3", "A: b") .. "abc"
    for byte in text:gmatch "." do bytes[#bytes + 1] = byte end
    assert.same({"/a?b", "b", "b", "abc"}, {seen(bytes, function(req)
      return req.url, req.query, req.headers.a, req.body
    end)})
  end)

  it("may come in any two pieces", function()
    h.run(function()
      local server <close> = h.serve(function(req) return req.url .. req.headers.a .. req.body end)
      local text = head("POST /a?b HTTP/1.1", "Host: x", "Content-Length: 3", "A: b") .. "abc"
      for cut = 1, #text - 1 do
        assert.equal(h.plain "/a?bbabc", h.talk(server, {text:sub(1, cut), text:sub(cut + 1)}))
      end
    end)
  end)
end)

describe("a connection", function()
  local function echo_path(req) return req.path end

  it("stays for the next request", function()
    h.run(function()
      local server <close> = h.serve(echo_path)
      local conn <close> = h.connect(server)
      for i = 1, 3 do
        conn:write(asked("/" .. i))
        assert.equal(h.plain("/" .. i), h.undated(conn:read()))
      end
      assert.same({1, 3}, {server:stats().accepted, server:stats().requests})
    end)
  end)

  it("answers requests that come at once, in order", function()
    local bytes = asked "/1" .. asked "/2" .. asked "/3"
    assert.equal(h.plain "/1" .. h.plain "/2" .. h.plain "/3", exchange(bytes, echo_path))
  end)

  it("answers them in order also where the first takes longer", function()
    local bytes = asked "/1" .. asked "/2"
    assert.equal(h.plain "/1" .. h.plain "/2", exchange(bytes, function(req)
      if req.path == "/1" then rille.sleep(0.003) end
      return req.path
    end))
  end)

  it("answers them with bodies between", function()
    local function post(text)
      return head("POST / HTTP/1.1", "Host: x", "Content-Length: " .. #text) .. text
    end
    local chunked = head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")
      .. "2\r\ncd\r\n0\r\n\r\n"
    assert.equal(h.plain "ab" .. h.plain "cd" .. h.plain "ef", exchange(
      post "ab" .. chunked .. post "ef", function(req) return req.body end))
  end)

  it("answers what came before nonsense, then refuses that", function()
    local response = exchange(asked "/1" .. "\0", echo_path)
    assert.equal(h.plain "/1", response:sub(1, #h.plain "/1"))
    assert.equal("400", h.status(response:sub(#h.plain "/1" + 1)))
  end)

  it("lets others run while it answers many that came at once", function()
    h.run(function(s)
      local server <close> = h.serve(echo_path)
      local turns = 0
      s:go({daemon = true}, function()
        while true do
          turns = turns + 1
          rille.yield()
        end
      end)
      local before
      local done = #h.talk(server, {(asked "/"):rep(1000), h.last})
      before = turns
      assert.equal(1001 * #h.plain "/" + #"Connection: close\r\n", done)
      assert.is_true(before > 5)
    end)
  end)

  it("ends when the client says so", function()
    h.run(function()
      local server <close> = h.serve(echo_path)
      local conn <close> = h.connect(server)
      conn:write(h.last .. h.get)
      assert.equal(h.plain("/", "Connection: close\r\n"), h.undated(conn:read_all()))
    end)
  end)

  it("of HTTP/1.0 ends after the response", function()
    h.run(function()
      local server <close> = h.serve(echo_path)
      local conn <close> = h.connect(server)
      conn:write "GET / HTTP/1.0\r\n\r\n"
      assert.equal(h.plain("/", "Connection: close\r\n"), h.undated(conn:read_all()))
    end)
  end)

  it("of HTTP/1.0 stays when the client asks for it", function()
    h.run(function()
      local server <close> = h.serve(echo_path)
      local conn <close> = h.connect(server)
      for _ = 1, 2 do
        conn:write "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        assert.equal(h.plain("/", "Connection: keep-alive\r\n"), h.undated(conn:read()))
      end
      conn:write(h.get)
      assert.equal(h.plain "/", h.undated(conn:read()))
    end)
  end)

  it("goes on with HTTP when another protocol is asked for", function()
    local bytes = head("GET /1 HTTP/1.1", "Host: x", "Connection: upgrade", "Upgrade: h2c")
    assert.equal(h.plain "/1" .. h.plain "/2", exchange(bytes .. asked "/2", echo_path))
  end)

  it("ends in the middle of a head without a response", function()
    assert.equal("", exchange("GET / HTTP/1.1\r\nHos", echo_path))
  end)

  it("that brings nothing is no request", function()
    h.run(function()
      local server <close> = h.serve(echo_path)
      assert.equal("", h.talk(server, ""))
      local stats = server:stats()
      assert.same({1, 0, 0}, {stats.accepted, stats.requests, stats.refused})
    end)
  end)

  it("serves a Unix socket", function()
    h.run(function()
      local path = os.tmpname()
      os.remove(path)
      local function peer(req) return req.peer end
      local server <close> = assert(rille.http.serve("unix", path, peer))
      local conn <close> = assert(rille.net.connect("unix", path))
      conn:write(h.last)
      assert.equal(h.plain("", "Connection: close\r\n"), h.undated(conn:read_all()))
      assert.equal(path, server:address())
      assert.is_nil(server:port())
    end)
  end)
end)
