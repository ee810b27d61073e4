-- The engine closed a parked task while it was still in the list of what it
-- waited on. A handler that collected garbage freed that, the list with it.

local helper = require "spec.helper"

local code = [[
  local rille = require "rille"
  local _, engine = debug.getupvalue(rille.now, 1)
  local function collect()
    collectgarbage()
    for _ = 1, 1000 do rille.channel() end
  end
  rille.run(function()
    for _ = 1, 3 do
      rille.root():go(function()
        local _ <close> = setmetatable({}, { __close = collect })
        rille.channel():recv()
      end)
    end
    rille.yield()
    debug.getmetatable(engine).__gc(engine)
    print "closed"
    os.exit(true)
  end)
]]

describe("closing an engine", function()
  it("survives handlers that collect garbage", function()
    assert.equal("closed\n", (helper.stock_lua(code)))
  end)
end)
