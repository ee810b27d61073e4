-- A wrong path was told to be an argument of another function, which the caller
-- had not called.
local rille = require "rille"
local helper = require "spec.helper"

describe("a wrong path", function()
  for _, name in ipairs{"exists", "lines"} do
    it("is told by the name of fs." .. name, function()
      helper.run({clock = "real"}, function()
        assert.matches("bad argument #1 to '" .. name .. "'", helper.raises(function()
          rille.fs[name](false)
        end))
      end)
    end)
  end
end)
