local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

describe("rille.timeout", function()
  it("returns what the function returns", function()
    run(function()
      local got = table.pack(rille.timeout(1, function() return 1, nil, 3 end))
      assert.same({ 1, nil, 3, n = 3 }, got)
    end)
  end)

  it("passes its arguments on", function()
    run(function()
      assert.equal("x", (rille.timeout(1, function(value) return value end, "x")))
    end)
  end)

  it("returns nil, timeout when its deadline fired", function()
    run(function()
      refused("timeout", rille.timeout(1, rille.sleep, 2))
      assert.equal(1, rille.now())
    end)
  end)

  it("lets an outer one pass", function()
    local log = helper.log()
    run(function()
      refused("timeout", rille.timeout(1, function()
        rille.timeout(5, rille.sleep, 9)
        log("after inner")
      end))
    end)
    assert.equal("", helper.text(log))
  end)

  it("lets a cancellation pass", function()
    run(function()
      refused("cancelled", rille.scope(function(s)
        s:cancel()
        rille.timeout(5, rille.yield)
      end))
    end)
  end)

  it("lets a raised error through unchanged", function()
    run(function()
      local problem = {}
      assert.equal(problem, raises(function() rille.timeout(1, error, problem) end))
    end)
  end)

  it("leaves no timer behind", function()
    run(function() rille.timeout(1000, rille.yield) end)
    assert.equal(1, run(function() rille.sleep(1) return rille.now() end))
  end)

  it("of 0 lets the function start", function()
    run(function()
      assert.equal("result", (rille.timeout(0, function() return "result" end)))
    end)
  end)

  it("raises on NaN", function()
    run(function() raises(function() rille.timeout(0 / 0, print) end, "#1") end)
  end)

  it("refuses what cannot be called", function()
    run(function() raises(function() rille.timeout(1, "x") end, "#2") end)
  end)

  it("raises outside a task", function()
    raises(function() rille.timeout(1, print) end, "inside a task")
  end)
end)
