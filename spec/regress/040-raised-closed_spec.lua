-- An error of kind `closed` that a function raised was taken for an ordinary
-- end once somebody had caught it and returned it: a policy around another
-- policy, or a task that awaited another, saw a success.

local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

-- Raises closed.
local function send_closed()
  local ch = rille.channel()
  ch:close()
  ch:send(1)
end

local function recv_closed()
  local ch = rille.channel()
  ch:close()
  return ch:recv()
end

describe("a closed error that was raised", function()
  it("is a failure also when a task returns it on", function()
    run(function()
      local inner = rille.root():task(send_closed)
      local outer = rille.root():task(function() return inner:await() end)
      outer:await()
      assert.equal("failed", outer:status())
    end)
  end)

  it("is a failure for the policy around the one that caught it", function()
    run(function()
      assert.equal("alternative", (rille.fallback(function()
        return rille.hedge({ delay = 1 }, send_closed)
      end, function() return "alternative" end)))
    end)
  end)
end)

describe("a closed error that was only returned", function()
  it("is an end for the task that returns it", function()
    run(function()
      local task = rille.root():task(recv_closed)
      task:await()
      assert.equal("done", task:status())
    end)
  end)

  it("is an end for two policies around it", function()
    run(function()
      helper.refused("closed", rille.fallback(function()
        return rille.hedge({ delay = 1 }, recv_closed)
      end, error))
    end)
  end)
end)
