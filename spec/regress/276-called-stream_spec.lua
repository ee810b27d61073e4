-- A stream that was called like an iterator in the middle of its loop, before
-- there was one, failed inside the engine.
local rille = require "rille"
local helper = require "spec.helper"

describe("a stream that is called", function()
  it("with a control value begins to be read", function()
    helper.run(function()
      rille.scope(function(s)
        assert.equal("a", s:stream { "a", "b" }(nil, 1))
      end)
    end)
  end)
end)
