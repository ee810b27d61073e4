local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Runs fn(scope) in a scope of its own.
local function scoped(fn)
  return run(function() return rille.scope(fn) end)
end

-- A function that ends after so long: with the values, or raising the first.
local function after(seconds, ...)
  local values = table.pack(...)
  return function()
    rille.sleep(seconds)
    return table.unpack(values, 1, values.n)
  end
end

local function failing(seconds, err)
  return function()
    rille.sleep(seconds)
    error(err, 0)
  end
end

-- A function that sleeps, and whose cleanup takes a second.
local function loser(log)
  return function()
    local _ <close> = helper.closing(function() rille.sleep(1) log "joined" end)
    rille.sleep(60)
  end
end

for _, name in ipairs { "race", "any" } do
  describe(name, function()
    it("returns the results of the first, all of them", function()
      scoped(function(s)
        assert.same({ 1, nil, 3, n = 3 },
          table.pack(s[name](s, { after(2, "late"), after(1, 1, nil, 3) })))
        assert.equal(1, rille.now())
      end)
    end)

    it("takes the first in the list of those that end at once", function()
      scoped(function(s)
        assert.equal("a", (s[name](s, { after(0, "a"), after(0, "b") })))
      end)
    end)

    it("cancels the losers and joins them", function()
      local log = helper.log()
      scoped(function(s)
        assert.equal("won", (s[name](s, { loser(log), after(2, "won"), loser(log) })))
        assert.equal(0, s:active())
        log(rille.now())
      end)
      assert.equal("joined joined 3", helper.text(log))
    end)

    it("gives each function the scope", function()
      scoped(function(s)
        assert.equal(s, (s[name](s, { function(given) return given end })))
      end)
    end)

    it("does not start those that come after one that has won", function()
      local log = helper.log()
      scoped(function(s)
        s[name](s, { function() return 1 end, function() log "started" end })
      end)
      assert.equal("", helper.text(log))
    end)

    it("starts more functions than tasks come at first", function()
      scoped(function(s)
        local fns = {}
        for i = 1, 500 do fns[i] = after(i == 400 and 1 or 2, i) end
        assert.equal(400, (s[name](s, fns)))
      end)
    end)

    it("stops and joins all when who waits is cancelled", function()
      local log = helper.log()
      scoped(function(s)
        refused("timeout", rille.timeout(2, s[name], s, { loser(log), loser(log) }))
        log(rille.now())
      end)
      assert.equal("joined joined 3", helper.text(log))
    end)

    it("runs under the concurrency of the scope", function()
      run(function()
        rille.scope({ concurrency = 1 }, function(s)
          s[name](s, { after(2, "a"), after(1, "b") })
          assert.equal(2, rille.now())
        end)
      end)
    end)

    it("refuses what is not a list of functions", function()
      scoped(function(s)
        raises(function() s[name](s) end, "#1")
        raises(function() s[name](s, { 1 }) end, "#1")
        raises(function() s[name]({}, {}) end, "bad self")
      end)
    end)
  end)
end

describe("race", function()
  it("may be won by a failure", function()
    scoped(function(s)
      local value, err = s:race { after(2, "late"), failing(1, "broken") }
      assert.is_nil(value)
      assert.equal("broken", err)
    end)
  end)

  it("may be won by a failure that is returned", function()
    scoped(function(s)
      local value, err = s:race { after(1, nil, "broken") }
      assert.is_nil(value)
      assert.equal("broken", err)
    end)
  end)

  it("of nothing is a mistake", function()
    scoped(function(s)
      raises(function() s:race {} end, "#1.*at least one")
    end)
  end)
end)

describe("any", function()
  it("passes over failures", function()
    scoped(function(s)
      assert.equal("good", (s:any { failing(1, "a"), after(1, nil, "b"), after(2, "good") }))
    end)
  end)

  it("takes a lone nil for a success", function()
    scoped(function(s)
      assert.same({ nil, n = 1 }, table.pack(s:any { after(1, nil) }))
    end)
  end)

  it("returns all_failed with the errors in the order of the functions", function()
    scoped(function(s)
      local err = refused("all_failed",
        s:any { failing(2, "a"), after(1, nil, "b"), failing(0, false) })
      assert.same({ "a", "b", false, n = 3 }, err.errors)
      assert.equal("all_failed: all 3 functions failed", tostring(err))
    end)
  end)

  it("of nothing is all_failed", function()
    scoped(function(s)
      assert.same({ n = 0 }, refused("all_failed", s:any {}).errors)
    end)
  end)
end)
