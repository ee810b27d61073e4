-- rille.net had functions that are for its own files.
local rille = require "rille"

describe("rille.net", function()
  it("has its public functions and no others", function()
    local names = {}
    for name in pairs(rille.net) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "connect", "listen", "resolve", "udp" }, names)
  end)
end)
