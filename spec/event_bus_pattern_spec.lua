local rille = require "rille"
local helper = require "spec.helper"
local raises = helper.raises

describe("a pattern", function()
  -- pattern -> topics that match, topics that do not
  for pattern, row in pairs {
    ["a"] = { { "a" }, { "b", "a.b", "aa" } },
    ["a.b"] = { { "a.b" }, { "a", "a.b.c", "b.a" } },
    ["*"] = { { "a", "foo" }, { "a.b" } },
    [">"] = { { "a", "a.b", "a.b.c" }, {} },
    ["a.*"] = { { "a.b", "a.foo" }, { "a", "a.b.c", "b.a", "aa.b" } },
    ["a.>"] = { { "a.b", "a.b.c", "a.b.c.d" }, { "a", "b.a", "b.a.c" } },
    ["*.b"] = { { "a.b", "c.b" }, { "b", "a.c", "a.b.c", "a.a.b" } },
    ["a.*.c"] = { { "a.b.c", "a.x.c" }, { "a.c", "a.b.b.c", "a.b.d" } },
    ["*.*"] = { { "a.b" }, { "a", "a.b.c" } },
    ["*.>"] = { { "a.b", "a.b.c" }, { "a" } },
    ["a.*.>"] = { { "a.b.c", "a.b.c.d" }, { "a", "a.b", "b.a.c" } },
    ["a-1.*"] = { { "a-1.b" }, { "a1.b", "aa1.b" } },
    ["%a"] = { { "%a" }, { "a" } },
    ["ä.*"] = { { "ä.ö" }, { "a.ö" } },
  } do
    it("matches as it should: " .. pattern, function()
      local bus = rille.event_bus()
      bus:subscribe(pattern)
      for _, topic in ipairs(row[1]) do assert.equal(1, bus:try_publish(topic, 1), topic) end
      for _, topic in ipairs(row[2]) do assert.equal(0, bus:try_publish(topic, 1), topic) end
    end)
  end

  for pattern, message in pairs {
    [""] = "empty level", ["."] = "empty level", ["a."] = "empty level", [".a"] = "empty level",
    ["a..b"] = "empty level", [">.a"] = "must come last", ["a.>.b"] = "must come last",
    ["a*"] = "part of a level", ["a.b*"] = "part of a level", ["a.**"] = "part of a level",
    ["a.>>"] = "part of a level", ["a b"] = "part of a level", ["a.\n"] = "part of a level",
  } do
    it("is refused: " .. ("%q"):format(pattern), function()
      local bus = rille.event_bus()
      raises(function() bus:subscribe(pattern) end, "#1 to 'subscribe' .*" .. message)
      raises(function() bus:try_publish(pattern, 1) end, "#1 to 'try_publish' .*" .. message)
    end)
  end

  it("cannot be published to", function()
    local bus = rille.event_bus()
    for _, pattern in ipairs { "*", ">", "a.*", "a.>", "*.a" } do
      raises(function() bus:try_publish(pattern, 1) end, "only a topic can be published to")
    end
  end)

  it("gives each of its subscribers a value once", function()
    local bus = rille.event_bus()
    local sub = bus:subscribe("a.>")
    for _, topic in ipairs { "a.*", "a.b", ">", "*.b", "*.*" } do bus:subscribe(topic) end
    assert.equal(6, bus:try_publish("a.b", 1))
    assert.equal(1, #sub)
  end)

  it("that comes later is found by topics that were published before", function()
    local bus = rille.event_bus()
    assert.equal(0, bus:try_publish("a.b", 1))
    local sub = bus:subscribe("a.*")
    assert.equal(1, bus:try_publish("a.b", 2))
    bus:unsubscribe("a.*", sub)
    assert.equal(0, bus:try_publish("a.b", 3))
  end)

  it("may be one of many", function()
    local bus = rille.event_bus { buffer = 1, overflow = "drop_oldest" }
    for i = 1, 2000 do bus:subscribe("topic." .. i .. ".*") end
    for i = 1, 2000 do assert.equal(1, bus:try_publish("topic." .. i .. ".x", 1)) end
  end)

  describe("with_topic", function()
    it("gives the topic with the value", function()
      local bus = rille.event_bus()
      local sub = bus:subscribe("a.*", { with_topic = true })
      bus:try_publish("a.x", 1)
      bus:try_publish("a.y", 2)
      assert.same({ topic = "a.x", value = 1 }, sub:try_recv())
      assert.same({ topic = "a.y", value = 2 }, sub:try_recv())
    end)

    it("is each subscriber's own wish", function()
      local bus = rille.event_bus()
      local with = bus:subscribe("a", { with_topic = true })
      local without = bus:subscribe("a", { with_topic = false })
      bus:try_publish("a", 1)
      assert.same({ topic = "a", value = 1 }, with:try_recv())
      assert.equal(1, (without:try_recv()))
    end)

    it("holds for a value that was waited with", function()
      helper.run(function()
        local bus = rille.event_bus { buffer = 0 }
        local with, without = bus:subscribe(">", { with_topic = true }), bus:subscribe(">")
        local task = rille.root():task(function() return bus:publish("a.b", 1) end)
        rille.yield()
        assert.same({ topic = "a.b", value = 1 }, with:recv())
        assert.equal(1, (without:recv()))
        assert.equal(2, (task:await()))
      end)
    end)

    it("holds for what is dropped", function()
      local dropped
      local bus = rille.event_bus()
      bus:subscribe("a", { with_topic = true, buffer = 1, overflow = "drop_newest",
        on_drop = function(message) dropped = message end })
      bus:try_publish("a", 1)
      bus:try_publish("a", 2)
      assert.same({ topic = "a", value = 2 }, dropped)
    end)
  end)
end)
