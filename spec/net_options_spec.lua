-- net_options_spec.lua - options of sockets that the system can be asked about,
-- and IPv6.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net, http = rille.net, rille.http
local run = net_helper.run

local function echo(conn)
  for piece in conn do conn:write(piece) end
end

local has_ipv6 = rille.run(function()
  local listener <close> = net.listen("::1", 0, echo)
  return listener ~= nil
end)

local function with_ipv6(name, fn)
  it(name, function()
    if not has_ipv6 then pending "there is no IPv6 here" return end
    run(fn)
  end)
end

describe("IPv6", function()
  with_ipv6("is listened on and connected to", function()
    local listener <close> = assert(net.listen("::1", 0, echo))
    local conn <close> = assert(net.connect("::1", listener:port()))
    conn:write "six"
    assert.equal("six", conn:read())
    assert.same({"::1", listener:port()}, {conn:peer()})
    assert.equal("::1", (conn:address()))
  end)

  with_ipv6("carries datagrams", function()
    local a <close> = assert(net.udp("::1"))
    local b <close> = assert(net.udp("::1"))
    assert(a:send("ping", b:address()))
    local data, from = b:recv()
    assert.same({"ping", "::1"}, {data, from.host})
  end)

  with_ipv6("carries HTTP", function()
    local server <close> = assert(http.serve("::1", 0, function(req)
      return req.peer .. " " .. req.headers.host
    end))
    local client <close> = http.client()
    local origin = ("[::1]:%d"):format(server:port())
    assert.equal("::1 " .. origin, assert(client:get("http://" .. origin)).body)
  end)

  with_ipv6("is shown in brackets", function()
    for _, open in ipairs{net.listen, net.udp, http.serve} do
      local server <close> = open("::1", 0, open ~= net.udp and print or nil)
      assert.matches("%[::1%]:%d+ %(", tostring(server))
    end
  end)
end)

describe("the option family", function()
  local function address(open, family)
    local server <close> = open("localhost", 0, open ~= net.udp and print or {family = family},
      open ~= net.udp and {family = family} or nil)
    return server and (server:address())
  end

  it("chooses among the addresses of a name", function()
    run(function()
      for _, open in ipairs{net.listen, net.udp, http.serve} do
        assert.equal("127.0.0.1", address(open, "inet"))
      end
    end)
  end)
end)

-- The timer of the kernel's for the connection from `from` to port `to`: "02" is
-- that of keepalive. See proc_net_tcp.txt of Linux.
local function timer(from, to)
  local pattern = ("0100007F:%04X 0100007F:%04X %%x+ %%x+:%%x+ (%%x+):"):format(from, to)
  return assert(rille.fs.read_file "/proc/net/tcp"):match(pattern)
end

describe("the option keepalive", function()
  local function timers(serve, opts)
    local server <close> = assert(serve("127.0.0.1", 0, function(x) return x:read() end, opts))
    local conn <close> = assert(net.connect("127.0.0.1", server:port(), opts))
    net_helper.wait_until(function() return server:stats().active == 1 end)
    local _, port = conn:address()
    return {timer(port, server:port()), timer(server:port(), port)}
  end

  it("is the system's, at both ends", function()
    run(function()
      assert.same({"02", "02"}, timers(net.listen, {keepalive = 30}))
      assert.same({"02", "02"}, timers(http.serve, {keepalive = true}))
      assert.same({"00", "00"}, timers(net.listen))
    end)
  end)
end)

describe("the option broadcast", function()
  it("lets a datagram be sent to all", function()
    run(function()
      local quiet <close> = assert(net.udp("0.0.0.0", 0))
      local loud <close> = assert(net.udp("0.0.0.0", 0, {broadcast = true}))
      local _, port = quiet:address()
      assert.equal("EACCES", helper.refused("io", quiet:send("x", "127.255.255.255", port)).code)
      assert.is_true(loud:send("to all", "127.255.255.255", port))
      assert.equal("to all", (quiet:recv()))
    end)
  end)
end)
