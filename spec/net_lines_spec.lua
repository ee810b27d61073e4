-- net_lines_spec.lua - lines, iteration, and a stream as a case of a select.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local pair = net_helper.pair

describe("a byte stream", function()
  describe("lines", function()
    it("strips both kinds of line ends", function()
      pair(function(a, b)
        a:write("one\ntwo\r\n\nlast")
        a:close()
        local lines = {}
        for line in b:lines() do lines[#lines + 1] = line end
        assert.same({"one", "two", "", "last"}, lines)
      end)
    end)

    it("raises too_large", function()
      pair(function(a, b)
        a:write("short\nmuch too long\n")
        local next_line = b:lines(8)
        assert.equal("short", next_line())
        helper.raises_kind("too_large", next_line)
        assert.equal("much too long", b:read_line())
      end)
    end)

    it("raises the failure of the connection", function()
      pair(function(a, b)
        b:write("unread")
        rille.sleep(0.005)
        a:close()
        local err = helper.raises_kind("io", function() for _ in b:lines() do end end)
        assert.equal("ECONNRESET", err.code)
      end)
    end)
  end)

  it("iterates over its pieces", function()
    pair(function(a, b)
      a:write("all of it")
      a:close()
      local pieces = {}
      for piece in b do pieces[#pieces + 1] = piece end
      assert.same({"all of it"}, pieces)
    end)
  end)

  describe("in a select", function()
    it("gives the next piece", function()
      pair(function(a, b, s)
        s:go(function() rille.sleep(0.002) a:write("hello") end)
        assert.same({2, "hello"}, {rille.select{{rille.channel()}, {b}}})
      end)
    end)

    it("gives what a read has left", function()
      pair(function(a, b)
        a:write("ab\nrest")
        b:read_line()
        assert.same({1, "rest"}, {rille.select{{b}}})
      end)
    end)

    it("loses nothing when another case fires", function()
      pair(function(a, b)
        a:write("ab\nrest")
        b:read_line()
        local ready = rille.channel(1)
        ready:send("now")
        assert.same({1, "now"}, {rille.select({{ready}, {b}}, {ordered = true})})
        assert.equal("rest", b:read())
      end)
    end)

    it("gives nil and the error at the end", function()
      pair(function(a, b)
        a:close()
        local i, value, err = rille.select{{b}}
        assert.equal(1, i)
        helper.refused("closed", value, err)
      end)
    end)

    it("refuses a stream that a task reads", function()
      pair(function(_, b, s)
        local first = s:task(function() return b:read() end)
        rille.yield()
        helper.raises(function() rille.select{{b}} end, "another task reads")
        first:cancel()
      end)
    end)

    it("refuses a read while it waits", function()
      pair(function(_, b, s)
        local first = s:task(function() return rille.select{{b}} end)
        rille.yield()
        helper.raises(function() b:read() end, "another task reads")
        first:cancel()
      end)
    end)

    it("can be waited for again and again by a selector", function()
      pair(function(a, b)
        local selector = rille.selector{{b}}
        a:write("one")
        assert.same({1, "one"}, {selector:wait()})
        a:write("two\nrest")
        assert.equal("two", b:read_line())
        assert.same({1, "rest"}, {selector:wait()})
        helper.refused("timeout", selector:wait(0))
      end)
    end)

    it("does not stall when a selector takes more than is kept", function()
      pair(function(a, b, s)
        local size, got = 2 * 1024 * 1024, 0
        local selector = rille.selector{{b}}
        s:go(a.write, a, ("x"):rep(size))
        while got < size do got = got + #select(2, selector:wait()) end
        assert.equal(size, got)
      end)
    end)

    it("cannot be sent to", function()
      pair(function(_, b)
        helper.raises(function() rille.select{{b, send = 1}} end, "only a channel can be sent to")
      end)
    end)
  end)

  it("is closed when it is garbage", function()
    net_helper.run(function()
      local listener <close> = require "rille.net".listen("127.0.0.1", 0, function(conn)
        helper.refused("closed", conn:read())
      end)
      require "rille.net".connect("127.0.0.1", listener:port())
      net_helper.wait_until(function()
        collectgarbage()
        return listener:stats().accepted == 1 and listener:stats().active == 0
      end)
    end)
  end)

  it("is not collected while a task reads from it", function()
    net_helper.run(function(s)
      local net = require "rille.net"
      local listener <close> = net.listen("127.0.0.1", 0, function(conn)
        collectgarbage()
        collectgarbage()
        conn:write("hello")
      end)
      local port = listener:port()
      local text = s:task(function() return net.connect("127.0.0.1", port):read_all() end):await()
      assert.equal("hello", text)
      net_helper.wait_until(function()
        collectgarbage()
        return #rille.testing.leaks() <= 2 -- the listener's
      end)
    end)
  end)
end)
