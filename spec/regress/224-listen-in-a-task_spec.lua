-- net.listen in a task that had opened no block of its own found no scope for
-- itself. That, and a scope that had ended, left the handle open; and where such
-- a scope had had streams, a new one was let in that nobody would close.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net = require "rille.net"

local run = net_helper.run

-- A scope that has ended, and that has had a socket if `used`.
local function ended_scope(used)
  return rille.scope(function(s)
    if used then net.udp("127.0.0.1", 0, { scope = s }) end
    return s
  end)
end

describe("net.listen", function()
  it("belongs to the scope of a task that is in no other", function()
    run(function(s)
      local port, done <close> = rille.channel(1), rille.channel()
      s:go(function()
        local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
          conn:write "x"
        end))
        port:send(listener:port())
        done:recv()
      end)
      local conn <close> = assert(net.connect("127.0.0.1", port:recv()))
      assert.equal("x", conn:read(1))
    end)
  end)
end)

describe("a scope that has ended", function()
  for _, used in ipairs { false, true } do
    it("takes no socket" .. (used and ", though it has had one" or ""), function()
      run(function()
        local scope = ended_scope(used)
        local listener <close> = assert(net.listen("127.0.0.1", 0, function() end))
        helper.raises_kind("closed", function()
          net.listen("127.0.0.1", 0, function() end, { scope = scope })
        end)
        helper.raises_kind("closed", function() net.udp("127.0.0.1", 0, { scope = scope }) end)
        helper.raises_kind("closed", function()
          net.connect("127.0.0.1", listener:port(), { scope = scope })
        end)
      end)
    end)
  end
end)
