-- 200: net.listen in a task that had opened no scope of its own raised, and left
-- the socket open.
local rille = require "rille"
local net_helper = require "spec.net_helper"

describe("net.listen in a task without a block of its own", function()
  it("belongs to the task's scope", function()
    net_helper.run(function(s)
      local listener
      s:task(function()
        listener = assert(rille.net.listen("127.0.0.1", 0, function(conn) conn:write "x" end))
      end):await()
      local conn <close> = assert(rille.net.connect("127.0.0.1", listener:port()))
      assert.equal("x", conn:read_all())
      listener:close()
    end)
  end)
end)
