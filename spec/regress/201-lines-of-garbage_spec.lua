-- 201: the iterator of `file:lines()` did not hold the file: if nobody else did, a
-- collection in the middle of the loop closed it, and the loop ended early.
local rille = require "rille"
local sys = require "spec.sys_helper"

describe("lines of a file that only the loop has", function()
  it("come to the end", function()
    sys.run(function(dir)
      assert(rille.fs.write_file(dir .. "/f", ("line\n"):rep(10)))
      local n = 0
      for _ in assert(rille.fs.open(dir .. "/f")):lines() do
        n = n + 1
        collectgarbage()
        collectgarbage()
      end
      collectgarbage() -- the file
      assert.equal(10, n)
    end)
  end)
end)
