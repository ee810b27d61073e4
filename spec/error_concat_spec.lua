local rille = require "rille"
local helper = require "spec.helper"

describe("an engine error", function()
  local err = select(2, helper.run(function() return rille.timeout(0, rille.yield) end))

  it("can be concatenated with strings, numbers and errors", function()
    assert.matches("^failed: timeout: scope#%d+ timed out$", "failed: " .. err)
    assert.matches("timed out!$", err .. "!")
    assert.matches("timed out1$", err .. 1)
    assert.equal(tostring(err):rep(2), err .. err)
  end)

  it("cannot be concatenated with what a string cannot", function()
    helper.raises(function() return err .. nil end, "attempt to concatenate a nil value")
    helper.raises(function() return {} .. err end, "attempt to concatenate a table value")
  end)
end)
