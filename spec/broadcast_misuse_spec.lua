local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local nan = 0 / 0

-- Each row: a call that must raise a plain string, and what this must say.
-- `b` is a broadcast with the subscription "a", `bus` an event bus.
local function refuses(rows)
  for name, row in pairs(rows) do
    it("is refused: " .. name, function()
      run(function()
        local b, bus = rille.broadcast(), rille.event_bus()
        b:subscribe("a")
        local err = raises(function() row[2](b, bus) end, row[1])
        assert.equal("string", type(err))
        assert.equal(1, #b)
      end)
    end)
  end
end

describe("an option of a broadcast", function()
  local whole = "whole number from 0 to 2147483647 or math.huge expected"
  for name, row in pairs {
    ["that is unknown"] = { "'bufer'; did you mean 'buffer'", { bufer = 1 } },
    ["that has a number for its name"] = { "option names must be strings", { 16 } },
    ["buffer, a word"] = { "'buffer': number expected, got '16'", { buffer = "16" } },
    ["buffer, negative"] = { "'buffer': a " .. whole .. ", got %-1", { buffer = -1 } },
    ["buffer, a fraction"] = { "'buffer': a " .. whole .. ", got 1.5", { buffer = 1.5 } },
    ["buffer, too large"] = { "'buffer': a " .. whole, { buffer = 2 ^ 31 } },
    ["buffer, very much too large"] = { "'buffer': a " .. whole, { buffer = 2 ^ 80 } },
    ["buffer, NaN"] = { "'buffer': a " .. whole, { buffer = nan } },
    ["buffer, -math.huge"] = { "'buffer': a " .. whole, { buffer = -math.huge } },
    ["overflow, no such choice"] = { "'overflow': no such choice 'drop_oldes'; 'block' or "
      .. "'drop_oldest' or 'drop_newest' or 'error' expected", { overflow = "drop_oldes" } },
    ["overflow, a number"] = { "'overflow': string expected, got 1", { overflow = 1 } },
    ["overflow without a buffer"] = { "'drop_newest' needs a buffer of at least 1",
      { overflow = "drop_newest", buffer = 0 } },
    ["on_drop, a table"] = { "'on_drop': function expected, got table", { on_drop = {} } },
  } do
    refuses {
      ["broadcast: " .. name] = { "#1 to 'broadcast' .*" .. row[1], function()
        rille.broadcast(row[2])
      end },
      ["subscribe: " .. name] = { "#2 to 'subscribe' .*" .. row[1], function(b)
        b:subscribe("b", row[2])
      end },
      ["subscribe, options alone: " .. name] = { "#1 to 'subscribe' .*" .. row[1], function(b)
        b:subscribe(row[2])
      end },
      ["event_bus: " .. name] = { "#1 to 'event_bus' .*" .. row[1], function()
        rille.event_bus(row[2])
      end },
      ["subscribe of a bus: " .. name] = { "#2 to 'subscribe' .*" .. row[1], function(_, bus)
        bus:subscribe("a", row[2])
      end },
      ["broadcast of a scope: " .. name] = { "'broadcast' .*" .. row[1], function()
        rille.root():broadcast(row[2])
      end },
    }
  end

  it("of the broadcast does not fit one of the subscription", function()
    local b = rille.broadcast { overflow = "error" }
    raises(function() b:subscribe { buffer = 0 } end, "'error' needs a buffer of at least 1")
    assert.equal(0, #b)
  end)

  it("may be any float that is whole", function()
    assert.equal(3, rille.broadcast({ buffer = 3.0 }):subscribe():cap())
  end)
end)

describe("an argument", function()
  refuses {
    ["broadcast(a number)"] = { "#1 to 'broadcast' .table expected, got 1", function()
      rille.broadcast(1)
    end },
    ["subscribe(a number)"] = { "#1 to 'subscribe' .string or table expected", function(b)
      b:subscribe(1)
    end },
    ["subscribe(name, a number)"] = { "#2 to 'subscribe' .table expected, got 1", function(b)
      b:subscribe("b", 1)
    end },
    ["subscribe(two tables)"] = { "#1 to 'subscribe'", function(b) b:subscribe({}, {}) end },
    ["subscribe(a name that is taken)"] = { "#1 to 'subscribe' .the name 'a' is taken", function(b)
      b:subscribe("a")
    end },
    ["send()"] = { "#1 to 'send' .nil cannot be sent", function(b) b:send() end },
    ["try_send(nil)"] = { "#1 to 'try_send' .nil cannot", function(b) b:try_send(nil) end },
    ["unsubscribe()"] = { "#1 to 'unsubscribe' .string or subscription", function(b)
      b:unsubscribe()
    end },
    ["unsubscribe(a channel)"] = { "#1 to 'unsubscribe'", function(b)
      b:unsubscribe(rille.channel())
    end },
    ["recv_many(0) of a subscription"] = { "#1 to 'recv_many'", function()
      rille.broadcast():subscribe():recv_many(0)
    end },
    ["a send case on a broadcast"] = { "only a channel can be sent to", function(b)
      rille.select { { b, send = 1 } }
    end },
    ["a receive case on a broadcast"] = { "not something to wait for.*subscription", function(b)
      rille.select { { b } }
    end },
    ["bus:subscribe()"] = { "#1 to 'subscribe' .a string expected", function(_, bus)
      bus:subscribe()
    end },
    ["bus:subscribe(topic, a word)"] = { "#2 to 'subscribe' .table expected", function(_, bus)
      bus:subscribe("a", "b")
    end },
    ["bus:subscribe(topic, {with_topic = 1})"] = { "#2 .*'with_topic': boolean expected",
      function(_, bus) bus:subscribe("a", { with_topic = 1 }) end },
    ["bus:publish()"] = { "#1 to 'publish' .a string expected", function(_, bus)
      bus:publish()
    end },
    ["bus:publish(topic)"] = { "#2 to 'publish' .nil cannot be sent", function(_, bus)
      bus:publish("a")
    end },
    ["bus:try_publish(topic)"] = { "#2 to 'try_publish' .nil cannot be sent", function(_, bus)
      bus:try_publish("a")
    end },
    ["bus:unsubscribe()"] = { "#1 to 'unsubscribe'", function(_, bus) bus:unsubscribe() end },
    ["bus:unsubscribe(topic, a name)"] = { "#2 to 'unsubscribe' .rille subscription expected",
      function(_, bus) bus:unsubscribe("a", "a#1") end },
  }

  it("that is wrong is told where the user's code made the call", function()
    local function here() return helper.where(2):gsub("%p", "%%%0") end
    raises(function() rille.broadcast(1) end, here())
    raises(function() rille.event_bus(1) end, here())
    raises(function() rille.event_bus():publish("a..b", 1) end, here())
    raises(function() rille.event_bus():subscribe("a", { buffer = -1 }) end, here())
    raises(function() rille.event_bus().subscribe({}, "a") end, here())
  end)
end)

describe("an object of a run that has ended", function()
  it("is a broadcast that works in the next run", function()
    local b, sub
    run(function()
      b = rille.broadcast()
      sub = b:subscribe()
      b:send("kept")
    end)
    run(function()
      b:send("new")
      assert.same({ "kept", "new" }, sub:recv_many(9))
    end)
  end)
end)
