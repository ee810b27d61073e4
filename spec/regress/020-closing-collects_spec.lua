-- The engine closed a parked task while it was still in the list of what it
-- waited on. A handler that collected garbage freed that, the list with it.

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
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(code)
    file:close()
    local pipe = assert(io.popen("exec lua5.4 " .. path .. " 2>&1"))
    local output = pipe:read("a")
    pipe:close()
    os.remove(path)
    assert.equal("closed\n", output)
  end)
end)
