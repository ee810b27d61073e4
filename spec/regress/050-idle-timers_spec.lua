-- The virtual clock stood still behind a timer that woke nobody, such as the
-- deadline of a scope whose tasks are shielded: the run went on for ever.

local rille = require "rille"
local helper = require "spec.helper"

describe("a timer that wakes nobody", function()
  -- Opens a scope whose deadline comes while its only task is shielded.
  local function with_idle_deadline(fn)
    rille.scope({ timeout = 2 }, function(s)
      s:go(rille.shield, fn)
      rille.yield()
    end)
  end

  it("does not keep the virtual clock from moving on", function()
    helper.run(function()
      with_idle_deadline(function() rille.sleep(10) end)
      assert.equal(10, rille.now())
    end)
  end)

  it("does not, however many there are", function()
    helper.run(function()
      rille.scope(function(s)
        for i = 1, 100 do
          s:go(with_idle_deadline, function() rille.sleep(10 + i) end)
        end
      end)
      assert.equal(110, rille.now())
    end)
  end)

  it("does not hide a deadlock behind it", function()
    helper.raises_kind("deadlock", function()
      helper.run(with_idle_deadline, function() rille.channel():recv() end)
    end)
  end)
end)
