-- A scope was among the open ones before its name had been checked: one with
-- a wrong name was never opened and stayed there, and testing.leaks crashed.
local rille = require "rille"
local helper = require "spec.helper"

describe("a scope whose options are refused", function()
  it("leaves nothing behind", function()
    helper.run(function()
      helper.raises(function() rille.scope { name = 0 } end, "option 'name'")
      assert.same({}, rille.testing.leaks())
    end)
    assert.same({}, rille.testing.leaks())
  end)
end)
