local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Sends 1..n to a channel of capacity 2, then returns what it holds and, as
-- text, what was dropped.
local function overflow(policy, n)
  local log = helper.log()
  local ch = rille.channel(2, { overflow = policy, on_drop = log })
  for i = 1, n do ch:send(i) end
  return ch:recv_many(9), helper.text(log)
end

describe("channel overflow", function()
  describe("block", function()
    it("is the default", function()
      run(function()
        local ch = rille.channel(1, { overflow = "block" })
        ch:send(1)
        refused("timeout", rille.timeout(1, ch.send, ch, 2))
      end)
    end)

    it("may be asked of a rendezvous", function()
      assert.equal(0, rille.channel(0, { overflow = "block" }):cap())
    end)
  end)

  describe("drop_oldest", function()
    it("keeps the newest", function()
      run(function() assert.same({ 3, 4 }, (overflow("drop_oldest", 4))) end)
    end)

    it("gives the dropped to on_drop, in order", function()
      run(function() assert.equal("1 2", (select(2, overflow("drop_oldest", 4)))) end)
    end)

    it("returns true from send", function()
      run(function()
        local ch = rille.channel(1, { overflow = "drop_oldest" })
        ch:send(1)
        assert.is_true(ch:send(2))
      end)
    end)

    it("returns true from try_send", function()
      local ch = rille.channel(1, { overflow = "drop_oldest" })
      ch:try_send(1)
      assert.is_true(ch:try_send(2))
    end)
  end)

  describe("drop_newest", function()
    it("keeps the oldest", function()
      run(function() assert.same({ 1, 2 }, (overflow("drop_newest", 4))) end)
    end)

    it("gives the dropped to on_drop, in order", function()
      run(function() assert.equal("3 4", (select(2, overflow("drop_newest", 4)))) end)
    end)
  end)

  describe("error", function()
    it("makes send fail with full", function()
      run(function()
        local ch = rille.channel(1, { overflow = "error" })
        ch:send(1)
        local ok, value, err = pcall(ch.send, ch, 2)
        if not ok then value, err = nil, value end
        refused("full", value, err)
      end)
    end)

    it("keeps what is there", function()
      run(function()
        local ch = rille.channel(1, { overflow = "error" })
        ch:send(1)
        pcall(ch.send, ch, 2)
        assert.same({ 1 }, ch:recv_many(9))
      end)
    end)

    it("makes try_send return nil, full", function()
      local ch = rille.channel(1, { overflow = "error" })
      ch:try_send(1)
      refused("full", ch:try_send(2))
    end)
  end)

  it("hands a value to a waiting receiver before it drops", function()
    run(function()
      local log = helper.log()
      local ch = rille.channel(1, { overflow = "drop_newest", on_drop = log })
      local task = rille.root():task(function() return ch:recv() end)
      rille.yield()
      ch:send("a")
      ch:send("b")
      assert.equal("a", (task:await()))
      assert.equal("", helper.text(log))
    end)
  end)

  it("drops without on_drop too", function()
    run(function()
      local ch = rille.channel(1, { overflow = "drop_oldest" })
      ch:send_many { 1, 2, 3 }
      assert.equal(3, (ch:recv()))
    end)
  end)

  it("raises closed on a closed channel", function()
    run(function()
      local ch = rille.channel(1, { overflow = "drop_oldest" })
      ch:close()
      helper.raises_kind("closed", function() ch:send(1) end)
    end)
  end)

  it("needs a capacity of 1 or more", function()
    for _, policy in ipairs { "drop_oldest", "drop_newest", "error" } do
      raises(function() rille.channel(0, { overflow = policy }) end, "capacity")
    end
  end)

  it("refuses an unknown policy", function()
    raises(function() rille.channel(1, { overflow = "drop" }) end, "overflow")
  end)

  it("refuses an on_drop that cannot be called", function()
    raises(function() rille.channel(1, { overflow = "drop_oldest", on_drop = 1 }) end, "on_drop")
  end)

  it("refuses an unknown option with the nearest known one", function()
    raises(function() rille.channel(1, { overflw = "error" }) end, "overflow")
  end)

  it("survives an on_drop that raises", function()
    run(function()
      local ch = rille.channel(1, { overflow = "drop_oldest", on_drop = error })
      ch:send("a")
      pcall(ch.send, ch, "b")
      assert.equal("b", (ch:recv()))
    end)
  end)

  it("survives an on_drop that sends to the same channel", function()
    run(function()
      local ch
      local again = true
      ch = rille.channel(1, { overflow = "drop_newest", on_drop = function(value)
        if again then again = false ch:try_send(value) end
      end })
      ch:send_many { 1, 2, 3 }
      assert.same({ 1 }, ch:recv_many(9))
    end)
  end)
end)
