-- When the engine closed the coroutine of a task that waited, its <close>
-- handlers ran while the wait was still linked, on a stack that was not whole
-- any more: a receiver took a value that was not there.

local binary = os.getenv "RILLE_BINARY" or "build/rille"

local script = [[
  local rille = require "rille"
  local ch = rille.channel()
  rille.root():go(function()
    local _ <close> = setmetatable({}, { __close = function()
      local value, err = ch:try_recv()
      print(value, err.kind)
    end })
    ch:send("v")
  end)
  rille.yield()
  os.exit(0, true)
]]

describe("a handler that runs as the engine is closed", function()
  it("finds no value of the task that waited to send one", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local pipe <close> = assert(io.popen(("%s %s 2>&1"):format(binary, path)))
    local text = pipe:read "a"
    os.remove(path)
    assert.equal("nil\tempty\n", text)
  end)
end)
