-- http_server_timeout_spec.lua - clients that are too slow. On the real clock, with
-- limits of milliseconds, and longer ones where the machine was too slow for these:
-- nothing here asserts how long it took.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"
local patiently = require "spec.sys_helper".patiently

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

-- For some `seconds`, stall() returns what is expected when the option is so much.
local function ends(expected, option, bytes)
  patiently(function(seconds)
    assert.equal(expected, stall(bytes, {[option] = seconds}))
  end)
end

local refusal = "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
  .. "Connection: close\r\nContent-Length: 16\r\n\r\nRequest Timeout\n"

describe("header_timeout", function()
  it("ends a connection that says nothing, silently", function()
    ends("", "header_timeout", "")
  end)

  it("answers a head that does not come to its end with 408", function()
    ends(refusal, "header_timeout", "GET / HTTP/1.1\r\nHos")
  end)

  it("counts from the head's first byte: slow bytes do not prolong it", function()
    patiently(function(seconds)
      h.run(function(s)
        local server <close> = h.serve(nil, {header_timeout = seconds})
        local conn <close> = h.connect(server)
        s:go({daemon = true}, function()
          conn:write "GET / HTTP/1.1\r\nA: "
          while conn:write "b" do rille.sleep(0.001) end
        end)
        assert.equal(refusal, h.undated((conn:read_all())))
      end)
    end, 0.02)
  end)

  it("holds for the second request too", function()
    ends(h.plain "hello" .. refusal, "header_timeout", h.get .. "G")
  end)

  it("does not hold for handlers", function()
    patiently(function(seconds)
      local got = stall(h.last, {header_timeout = seconds}, function()
        rille.sleep(2 * seconds)
        return "late"
      end)
      assert.equal(h.plain("late", "Connection: close\r\n"), got)
    end)
  end)
end)

describe("idle_timeout", function()
  it("ends a connection between requests, silently", function()
    ends(h.plain "hello", "idle_timeout", h.get)
  end)

  it("begins anew with each request", function()
    h.run(function()
      local server <close> = h.serve(nil, {idle_timeout = 100})
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
  local half = head("POST / HTTP/1.1", "Host: x", "Content-Length: 10") .. "abc"

  it("answers a body that does not come to its end with 408", function()
    ends(refusal, "body_timeout", half)
    ends(refusal, "body_timeout", head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")
      .. "3\r\na")
  end)

  it("of a whole body is not prolonged by slow bytes", function()
    patiently(function(seconds)
      h.run(function(s)
        local server <close> = h.serve(nil, {body_timeout = seconds, max_body = math.huge})
        local conn <close> = h.connect(server)
        s:go({daemon = true}, function()
          conn:write(head("POST / HTTP/1.1", "Host: x", "Content-Length: 1000000"))
          while conn:write "b" do rille.sleep(0.001) end
        end)
        assert.equal(refusal, h.undated((conn:read_all())))
      end)
    end, 0.02)
  end)

  it("of a streamed body fails the read", function()
    patiently(function(seconds)
      local err
      local got = stall(half, {body_timeout = seconds, stream = true}, function(req)
        req:read()
        err = helper.refused("timeout", req:read())
        return nil, err
      end)
      assert.equal(refusal, got)
    end)
  end)

  it("ends a client that expects a 100 and sends nothing", function()
    ends("HTTP/1.1 100 Continue\r\n\r\n" .. refusal, "body_timeout",
      head("POST / HTTP/1.1", "Host: x", "Content-Length: 10", "Expect: 100-continue"))
  end)
end)

describe("write_timeout", function()
  -- Asks, and does not read: how the server's connection ends.
  local function deaf(handler)
    h.run(function()
      local server <close> = h.serve(handler, {write_timeout = 0.005, on_error = "raise"})
      local conn <close> = h.connect(server)
      conn:write(h.get)
      h.wait_until(function()
        return server:stats().accepted == 1 and server:stats().active == 0
      end)
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
    local size = 24 << 20
    patiently(function(seconds)
      h.run(function()
        local server <close> = h.serve(function() return ("x"):rep(size) end,
          {write_timeout = seconds})
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
    end, 0.25)
  end)
end)

describe("a refused client that goes on sending", function()
  it("still sees why, and is not listened to for ever", function()
    local _ <close> = helper.closing(function() h.linger(100) end)
    patiently(function(seconds)
      h.linger(seconds)
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
    end, 0.05)
  end)
end)
