local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- A channel that holds the values.
local function filled(...)
  local ch = rille.channel(10)
  for _, value in ipairs { ... } do assert(ch:try_send(value)) end
  return ch
end

describe("select", function()
  describe("losing cases", function()
    it("leave the other channel its value", function()
      run(function()
        local a, b = filled("a"), filled("b")
        rille.select { { a }, { b } }
        assert.equal(1, a:size() + b:size())
      end)
    end)

    it("send nothing", function()
      run(function()
        local a, b = filled(), filled()
        rille.select { { a, send = 1 }, { b, send = 2 } }
        assert.equal(1, a:size() + b:size())
      end)
    end)

    it("leave no waiter behind", function()
      run(function()
        local a, b = rille.channel(), rille.channel()
        rille.root():go(function() rille.sleep(1) a:send(1) end)
        rille.select { { a }, { b } }
        refused("full", b:try_send(2))
      end)
    end)

    it("run no handler", function()
      local log = helper.log()
      run(function()
        rille.select({ { filled(1), function() log("a") end },
          { filled(1), function() log("b") end } })
      end)
      assert.equal(1, helper.count(log))
    end)

    it("leave no trace of a select that was cancelled", function()
      run(function()
        local ch = rille.channel()
        refused("timeout", rille.timeout(1, rille.select, { { ch }, { rille.channel() } }))
        refused("full", ch:try_send(1))
      end)
    end)
  end)

  describe("timeout", function()
    it("returns nil, timeout", function()
      run(function()
        refused("timeout", rille.select({ { rille.channel() } }, { timeout = 2 }))
        assert.equal(2, rille.now())
      end)
    end)

    it("of 0 takes what is ready", function()
      run(function()
        assert.same({ 1, "x" }, { rille.select({ { filled("x") } }, { timeout = 0 }) })
      end)
    end)

    it("that is negative returns at once when nothing is ready", function()
      run(function()
        refused("timeout", rille.select({ { rille.channel() } }, { timeout = -1 }))
        assert.equal(0, rille.now())
      end)
    end)

    it("makes an empty list a wait", function()
      run(function()
        refused("timeout", rille.select({}, { timeout = 2 }))
        assert.equal(2, rille.now())
      end)
    end)

    it("refuses NaN", function()
      run(function()
        raises(function() rille.select({ { filled(1) } }, { timeout = 0 / 0 }) end, "timeout")
      end)
    end)
  end)

  describe("default", function()
    it("returns 0 when nothing is ready", function()
      run(function()
        assert.equal(0, (rille.select({ { rille.channel() } }, { default = true })))
      end)
    end)

    it("returns 0 and what the function returns", function()
      run(function()
        local got = { rille.select({ { rille.channel() } }, {
          default = function() return "a", "b" end,
        }) }
        assert.same({ 0, "a", "b" }, got)
      end)
    end)

    it("gives way to what is ready", function()
      run(function()
        assert.same({ 1, "x" }, { rille.select({ { filled("x") } }, { default = true }) })
      end)
    end)

    it("serves an empty list", function()
      run(function() assert.equal(0, (rille.select({}, { default = true }))) end)
    end)

    it("with timeout raises", function()
      run(function()
        raises(function()
          rille.select({ { filled(1) } }, { default = true, timeout = 1 })
        end, "timeout")
      end)
    end)
  end)

  describe("ordered", function()
    it("takes the first ready in list order", function()
      run(function()
        for _ = 1, 50 do
          local cases = { { rille.channel() }, { filled("b") }, { filled("c") } }
          assert.equal(2, (rille.select(cases, { ordered = true })))
        end
      end)
    end)
  end)
end)
