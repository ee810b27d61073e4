-- math.huge for a number that the system is given was refused by luv, with a
-- line of the engine and an argument that was not the caller's.
local rille = require "rille"
local helper = require "spec.helper"

local HERE = "277%-huge%-io%-numbers_spec.lua:%d+: bad argument #%d to '[%a_]+' %("

describe("a number for the system", function()
  it("is refused when it is math.huge", function()
    rille.run(function()
      local file <close> = assert(rille.fs.temp_file())
      local path = os.tmpname()
      for _, call in pairs {
        function() file:truncate(math.huge) end,
        function() file:chmod(math.huge) end,
        function() rille.fs.chmod(path, math.huge) end,
        function() rille.fs.chmod(path, 4096) end,
        function() rille.fs.open(path, "w", math.huge) end,
        function() rille.fs.mkdir(path .. "d", { mode = math.huge }) end,
        function() rille.fs.write_file(path, "", { mode = math.huge }) end,
        function() rille.net.listen("127.0.0.1", 0, print, { backlog = math.huge }) end,
      } do
        assert.matches(HERE, helper.raises(call))
      end
      os.remove(path)
    end)
  end)

  it("of seconds of silence is bounded", function()
    rille.run(function()
      local listener <close> = rille.net.listen("127.0.0.1", 0, function() end)
      local conn <close> = rille.net.connect("127.0.0.1", listener:port())
      assert.is_true(conn:keepalive(math.huge))
    end)
  end)
end)
