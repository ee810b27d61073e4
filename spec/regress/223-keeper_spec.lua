-- The task that destroys idle resources was not replaced when a `destroy` had
-- raised in it, or had cancelled it: in a scope with on_error = "continue" no
-- resource expired any more.
local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

-- Lends two resources at once; the first to be destroyed meets `bad`.
local function use_two(s, bad)
  local destroyed = 0
  local pool = rille.resource_pool { idle_timeout = 1, create = function() return {} end,
    destroy = function()
      destroyed = destroyed + 1
      if destroyed == 1 then bad() end
    end }
  for i = 1, 2 do s:go(pool.with, pool, function() rille.sleep(i / 2) end) end
  return pool
end

describe("idle resources", function()
  it("expire after one that could not be destroyed", function()
    run(function()
      local stats
      helper.raises(function()
        rille.scope({ on_error = "continue" }, function(s)
          local pool = use_two(s, function() error("destroy", 0) end)
          rille.sleep(5)
          stats = pool:stats()
        end)
      end, "^destroy$")
      assert.same({ 0, 2 }, { stats.idle, stats.destroyed })
    end)
  end)

  it("expire after one whose destruction cancelled the task", function()
    run(function()
      rille.scope(function(s)
        local pool = use_two(s, function() rille.current():cancel() end)
        rille.sleep(5)
        pool:with(function() end)
        rille.sleep(5)
        assert.equal(0, pool:stats().idle)
      end)
    end)
  end)
end)
