-- A public name that begins with "s" and that a part defines was not found:
-- its first letter was taken for the mark of a scope's method.

local rille = require "rille"

describe("a name that a part defines", function()
  it("may begin with s", function()
    assert.equal("function", type(rille.supervise))
  end)
end)
