-- A task that had caught an error and then failed otherwise was reported with
-- the traceback of the error that it had caught.

local rille = require "rille"

local function culprit() error "caught" end

describe("the report of a task that returns nil and an error", function()
  it("has no traceback of an error that was caught before", function()
    local task
    pcall(rille.run, { clock = "virtual" }, function()
      task = rille.root():go(function()
        pcall(rille.scope, function() culprit() end)
        return nil, "returned"
      end)
    end)
    assert.equal("failed", task:status())
    assert.is_nil(task:traceback():find("culprit", 1, true))
  end)
end)
