-- http_server_timeout_spec.lua - clients that are too slow. On the real clock, with
-- limits of milliseconds: nothing here asserts how long it took.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"

local head = h.head

-- Sends `bytes` and nothing more; returns what comes until the server closes.
local function stall(bytes, opts, handler)
  return h.run(function()
    local server <close> = h.serve(handler, opts)
    local conn <close> = h.connect(server)
    if bytes ~= "" then conn:write(bytes) end
    return h.undated((conn:read_all()))
  end)
end

local refusal = "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
  .. "Connection: close\r\nContent-Length: 16\r\n\r\nRequest Timeout\n"

describe("header_timeout", function()
  local opts = {header_timeout = 0.005}

  it("ends a connection that says nothing, silently", function()
    assert.equal("", stall("", opts))
  end)

  it("answers a head that does not come to its end with 408", function()
    assert.equal(refusal, stall("GET / HTTP/1.1\r\nHos", opts))
  end)

  it("counts from the head's first byte: slow bytes do not prolong it", function()
    h.run(function(s)
      local server <close> = h.serve(nil, {header_timeout = 0.02})
      local conn <close> = h.connect(server)
      s:go({daemon = true}, function()
        conn:write "GET / HTTP/1.1\r\nA: "
        while conn:write "b" do rille.sleep(0.001) end
      end)
      assert.equal(refusal, h.undated((conn:read_all())))
    end)
  end)

  it("holds for the second request too", function()
    assert.equal(h.plain "hello" .. refusal, stall(h.get .. "G", opts))
  end)

  it("does not hold for handlers", function()
    assert.equal(h.plain("late", "Connection: close\r\n"), stall(h.last, opts, function()
      rille.sleep(0.02)
      return "late"
    end))
  end)
end)

describe("idle_timeout", function()
  it("ends a connection between requests, silently", function()
    assert.equal(h.plain "hello", stall(h.get, {idle_timeout = 0.005}))
  end)

  it("begins anew with each request", function()
    h.run(function()
      local server <close> = h.serve(nil, {idle_timeout = 10})
      local conn <close> = h.connect(server)
      for _ = 1, 3 do
        conn:write(h.get)
        assert.equal(h.plain "hello", h.undated(conn:read()))
        rille.sleep(0.001)
      end
      assert.equal(1, server:stats().accepted)
    end)
  end)
end)

describe("body_timeout", function()
  local opts = {body_timeout = 0.005}
  local half = head("POST / HTTP/1.1", "Host: x", "Content-Length: 10") .. "abc"

  it("answers a body that does not come to its end with 408", function()
    assert.equal(refusal, stall(half, opts))
    assert.equal(refusal, stall(head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")
      .. "3\r\na", opts))
  end)

  it("of a whole body is not prolonged by slow bytes", function()
    h.run(function(s)
      local server <close> = h.serve(nil, {body_timeout = 0.02})
      local conn <close> = h.connect(server)
      s:go({daemon = true}, function()
        conn:write(head("POST / HTTP/1.1", "Host: x", "Content-Length: 1000"))
        while conn:write "b" do rille.sleep(0.001) end
      end)
      assert.equal(refusal, h.undated((conn:read_all())))
    end)
  end)

  it("of a streamed body fails the read", function()
    local err
    local got = stall(half, {body_timeout = 0.005, stream = true}, function(req)
      req:read()
      err = helper.refused("timeout", req:read())
      return nil, err
    end)
    assert.equal(refusal, got)
  end)

  it("ends a client that expects a 100 and sends nothing", function()
    local got = stall(head("POST / HTTP/1.1", "Host: x", "Content-Length: 10",
      "Expect: 100-continue"), opts)
    assert.equal("HTTP/1.1 100 Continue\r\n\r\n" .. refusal, got)
  end)
end)

describe("write_timeout", function()
  -- Asks, and does not read: how the server's connection ends.
  local function deaf(handler)
    h.run(function()
      local server <close> = h.serve(handler, {write_timeout = 0.005, on_error = "raise"})
      local conn <close> = h.connect(server)
      conn:write(h.get)
      h.wait_until(function() return server:stats().active == 1 end)
      h.wait_until(function() return server:stats().active == 0 end)
      assert.equal(1, server:stats().broken)
    end)
  end

  it("ends a connection whose client takes nothing", function()
    deaf(function() return ("x"):rep(32 << 20) end)
  end)

  it("ends one that streams, too", function()
    deaf(function()
      return {body = function() return ("x"):rep(65536) end}
    end)
  end)

  it("does not end one that is slow but takes something", function()
    h.run(function()
      local size = 24 << 20
      local server <close> = h.serve(function() return ("x"):rep(size) end, {write_timeout = 0.25})
      local conn <close> = h.connect(server)
      conn:write(h.last)
      local got = 0
      for piece in conn do
        got = got + #piece
        rille.sleep(0.001)
      end
      assert.is_true(got > size)
      assert.equal(0, server:stats().broken)
    end)
  end)
end)

describe("a refused client that goes on sending", function()
  it("still sees why, and is not listened to for ever", function()
    h.run(function()
      local server <close> = h.serve(nil, {max_body = 10})
      local conn <close> = h.connect(server)
      conn:write(head("POST / HTTP/1.1", "Host: x", "Content-Length: 300000"))
      for _ = 1, 30 do
        conn:write(("x"):rep(10000))
        rille.yield()
      end
      assert.equal("413", h.status((conn:read_all())))
      h.wait_until(function() return server:stats().active == 0 end)
    end)
  end)
end)
