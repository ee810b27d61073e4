-- A part of the module whose loading failed half-way, for lack of memory say,
-- was taken for loaded: rille.cache was there, but without methods.
local rille = require "rille"
local helper = require "spec.helper"

-- Locals: busted's globals are looked up by Lua code, which would be hooked.
local sethook, pcall, error = debug.sethook, pcall, error

local function load_with_failure(after)
  local steps = 0
  sethook(function()
    steps = steps + 1
    if steps < after then return end
    sethook()
    error("no memory", 0)
  end, "", 1)
  return pcall(function()
    local cache = rille.cache
    sethook()
    return cache
  end)
end

describe("a part that could not be loaded", function()
  it("is loaded anew, wherever its loading failed", function()
    local after = 15
    while not load_with_failure(after) do
      after = after + 1
    end
    assert.is_true(after > 60)
    helper.run(function()
      assert.equal("v", rille.cache({ size = 1 }):get("k", function() return "v" end))
    end)
  end)
end)
