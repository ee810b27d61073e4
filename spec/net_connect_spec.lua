-- net_connect_spec.lua - connecting: what can go wrong, several addresses,
-- cancellation, names.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net = require "rille.net"

local run = net_helper.run

describe("net.connect", function()
  it("returns io when refused", function()
    run(function()
      local refusing <close> = net_helper.refusing()
      local err = helper.refused("io", net.connect("127.0.0.1", refusing.port))
      assert.equal("ECONNREFUSED", err.code)
      assert.equal(("connect to 127.0.0.1:%d: connection refused (ECONNREFUSED)"):format(
        refusing.port), err.message)
    end)
  end)

  it("returns io for a name that is not known", function()
    run(function()
      local err = helper.refused("io", net.connect(net_helper.no_host, 80))
      assert.matches("^EAI_", err.code)
    end)
  end)

  it("returns io for a Unix socket that is not there", function()
    run(function()
      assert.equal("ENOENT", helper.refused("io", net.connect("unix", "/no/such")).code)
    end)
  end)

  it("connects by name", function()
    run(function()
      local listener <close> = assert(net.listen("localhost", 0, function() end,
        {family = "inet"}))
      local conn <close> = assert(net.connect("localhost", listener:port()))
      assert.equal("", conn:read_all())
    end)
  end)

  it("connects from the address that is given", function()
    run(function()
      local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
        conn:write((conn:peer()))
      end))
      local conn <close> = assert(net.connect("127.0.0.1", listener:port(),
        {local_address = "127.0.0.3"}))
      assert.equal("127.0.0.3", conn:read_all())
    end)
  end)

  it("ends with its timeout and closes what it has opened", function()
    run(function()
      local silent <close> = net_helper.silence("127.0.0.1")
      helper.refused("timeout", net.connect("127.0.0.1", silent.port, {timeout = 0.02}))
    end)
  end)

  it("ends with the deadline of the task", function()
    run(function()
      local silent <close> = net_helper.silence("127.0.0.1")
      helper.refused("timeout", rille.timeout(0.02, net.connect, "127.0.0.1", silent.port))
    end)
  end)

  it("outlives the timeout it was made under", function()
    run(function()
      local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
        conn:write("x")
      end))
      local conn <close> = rille.timeout(60, net.connect, "127.0.0.1", listener:port())
      assert.equal("x", conn:read_all())
    end)
  end)

  it("is closed with the scope that is given", function()
    run(function()
      local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn) conn:read() end))
      local conn
      rille.scope(function(s)
        conn = assert(net.connect("127.0.0.1", listener:port(), {scope = s}))
      end)
      assert.is_true(conn:is_closed())
    end)
  end)

  it("is closed at the end of the run at the latest", function()
    local conn
    rille.run(function()
      local listener <close> = assert(net.listen("127.0.0.1", 0, function(c) c:read() end))
      conn = assert(net.connect("127.0.0.1", listener:port()))
      conn:write("x")
    end)
    assert.is_true(conn:is_closed())
    assert.same({}, rille.testing.leaks())
  end)

  it("checks its arguments", function()
    run(function()
      helper.raises(function() net.connect() end, "bad argument #1 to 'connect'")
      helper.raises(function() net.connect("::1", "80") end, "a port from 0 to 65535 expected")
      helper.raises(function() net.connect("unix", 1) end, "bad argument #2 to 'connect'")
      helper.raises(function() net.connect("::1", 1, {timeuot = 1}) end, "'timeout'")
    end)
  end)
end)

describe("net.connect with several addresses", function()
  local resolve

  before_each(function() resolve = net.resolve end)
  after_each(function() net.resolve = resolve end)

  -- Makes every name mean these addresses.
  local function names_mean(...)
    local list = {}
    for i, host in ipairs {...} do
      list[i] = {host = host, family = host:find(":") and "inet6" or "inet"}
    end
    net.resolve = function() return list end
  end

  local function listener_on(host)
    return assert(net.listen(host, 0, function(conn) conn:write("hello") end))
  end

  it("tries the next at once when one is refused", function()
    run(function()
      local listener <close> = listener_on("127.0.0.2")
      names_mean("127.0.0.3", "127.0.0.4", "127.0.0.2")
      local conn <close> = assert(net.connect("any", listener:port()))
      assert.equal("127.0.0.2", (conn:peer()))
    end)
  end)

  it("tries the next after a moment when one is silent", function()
    run(function()
      local listener <close> = listener_on("127.0.0.2")
      local silent <close> = net_helper.silence("127.0.0.3", listener:port())
      names_mean("127.0.0.3", "127.0.0.2")
      local conn <close> = assert(net.connect("any", silent.port))
      assert.equal("127.0.0.2", (conn:peer()))
    end)
  end)

  it("takes turns between the families", function()
    run(function()
      local refusing <close> = net_helper.refusing()
      names_mean("127.0.0.2", "127.0.0.3", "::1", "127.0.0.4")
      local err = helper.refused("io", net.connect("any", refusing.port))
      local order = {}
      for i, each in ipairs(err.errors) do
        order[i] = each.message:match("connect to %[?([%d.:]-)%]?:%d+:")
      end
      assert.same({"127.0.0.2", "::1", "127.0.0.3", "127.0.0.4"}, order)
    end)
  end)
end)

describe("net.resolve", function()
  it("returns an address as it is", function()
    run(function()
      assert.same({{host = "::1", family = "inet6"}}, net.resolve("::1"))
      assert.same({{host = "10.0.0.1", family = "inet"}}, net.resolve("10.0.0.1"))
    end)
  end)

  it("finds a name, each address once", function()
    run(function()
      local list = assert(net.resolve("localhost", {family = "inet"}))
      assert.same({{host = "127.0.0.1", family = "inet"}}, list)
    end)
  end)

  it("is cancelled with its task", function()
    run(function()
      helper.refused("timeout", rille.timeout(0, net.resolve, "localhost"))
    end)
  end)
end)
