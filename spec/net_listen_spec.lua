-- net_listen_spec.lua - servers: the tasks, limits and ends of a listener.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net = require "rille.net"

local run, wait_until = net_helper.run, net_helper.wait_until

local function listen(handler, opts)
  return assert(net.listen("127.0.0.1", 0, handler, opts))
end

local function connect(listener)
  return assert(net.connect("127.0.0.1", listener:port()))
end

local function echo(conn)
  for piece in conn do conn:write(piece) end
end

describe("a listener", function()
  it("runs the handler for each connection, in a task of its scope", function()
    run(function(s)
      local scopes = rille.channel(2)
      local listener <close> = listen(function(conn, of)
        scopes:send{rille.current():scope(), of}
        conn:read()
      end)
      local a <close> = connect(listener)
      local b <close> = connect(listener)
      assert.same({{s, listener}, {s, listener}}, {scopes:recv(), scopes:recv()})
      assert.is_true(a ~= b)
    end)
  end)

  it("closes the connection when the handler ends", function()
    run(function()
      local listener <close> = listen(function(conn) conn:write("bye") end)
      local conn <close> = connect(listener)
      assert.equal("bye", conn:read_all())
    end)
  end)

  it("keeps its scope open until it is closed and the handlers have ended", function()
    run(function()
      local log = helper.log()
      rille.scope(function(s)
        local listener = listen(function(conn)
          log("served", conn:read())
        end)
        s:go(function()
          local conn <close> = connect(listener)
          wait_until(function() return listener:stats().active == 1 end)
          listener:close()
          conn:write("x")
        end)
      end)
      log "left"
      assert.equal("served:x left", helper.text(log))
    end)
  end)

  it("as a daemon does not", function()
    run(function()
      rille.scope(function() listen(echo, {daemon = true}) end)
    end)
  end)

  it("ends with its scope's cancellation, and so do the connections", function()
    run(function()
      local conn, listener
      helper.refused("cancelled", rille.scope(function(s)
        listener = listen(echo)
        conn = connect(listener)
        conn:write("x")
        conn:read()
        s:cancel()
      end))
      local open <close> = conn
      assert.equal("", open:read_all())
      assert.is_true(listener:stats().closed)
    end)
  end)

  it("closes before its task has started", function()
    run(function()
      local listener = listen(echo)
      listener:close()
      listener:close()
      assert.is_true(listener:stats().closed)
    end)
  end)

  it("in a scope that is cancelled before its task has started closes its handles", function()
    run(function()
      helper.refused("cancelled", rille.scope(function(s)
        listen(echo)
        s:cancel()
      end))
    end)
  end)

  it("belongs to the scope that is given", function()
    run(function()
      local outer <close> = rille.scope()
      local listener
      rille.scope(function() listener = listen(echo, {scope = outer}) end)
      local conn <close> = connect(listener)
      conn:write("x")
      assert.equal("x", conn:read())
      listener:close()
    end)
  end)

  it("accepts no more than max_connections at a time", function()
    run(function(s)
      local most, go_on = 0, rille.channel()
      local listener <close> = listen(function(conn, of)
        most = math.max(most, of:stats().active)
        conn:write("hello")
        go_on:recv()
      end, {max_connections = 2})
      for _ = 1, 5 do
        s:go(function()
          local conn <close> = connect(listener)
          assert.equal("hello", conn:read_all())
        end)
      end
      for _ = 1, 5 do go_on:send(true) end
      assert.equal(2, most)
      assert.equal(5, listener:stats().accepted)
    end)
  end)

  it("can be closed while it is full", function()
    run(function()
      local listener = listen(echo, {max_connections = 1})
      local conn <close> = connect(listener)
      wait_until(function() return listener:stats().active == 1 end)
      local waiting <close> = connect(listener)
      listener:close()
      conn:write("x")
      assert.equal("x", conn:read())
      helper.refused("io", waiting:read())
    end)
  end)

  it("returns io when the address is in use", function()
    run(function()
      local listener <close> = listen(echo)
      local err = helper.refused("io", net.listen("127.0.0.1", listener:port(), echo))
      assert.equal("EADDRINUSE", err.code)
    end)
  end)

  it("returns io for a host that is not here", function()
    run(function()
      assert.equal("EADDRNOTAVAIL", helper.refused("io", net.listen("192.0.2.1", 0, echo)).code)
    end)
  end)

  it("serves a Unix socket and removes it", function()
    run(function()
      local path = os.tmpname()
      os.remove(path)
      do
        local listener <close> = assert(net.listen("unix", path, echo))
        local conn <close> = assert(net.connect("unix", path))
        conn:write("x")
        assert.equal("x", conn:read())
        assert.same({path, path}, {listener:address(), conn:peer()})
      end
      rille.sleep(0)
      assert.is_nil(io.open(path))
    end)
  end)

  it("serves IPv6", function()
    run(function()
      local listener = net.listen("::1", 0, echo)
      if not listener then return end -- no IPv6 here
      local open <close> = listener
      local conn <close> = assert(net.connect("::1", open:port()))
      conn:write("x")
      assert.equal("x", conn:read())
    end)
  end)

  it("is named by its address and connections", function()
    run(function()
      local listener <close> = listen(echo)
      assert.equal(("rille.listener: 127.0.0.1:%d (0 connections)"):format(listener:port()),
        tostring(listener))
    end)
  end)

  it("checks its arguments", function()
    run(function()
      helper.raises(function() net.listen(1) end, "bad argument #1 to 'listen'")
      helper.raises(function() net.listen("::1", 65536) end, "a port from 0 to 65535 expected")
      helper.raises(function() net.listen("unix", 1) end, "bad argument #2 to 'listen'")
      helper.raises(function() net.listen("::1", 0) end, "bad argument #3 to 'listen'")
      helper.raises(function() net.listen("::1", 0, echo, {max = 1}) end, "unknown option 'max'")
      helper.raises(function() net.listen("::1", 0, echo, {scope = {}}) end, "a scope expected")
    end)
  end)
end)
