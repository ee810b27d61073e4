-- A scope kept every channel that it had made until its end, closed or not.

local rille = require "rille"

describe("a scope", function()
  it("forgets the channels that were closed", function()
    local grown = rille.run({ clock = "virtual" }, function()
      return rille.scope(function(s)
        s:channel():close()
        collectgarbage()
        local before = collectgarbage "count"
        for _ = 1, 5000 do s:channel():close() end
        collectgarbage()
        return collectgarbage "count" - before
      end)
    end)
    assert.is_true(grown < 64, "KB: " .. grown)
  end)

  it("closes at its end those that it still knows", function()
    local open = {}
    rille.run({ clock = "virtual" }, function()
      rille.scope(function(s)
        for i = 1, 100 do
          local ch = s:channel()
          if i % 7 == 0 then open[#open + 1] = ch else ch:close() end
        end
      end)
    end)
    for _, ch in ipairs(open) do assert.is_true(ch:is_closed()) end
  end)
end)
