-- In a cancelled task rille.supervise ran its function all the same, unlike
-- every other call that may suspend.
local rille = require "rille"
local helper = require "spec.helper"

describe("supervise", function()
  it("meets a cancellation before its first run", function()
    local runs = 0
    helper.run(function()
      rille.scope(function(s)
        s:cancel()
        helper.raises_kind("cancelled", function()
          rille.supervise(function() runs = runs + 1 end)
        end)
      end)
    end)
    assert.equal(0, runs)
  end)
end)
