-- What looked like an address and is none raised luv's error, from a line of the
-- engine.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net, http = rille.net, rille.http

local bad = {"256.1.1.1", "1.2.3.4.5", "::zz", "1:2", "[::1]"}

describe("an address that is none", function()
  for name, call in pairs{
    connect = function(host) return net.connect(host, 1) end,
    listen = function(host) return net.listen(host, 0, print) end,
    udp = function(host) return net.udp(host) end,
    resolve = function(host) return net.resolve(host) end,
    serve = function(host) return http.serve(host, 0, print) end,
  } do
    it("is an error of " .. name, function()
      net_helper.run(function()
        for _, host in ipairs(bad) do
          assert.matches("EAI_", helper.refused("io", call(host)).code)
        end
      end)
    end)
  end

  it("is an error of a datagram", function()
    net_helper.run(function()
      local socket <close> = assert(net.udp("127.0.0.1"))
      assert.matches("EAI_", helper.refused("io", socket:send("x", "256.1.1.1", 1)).code)
    end)
  end)
end)
