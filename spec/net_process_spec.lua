-- net_process_spec.lua - what needs a process of its own: no descriptors left,
-- SIGPIPE, no luv, the end of the Lua state with connections open.

local helper = require "spec.helper"

local function prints(expected, code, before)
  assert.same({ expected, 0 }, { helper.stock_lua(code, before) })
end

-- Takes every descriptor there is; gives them back when it is closed.
local exhaust = [[
  local function exhaust()
    local files = {}
    repeat
      local file = io.open("/dev/null")
      files[#files + 1] = file
    until not file
    return setmetatable({}, {__close = function()
      for _, file in ipairs(files) do file:close() end
    end})
  end
]]

-- Clients whose sockets exist already; `connect_all` connects them and returns
-- a channel of what each of them has read.
local clients = [[
  local function make_clients(n)
    local list = {}
    for i = 1, n do list[i] = uv.new_tcp("inet") end
    return list
  end
  local function connect_all(list, port)
    local results = rille.channel(math.huge)
    for _, client in ipairs(list) do
      client:connect("127.0.0.1", port, function(err)
        local text = err or ""
        client:read_start(function(failed, piece)
          if piece then text = text .. piece return end
          client:close()
          results:try_send(failed or text)
        end)
      end)
    end
    return results
  end
]]

local head = [[
  local rille = require "rille"
  local net, uv = require "rille.net", rille.uv()
]] .. exhaust .. clients

describe("rille.net", function()
  it("pauses accepting without descriptors, loses nothing, recovers", function()
    prints("paused\t0\n20 hellos\t20\t0\n", head .. [[
      rille.run(function()
        local listener <close> = net.listen("127.0.0.1", 0, function(conn)
          conn:write("hello")
        end)
        local list, results = make_clients(20)
        do
          local _ <close> = exhaust()
          results = connect_all(list, listener:port())
          while listener:stats().pauses < 2 do rille.sleep(0.01) end
          print("paused", listener:stats().accepted)
        end
        local hellos = 0
        for _ = 1, 20 do hellos = hellos + (results:recv() == "hello" and 1 or 0) end
        while listener:stats().active > 0 do rille.sleep(0.001) end
        print(hellos .. " hellos", listener:stats().accepted, listener:stats().active)
      end)]], "ulimit -n 60;")
  end)

  it("goes on as soon as a connection ends, when there is one descriptor", function()
    prints("20 hellos\n", head .. [[
      rille.run(function()
        local listener <close> = net.listen("127.0.0.1", 0, function(conn)
          conn:write("hello")
        end)
        local list, spare = make_clients(20), io.open("/dev/null")
        local _ <close> = exhaust()
        spare:close()
        local results, hellos = connect_all(list, listener:port()), 0
        for _ = 1, 20 do hellos = hellos + (results:recv() == "hello" and 1 or 0) end
        print(hellos .. " hellos")
      end)]], "ulimit -n 60;")
  end)

  it("returns io where a connection needs a descriptor and there is none", function()
    prints("EMFILE\nEMFILE\nEMFILE\n", head .. [[
      rille.run(function()
        local _ <close> = exhaust()
        print(select(2, net.connect("127.0.0.1", 1)).code)
        print(select(2, net.listen("127.0.0.1", 0, print)).code)
        print(select(2, net.udp("127.0.0.1")).code)
      end)
      assert(#rille.testing.leaks() == 0)]], "ulimit -n 60;")
  end)

  it("makes of a broken pipe an error, in any program", function()
    prints("true\n", [[
      local rille = require "rille"
      local net = require "rille.net"
      rille.run(function()
        local listener <close> = net.listen("127.0.0.1", 0, function() end)
        local conn <close> = net.connect("127.0.0.1", listener:port())
        conn:read_all()
        local ok, err
        repeat
          ok, err = conn:write("more")
          rille.sleep(0.001)
        until not ok
        print(err.code == "EPIPE" or err.code == "ECONNRESET")
      end)]], "trap - PIPE;")
  end)

  it("closes with the Lua state, whatever is open", function()
    prints("", [[
      local rille = require "rille"
      local net = require "rille.net"
      pcall(rille.run, function()
        LISTENER = net.listen("127.0.0.1", 0, function(conn) conn:read() end)
        CONN = net.connect("127.0.0.1", LISTENER:port())
        UDP = net.udp()
        rille.root():go(function() CONN:read() end)
        rille.sleep(0.01)
        os.exit(0, true)
      end)]])
  end)

  it("names the package when there is no luv, and only then", function()
    prints("true\ttrue\ndone\n", helper.without_luv .. [[
      local _, required = pcall(require, "rille.net")
      local _, looked_up = pcall(function() return rille.net end)
      print(tostring(required):find("lua-luv", 1, true) ~= nil,
        tostring(looked_up):find("lua-luv", 1, true) ~= nil)
      rille.run(rille.sleep, 0.001)
      print("done")]])
  end)
end)
