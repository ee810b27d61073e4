-- The cancel function of an await that closed the very scope whose cancellation had
-- called it left nothing to raise: the process crashed.
local rille = require "rille"
local helper = require "spec.helper"

describe("an await whose cancel function leaves the cancelled scope", function()
  it("raises that scope's cancellation", function()
    helper.run(function()
      local closed
      local task = rille.root():task(function()
        local s = rille.scope()
        rille.root():go(function() s:cancel "enough" end)
        rille.await(function() return function() closed = s:close() end end)
      end)
      local _, err = task:await()
      assert.is_nil(closed)
      assert.equal("enough", err.reason)
      assert.equal("failed", task:status())
    end)
  end)

  it("raises the cancellation of an outer one, if there is one", function()
    helper.run(function()
      local raised
      local _, err = rille.scope(function(outer)
        local s = rille.scope()
        rille.root():go(function() outer:cancel "all" end)
        local _, why = pcall(rille.await, function() return function() s:close() end end)
        raised = why
        error(why, 0)
      end)
      assert.equal(err, raised)
    end)
  end)
end)
