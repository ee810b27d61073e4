-- Whether an error is a cancellation was found by a walk up the tree, several
-- times for each task that ended: 8000 tasks in one another took ten seconds
-- to be cancelled, 16000 more than a minute.
local helper = require "spec.helper"

local it = helper.uncounted and pending or it

describe("tasks in one another, thousands deep,", function()
  it("are cancelled by work that grows as they do", function()
    helper.check_linear("tasks in one another, cancelled", 1000)
  end)

  it("fail by work that grows as they do: an error that is a table", function()
    helper.check_linear("tasks in one another, failed", 1000)
  end)

  it("fail by work that grows as they do: an engine error", function()
    helper.check_linear("tasks in one another, failed by an engine error", 1000)
  end)
end)
