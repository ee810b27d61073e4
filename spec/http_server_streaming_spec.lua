-- http_server_streaming_spec.lua - responses that are sent as they come.
local rille = require "rille"
local h = require "spec.http_helper"

local exchange = h.exchange

-- The response to one request, for what make(req) returns in the run.
local function made(make, request)
  return exchange(request or h.get, make)
end

local TEXT = "Content-Type: text/plain; charset=utf-8\r\n"

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
