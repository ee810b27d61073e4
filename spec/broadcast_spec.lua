local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused
local raises_kind = helper.raises_kind

-- Everything that is in the buffer of a subscription.
local function drain(subscription)
  local list = {}
  for value in subscription.try_recv, subscription do list[#list + 1] = value end
  return list
end

describe("broadcast", function()
  it("may be made outside a task", function()
    assert.equal(0, (rille.broadcast():subscribers()))
  end)

  it("says what it is as text", function()
    local b = rille.broadcast()
    b:subscribe()
    b:close()
    assert.truthy(tostring(b):find("^rille.broadcast: broadcast#%d+ %(0 subscribers, closed%)$"))
  end)

  describe("send", function()
    it("gives the value to every subscription", function()
      run(function()
        local b = rille.broadcast()
        local first, second = b:subscribe(), b:subscribe()
        b:send("x")
        assert.same({ "x", "x" }, { (first:recv()), (second:recv()) })
      end)
    end)

    it("returns how many it has reached", function()
      run(function()
        local b = rille.broadcast()
        assert.equal(0, b:send("nobody"))
        b:subscribe()
        b:subscribe()
        assert.equal(2, b:send("x"))
      end)
    end)

    it("does not reach who subscribes later", function()
      run(function()
        local b = rille.broadcast()
        b:send("early")
        local sub = b:subscribe()
        b:send("late")
        assert.same({ "late" }, drain(sub))
      end)
    end)

    it("keeps the order of the values", function()
      run(function()
        local b = rille.broadcast { buffer = 100 }
        local subs = { b:subscribe(), b:subscribe() }
        for i = 1, 50 do b:send(i) end
        for _, sub in ipairs(subs) do
          for i, value in ipairs(drain(sub)) do assert.equal(i, value) end
        end
      end)
    end)

    it("hands the value to receivers that wait", function()
      local log = helper.log()
      run(function()
        local b = rille.broadcast { buffer = 0 }
        for i = 1, 3 do
          local sub = b:subscribe()
          rille.root():go(function() log(i, (sub:recv())) end)
        end
        rille.yield()
        assert.equal(3, b:send("x"))
      end)
      assert.equal("1:x 2:x 3:x", helper.text(log))
    end)

    it("gives a receiver that waits for two subscriptions the value once", function()
      run(function()
        local b = rille.broadcast()
        local first, second = b:subscribe(), b:subscribe()
        local task = rille.root():task(function()
          return rille.select({ { first }, { second } }, { ordered = true })
        end)
        rille.yield()
        assert.equal(2, b:send("x"))
        assert.equal(1, (task:await()))
        assert.same({ {}, { "x" } }, { drain(first), drain(second) })
      end)
    end)

    it("sends the same table, not copies", function()
      run(function()
        local b, value = rille.broadcast(), {}
        local first, second = b:subscribe(), b:subscribe()
        b:send(value)
        assert.equal(value, (first:recv()))
        assert.equal(value, (second:recv()))
      end)
    end)

    it("sends false", function()
      run(function()
        local b = rille.broadcast()
        local sub = b:subscribe()
        b:send(false)
        assert.is_false((sub:recv()))
      end)
    end)

    it("ignores further arguments", function()
      run(function()
        local b = rille.broadcast { buffer = 1, overflow = "error" }
        local sub = b:subscribe()
        assert.equal(1, b:send("x", {}, {}, { print, 1 }, { "y" }))
        assert.same({ "x" }, drain(sub))
      end)
    end)

    it("raises closed on a closed broadcast", function()
      run(function()
        local b = rille.broadcast()
        b:close()
        raises_kind("closed", function() b:send(1) end)
      end)
    end)

    it("raises outside a task", function()
      raises(function() rille.broadcast():send(1) end, "not inside a task")
    end)

    it("makes room for more than a first buffer holds", function()
      run(function()
        local b = rille.broadcast { buffer = math.huge }
        local sub = b:subscribe()
        for i = 1, 1000 do b:send(i) end
        for i, value in ipairs(drain(sub)) do assert.equal(i, value) end
        assert.equal(0, sub:size())
      end)
    end)
  end)

  describe("try_send", function()
    it("works outside a task", function()
      local b = rille.broadcast()
      local sub = b:subscribe()
      assert.equal(1, b:try_send("x"))
      assert.same({ "x" }, drain(sub))
    end)

    it("reaches nobody when somebody would have to be waited for", function()
      local b = rille.broadcast()
      local fast, slow = b:subscribe("fast"), b:subscribe("slow", { buffer = 1 })
      b:try_send(1)
      local err = refused("full", b:try_send(2))
      assert.same({ "slow" }, err.subscribers)
      assert.equal(0, err.reached)
      assert.same({ { 1 }, { 1 } }, { drain(fast), drain(slow) })
    end)

    it("returns nil, closed on a closed broadcast", function()
      local b = rille.broadcast()
      b:close()
      refused("closed", b:try_send(1))
    end)
  end)

  describe("subscribe", function()
    it("gives a name of its own to who has none", function()
      local b = rille.broadcast()
      b:subscribe("subscriber#2")
      assert.same({ "subscriber#1", "subscriber#3" },
        { b:subscribe():name(), b:subscribe():name() })
    end)

    it("raises when the name is taken", function()
      local b = rille.broadcast()
      b:subscribe("a")
      raises(function() b:subscribe("a") end, "#1.*'a' is taken")
    end)

    it("takes a name again that has become free", function()
      local b = rille.broadcast()
      b:subscribe("a"):close()
      assert.equal("a", b:subscribe("a"):name())
    end)

    it("has the broadcast's options", function()
      local b = rille.broadcast { buffer = 3 }
      assert.equal(3, b:subscribe():cap())
    end)

    it("has a buffer of 16 by default", function()
      assert.equal(16, rille.broadcast():subscribe():cap())
    end)

    it("has options of its own, which win", function()
      local b = rille.broadcast { buffer = 3, overflow = "drop_oldest" }
      local sub = b:subscribe("a", { buffer = 1, overflow = "drop_newest" })
      b:try_send(1)
      b:try_send(2)
      assert.same({ 1 }, drain(sub))
    end)

    it("may be given the options alone", function()
      assert.equal(5, rille.broadcast():subscribe({ buffer = 5 }):cap())
    end)

    it("raises closed on a closed broadcast", function()
      local b = rille.broadcast()
      b:close()
      raises_kind("closed", function() b:subscribe() end)
      raises_kind("closed", function() b:subscribe("named") end)
    end)
  end)

  describe("unsubscribe", function()
    it("takes a subscription out by its name", function()
      local b = rille.broadcast()
      local sub = b:subscribe("a")
      assert.is_true(b:unsubscribe("a"))
      assert.equal(0, b:try_send("x"))
      assert.is_true(sub:is_closed())
    end)

    it("takes out the subscription itself", function()
      local b = rille.broadcast()
      assert.is_true(b:unsubscribe(b:subscribe()))
      assert.equal(0, #b)
    end)

    it("returns false for who is not there", function()
      local b = rille.broadcast()
      local sub = b:subscribe("a")
      sub:close()
      assert.is_false(b:unsubscribe("a"))
      assert.is_false(b:unsubscribe(sub))
      assert.is_false(b:unsubscribe("b"))
    end)

    it("returns false for a subscription of another broadcast", function()
      local sub = rille.broadcast():subscribe("a")
      local b = rille.broadcast()
      b:subscribe("a")
      assert.is_false(b:unsubscribe(sub))
      assert.is_false(sub:is_closed())
    end)

    it("returns false once the broadcast is closed", function()
      local b = rille.broadcast()
      b:subscribe("a")
      b:close()
      assert.is_false(b:unsubscribe("a"))
    end)
  end)

  describe("subscribers", function()
    it("returns their number and their names, the oldest first", function()
      local b = rille.broadcast()
      b:subscribe("b")
      b:subscribe("a"):close()
      b:subscribe("c")
      assert.same({ 2, { "b", "c" } }, { b:subscribers() })
    end)

    it("are none once it is closed", function()
      local b = rille.broadcast()
      b:subscribe()
      b:close()
      assert.same({ 0, {} }, { b:subscribers() })
    end)

    it("are counted by #", function()
      local b = rille.broadcast()
      b:subscribe()
      assert.equal(1, #b)
    end)
  end)

  describe("close", function()
    it("leaves what is in the buffers", function()
      run(function()
        local b = rille.broadcast()
        local sub = b:subscribe()
        b:send("kept")
        b:close()
        assert.equal("kept", (sub:recv()))
        refused("closed", sub:recv())
      end)
    end)

    it("gives its error to every subscriber after the last value", function()
      run(function()
        local b, problem = rille.broadcast(), {}
        local subs = { b:subscribe(), b:subscribe() }
        b:send(1)
        b:close(problem)
        for _, sub in ipairs(subs) do
          assert.equal(1, (sub:recv()))
          assert.equal(problem, (select(2, sub:recv())))
        end
      end)
    end)

    it("gives no error to who has left before", function()
      run(function()
        local b = rille.broadcast()
        local sub = b:subscribe()
        sub:close()
        b:close("problem")
        refused("closed", sub:recv())
      end)
    end)

    it("wakes receivers that wait", function()
      run(function()
        local b = rille.broadcast()
        local sub = b:subscribe()
        local task = rille.root():task(function() return sub:recv() end)
        rille.yield()
        b:close("problem")
        assert.equal("problem", (select(2, task:await())))
      end)
    end)

    it("is idempotent and keeps the first error", function()
      run(function()
        local b = rille.broadcast()
        local sub = b:subscribe()
        b:close("first")
        b:close("second")
        assert.equal("first", (select(2, sub:recv())))
      end)
    end)

    it("is what <close> calls, without the block's error", function()
      run(function()
        local sub
        pcall(function()
          local b <close> = rille.broadcast()
          sub = b:subscribe()
          error("the block's")
        end)
        refused("closed", sub:recv())
      end)
    end)

    it("is what the end of its scope calls", function()
      run(function()
        local b = rille.scope(function(s) return s:broadcast { buffer = 1 } end)
        assert.is_true(b:is_closed())
      end)
    end)

    it("lets nothing be made by a scope that has ended", function()
      run(function()
        local old
        rille.scope(function(s) old = s end)
        raises_kind("closed", function() old:broadcast() end)
      end)
    end)
  end)

  it("counts what it has sent and what was dropped", function()
    local b = rille.broadcast { buffer = 1, overflow = "drop_oldest" }
    b:subscribe()
    b:subscribe()
    b:try_send(1)
    b:try_send(2)
    assert.same({ subscribers = 2, sent = 2, dropped = 2, closed = false }, b:stats())
  end)
end)
