-- A stage of a pipeline, fan_out or fan_in that cancelled its own task was gone
-- without a word: who read the output waited for ever. Such a stage has failed.
local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

local function cancels_itself(v)
  if v == 2 then
    rille.current():cancel "enough"
    rille.yield()
  end
  return v
end

-- Reads to the end; the error's reason.
local function reason_of_end(output)
  while true do
    local value, err = output:recv()
    if value == nil then return err.kind, err.reason end
  end
end

describe("a stage that cancels its own task", function()
  it("closes the output of a pipeline", function()
    run(function()
      local output = rille.pipeline(cancels_itself) { 1, 2, 3 }
      assert.same({ "cancelled", "enough" }, { reason_of_end(output) })
    end)
  end)

  it("stops the other stages and workers", function()
    for _, ordered in ipairs { true, false } do
      run(function()
        local output = rille.pipeline({ cancels_itself, workers = 3, ordered = ordered },
          function(v) return v end) { 1, 2, 3, 4, 5, 6 }
        assert.equal("cancelled", (reason_of_end(output)))
        helper.settle()
        assert.equal(0, #rille.testing.leaks())
      end)
    end
  end)

  it("closes every output of a fan_out", function()
    run(function()
      local a, b = rille.fan_out({ 1, 2, 3, 4 }, 2, cancels_itself)
      assert.equal("cancelled", (reason_of_end(a)))
      assert.equal("cancelled", (reason_of_end(b)))
    end)
  end)

  it("is no failure when its scope is cancelled", function()
    run(function()
      local _, err = rille.scope(function(s)
        local output = rille.pipeline(rille.yield, function() rille.sleep(9) end) { 1 }
        rille.yield()
        s:cancel "over"
        output:recv()
      end)
      assert.equal("over", err.reason)
    end)
  end)
end)
