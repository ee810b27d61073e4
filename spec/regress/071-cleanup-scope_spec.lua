-- What was deferred to the scope in which cleanups run was never run: that
-- scope was ended without cleaning up.
local rille = require "rille"
local helper = require "spec.helper"

describe("the scope of cleanups", function()
  it("runs what is deferred to it", function()
    local log = helper.log()
    helper.run(function()
      rille.scope(function(s)
        s:defer(function()
          local cleanup = rille.scope(function(inner) return inner:parent() end)
          cleanup:defer(log, "deferred")
        end)
      end)
    end)
    assert.equal("deferred", helper.text(log))
  end)

  it("closes a stream that was left in it", function()
    local log = helper.log()
    helper.run(function()
      rille.scope(function(s)
        s:defer(function()
          local source = { recv = function() return 1 end, close = function() log "closed" end }
          for v in rille.stream(source) do
            if v == 1 then break end
          end
        end)
      end)
    end)
    assert.equal("closed", helper.text(log))
  end)
end)
