-- An error of fs.temp_file ended in "no such file or directory:  (ENOENT)": luv
-- leaves the name out, and its colon in.
local rille = require "rille"
local helper = require "spec.helper"

describe("an error of fs.temp_file", function()
  it("tells where the file was to be", function()
    helper.run({clock = "real"}, function()
      local err = helper.refused("io", rille.fs.temp_file{dir = "/no/such", prefix = "x-"})
      assert.equal("a temporary file /no/such/x-XXXXXX: no such file or directory (ENOENT)",
        err.message)
    end)
  end)
end)
