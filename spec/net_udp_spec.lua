-- net_udp_spec.lua - datagrams.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net = require "rille.net"

local run = net_helper.run

-- Runs fn(a, b, scope) with two sockets.
local function sockets(fn, opts)
  run(function(s)
    local a <close> = assert(net.udp("127.0.0.1", 0, opts))
    local b <close> = assert(net.udp("127.0.0.1", 0, opts))
    fn(a, b, s)
  end)
end

describe("a UDP socket", function()
  it("receives what another has sent, and from where", function()
    sockets(function(a, b)
      assert.is_true(a:send("hello", b:address()))
      local data, from = b:recv()
      assert.equal("hello", data)
      assert.same({a:address()}, {from.host, from.port})
    end)
  end)

  it("answers a datagram", function()
    sockets(function(a, b)
      a:send("ping", b:address())
      local _, from = b:recv()
      assert.is_true(b:send("pong", from))
      assert.equal("pong", (a:recv()))
    end)
  end)

  it("sends an empty datagram, and one to a name", function()
    sockets(function(a, b)
      local _, port = b:address()
      a:send("", "127.0.0.1", port)
      assert.equal("", (b:recv()))
      a:send("x", "localhost", port)
      assert.equal("x", (b:recv()))
    end)
  end)

  it("gives datagrams to a select and to a loop", function()
    sockets(function(a, b)
      a:send("one", b:address())
      local i, datagram = rille.select{{b}}
      assert.same({1, "one"}, {i, datagram.data})
      a:send("two", b:address())
      assert.equal("two", b().data)
    end)
  end)

  it("drops what nobody takes, and counts it", function()
    sockets(function(a, b)
      helper.refused("timeout", rille.timeout(0.001, b.recv, b))
      for i = 1, 5 do
        a:send(tostring(i), b:address())
        net_helper.wait_until(function()
          local stats = b:stats()
          return stats.buffered + stats.dropped == i
        end)
      end
      assert.equal(3, b:stats().dropped)
      assert.equal("1", (b:recv()))
    end, {buffer = 2})
  end)

  it("returns closed after close, also to who waits", function()
    sockets(function(a, b, s)
      local waiting = s:task(function() return a:recv() end)
      rille.yield()
      a:close()
      a:close()
      helper.refused("closed", waiting:await())
      helper.refused("closed", a:recv())
      helper.refused("closed", a:send("x", b:address()))
      helper.refused("closed", a:address())
    end)
  end)

  it("returns io for what cannot be sent or bound", function()
    sockets(function(a, b)
      local host, port = b:address()
      assert.equal("EMSGSIZE", helper.refused("io", a:send(("x"):rep(70000), host, port)).code)
      assert.equal("EADDRINUSE", helper.refused("io", net.udp(host, port)).code)
    end)
  end)

  it("is closed when it is garbage", function()
    run(function()
      net.udp("127.0.0.1")
      net_helper.wait_until(function()
        collectgarbage()
        return #rille.testing.leaks() == 0
      end)
    end)
  end)

  it("checks its arguments", function()
    sockets(function(a)
      helper.raises(function() a:send(1) end, "bad argument #1 to 'send'")
      helper.raises(function() a:send("x") end, "bad argument #2 to 'send'")
      helper.raises(function() a:send("x", "::1") end, "bad argument #3 to 'send'")
      helper.raises(function() net.udp(1) end, "bad argument #1 to 'udp'")
      helper.raises(function() net.udp("::1", -1) end, "bad argument #2 to 'udp'")
    end)
  end)
end)
