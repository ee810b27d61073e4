-- A daemon that a deferred function started was never cancelled: the scope, with
-- nothing but that left in it, waited for ever.
local rille = require "rille"
local helper = require "spec.helper"

describe("a daemon started by a cleanup", function()
  it("is cancelled, as the scope has nothing else", function()
    local log = helper.log()
    helper.run(function()
      rille.scope(function(s)
        s:defer(function()
          s:go({ daemon = true }, function()
            local _ <close> = helper.closing(function() log "closed" end)
            rille.sleep(math.huge)
          end)
          rille.yield()
        end)
      end)
    end)
    assert.equal("closed", helper.text(log))
  end)

  it("may go on as long as there is a task", function()
    helper.run(function()
      rille.scope(function(s)
        s:defer(function()
          s:go({ daemon = true }, function() rille.sleep(math.huge) end)
          s:go(rille.sleep, 3)
        end)
      end)
      assert.equal(3, rille.now())
    end)
  end)
end)
