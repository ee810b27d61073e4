-- A public name of a part that begins with an s lost it in the table of names,
-- where "s:" marks the methods of scopes.

local rille = require "rille"

describe("a part's public name", function()
  it("may begin with an s", function()
    assert.equal("function", type(rille.singleflight))
  end)

  it("is not known without its first letter", function()
    assert.is_nil(rille.ingleflight)
  end)
end)
