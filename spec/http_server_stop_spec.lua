-- http_server_stop_spec.lua - the end of a server, whoever ends it, in each state
-- of its connections.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"

local head = h.head

-- Serves; a client says `bytes`; once the server is in that state, fn(server, conn)
-- is called; the scope must end then. Returns what the client got.
local function stopped(bytes, ready, opts, handler, fn)
  return h.run(function()
    local conn
    rille.scope(function(s)
      local server = h.serve(handler, opts)
      conn = h.connect(server)
      if bytes ~= "" then conn:write(bytes) end
      h.wait_until(function() return ready(server:stats()) end)
      fn(server, conn, s)
    end)
    local open <close> = conn
    return h.undated((open:read_all()))
  end)
end

local function close(server) server:close() end
local function cancel(_, _, s) s:cancel() end

local function active(stats) return stats.active == 1 end
local function busy(stats) return stats.busy == 1 end
local function served(stats) return stats.requests == 1 and stats.busy == 0 end

-- A handler that waits for `event`.
local function waiting()
  local event, state = rille.event(), {}
  return event, function(req)
    state.begun = true
    event:wait()
    return "done " .. req.path
  end, state
end

local closing = h.plain("done /", "Connection: close\r\n")

for name, stop in pairs{close = close, ["the cancellation of its scope"] = cancel} do
  describe("a server's end by " .. name, function()
    it("closes a connection that has said nothing", function()
      assert.equal("", stopped("", active, nil, nil, stop))
    end)

    it("closes one between two requests at once", function()
      assert.equal(h.plain "hello", stopped(h.get, served, {grace = 100}, nil, stop))
    end)

    it("lets a request in its head finish", function()
      local expected = h.plain("hello", "Connection: close\r\n")
      assert.equal(expected, stopped(h.get:sub(1, 10), busy, nil, nil,
        function(server, conn, s)
          stop(server, conn, s)
          rille.shield(function() conn:write(h.get:sub(11)) end)
        end))
    end)

    it("lets a request in its body finish", function()
      local bytes = head("POST / HTTP/1.1", "Host: x", "Content-Length: 3")
      assert.equal(h.plain("abc", "Connection: close\r\n"), stopped(bytes .. "a", busy, nil,
        function(req) return req.body end,
        function(server, conn, s)
          stop(server, conn, s)
          rille.shield(function() conn:write("bc") end)
        end))
    end)

    it("lets a handler finish, and its connection ends then", function()
      local event, handler = waiting()
      assert.equal(closing, stopped(h.get .. h.get, busy, nil, handler, function(server, conn, s)
        stop(server, conn, s)
        event:set()
      end))
    end)

    it("lets a handler wait on", function()
      assert.equal(closing, stopped(h.get, busy, nil, function()
        for _ = 1, 5 do rille.sleep(0.001) end
        return "done /"
      end, stop))
    end)

    it("lets a streamed response finish", function()
      local got = stopped(h.get, busy, nil, function()
        local n = 0
        return {body = function()
          n = n + 1
          rille.sleep(0.001)
          return n <= 5 and "x" or nil
        end}
      end, stop)
      assert.matches(("1\r\nx\r\n"):rep(5) .. "0\r\n\r\n$", got)
    end)

    it("cancels a handler after the grace", function()
      local cancelled
      local _, handler, state = waiting()
      assert.equal("", stopped(h.get, busy, {grace = 0.01, on_error = "raise"}, function(req)
        local _ <close> = helper.closing(function(err) cancelled = err end)
        return handler(req)
      end, stop))
      assert.is_true(state.begun)
      assert.is_true(rille.is_error(cancelled, "cancelled"))
      assert.equal("the server is closed", cancelled.reason)
    end)

    it("cancels a handler at once with a grace of 0", function()
      local _, handler = waiting()
      assert.equal("", stopped(h.get, busy, {grace = 0}, handler, stop))
    end)

    it("cancels after the grace who does not read its response", function()
      stopped(h.get, busy, {grace = 0.01}, function() return ("x"):rep(32 << 20) end, stop)
    end)

    it("does not wait for a client that was refused and goes on sending", function()
      local bytes = head("POST / HTTP/1.1", "Host: x", "Content-Length: 9999999") .. "x"
      local function refused(stats) return stats.refused == 1 and stats.busy == 0 end
      stopped(bytes, refused, {grace = 100}, nil, stop)
    end)
  end)
