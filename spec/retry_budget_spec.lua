local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local function fail() error("down", 0) end

-- How often a function that always fails is called.
local function calls(opts)
  local n = 0
  rille.retry(opts, function() n = n + 1 fail() end)
  return n
end

describe("rille.retry_budget", function()
  it("without a token ends a retry after one call, with its own error", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0, min_per_second = 0, max_tokens = 1 }
      assert.equal(2, calls { budget = budget, delay = 0 })
      assert.equal(1, calls { budget = budget, delay = 0 })
      assert.same({ nil, "down" }, { rille.retry({ budget = budget }, fail) })
    end)
  end)

  it("is shared by those who are given it", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0, min_per_second = 0, max_tokens = 5 }
      local total = 0
      rille.scope(function(s)
        for _ = 1, 10 do
          s:go(function()
            local n = calls { budget = budget, delay = 1 }
            total = total + n
          end)
        end
      end)
      assert.equal(15, total)
    end)
  end)

  it("gets a part of a token with each first call", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0.1, min_per_second = 0, max_tokens = 1 }
      calls { budget = budget, delay = 0 }
      assert.equal(0, budget:balance())
      for _ = 1, 10 do rille.retry({ budget = budget }, print) end
      assert.equal(1, budget:balance())
      assert.equal(2, calls { budget = budget, delay = 0 })
    end)
  end)

  it("bounds all retries to the ratio", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0.2, min_per_second = 0, max_tokens = 1 }
      for _ = 1, 1000 do calls { budget = budget, delay = 0 } end
      local stats = budget:stats()
      assert.equal(1000, stats.calls)
      assert.equal(200, stats.retries) -- the first token, and one for each 5 calls
      assert.equal(1000, stats.refused)
    end)
  end)

  it("gets tokens with time", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0, min_per_second = 2, max_tokens = 4 }
      assert.equal(4, calls { budget = budget, delay = 0 })
      assert.equal(2, calls { budget = budget, delay = 0, max_retries = 50 })
      rille.sleep(0.5)
      assert.equal(2, calls { budget = budget, delay = 0 })
      rille.sleep(100)
      assert.equal(4, budget:balance())
    end)
  end)

  it("is not charged for a retry that is cancelled in its delay", function()
    run(function()
      local budget = rille.retry_budget { ratio = 0, min_per_second = 0, max_tokens = 3 }
      rille.scope(function(s)
        s:go({ daemon = true }, function() rille.sleep(1) s:cancel() end)
        calls { budget = budget, delay = 5 }
      end)
      assert.equal(3, budget:balance())
    end)
  end)

  it("is neither charged nor fed for a call that is cancelled", function()
    run(function()
      local budget = rille.retry_budget { ratio = 1, min_per_second = 0, max_tokens = 3 }
      calls { budget = budget, delay = 0, max_retries = 2 }
      assert.equal(1, budget:balance())
      rille.timeout(1, rille.retry, { budget = budget }, rille.sleep, 5)
      assert.equal(1, budget:balance())
      local first = true
      rille.timeout(1, rille.retry, { budget = budget, delay = 0 }, function()
        if not first then rille.sleep(5) end
        first = false
        fail()
      end)
      assert.equal(2, budget:balance())
    end)
  end)

  it("is not charged where nothing is retried", function()
    run(function()
      local budget = rille.retry_budget {}
      calls { budget = budget, retry_if = function() return false end }
      calls { budget = budget, max_retries = 0 }
      calls { budget = budget, max_elapsed = 1, delay = 2 }
      assert.equal(100, budget:balance())
    end)
  end)

  it("has a text", function()
    assert.equal("rille.retry_budget: 100.0", tostring(rille.retry_budget()))
  end)

  for name, row in pairs {
    ["a negative ratio"] = { { ratio = -1 }, "option 'ratio'" },
    ["no tokens"] = { { max_tokens = 0 }, "option 'max_tokens'" },
    ["an unknown option"] = { { rate = 1 }, "did you mean 'ratio'" },
  } do
    it("refuses " .. name, function()
      raises(function() rille.retry_budget(row[1]) end, row[2])
    end)
  end

  it("may be without limit", function()
    run(function()
      local budget = rille.retry_budget { max_tokens = math.huge }
      assert.equal(math.huge, budget:balance())
      assert.equal(51, calls { budget = budget, delay = 0, max_retries = 50 })
    end)
  end)
end)
