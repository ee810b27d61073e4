local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

describe("selector", function()
  describe("wait", function()
    it("returns the index and the value", function()
      run(function()
        local ch = rille.channel(1)
        ch:send("x")
        assert.same({ 2, "x" }, { rille.selector({ { rille.channel() }, { ch } }):wait() })
      end)
    end)

    it("may be called again and again", function()
      local log = helper.log()
      run(function()
        local ch = rille.channel()
        local sel = rille.selector { { ch } }
        rille.root():go(function() ch:send_many { "a", "b", "c" } end)
        for _ = 1, 3 do log(sel:wait()) end
      end)
      assert.equal("1:a 1:b 1:c", helper.text(log))
    end)

    it("returns the handler's results", function()
      run(function()
        local ch = rille.channel(1)
        ch:send(20)
        local sel = rille.selector { { ch, function(v) return v + 1, "b" end } }
        assert.same({ 1, 21, "b" }, { sel:wait() })
      end)
    end)

    it("returns nil, timeout after its timeout", function()
      run(function()
        local sel = rille.selector { { rille.channel() } }
        refused("timeout", sel:wait(2))
        assert.equal(2, rille.now())
      end)
    end)

    it("polls with 0", function()
      run(function()
        local ch = rille.channel(1)
        local sel = rille.selector { { ch } }
        refused("timeout", sel:wait(0))
        ch:send("x")
        assert.same({ 1, "x" }, { sel:wait(0) })
        assert.equal(0, rille.now())
      end)
    end)

    it("refuses NaN", function()
      run(function()
        local sel = rille.selector { { rille.channel() } }
        raises(function() sel:wait(0 / 0) end, "#1")
      end)
    end)

    it("raises outside a task", function()
      local sel = rille.selector { { rille.channel() } }
      raises(function() sel:wait() end, "inside a task")
    end)

    it("is interrupted by a cancellation and works again after it", function()
      run(function()
        local ch = rille.channel(1)
        local sel = rille.selector { { ch } }
        refused("timeout", rille.timeout(1, sel.wait, sel))
        ch:send("x")
        assert.same({ 1, "x" }, { sel:wait() })
      end)
    end)

    it("by two tasks at once serves both or raises, and loses nothing", function()
      run(function()
        local ch = rille.channel()
        local sel = rille.selector { { ch } }
        local function take()
          local index, value = sel:wait(5)
          return index and value or nil
        end
        local first, second = rille.root():task(take), rille.root():task(take)
        rille.yield()
        ch:send("x")
        local got = { (first:await()), (second:await()) }
        assert.same({ "x" }, got)
      end)
    end)

    it("makes no garbage", function()
      run(function()
        local a, b = rille.channel(1), rille.channel(1)
        local sel = rille.selector { { a }, { b } }
        local function rounds(n)
          for _ = 1, n do
            a:send(1)
            sel:wait()
          end
        end
        rounds(100)
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        rounds(10000)
        local grown = collectgarbage("count") - before
        collectgarbage("restart")
        assert.is_true(grown < 16, ("grew by %.1f KB"):format(grown))
      end)
    end)
  end)

  describe("set_send", function()
    it("changes what a send case sends", function()
      run(function()
        local ch = rille.channel(2)
        local sel = rille.selector { { ch, send = "a" } }
        sel:wait()
        sel:set_send(1, "b")
        sel:wait()
        assert.same({ "a", "b" }, ch:recv_many(9))
      end)
    end)

    it("takes false", function()
      run(function()
        local ch = rille.channel(1)
        local sel = rille.selector { { ch, send = 1 } }
        sel:set_send(1, false)
        sel:wait()
        assert.is_false((ch:recv()))
      end)
    end)

    it("refuses nil", function()
      local sel = rille.selector { { rille.channel(1), send = 1 } }
      raises(function() sel:set_send(1, nil) end, "nil")
    end)

    it("refuses a receive case", function()
      local sel = rille.selector { { rille.channel(1) } }
      raises(function() sel:set_send(1, "x") end)
    end)

    for _, index in ipairs { 0, 2, -1, 1.5, "x" } do
      it("refuses the index " .. tostring(index), function()
        local sel = rille.selector { { rille.channel(1), send = 1 } }
        raises(function() sel:set_send(index, "x") end, "#1")
      end)
    end
  end)

  describe("enable", function()
    it("switches a case off", function()
      run(function()
        local ch = rille.channel(1)
        ch:send("x")
        local sel = rille.selector { { ch } }
        sel:enable(1, false)
        refused("timeout", sel:wait(0))
        assert.equal(1, ch:size())
      end)
    end)

    it("switches a case on again", function()
      run(function()
        local ch = rille.channel(1)
        ch:send("x")
        local sel = rille.selector { { ch } }
        sel:enable(1, false)
        sel:enable(1, true)
        assert.same({ 1, "x" }, { sel:wait(0) })
      end)
    end)

    it("refuses an index that is not there", function()
      local sel = rille.selector { { rille.channel() } }
      raises(function() sel:enable(2, true) end, "#1")
    end)
  end)

  it("copies the list", function()
    run(function()
      local ch = rille.channel(1)
      local cases = { { ch } }
      local sel = rille.selector(cases)
      cases[1] = nil
      ch:send("x")
      assert.same({ 1, "x" }, { sel:wait() })
    end)
  end)

  it("copies the cases", function()
    run(function()
      local ch = rille.channel(1)
      local cases = { { ch } }
      local sel = rille.selector(cases)
      cases[1][1] = rille.channel()
      ch:send("x")
      assert.same({ 1, "x" }, { sel:wait() })
    end)
  end)

  it("takes the option ordered", function()
    run(function()
      local a, b = rille.channel(100), rille.channel(100)
      for i = 1, 50 do a:send(i) b:send(i) end
      local sel = rille.selector({ { a }, { b } }, { ordered = true })
      for _ = 1, 50 do assert.equal(1, (sel:wait())) end
    end)
  end)

  it("takes the option timeout", function()
    run(function()
      local sel = rille.selector({ { rille.channel() } }, { timeout = 2 })
      refused("timeout", sel:wait())
      assert.equal(2, rille.now())
    end)
  end)

  it("takes the option default", function()
    run(function()
      local sel = rille.selector({ { rille.channel() } }, { default = true })
      assert.equal(0, (sel:wait()))
    end)
  end)

  it("refuses an unknown option with the nearest known one", function()
    raises(function() rille.selector({ { rille.channel() } }, { orderd = true }) end, "ordered")
  end)

  it("refuses a bad case", function()
    raises(function() rille.selector { { 42 } } end)
  end)

  it("of an empty list raises", function()
    raises(function() rille.selector {} end)
  end)
end)