end

describe("a server", function()
  it("that is closed accepts nobody", function()
    h.run(function()
      local server = h.serve()
      local port = server:port()
      server:close()
      server:close()
      assert.equal("ECONNREFUSED", helper.refused("io", rille.net.connect("127.0.0.1", port)).code)
      assert.is_true(server:stats().closed)
    end)
  end)

  it("ends when the program is shut down", function()
    h.run(function()
      local event, handler = waiting()
      local down <close> = rille.shutdown{timeout = 100, signals = {}}
      local idle, running
      rille.scope(function()
        local server = h.serve(handler)
        idle, running = h.connect(server), h.connect(server)
        running:write(h.get)
        h.wait_until(function() return server:stats().active == 2 and server:stats().busy == 1 end)
        down:trigger()
        h.wait_until(function() return server:stats().closed end)
        event:set()
      end)
      local a <close> = idle
      local b <close> = running
      assert.equal("", a:read_all())
      assert.equal(closing, h.undated((b:read_all())))
      down:close()
      helper.settle()
    end)
  end)

  it("keeps its scope open until the last request was answered", function()
    h.run(function()
      local log = helper.log()
      local event, handler = waiting()
      local conn
      rille.scope(function(s)
        local server = h.serve(handler, {scope = s})
        conn = h.connect(server)
        conn:write(h.get)
        h.wait_until(function() return server:stats().busy == 1 end)
        server:close()
        s:go(function()
          rille.sleep(0.002)
          log "set"
          event:set()
        end)
      end)
      log "left"
      local open <close> = conn
      assert.equal("set left", helper.text(log))
      assert.equal(closing, h.undated((open:read_all())))
    end)
  end)

  it("belongs to the scope that is given", function()
    h.run(function()
      local outer <close> = rille.scope()
      local server
      rille.scope(function() server = h.serve(nil, {scope = outer}) end)
      assert.equal(h.plain "hello", h.talk(server, h.get))
      server:close()
    end)
  end)

  it("belongs to its task's scope where that has no block of its own", function()
    h.run(function(s)
      local server = s:task(function() return h.serve() end):await()
      assert.equal(h.plain "hello", h.talk(server, h.get))
      server:close()
    end)
  end)

  it("that never was there is io", function()
    h.run(function()
      local server <close> = h.serve()
      assert.equal("EADDRINUSE", helper.refused("io",
        rille.http.serve("127.0.0.1", server:port(), h.hello)).code)
    end)
  end)

  it("in a scope that is cancelled before it has begun leaves nothing", function()
    h.run(function()
      helper.refused("cancelled", rille.scope(function(s)
        h.serve()
        s:cancel()
      end))
    end)
  end)

  it("is named by its address and connections", function()
    h.run(function()
      local server <close> = h.serve()
      assert.equal(("rille.http_server: http 127.0.0.1:%d (0 connections)"):format(server:port()),
        tostring(server))
      server:close()
      assert.matches("%(0 connections, closed%)$", tostring(server))
    end)
  end)

  it("checks its arguments", function()
    h.run(function()
      local serve = rille.http.serve
      helper.raises(function() serve(1) end, "bad argument #1 to 'serve'")
      helper.raises(function() serve("::1", -1) end, "a port from 0 to 65535 expected")
      helper.raises(function() serve("::1", 0) end, "bad argument #3 to 'serve'")
      helper.raises(function() serve("::1", 0, print, {max_heder = 1}) end,
        "did you mean 'max_header'")
      helper.raises(function() serve("::1", 0, print, {max_header = 65537}) end,
        "option 'max_header': a whole number from 1 to 65536 expected, got 65537")
      helper.raises(function() serve("::1", 0, print, {max_body = -1}) end, "option 'max_body'")
      helper.raises(function() serve("::1", 0, print, {idle_timeout = 0}) end,
        "option 'idle_timeout'")
      helper.raises(function() serve("::1", 0, print, {on_error = "log"}) end, "option 'on_error'")
    end)
  end)
end)
