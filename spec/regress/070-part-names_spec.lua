-- The table of parts read a name that begins with s as one of a scope's, less
-- its first letter.
local rille = require "rille"
local helper = require "spec.helper"

describe("a part", function()
  it("may define a name that begins with s", function()
    assert.equal("function", type(rille.stream))
  end)

  it("may define it for the module and for scopes", function()
    helper.run(function() assert.equal("function", type(rille.root().stream)) end)
  end)
end)
