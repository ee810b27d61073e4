-- uv.walk ended the process with an assertion of luv's: the engine's handles,
-- which are on the same loop, are not luv's.

local rille = require "rille"
local helper = require "spec.helper"

describe("uv.walk", function()
  it("raises on the engine's loop, in a task and outside", function()
    local uv = rille.uv()
    helper.raises(function() uv.walk(print) end, "rille.testing.leaks")
    helper.run(function()
      helper.raises(function() uv.walk(print) end, "rille.testing.leaks")
    end)
  end)
end)
