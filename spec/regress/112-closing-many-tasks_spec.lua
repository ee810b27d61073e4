-- To close an engine took time with the square of its tasks: 10^5 of them, a
-- minute and a half.
local helper = require "spec.helper"

local it = helper.uncounted and pending or it

describe("an engine with very many parked tasks", function()
  it("is closed by work that grows as they do", function()
    helper.check_linear("tasks of an engine that is closed", 1000)
  end)
end)
