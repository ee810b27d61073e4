-- What a task that a cleanup had started gave to `defer` never ran: the
-- cleanups were run once, before the last wait for the tasks.

local rille = require "rille"
local helper = require "spec.helper"

describe("a deferred function", function()
  it("runs when a task of a cleanup registers it", function()
    local log = helper.log()
    helper.run(function()
      rille.scope(function(s)
        s:defer(function()
          s:go(function()
            rille.sleep(1)
            s:defer(log, "late")
          end)
        end)
      end)
    end)
    assert.equal("late", helper.text(log))
  end)
end)
