-- http_client_fault_spec.lua - servers that are not there, break off, or talk
-- nonsense.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"
local net_helper = require "spec.net_helper"
local sys = require "spec.sys_helper"

-- The error of a request to `url`, with a body that is collected, and with one
-- that is streamed: it must be the same kind for both.
local function fails(client, kind, url, opts)
  local err = helper.refused(kind, client:get(url, opts))
  local r = client:get(url, {stream = true})
  if r then
    local _ <close> = r
    helper.refused(kind, r.body:read_all())
  end
  return err
end

describe("a server that", function()
  it("is not there is kind connect", function()
    h.run(function(client)
      local refusing <close> = net_helper.refusing()
      local url = ("http://127.0.0.1:%d/"):format(refusing.port)
      local err = helper.refused("connect", client:get(url))
      assert.equal(7, err.code)
      assert.truthy(err.message:find("GET " .. url .. ": ", 1, true))
    end)
  end)

  it("has no known name is kind resolve", function()
    h.run(function(client)
      local err = helper.refused("resolve", client:get(h.no_host))
      assert.matches("Could not resolve host: no%-such%.%.host", err.message)
    end)
  end)

  it("is told without its credentials", function()
    h.run(function(client)
      local err = helper.refused("resolve", client:get "http://me:secret@no-such..host/")
      assert.is_nil(err.message:find "secret")
    end)
  end)

  it("closes without a word is kind protocol", function()
    h.run(function(client)
      fails(client, "protocol", (h.once ""))
    end)
  end)

  for _, case in ipairs{
    {"closes in the middle of the head", "HTTP/1.1 200 OK\r\nA: "},
    {"closes in the middle of the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
    {"closes in the middle of a chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc"},
    {"closes between two chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
    {"sends a chunk of no size",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n"},
    {"sends what is no compressed data",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"},
    {"is no HTTP server", "SSH-2.0-OpenSSH_9.2\r\n"},
    {"sends garbage", "\0\1\2\3\r\n\r\n\255"},
    {"sends a status that is none", "HTTP/1.1 abc\r\n\r\n"},
    {"sends lengths that differ",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: x\r\n\r\nabc"},
  } do
    it(case[1] .. " is kind protocol", function()
      h.run(function(client)
        local err = fails(client, "protocol", (h.once(case[2])))
        assert.matches("^GET http://127", err.message)
      end)
    end)
  end

  it("resets the connection is kind protocol", function()
    h.run(function(client)
      local uv = rille.uv()
      local server = uv.new_tcp()
      server:bind("127.0.0.1", 0)
      server:listen(8, function()
        local conn = uv.new_tcp()
        server:accept(conn)
        conn:read_start(function(_, data)
          if not data then return end
          conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
          conn:close_reset()
        end)
      end)
      fails(client, "protocol", ("http://127.0.0.1:%d/"):format(server:getsockname().port))
      server:close()
    end)
  end)

  it("sends a head without end is kind too_large", function()
    h.run(function(client)
      local url = h.listen(function(conn)
        h.read_request(conn)
        conn:write "HTTP/1.1 200 OK\r\n"
        while conn:write("X: " .. ("x"):rep(1000) .. "\r\n") do rille.yield() end
      end)
      local err = helper.refused("too_large", client:get(url))
      assert.matches("the head of the response is too large", err.message)
      helper.refused("too_large", client:get(url, {stream = true}))
    end)
  end)

  it("sends a larger head than max_head is kind too_large", function()
    h.run(function(client)
      local url = h.serve(function() return h.response("", "X: " .. ("x"):rep(200)) end)
      assert(client:get(url, {max_head = 1000}))
      helper.refused("too_large", client:get(url, {max_head = 200}))
    end)
  end)

  it("sends one byte at a time is slow, no more", function()
    h.run(function(client)
      local url = h.listen(function(conn)
        h.read_request(conn)
        for byte in h.response("slow"):gmatch "." do
          conn:write(byte)
          rille.yield()
        end
      end)
      assert.equal("slow", client:get(url).body)
    end)
  end)

  it("goes on after an error of another request", function()
    h.run(function(client)
      local good, bad = h.serve(function() return h.response "x" end), h.once "nonsense"
      for _ = 1, 3 do
        assert.equal("x", client:get(good).body)
        helper.refused("protocol", client:get((h.once "nonsense")))
      end
      assert.is_string(bad)
    end)
  end)
end)

describe("out of descriptors", function()
  it("is an error, and all works once there are some", function()
    assert.same({"connect\nx\n", 0}, {sys.script([[
      local rille = require "rille"
      local http = rille.http
      rille.scope(function(s)
        local listener = assert(rille.net.listen("127.0.0.1", 0, function(conn)
          while conn:read_until "\r\n\r\n" do
            conn:write "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
          end
        end))
        local url = ("http://127.0.0.1:%d/"):format(listener:port())
        local client <close> = http.client()
        assert(client:get(url)) -- the other end is accepted, too
        local files = {}
        repeat
          local file = io.open "/dev/null"
          files[#files + 1] = file
        until not file
        local other <close> = http.client()
        print(select(2, other:get(url)).kind)
        for _, file in ipairs(files) do file:close() end
        print(other:get(url).body)
        s:cancel()
      end)]], "ulimit -n 64")})
  end)
end)
