-- A selector of which every case was off looked as if nobody waited on it. A task
-- that then came to wait on it was forgotten when the first one's time was up.
local rille = require "rille"
local helper = require "spec.helper"

describe("a selector that is waited on with every case off", function()
  it("serves another task meanwhile, and does not forget it", function()
    local channel, log = rille.channel(), helper.log()
    helper.run(function()
      local selector = rille.selector { { channel } }
      selector:enable(1, false)
      rille.scope(function(s)
        s:go(function() log("first", selector:wait(2)) end)
        s:go(function()
          rille.sleep(1)
          selector:enable(1, true)
          log("second", selector:wait(10))
        end)
        s:go(function()
          rille.sleep(3)
          channel:send "value"
        end)
      end)
    end)
    assert.truthy(helper.text(log):find "^first:nil:timeout: select timed out second:1:value$",
      helper.text(log))
  end)
end)
