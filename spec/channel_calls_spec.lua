local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

local function filled(capacity, ...)
  local ch = rille.channel(capacity)
  for _, value in ipairs { ... } do assert(ch:try_send(value)) end
  return ch
end

describe("channel call", function()
  describe("try_send", function()
    it("returns true", function()
      assert.is_true(rille.channel(1):try_send("x"))
    end)

    it("returns nil, full when the buffer is full", function()
      refused("full", filled(1, 1):try_send(2))
    end)

    it("returns nil, full on a rendezvous without a receiver", function()
      refused("full", rille.channel():try_send(1))
    end)

    it("hands the value to a waiting receiver", function()
      run(function()
        local ch = rille.channel()
        local task = rille.root():task(function() return ch:recv() end)
        rille.yield()
        assert.is_true(ch:try_send("x"))
        assert.equal("x", (task:await()))
      end)
    end)

    it("returns nil, closed on a closed channel", function()
      local ch = rille.channel(1)
      ch:close()
      refused("closed", ch:try_send(1))
    end)

    it("raises on nil", function()
      raises(function() rille.channel(1):try_send(nil) end, "nil")
    end)

    it("does not suspend", function()
      local log = helper.log()
      run(function()
        local ch = rille.channel(2000)
        rille.root():go(log, "other")
        for i = 1, 2000 do ch:try_send(i) end
        log("sent")
      end)
      assert.equal("sent other", helper.text(log))
    end)
  end)

  describe("try_recv", function()
    it("returns the next value", function()
      assert.equal("x", (filled(1, "x"):try_recv()))
    end)

    it("returns nil, empty when there is none", function()
      refused("empty", rille.channel(1):try_recv())
    end)

    it("takes the value of a waiting sender", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(ch.send, ch, "x")
        rille.yield()
        assert.equal("x", (ch:try_recv()))
      end)
    end)

    it("gives the freed slot to a waiting sender", function()
      run(function()
        local ch = filled(1, "a")
        rille.root():go(ch.send, ch, "b")
        rille.yield()
        ch:try_recv()
        refused("full", ch:try_send("c"))
        assert.equal("b", (ch:recv()))
      end)
    end)

    it("does not take what a waiting receiver owns", function()
      run(function()
        local ch = rille.channel(1)
        local task = rille.root():task(function() return ch:recv() end)
        rille.yield()
        ch:send("x")
        refused("empty", ch:try_recv())
        assert.equal("x", (task:await()))
      end)
    end)

    it("returns nil, closed once closed and drained", function()
      local ch = filled(1, "x")
      ch:close()
      ch:try_recv()
      refused("closed", ch:try_recv())
    end)

    it("returns nil and the error of the close", function()
      local ch = rille.channel()
      ch:close("problem")
      assert.same({ nil, "problem" }, { ch:try_recv() })
    end)
  end)

  describe("recv_many", function()
    it("takes what is there", function()
      run(function() assert.same({ 1, 2, 3 }, filled(5, 1, 2, 3):recv_many(10)) end)
    end)

    it("takes at most max", function()
      run(function()
        local ch = filled(5, 1, 2, 3)
        assert.same({ 1, 2 }, ch:recv_many(2))
        assert.equal(1, ch:size())
      end)
    end)

    it("waits for one", function()
      run(function()
        local ch = rille.channel(5)
        rille.root():go(function() rille.sleep(3) ch:send("x") end)
        assert.same({ "x" }, ch:recv_many(10))
      end)
    end)

    it("takes from waiting senders too", function()
      run(function()
        local ch = filled(1, 1)
        rille.root():go(ch.send, ch, 2)
        rille.yield()
        assert.same({ 1, 2 }, ch:recv_many(10))
      end)
    end)

    it("returns the rest of a closed channel", function()
      run(function()
        local ch = filled(5, 1, 2)
        ch:close()
        assert.same({ 1, 2 }, ch:recv_many(10))
      end)
    end)

    it("returns nil, closed when closed", function()
      run(function()
        local ch = rille.channel()
        ch:close()
        refused("closed", ch:recv_many(10))
      end)
    end)

    it("keeps false", function()
      run(function() assert.same({ false, 1 }, filled(5, false, 1):recv_many(10)) end)
    end)

    for _, max in ipairs { 0, -1, 1.5, 0 / 0, "x" } do
      it("refuses " .. tostring(max), function()
        run(function() raises(function() filled(1, 1):recv_many(max) end, "#1") end)
      end)
    end
  end)

  describe("send_many", function()
    it("sends all in order", function()
      run(function()
        local ch = rille.channel(3)
        ch:send_many { "a", "b", "c" }
        assert.same({ "a", "b", "c" }, ch:recv_many(9))
      end)
    end)

    it("waits while the buffer is full", function()
      run(function()
        local ch, got = rille.channel(2), {}
        rille.root():go(function() ch:send_many { 1, 2, 3, 4, 5 } ch:close() end)
        for value in ch do got[#got + 1] = value end
        assert.same({ 1, 2, 3, 4, 5 }, got)
      end)
    end)

    it("sends nothing of an empty list", function()
      run(function()
        local ch = rille.channel(1)
        ch:send_many {}
        assert.equal(0, ch:size())
      end)
    end)

    it("raises closed on a closed channel", function()
      run(function()
        local ch = rille.channel(1)
        ch:close()
        helper.raises_kind("closed", function() ch:send_many { 1 } end)
      end)
    end)

    it("refuses what is no list", function()
      run(function() raises(function() rille.channel(1):send_many("abc") end, "#1") end)
    end)
  end)

  describe("size", function()
    it("counts buffered values", function()
      assert.equal(2, filled(5, "a", "b"):size())
    end)

    it("counts buffered values only", function()
      run(function()
        local ch = filled(1, "a")
        local task = rille.root():go(ch.send, ch, "b")
        rille.yield()
        assert.equal(1, ch:size())
        task:cancel()
      end)
    end)

    it("is what # gives", function()
      assert.equal(2, #filled(5, "a", "b"))
    end)
  end)

  describe("cap", function()
    it("is the capacity", function()
      assert.equal(7, rille.channel(7):cap())
    end)

    it("is math.huge for an unbounded channel", function()
      assert.equal(math.huge, rille.channel(math.huge):cap())
    end)

    it("may be 2^31-1", function()
      assert.equal(2 ^ 31 - 1, rille.channel(2 ^ 31 - 1):cap())
    end)
  end)

  describe("is_closed", function()
    it("is false at first", function()
      assert.is_false(rille.channel():is_closed())
    end)

    it("is true while values are left", function()
      local ch = filled(1, 1)
      ch:close()
      assert.is_true(ch:is_closed())
    end)
  end)

  describe("capacity", function()
    for _, value in ipairs { -1, 0.5, 0 / 0, -math.huge, 2 ^ 31, 2 ^ 53, 2 ^ 63, "1", "x",
      true, print } do
      it("refuses " .. tostring(value):gsub(":.*", "") .. " (" .. type(value) .. ")", function()
        raises(function() rille.channel(value) end, "#1")
      end)
    end

    it("may be a float that is whole", function()
      assert.equal(2, rille.channel(2.0):cap())
    end)
  end)
end)
