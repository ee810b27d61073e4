local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- A broadcast with one subscription of two values' room under the policy, to
-- which 1..n have been sent; returns what it holds, the subscription, and as
-- text what on_drop was given.
local function overflow(policy, n)
  local log = helper.log()
  local b = rille.broadcast { buffer = 2, overflow = policy, on_drop = log }
  local sub = b:subscribe()
  for i = 1, n do b:send(i) end
  return sub:recv_many(9), sub, helper.text(log)
end

describe("broadcast overflow", function()
  it("drop_oldest keeps the newest, counts and tells", function()
    run(function()
      local kept, sub, dropped = overflow("drop_oldest", 5)
      assert.same({ 4, 5 }, kept)
      assert.equal(3, sub:dropped())
      assert.equal("1 2 3", dropped)
    end)
  end)

  it("drop_newest keeps the oldest, counts and tells", function()
    run(function()
      local kept, sub, dropped = overflow("drop_newest", 5)
      assert.same({ 1, 2 }, kept)
      assert.equal(3, sub:dropped())
      assert.equal("3 4 5", dropped)
    end)
  end)

  it("error keeps the oldest and counts; the sender is told", function()
    run(function()
      local kept, sub, dropped = overflow("error", 5)
      assert.same({ 1, 2 }, kept)
      assert.equal(3, sub:dropped())
      assert.equal("", dropped)
    end)
  end)

  it("block drops nothing", function()
    run(function()
      local b = rille.broadcast { buffer = 1 }
      local sub = b:subscribe()
      rille.root():go(function() for i = 1, 5 do b:send(i) end b:close() end)
      local got = {}
      for value in sub do got[#got + 1] = value end
      assert.same({ 1, 2, 3, 4, 5 }, got)
      assert.equal(0, sub:dropped())
    end)
  end)

  describe("of several policies at once", function()
    local function mixed()
      local b = rille.broadcast { buffer = 1 }
      return b, {
        block = b:subscribe("block", { buffer = 3 }),
        oldest = b:subscribe("oldest", { overflow = "drop_oldest" }),
        newest = b:subscribe("newest", { overflow = "drop_newest" }),
        error = b:subscribe("error", { overflow = "error" }),
      }
    end

    it("treats each subscription as it wants", function()
      run(function()
        local b, subs = mixed()
        for i = 1, 3 do b:send(i) end
        assert.same({ 1, 2, 3 }, subs.block:recv_many(9))
        assert.same({ 3 }, subs.oldest:recv_many(9))
        assert.same({ 1 }, subs.newest:recv_many(9))
        assert.same({ 1 }, subs.error:recv_many(9))
        assert.equal(6, b:stats().dropped)
      end)
    end)

    it("returns nil, full and who was full, after all others got it", function()
      run(function()
        local b, subs = mixed()
        assert.equal(4, b:send(1))
        local err = refused("full", b:send(2))
        assert.same({ "error" }, err.subscribers)
        assert.equal(2, err.reached)
        assert.truthy(tostring(err):find("'error'", 1, true))
        assert.equal(2, subs.block:size())
      end)
    end)

    it("waits for the slowest before it returns nil, full", function()
      run(function()
        local b, subs = mixed()
        for i = 1, 3 do b:send(i) end
        rille.root():go(function() rille.sleep(2) subs.block:recv() end)
        local err = refused("full", b:send(4))
        assert.equal(2, rille.now())
        assert.equal(2, err.reached)
      end)
    end)

    it("does not count who has dropped the new value as reached", function()
      run(function()
        local b = rille.broadcast { buffer = 1 }
        b:subscribe("oldest", { overflow = "drop_oldest" })
        b:subscribe("newest", { overflow = "drop_newest" })
        assert.same({ 2, 1 }, { (b:send(1)), (b:send(2)) })
      end)
    end)
  end)

  it("names at most eight subscribers in the message, all in the list", function()
    run(function()
      local b = rille.broadcast { buffer = 1, overflow = "error" }
      for i = 1, 10 do b:subscribe("s" .. i) end
      b:send(1)
      local err = refused("full", b:send(2))
      assert.equal(10, #err.subscribers)
      assert.truthy(tostring(err):find("'s8' and 2 more$"))
    end)
  end)

  describe("on_drop", function()
    it("of a subscription wins over the broadcast's", function()
      run(function()
        local own, general = helper.log(), helper.log()
        local b = rille.broadcast { buffer = 1, overflow = "drop_oldest", on_drop = general }
        b:subscribe("a", { on_drop = own })
        b:subscribe("b")
        for i = 1, 2 do b:send(i) end
        assert.same({ "1", "1" }, { helper.text(own), helper.text(general) })
      end)
    end)

    it("is called after everybody has the value", function()
      run(function()
        local b = rille.broadcast { buffer = 1 }
        local last
        b:subscribe("first", { overflow = "drop_newest", on_drop = function()
          assert.equal(2, last:size())
        end })
        last = b:subscribe("last", { buffer = 2 })
        b:send(1)
        b:send(2)
      end)
    end)

    it("is called when the slowest has taken the value", function()
      local log = helper.log()
      run(function()
        local b = rille.broadcast { buffer = 1 }
        b:subscribe { overflow = "drop_newest", on_drop = function(v) log(v, rille.now()) end }
        local slow = b:subscribe()
        b:send(1)
        rille.root():go(function() rille.sleep(2) slow:recv() end)
        b:send(2)
      end)
      assert.equal("2:2", helper.text(log))
    end)

    it("is called for a send that is cancelled while it waits", function()
      local log = helper.log()
      run(function()
        local b = rille.broadcast { buffer = 1 }
        b:subscribe { overflow = "drop_newest", on_drop = log }
        b:subscribe()
        b:send(1)
        refused("timeout", rille.timeout(1, b.send, b, 2))
      end)
      assert.equal("2", helper.text(log))
    end)

    it("that raises does not keep the others from being called", function()
      local log = helper.log()
      run(function()
        local b = rille.broadcast { buffer = 1, overflow = "drop_newest" }
        b:subscribe { on_drop = function() error("first", 0) end }
        b:subscribe { on_drop = function() error("second", 0) end }
        b:subscribe { on_drop = log }
        b:send(1)
        assert.equal("first", raises(function() b:send(2) end))
      end)
      assert.equal("2", helper.text(log))
    end)

    it("may not wait", function()
      run(function()
        local b = rille.broadcast { buffer = 1, overflow = "drop_newest",
          on_drop = function() rille.sleep(1) end }
        b:subscribe()
        b:send(1)
        raises(function() b:send(2) end, "cannot wait here")
      end)
    end)

    it("may unsubscribe, subscribe, send and close", function()
      run(function()
        local b, more = rille.broadcast { buffer = 1, overflow = "drop_newest" }, nil
        local function meddle(value)
          b:unsubscribe("a")
          more = b:subscribe("more")
          b:try_send(value * 10)
          b:close()
        end
        b:subscribe("a", { on_drop = meddle })
        local other = b:subscribe("b", { buffer = 3 })
        b:send(1)
        assert.equal(1, b:send(2))
        assert.same({ 1, 2, 20 }, other:recv_many(9))
        assert.same({ 20 }, more:recv_many(9))
      end)
    end)

    it("is called by try_send", function()
      local log = helper.log()
      local b = rille.broadcast { buffer = 1, overflow = "drop_oldest", on_drop = log }
      b:subscribe()
      for i = 1, 3 do b:try_send(i) end
      assert.equal("1 2", helper.text(log))
    end)
  end)
end)
