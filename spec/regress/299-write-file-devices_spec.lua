-- fs.write_file put a file in the place of a device or a FIFO that had the name.
local rille = require "rille"
local sys = require "spec.sys_helper"

local fs = rille.fs

describe("fs.write_file", function()
  it("writes into what is no file", function()
    sys.run(function(dir)
      local path = dir .. "/link"
      assert(rille.process.run({"mkfifo", dir .. "/fifo"}, {check = true}))
      assert(fs.symlink("fifo", path))
      rille.scope(function(s)
        local reader = s:task(function() return fs.read_file(path) end)
        assert.is_true(fs.write_file(path, "hello", {mode = tonumber("600", 8)}))
        assert.equal("fifo", fs.stat(path).type)
        assert.equal("hello", reader:await())
      end)
    end)
  end)
end)
