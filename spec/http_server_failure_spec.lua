-- http_server_failure_spec.lua - handlers that fail, clients that go away, and what
-- that does to the others.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"

local function failure(text)
  return ("HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"
    .. "%sContent-Length: 22\r\n\r\nInternal Server Error\n"):format(text or "")
end

local function asked(path)
  return h.head("GET " .. path .. " HTTP/1.1", "Host: x")
end

describe("a handler that fails", function()
  it("is answered for, reported with a traceback, and the connection goes on", function()
    local got
    local text = h.captured(function()
      got = h.exchange(asked "/bad" .. asked "/good", function(req)
        if req.path == "/bad" then return req.path + 1 end
        return "good"
      end)
    end)
    assert.equal(failure() .. h.plain "good", got)
    assert.matches("^rille: http 127%.0%.0%.1:%d+: GET /bad: a handler failed: ", text)
    assert.matches("attempt to add a 'string'", text)
    assert.matches("stack traceback", text)
    assert.is_nil(got:find "attempt")
  end)

  it("is told to on_error with its request", function()
    local told
    h.run(function()
      local server <close> = h.serve(function() error({code = 7}) end,
        {on_error = function(err, req) told = {err.code, req.path} end})
      h.talk(server, asked "/x" .. h.last)
      assert.equal(2, server:stats().errors)
    end)
    assert.same({7, "/"}, told)
  end)

  it("by returning nil and an error has failed too", function()
    local told
    assert.equal(failure(), h.exchange(h.get, function() return nil, "refused" end,
      {on_error = function(err) told = err end}))
    assert.equal("refused", told)
  end)

  it("with any value, nil included, is no harm", function()
    for _, value in ipairs{false, 7, {}, "text"} do
      assert.equal(failure() .. h.plain "x", h.exchange(asked "/bad" .. h.get, function(req)
        if req.path == "/bad" then error(value) end
        return "x"
      end, {on_error = function() end}))
    end
    assert.equal(failure(), h.exchange(h.get, function() error() end, {on_error = function() end}))
  end)

  it("is the scope's failure with on_error = 'raise'; the client is answered", function()
    local conn, got
    h.run(function()
      local err = helper.raises(function()
        rille.scope(function()
          local server = h.serve(function() error("bug", 0) end, {on_error = "raise"})
          conn = h.connect(server)
          conn:write(h.get)
          rille.sleep(10)
        end)
      end)
      assert.equal("bug", err)
      local open <close> = conn
      got = h.undated((open:read_all()))
    end)
    assert.equal(failure "Connection: close\r\n", got)
  end)

  it("after the client has asked to close is answered so", function()
    assert.equal(failure "Connection: close\r\n", h.exchange(h.last, function() error "x" end,
      {on_error = function() end}))
  end)

  it("answers HEAD without a body", function()
    local head = "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal(failure():gsub("Internal Server Error\n", ""), (h.exchange(head,
      function() error "x" end, {on_error = function() end})))
  end)

  it("before it has read its body: the connection ends, or what came is dropped", function()
    local post = h.head("POST / HTTP/1.1", "Host: x", "Content-Length: 3")
    local opts = {stream = true, on_error = function() end}
    assert.equal(failure() .. failure(), h.exchange(post .. "abc" .. h.get, error, opts))
    assert.equal(failure "Connection: close\r\n", h.exchange(post, error, opts))
  end)

  it("whose on_error fails is the scope's failure", function()
    h.run(function()
      local err = helper.raises(function()
        rille.scope(function()
          local server = h.serve(error, {on_error = function() error("worse", 0) end})
          local conn <close> = h.connect(server)
          conn:write(h.get)
          conn:read_all()
          rille.sleep(10)
        end)
      end)
      assert.equal("worse", err)
    end)
  end)

  it("with an error of a scope of its own has failed; that of its task passes", function()
    local told = {}
    assert.equal(failure() .. h.plain "timeout", h.exchange(asked "/1" .. asked "/2", function(req)
      if req.path == "/1" then
        return rille.scope(function(s)
          s:cancel "mine"
          rille.sleep(1)
        end)
      end
      local _, err = rille.timeout(0.001, rille.sleep, 1)
      return err.kind
    end, {on_error = function(err) told[#told + 1] = err.kind end}))
    assert.same({"cancelled"}, told)
  end)

  it("may close its own server", function()
    h.run(function()
      local server
      server = h.serve(function()
        server:close()
        return "bye"
      end)
      assert.equal(h.plain("bye", "Connection: close\r\n"), h.talk(server, h.get .. h.get))
    end)
  end)

  it("may cancel the scope it serves in", function()
    h.run(function()
      local conn
      helper.refused("cancelled", rille.scope(function(s)
        local server = h.serve(function()
          s:cancel "enough"
          rille.sleep(0.001)
          return "bye"
        end)
        conn = h.connect(server)
        conn:write(h.get)
        rille.sleep(10)
      end))
      local open <close> = conn
      assert.equal(h.plain("bye", "Connection: close\r\n"), h.undated((open:read_all())))
    end)
  end)

  it("may use all the engine has", function()
    assert.equal(h.plain "1 2 3", h.exchange(h.get, function()
      return rille.scope(function(s)
        local values = assert(s:parallel{
          function() rille.sleep(0.001) return 1 end,
          function() return 2 end,
          function() return s:task(function() return 3 end):await() end,
        })
        return table.concat(values, " ", 1, 3)
      end)
    end))
  end)
end)

-- Connects, says `bytes`, waits until ready(stats), and resets the connection.
local function reset(server, bytes, ready)
  local handle, connected = rille.uv().new_tcp(), rille.event()
  handle:connect("127.0.0.1", server:port(), function() connected:set() end)
  connected:wait()
  if bytes then handle:write(bytes) end
  h.wait_until(function() return ready(server:stats()) end)
  handle:close_reset()
end

local function active(stats) return stats.active == 1 end
local function busy(stats) return stats.busy == 1 end

describe("a client that goes away", function()
  local function served(stats) return stats.requests == 1 and stats.busy == 0 end

  it("is no failure, in whatever state", function()
    h.run(function()
      local server <close> = h.serve(function(req)
        if req.path == "/wait" then rille.sleep(0.005) end
        if req.path == "/large" then return ("x"):rep(32 << 20) end
        return "x"
      end, {on_error = "raise"})
      local post = h.head("POST / HTTP/1.1", "Host: x", "Content-Length: 3")
      for _, case in ipairs{
        {nil, active}, {h.get, served}, {"GET /", busy}, {post .. "a", busy}, {asked "/wait", busy},
        {asked "/large", busy},
      } do
        reset(server, case[1], case[2])
        h.wait_until(function() return server:stats().active == 0 end)
      end
      assert.equal(0, server:stats().errors)
      assert.equal(h.plain "x", h.talk(server, h.get))
    end)
  end)

  it("does not disturb the others", function()
    h.run(function()
      local server <close> = h.serve(function(req)
        rille.sleep(0.002)
        return req.path
      end)
      local s <close> = rille.scope()
      for i = 1, 20 do
        s:go(function() assert.equal(h.plain("/" .. i), h.talk(server, asked("/" .. i))) end)
        if i % 4 == 0 then
          local before = server:stats().requests
          reset(server, asked "/gone", function(stats) return stats.requests > before end)
        end
      end
    end)
  end)
end)

describe("request:gone", function()
  -- Serves one request of a client that then does leave(conn); returns whether
  -- it had gone before, and what a select has told of it.
  local function told(leave)
    return h.run(function()
      local asked_for, answer = rille.event(), rille.channel(1)
      local server <close> = h.serve(function(req)
        local before = req:gone():is_closed()
        asked_for:set()
        answer:send{before, (rille.select({{req:gone()}}, {timeout = 60}))}
        return "x"
      end)
      local conn <close> = h.connect(server)
      conn:write(h.get)
      asked_for:wait()
      leave(conn)
      return answer:recv()
    end)
  end

  it("tells of a client that closes", function()
    assert.same({false, 1}, told(function(conn) conn:close() end))
  end)

  it("tells of one that closes its own side, which still gets its answer", function()
    assert.same({false, 1}, told(function(conn)
      conn:shutdown()
      assert.equal(h.plain "x", h.undated((conn:read_all())))
    end))
  end)

  it("tells of one that is reset", function()
    h.run(function()
      local gone = rille.event()
      local server <close> = h.serve(function(req)
        rille.select{{req:gone()}}
        gone:set()
        return "x"
      end)
      reset(server, h.get, busy)
      gone:wait()
    end)
  end)

  it("tells of what comes after requests that were sent at once", function()
    h.run(function()
      local closed = {}
      local server <close> = h.serve(function(req)
        local gone = req:gone()
        if req.path == "/last" then rille.select{{gone}} end
        closed[#closed + 1] = gone:is_closed()
        return "x"
      end)
      local conn <close> = h.connect(server)
      conn:write(h.get .. h.get .. asked "/last")
      h.wait_until(function() return server:stats().requests == 3 end)
      assert.same({false, false}, closed)
      conn:close()
      h.wait_until(function() return #closed == 3 end)
      assert.is_true(closed[3])
    end)
  end)

  it("ends a stream that waits for news", function()
    h.run(function()
      local server <close> = h.serve(function(req)
        return {body = function()
          rille.select{{req:gone()}}
          return nil
        end}
      end)
      reset(server, h.get, busy)
      h.wait_until(function() return server:stats().active == 0 end)
    end)
  end)
end)
