-- A vararg function called by pcall was taken for a <close> handler that runs
-- while an error unwinds, so a cancellation did not interrupt it.

local rille = require "rille"

describe("a cancellation", function()
  it("interrupts a vararg function under pcall", function()
    local err = rille.run({ clock = "virtual" }, function()
      return select(2, rille.timeout(1, pcall, function(...)
        rille.sleep(2)
        return ...
      end))
    end)
    assert.equal("timeout", err.kind)
  end)
end)
