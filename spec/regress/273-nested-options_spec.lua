-- What was wrong with an option that has options of its own was told of a
-- function that the user had not called, or of no option at all; and reading
-- the hint of an error whose __index raises lost the error.
local rille = require "rille"
local helper = require "spec.helper"

describe("an option that has options of its own", function()
  local wrong = {
    ["#1 to 'policy' (option 'hedge': option 'delay': "] = function()
      rille.policy { hedge = {} }
    end,
    ["#1 to 'policy' (option 'retry': unknown option 'max_retris'; did you mean 'max_retries'?"] =
      function() rille.policy { retry = { max_retris = 1 } } end,
    ["#1 to 'policy' (option 'bulkhead': option 'max': "] = function()
      rille.policy { bulkhead = {} }
    end,
    ["#1 to 'scope' (option 'limiter': option 'rate': "] = function()
      rille.scope({ limiter = {} }, print)
    end,
    ["#2 to 'task' (option 'retry': option 'backoff': option 'factor': "] = function()
      rille.root():task(print, { retry = { backoff = { factor = 0 } } })
    end,
    ["#1 to 'breaker' (option 'window': unknown option 'min_calls'"] = function()
      rille.breaker { window = { type = "count", min_calls = 3 } }
    end,
    ["#2 to 'supervise' (option 'backoff': option 'jitter': "] = function()
      rille.supervise(print, { backoff = { jitter = "some" } })
    end,
  }
  for text, call in pairs(wrong) do
    it("is named: " .. text, function()
      local err = helper.run(function() return helper.raises(function() call() end) end)
      assert.truthy(err:find(text, 1, true), err)
      assert.matches("273%-nested%-options_spec.lua", err)
    end)
  end
end)

describe("an error whose __index raises", function()
  it("comes back from a retry as it was", function()
    local mine = setmetatable({}, { __index = function() error("no field", 0) end })
    local calls = 0
    local _, err = helper.run(function()
      return rille.retry({ max_retries = 1, delay = 0 }, function()
        calls = calls + 1
        error(mine)
      end)
    end)
    assert.is_true(rawequal(mine, err))
    assert.equal(2, calls)
  end)
end)

describe("recv_many", function()
  it("takes math.huge for all there are", function()
    helper.run(function()
      local ch = rille.channel(3)
      ch:send_many { 1, 2, 3 }
      assert.same({ 1, 2, 3 }, ch:recv_many(math.huge))
    end)
  end)
end)
