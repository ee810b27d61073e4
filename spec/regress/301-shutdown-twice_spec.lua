-- A second `shutdown` was an error, ENOTCONN, and the stream was called broken,
-- which it was not.
local net_helper = require "spec.net_helper"

describe("byte_stream:shutdown", function()
  it("does nothing the second time", function()
    net_helper.pair(function(a, b)
      assert.is_true(a:shutdown())
      assert.is_true(a:shutdown())
      assert.matches("%(open%)$", tostring(a))
      b:write("still read")
      assert.equal("still read", a:read())
      assert.equal("closed", select(2, b:read()).kind)
    end)
  end)
end)
