local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- A channel that holds the values.
local function filled(...)
  local ch = rille.channel(10)
  for _, value in ipairs { ... } do assert(ch:try_send(value)) end
  return ch
end

local function closed(err)
  local ch = rille.channel()
  ch:close(err)
  return ch
end

describe("select", function()
  describe("a receive case", function()
    it("returns its index and the value", function()
      run(function()
        assert.same({ 2, "x" }, { rille.select { { rille.channel() }, { filled("x") } } })
      end)
    end)

    it("returns its index and the handler's results", function()
      run(function()
        local got = table.pack(rille.select {
          { filled("x"), function(value) return value .. "!", nil, 3 end },
        })
        assert.same({ 1, "x!", nil, 3, n = 4 }, got)
      end)
    end)

    it("waits until there is a value", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(function() rille.sleep(3) ch:send("late") end)
        assert.same({ 2, "late" }, { rille.select { { rille.channel() }, { ch } } })
        assert.equal(3, rille.now())
      end)
    end)

    it("returns false as a value", function()
      run(function() assert.same({ 1, false }, { rille.select { { filled(false) } } }) end)
    end)

    it("on a closed channel fires with nil and closed", function()
      run(function()
        local index, value, err = rille.select { { closed() } }
        assert.equal(1, index)
        refused("closed", value, err)
      end)
    end)

    it("on a closed channel gives the handler nil and the close's error", function()
      run(function()
        local got
        rille.select { { closed("problem"), function(...) got = table.pack(...) end } }
        assert.same({ nil, "problem", n = 2 }, got)
      end)
    end)

    it("fires when the channel is closed while it waits", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(function() ch:close() end)
        local index, value, err = rille.select { { ch } }
        assert.equal(1, index)
        refused("closed", value, err)
      end)
    end)

    it("takes the value of a waiting sender", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(ch.send, ch, "x")
        rille.yield()
        assert.same({ 1, "x" }, { rille.select { { ch } } })
      end)
    end)
  end)

  describe("a send case", function()
    it("sends and returns its index", function()
      run(function()
        local ch = filled()
        assert.equal(1, (rille.select { { ch, send = "x" } }))
        assert.equal("x", (ch:recv()))
      end)
    end)

    it("runs its handler after the send", function()
      run(function()
        local ch = filled()
        assert.same({ 1, 1 }, { rille.select {
          { ch, send = "x", function() return ch:size() end },
        } })
      end)
    end)

    it("sends false", function()
      run(function()
        local ch = filled()
        rille.select { { ch, send = false } }
        assert.is_false((ch:recv()))
      end)
    end)

    it("waits until there is room", function()
      run(function()
        local ch = rille.channel(1)
        ch:send(1)
        rille.root():go(function() rille.sleep(3) ch:recv() end)
        rille.select { { ch, send = 2 } }
        assert.equal(3, rille.now())
      end)
    end)

    it("meets a receiver of a rendezvous", function()
      run(function()
        local ch = rille.channel()
        local task = rille.root():task(function() return ch:recv() end)
        rille.yield()
        rille.select { { ch, send = "x" } }
        assert.equal("x", (task:await()))
      end)
    end)

    it("raises closed on a closed channel", function()
      run(function()
        helper.raises_kind("closed", function() rille.select { { closed(), send = 1 } } end)
      end)
    end)

    it("raises closed when the channel is closed while it waits", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(function() ch:close() end)
        helper.raises_kind("closed", function() rille.select { { ch, send = 1 } } end)
      end)
    end)

    it("with nil reads as a receive", function()
      run(function()
        assert.same({ 1, "x" }, { rille.select { { filled("x"), send = nil } } })
      end)
    end)

    it("meets a receive case of another select", function()
      run(function()
        local ch = rille.channel()
        local task = rille.root():task(function() return rille.select { { ch } } end)
        rille.yield()
        rille.select { { ch, send = "x" } }
        assert.same({ 1, "x" }, { task:await() })
      end)
    end)

    it("does not meet a receive case of the same select", function()
      run(function()
        local ch = rille.channel()
        refused("timeout", rille.select({ { ch, send = 1 }, { ch } }, { timeout = 1 }))
      end)
    end)
  end)

  describe("a task case", function()
    it("returns its index and the results", function()
      run(function()
        local task = rille.root():task(function() rille.sleep(1) return "a", "b" end)
        assert.same({ 1, "a", "b" }, { rille.select { { task } } })
      end)
    end)

    it("gives the handler what await returns", function()
      run(function()
        local task = rille.root():task(function() error("x", 0) end)
        local got
        rille.select { { task, function(...) got = table.pack(...) end } }
        assert.same({ nil, "x", n = 2 }, got)
      end)
    end)

    it("fires for a task that has ended", function()
      run(function()
        local task = rille.root():task(function() return "a" end)
        task:await()
        assert.same({ 1, "a" }, { rille.select { { task } } })
      end)
    end)

    it("counts as having awaited the task", function()
      run(function()
        rille.select { { rille.root():task(function() error("x") end) } }
      end)
    end)

    it("of the running task raises", function()
      run(function() raises(function() rille.select { { rille.current() } } end) end)
    end)
  end)

  describe("a timer case", function()
    it("returns its index and true", function()
      run(function()
        assert.same({ 1, true }, { rille.select { { rille.after(2) } } })
        assert.equal(2, rille.now())
      end)
    end)

    it("gives the handler true", function()
      run(function()
        assert.same({ 1, "true" }, { rille.select { { rille.after(2), tostring } } })
      end)
    end)

    it("loses to a value that comes first", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(function() rille.sleep(1) ch:send("x") end)
        assert.same({ 2, "x" }, { rille.select { { rille.after(2) }, { ch } } })
      end)
    end)

    it("may be a ticker, which gives its count", function()
      run(function()
        local ticker <close> = rille.every(1)
        assert.same({ 1, 1 }, { rille.select { { ticker } } })
        assert.same({ 1, 2 }, { rille.select { { ticker } } })
      end)
    end)
  end)

  it("lets the handler suspend", function()
    run(function()
      rille.select { { filled(1), function() rille.sleep(2) end } }
      assert.equal(2, rille.now())
    end)
  end)

  it("raises what the handler raises", function()
    run(function()
      local problem = {}
      assert.equal(problem, raises(function()
        rille.select { { filled(1), function() error(problem) end } }
      end))
    end)
  end)

  it("ignores a case that is false", function()
    run(function()
      assert.same({ 2, "x" }, { rille.select { false, { filled("x") } } })
    end)
  end)

  it("whose cases are all false never fires", function()
    run(function()
      refused("timeout", rille.select({ false, false }, { timeout = 1 }))
    end)
  end)
end)
