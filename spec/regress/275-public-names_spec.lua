-- Streams and shutdowns took fields; and rille.net had functions that are for its own files.
local rille = require "rille"
local helper = require "spec.helper"

describe("rille.net", function()
  it("has its public functions and no others", function()
    local names = {}
    for name in pairs(rille.net) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "connect", "listen", "resolve", "udp" }, names)
  end)
end)

describe("an object without fields", function()
  it("refuses them", function()
    helper.run(function()
      local shutdown <close> = rille.shutdown { signals = {} }
      for _, object in ipairs { rille.stream {}, shutdown, rille.cache(), rille.event_bus() } do
        local err = helper.raises(function() object.name = "mine" end, "has no fields to set")
        assert.matches("275%-public%-names_spec", err)
      end
    end)
  end)
end)
