-- http_server_load_spec.lua - many connections, few descriptors, and what stays
-- behind.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_helper"
local net = rille.net

local function descriptors()
  local n = 0
  local uv = rille.uv()
  local dir = uv.fs_scandir "/proc/self/fd"
  while uv.fs_scandir_next(dir) do n = n + 1 end
  return n
end

describe("a server under load", function()
  it("serves 300 connections at once", function()
    h.run(function()
      local server <close> = h.serve(function(req) return req.path end)
      local clients <close> = rille.scope()
      local all = rille.event()
      local open = 0
      for i = 1, 300 do
        clients:go(function()
          local conn <close> = h.connect(server)
          open = open + 1
          if open == 300 then all:set() end
          all:wait()
          conn:write(h.get:gsub("/ ", "/" .. i .. " "))
          assert.equal(h.plain("/" .. i), h.undated(conn:read()))
        end)
      end
    end)
  end)

  it("serves more connections than max_connections, one after the other", function()
    h.run(function()
      local most = 0
      local server
      server = h.serve(function()
        repeat -- until there are as many as may be, the first time
          rille.sleep(0)
          most = math.max(most, server:stats().active)
        until most >= 3
        return "x"
      end, {max_connections = 3})
      rille.scope(function(s)
        for _ = 1, 20 do
          s:go(function() assert.equal("200", h.status(h.talk(server, h.get))) end)
        end
      end)
      assert.same({3, 20}, {most, server:stats().requests})
      server:close()
    end)
  end)

  it("leaves no descriptor behind", function()
    local before
    for round = 1, 2 do
      h.run(function()
        local server <close> = h.serve()
        for _ = 1, 10 do h.talk(server, h.get) end
        for _ = 1, 10 do h.connect(server):close() end
      end)
      collectgarbage()
      if round == 1 then before = descriptors() end
    end
    assert.equal(before, descriptors())
  end)

  it("leaves no memory behind", function()
    h.run(function()
      local server <close> = h.serve(function(req) return req.headers.host end)
      local function round()
        for _ = 1, 50 do h.talk(server, h.get) end
        helper.settle()
      end
      round()
      round()
      local before = helper.heap()
      for _ = 1, 4 do round() end
      assert.is_true(helper.heap() - before < 20)
    end)
  end)

  it("makes little garbage for a request", function()
    h.run(function()
      local server <close> = h.serve()
      local conn <close> = h.connect(server)
      local function ask()
        conn:write(h.get)
        conn:read()
      end
      for _ = 1, 100 do ask() end
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      for _ = 1, 1000 do ask() end
      local grown = collectgarbage "count" - before
      collectgarbage "restart"
      assert.is_true(grown < 2000) -- both sides: 1.5 KB when this was written
    end)
  end)

  it("goes on while nobody keeps the server", function()
    h.run(function()
      local port = h.serve():port()
      collectgarbage()
      collectgarbage()
      local conn <close> = assert(net.connect("127.0.0.1", port))
      conn:write(h.last)
      assert.equal("200", h.status(conn:read_all()))
      rille.current():scope()
      rille.current():cancel() -- the only way left
      pcall(rille.sleep, 1)
    end)
  end)

  it("answers while the collector never rests", function()
    collectgarbage("incremental", 1, 1000, 1)
    local _ <close> = helper.closing(function() collectgarbage("incremental", 200, 100, 13) end)
    local chunked = h.head("POST /a?b HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")
      .. "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert.equal(h.plain "abcbx" .. h.plain "abcbx", h.exchange(chunked .. chunked, function(req)
      return req.body .. req.query .. req.headers.host
    end))
  end)
end)
