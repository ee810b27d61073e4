-- net_faults_spec.lua - the other side is dead, slow or mute: what a reader and
-- a writer get, and that the deadline holds. See net_connect_spec.lua for what
-- can go wrong before there is a connection.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local pair, raw_pair, wait_until = net_helper.pair, net_helper.raw_pair, net_helper.wait_until

-- Sends the bytes of `text` one by one.
local function drip(stream, text)
  for byte in text:gmatch "." do
    stream:write(byte)
    rille.sleep(0.001)
  end
end

describe("a byte stream", function()
  it("reset half way fails in the read, and keeps what came before", function()
    raw_pair(function(raw, b, s)
      raw:write "xabc"
      assert.equal("x", b:read(1))
      local reader = s:task(function() return b:read(10) end)
      raw:close_reset()
      assert.equal("ECONNRESET", helper.refused("io", reader:await()).code)
      assert.equal("abc", b:read())
      assert.equal("ECONNRESET", helper.refused("io", b:read()).code)
    end)
  end)

  it("reset half way of a line raises in a loop over lines", function()
    raw_pair(function(raw, b, s)
      local lines = {}
      local reader = s:task(function()
        for line in b:lines() do lines[#lines + 1] = line end
      end)
      raw:write "one\ntwo\nthr"
      wait_until(function() return #lines == 2 end)
      raw:close_reset()
      helper.refused("io", reader:await())
      assert.same({"one", "two"}, lines)
    end)
  end)

  it("whose other side is silent leaves a read to its deadline", function()
    pair(function(_, b)
      for _, read in ipairs{b.read, b.read_line, b.read_all} do
        helper.refused("timeout", rille.timeout(0.005, read, b))
      end
      helper.refused("timeout", rille.timeout(0.005, rille.select, {{b}}))
    end)
  end)

  it("that comes byte by byte is put together", function()
    pair(function(a, b, s)
      s:go(drip, a, "GET /\r\n\r\nbody")
      assert.equal("GET /", b:read_until "\r\n\r\n")
      assert.equal("body", b:read(4))
    end)
  end)

  it("that comes byte by byte for ever does not stretch a deadline", function()
    pair(function(a, b, s)
      s:go({daemon = true}, drip, a, ("x"):rep(1e6))
      helper.refused("timeout", rille.timeout(0.02, b.read_line, b))
      assert.matches("^x+$", b:read())
      a:close()
    end)
  end)

  it("that nobody reads leaves a write to its deadline", function()
    pair(function(a)
      helper.refused("timeout", rille.timeout(0.01, a.write, a, ("x"):rep(1 << 24)))
      assert.is_true(a:stats().writing > 0)
    end)
  end)
end)
