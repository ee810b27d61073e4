local rille = require "rille"
local helper = require "spec.helper"
local run, refused, raises_kind = helper.run, helper.refused, helper.raises_kind

local function drain(subscription)
  local list = {}
  for value in subscription.try_recv, subscription do list[#list + 1] = value end
  return list
end

-- Starts a task that publishes, and lets it come to its wait.
local function publish(bus, topic, value)
  local task = rille.root():task(function() return bus:publish(topic, value) end)
  rille.yield()
  return task
end

describe("event_bus", function()
  it("says what it is as text", function()
    local bus = rille.event_bus()
    bus:subscribe("a")
    assert.truthy(tostring(bus):find("^rille.event_bus: event_bus#%d+ %(1 topics%)$"))
    bus:close()
    assert.truthy(tostring(bus):find("%(0 topics, closed%)$"))
  end)

  describe("publish", function()
    it("reaches the subscribers of the topic alone", function()
      run(function()
        local bus = rille.event_bus()
        local a, b = bus:subscribe("a"), bus:subscribe("b")
        bus:publish("a", 1)
        assert.same({ { 1 }, {} }, { drain(a), drain(b) })
      end)
    end)

    it("returns how many it has reached", function()
      run(function()
        local bus = rille.event_bus()
        bus:subscribe("a.b")
        bus:subscribe("a.b")
        bus:subscribe("a.*")
        assert.same({ 3, 1, 0 }, { bus:publish("a.b", 1), bus:publish("a.c", 1),
          bus:publish("c", 1) })
      end)
    end)

    it("waits once, for the slowest of all that match", function()
      run(function()
        local bus = rille.event_bus { buffer = 0 }
        for i, topic in ipairs { "a.b", "a.*", "a.>" } do
          local sub = bus:subscribe(topic)
          rille.root():go(function() rille.sleep(i) sub:recv() end)
        end
        assert.equal(3, bus:publish("a.b", 1))
        assert.equal(3, rille.now())
      end)
    end)

    it("gives the value at once to all that have room, by whatever topic", function()
      run(function()
        local bus = rille.event_bus()
        local slow = bus:subscribe("a.b", { buffer = 0 })
        local star, rest = bus:subscribe("a.*"), bus:subscribe("a.>")
        local task = publish(bus, "a.b", 1)
        assert.same({ { 1 }, { 1 } }, { drain(star), drain(rest) })
        slow:recv()
        assert.equal(3, (task:await()))
      end)
    end)

    it("keeps one order at a pattern's subscriber when the topics are slow", function()
      run(function()
        local bus = rille.event_bus()
        local slow = bus:subscribe("a.1", { buffer = 0 })
        local all = bus:subscribe("a.*")
        publish(bus, "a.1", "first")
        publish(bus, "a.2", "second")
        assert.same({ "first", "second" }, drain(all))
        slow:recv()
      end)
    end)

    it("keeps one order of concurrent publishers at every subscriber", function()
      run(function()
        local bus = rille.event_bus { buffer = 0 }
        local subs = { bus:subscribe("a.*"), bus:subscribe("a.x"), bus:subscribe("a.>") }
        for i = 1, 4 do publish(bus, "a.x", i) end
        for _, sub in ipairs(subs) do
          local got = {}
          for i = 1, 4 do got[i] = sub:recv() end
          assert.same({ 1, 2, 3, 4 }, got)
        end
      end)
    end)

    it("returns nil, full with the names, which tell the topics", function()
      run(function()
        local bus = rille.event_bus { buffer = 1, overflow = "error" }
        bus:subscribe("a.b")
        bus:subscribe("a.*")
        bus:subscribe("a.>", { buffer = 2 })
        bus:publish("a.b", 1)
        local err = refused("full", bus:publish("a.b", 2))
        assert.same({ "a.b#1", "a.*#2" }, err.subscribers)
        assert.equal(1, err.reached)
      end)
    end)

    it("that is cancelled has reached those that had room", function()
      run(function()
        local bus = rille.event_bus()
        bus:subscribe("a", { buffer = 0 })
        local sub = bus:subscribe(">")
        refused("timeout", rille.timeout(1, bus.publish, bus, "a", 1))
        assert.same({ 1 }, drain(sub))
      end)
    end)

    it("raises cancelled before anything else, also without subscribers", function()
      run(function()
        local bus, err = rille.event_bus(), nil
        bus:close()
        rille.scope(function(s)
          s:cancel()
          err = select(2, pcall(bus.publish, bus, "a", 1))
        end)
        assert.equal("cancelled", err.kind)
      end)
    end)

    it("raises closed on a closed bus", function()
      run(function()
        local bus = rille.event_bus()
        bus:subscribe("a")
        bus:publish("a", 1)
        bus:close()
        raises_kind("closed", function() bus:publish("a", 1) end)
        raises_kind("closed", function() bus:publish("b", 1) end)
      end)
    end)

    it("sends false", function()
      run(function()
        local bus = rille.event_bus()
        local sub = bus:subscribe("a")
        bus:publish("a", false)
        assert.is_false((sub:recv()))
      end)
    end)
  end)

  describe("try_publish", function()
    it("works outside a task", function()
      local bus = rille.event_bus()
      local sub = bus:subscribe("a")
      assert.equal(1, bus:try_publish("a", 1))
      assert.same({ 1 }, drain(sub))
    end)

    it("reaches nobody when somebody would have to be waited for", function()
      local bus = rille.event_bus()
      bus:subscribe("a", { buffer = 0 })
      local sub = bus:subscribe(">")
      local err = refused("full", bus:try_publish("a", 1))
      assert.same({ "a#1" }, err.subscribers)
      assert.same({}, drain(sub))
    end)

    it("returns nil, closed on a closed bus", function()
      local bus = rille.event_bus()
      bus:close()
      local err = refused("closed", bus:try_publish("a", 1))
      assert.truthy(tostring(err):find("event bus is closed"))
    end)
  end)

  describe("subscribe", function()
    it("has the bus's options, and its own, which win", function()
      local bus = rille.event_bus { buffer = 3 }
      assert.same({ 3, 1 }, { bus:subscribe("a"):cap(), bus:subscribe("a", { buffer = 1 }):cap() })
    end)

    it("is not moved by what becomes of the bus's table of options", function()
      local opts = { buffer = 3 }
      local bus = rille.event_bus(opts)
      opts.buffer = -1
      assert.equal(3, bus:subscribe("a"):cap())
    end)

    it("raises closed on a closed bus", function()
      local bus = rille.event_bus()
      bus:close()
      raises_kind("closed", function() bus:subscribe("a") end)
    end)

    it("leaves no topic behind when it raises", function()
      local bus = rille.event_bus()
      pcall(bus.subscribe, bus, "a", { buffer = -1 })
      assert.same({}, bus:topics())
    end)
  end)

  describe("unsubscribe", function()
    it("takes a subscription out", function()
      local bus = rille.event_bus()
      local sub, other = bus:subscribe("a"), bus:subscribe("a")
      assert.is_true(bus:unsubscribe("a", sub))
      assert.equal(1, bus:try_publish("a", 1))
      assert.same({ true, false }, { sub:is_closed(), other:is_closed() })
    end)

    it("returns false for who is not subscribed to that", function()
      local bus = rille.event_bus()
      local sub = bus:subscribe("a.b")
      bus:subscribe("a.*")
      assert.is_false(bus:unsubscribe("a.*", sub))
      assert.is_false(bus:unsubscribe("c", sub))
      assert.is_true(bus:unsubscribe("a.b", sub))
      assert.is_false(bus:unsubscribe("a.b", sub))
    end)
  end)

  describe("topics", function()
    it("are those that have subscribers, patterns too, sorted", function()
      local bus = rille.event_bus()
      for _, topic in ipairs { "b", "a.>", "a.b", "b" } do bus:subscribe(topic) end
      assert.same({ "a.>", "a.b", "b" }, bus:topics())
    end)

    it("are forgotten with their last subscriber", function()
      local bus = rille.event_bus()
      local first, second = bus:subscribe("a.b"), bus:subscribe("a.b")
      first:close()
      assert.same({ "a.b" }, bus:topics())
      bus:unsubscribe("a.b", second)
      assert.same({}, bus:topics())
      assert.equal(0, bus:try_publish("a.b", 1))
    end)

    it("may come again", function()
      local bus = rille.event_bus()
      bus:subscribe("a.b"):close()
      local sub = bus:subscribe("a.b")
      assert.equal(1, bus:try_publish("a.b", 1))
      assert.is_true(bus:unsubscribe("a.b", sub))
      local again = bus:subscribe("a.b")
      assert.equal(1, bus:try_publish("a.b", 2))
      assert.same({ 2 }, drain(again))
    end)

    it("that come and go take no memory", function()
      local bus, n = rille.event_bus(), 0
      local function churn(count)
        for _ = 1, count do
          n = n + 1
          local sub = bus:subscribe("reply." .. n)
          bus:try_publish("reply." .. n, 1)
          bus:try_publish("nobody." .. n, 1)
          sub:close()
        end
        return helper.heap()
      end
      local before = churn(2000)
      assert.is_true(churn(8000) - before < 64)
    end)
  end)

  describe("close", function()
    it("gives its error to every subscriber after the last value", function()
      run(function()
        local bus, problem = rille.event_bus(), {}
        local a, b = bus:subscribe("a"), bus:subscribe("*")
        bus:publish("a", 1)
        bus:close(problem)
        for _, sub in ipairs { a, b } do
          assert.equal(1, (sub:recv()))
          assert.equal(problem, (select(2, sub:recv())))
        end
      end)
    end)

    it("raises closed for a publisher that waits", function()
      run(function()
        local bus = rille.event_bus { buffer = 0 }
        bus:subscribe("a")
        local task = publish(bus, "a", 1)
        bus:close()
        refused("closed", task:await())
      end)
    end)

    it("is idempotent", function()
      local bus = rille.event_bus()
      bus:close("first")
      bus:close("second")
      assert.is_true(bus:is_closed())
    end)

    it("is what <close> and the end of its scope call", function()
      run(function()
        local bus
        do
          local own <close> = rille.event_bus()
          bus = own
        end
        assert.is_true(bus:is_closed())
        bus = rille.scope(function(s) return s:event_bus { buffer = 1 } end)
        assert.is_true(bus:is_closed())
      end)
    end)
  end)

  it("counts topics, subscribers and what was published", function()
    local bus = rille.event_bus()
    bus:subscribe("a")
    bus:subscribe("a")
    bus:subscribe("b"):close()
    bus:try_publish("a", 1)
    bus:try_publish("nobody", 1)
    assert.same({ topics = 1, subscribers = 2, published = 2, closed = false }, bus:stats())
  end)
end)
