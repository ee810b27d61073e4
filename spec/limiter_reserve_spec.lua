local rille = require "rille"
local helper = require "spec.helper"
local run, refused = helper.run, helper.refused

-- golang.org/x/time/rate: what is done at which tick of 100 ms. {tick, n, due}
-- reserves; {tick, cancel = i} gives the i-th reservation back; {tick, n,
-- taken = boolean} takes at once.
local tables = {
  ["simple"] = { 2, { 0, 2, 0 }, { 0, 2, 2 }, { 3, 2, 4 } },
  ["mixed with takes"] = { 2, { 0, 2, 0 }, { 1, 2, taken = false }, { 1, 2, 2 },
    { 1, 1, taken = false }, { 3, 1, taken = true } },
  ["the last given back"] = { 2, { 0, 2, 0 }, { 0, 2, 2 }, { 1, cancel = 2 }, { 1, 2, 2 } },
  ["given back too late"] = { 2, { 0, 2, 0 }, { 0, 2, 2 }, { 3, cancel = 2 }, { 3, 2, 4 } },
  ["nothing left to give back"] = { 2, { 0, 2, 0 }, { 0, 1, 1 }, { 0, 1, 2 }, { 0, cancel = 2 },
    { 0, 1, 3 } },
  ["one of two given back"] = { 2, { 0, 2, 0 }, { 0, 2, 2 }, { 0, 1, 3 }, { 2, cancel = 2 },
    { 2, 2, 4 } },
  ["several given back"] = { 4, { 0, 4, 0 }, { 0, 3, 3 }, { 0, 1, 4 }, { 0, 1, 5 },
    { 1, cancel = 4 }, { 1, cancel = 2 }, { 1, 3, 5 } },
  ["given back twice"] = { 2, { 0, 2, 0 }, { 0, 2, 2 }, { 1, cancel = 2 }, { 1, cancel = 2 },
    { 1, 2, 2 } },
}

-- Does one step; returns the reservation's cancel function.
local function step(limiter, row, cancels)
  rille.sleep_until(row[1] / 10)
  if row.cancel then
    cancels[row.cancel]()
  elseif row.taken ~= nil then
    assert.equal(row.taken or nil, (limiter:try_acquire(row[2])))
  else
    local delay, cancel = limiter:reserve(row[2])
    assert.is_true(math.abs(delay - (row[3] - row[1]) / 10) < 1e-9, delay)
    cancels[#cancels + 1] = cancel
  end
end

describe("limiter:reserve", function()
  for name, rows in pairs(tables) do
    it("as others have it: " .. name, function()
      run(function()
        local limiter, cancels = rille.limiter { rate = 10, burst = rows[1] }, {}
        for i = 2, #rows do step(limiter, rows[i], cancels) end
      end)
    end)
  end

  it("takes the tokens at once", function()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 2 }
      limiter:reserve(2)
      limiter:reserve()
      assert.equal(-1, limiter:stats().tokens)
    end)
  end)

  it("stands behind who waits, and in front of who comes", function()
    local log = helper.log()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      limiter:acquire()
      rille.scope(function(s)
        s:go(function() limiter:acquire() log("a", rille.now()) end)
        rille.yield()
        log("reserved", (limiter:reserve()))
        s:go(function() limiter:acquire() log("b", rille.now()) end)
      end)
    end)
    assert.equal("reserved:2 a:1 b:3", helper.text(log))
  end)

  it("that is given back lets who waits move up", function()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 5 }
      local _, cancel = limiter:reserve(5)
      local _, second = limiter:reserve(5)
      assert.is_nil(cancel())
      rille.root():go(function() rille.sleep(1) second() end)
      limiter:acquire(2)
      assert.equal(2, rille.now())
    end)
  end)

  it("of tokens that never come is refused, and takes none", function()
    run(function()
      local limiter = rille.limiter { rate = 0, burst = 2 }
      assert.equal(0, (limiter:reserve(1)))
      local err = refused("rate_limited", limiter:reserve(2))
      assert.equal(math.huge, err.retry_after)
      assert.is_true(limiter:try_acquire(1))
    end)
  end)

  it("works outside a task", function()
    assert.equal(0, (rille.limiter { rate = 1 }:reserve()))
  end)

  it("without a limit is for now", function()
    run(function()
      local delay, cancel = rille.limiter { rate = math.huge }:reserve(1000)
      cancel()
      assert.equal(0, delay)
    end)
  end)
end)
