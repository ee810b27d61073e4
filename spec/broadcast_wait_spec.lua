local rille = require "rille"
local helper = require "spec.helper"
local run, refused, raises_kind = helper.run, helper.refused, helper.raises_kind

-- Starts fn(...) in the root scope and lets it come to its first wait.
local function start(fn, ...)
  local task = rille.root():task(fn, ...)
  rille.yield()
  return task
end

-- A rendezvous broadcast, and `count` subscriptions.
local function rendezvous(count)
  local b, subs = rille.broadcast { buffer = 0 }, {}
  for i = 1, count do subs[i] = b:subscribe("s" .. i) end
  return b, subs
end

local function send(b, value)
  return start(function() return b:send(value), rille.now() end)
end

describe("a broadcast's send that waits", function()
  it("waits for the slowest", function()
    run(function()
      local b, subs = rendezvous(3)
      for i, sub in ipairs(subs) do
        rille.root():go(function() rille.sleep(i) sub:recv() end)
      end
      assert.equal(3, b:send("x"))
      assert.equal(3, rille.now())
    end)
  end)

  it("gives the value at once to those that have room", function()
    run(function()
      local b = rille.broadcast { buffer = 1 }
      b:subscribe()
      b:send(1)
      local quick = b:subscribe()
      local task = send(b, 2)
      assert.equal(2, (quick:try_recv()))
      task:cancel()
    end)
  end)

  it("waits for one of many with no more than its own waiter", function()
    run(function()
      local b = rille.broadcast { buffer = 5 }
      local slow = b:subscribe { buffer = 0 }
      b:subscribe()
      local task = send(b, "x")
      assert.equal(1, slow:stats().senders)
      slow:recv()
      assert.equal(2, (task:await()))
    end)
  end)

  it("keeps one order of concurrent senders at every subscription", function()
    run(function()
      local b, subs = rendezvous(3)
      local order = { {}, {}, {} }
      for i = 1, 4 do send(b, i) end
      for i, sub in ipairs { subs[2], subs[3], subs[1] } do
        for n = 1, 4 do order[i][n] = sub:recv() end
      end
      for i = 1, 3 do assert.same({ 1, 2, 3, 4 }, order[i]) end
    end)
  end)

  it("does not let a later sender by where there is room", function()
    run(function()
      local b = rille.broadcast { buffer = 1 }
      local full = b:subscribe()
      b:send(0)
      local free = b:subscribe { buffer = 9 }
      local first, second = send(b, 1), send(b, 2)
      assert.same({ 1, 2 }, free:recv_many(9))
      assert.same({ 0, 1, 2 }, full:recv_many(9))
      assert.same({ 2, 2 }, { (first:await()), (second:await()) })
    end)
  end)

  it("reaches a receiver that came while it waited", function()
    run(function()
      local b, subs = rendezvous(2)
      local task = send(b, "x")
      for _, sub in ipairs(subs) do
        assert.equal("x", (start(function() return sub:recv() end):await()))
      end
      assert.equal(2, (task:await()))
    end)
  end)

  it("gives up a turn after many sends that did not wait", function()
    local log = helper.log()
    run(function()
      local b = rille.broadcast { overflow = "drop_oldest" }
      b:subscribe()
      rille.root():go(function() log "other" end)
      for _ = 1, 200 do b:send(1) end
      log "done"
    end)
    assert.equal("other done", helper.text(log))
  end)

  describe("when a subscription leaves", function()
    it("no longer waits for it", function()
      run(function()
        local b, subs = rendezvous(2)
        local task = send(b, "x")
        subs[1]:close()
        subs[2]:recv()
        assert.equal(1, (task:await()))
      end)
    end)

    it("ends if that was the last one", function()
      run(function()
        local b = rendezvous(1)
        local task = send(b, "x")
        b:unsubscribe("s1")
        assert.equal(0, (task:await()))
      end)
    end)

    it("still counts one that has taken the value", function()
      run(function()
        local b, subs = rendezvous(2)
        local task = send(b, "x")
        subs[1]:recv()
        subs[1]:close()
        subs[2]:recv()
        assert.equal(2, (task:await()))
      end)
    end)

    it("does not reach one that has joined meanwhile", function()
      run(function()
        local b, subs = rendezvous(1)
        local task = send(b, "x")
        local late = b:subscribe("late")
        subs[1]:recv()
        assert.equal(1, (task:await()))
        refused("empty", late:try_recv())
      end)
    end)
  end)

  describe("when the broadcast is closed", function()
    it("raises closed", function()
      run(function()
        local b = rendezvous(2)
        local task = send(b, "x")
        b:close("problem")
        refused("closed", task:await())
      end)
    end)

    it("raises closed though one has taken the value", function()
      run(function()
        local b, subs = rendezvous(2)
        local task = send(b, "x")
        assert.equal("x", (subs[1]:recv()))
        b:close()
        refused("closed", task:await())
      end)
    end)

    it("has succeeded if all had taken the value in the same turn", function()
      run(function()
        local b, subs = rendezvous(2)
        local task = send(b, "x")
        subs[1]:try_recv()
        subs[2]:try_recv()
        b:close()
        assert.equal(2, (task:await()))
      end)
    end)
  end)

  describe("that is cancelled", function()
    it("has reached those that had room", function()
      run(function()
        local b = rille.broadcast { buffer = 1 }
        local full, free = b:subscribe(), b:subscribe { buffer = 2 }
        b:send(1)
        refused("timeout", rille.timeout(1, b.send, b, 2))
        assert.same({ { 1 }, { 1, 2 } }, { full:recv_many(9), free:recv_many(9) })
      end)
    end)

    it("leaves nothing where there was no room", function()
      run(function()
        local b, subs = rendezvous(2)
        refused("timeout", rille.timeout(1, b.send, b, "ghost"))
        refused("empty", subs[1]:try_recv())
        assert.equal(0, subs[2]:stats().senders)
      end)
    end)

    it("has reached those that took the value before", function()
      run(function()
        local b, subs = rendezvous(2)
        local task = send(b, "x")
        assert.equal("x", (subs[2]:recv()))
        task:cancel()
        rille.yield()
        refused("empty", subs[1]:try_recv())
        assert.equal("cancelled", task:status())
      end)
    end)

    it("has succeeded if all had taken the value in the same turn", function()
      run(function()
        local b, subs = rendezvous(2)
        local task = send(b, "x")
        subs[1]:try_recv()
        subs[2]:try_recv()
        task:cancel()
        assert.equal(2, (task:await()))
      end)
    end)

    it("sends nothing when it is cancelled before", function()
      run(function()
        local b = rille.broadcast()
        local sub = b:subscribe()
        rille.scope(function(s)
          s:cancel()
          b:send("never")
        end)
        refused("empty", sub:try_recv())
      end)
    end)

    it("may go on in a cleanup", function()
      run(function()
        local b, subs = rendezvous(2)
        rille.scope(function(s)
          s:go(function()
            local _ <close> = helper.closing(function() assert.equal(2, b:send("bye")) end)
            rille.sleep(math.huge)
          end)
          rille.yield()
          s:cancel()
          rille.shield(function()
            assert.same({ "bye", "bye" }, { (subs[1]:recv()), (subs[2]:recv()) })
          end)
        end)
      end)
    end)
  end)

  it("may wait in a generator", function()
    run(function()
      local b, subs = rendezvous(2)
      start(function()
        for n in rille.coroutine.wrap(function()
          for n = 1, 2 do b:send(n) rille.coroutine.yield(n) end
        end) do assert.truthy(n) end
      end)
      for _, sub in ipairs(subs) do assert.equal(1, (sub:recv())) end
      for _, sub in ipairs(subs) do assert.equal(2, (sub:recv())) end
    end)
  end)

  describe("in a dump", function()
    it("says how many it still waits for", function()
      run(function()
        local b, subs = rendezvous(3)
        local task = send(b, "x")
        assert.truthy(rille.dump():find(": all of send, send, send  at"))
        subs[2]:recv()
        assert.truthy(rille.dump():find(": all of send, send  at"))
        subs[1]:recv()
        assert.truthy(rille.dump():find(": send  at"))
        task:cancel()
      end)
    end)

    it("is shortened when they are many", function()
      run(function()
        local b = rendezvous(9)
        local task = send(b, "x")
        assert.truthy(rille.dump():find("all of " .. ("send, "):rep(7) .. "send ..."))
        task:cancel()
      end)
    end)

    it("shows who receives from a subscription", function()
      run(function()
        local _, subs = rendezvous(1)
        local task = start(function() return subs[1]:recv() end)
        assert.truthy(rille.dump():find(": recv  at"))
        task:cancel()
      end)
    end)

    it("is part of the report of a deadlock", function()
      local err = raises_kind("deadlock", function()
        run(function() rendezvous(2):send("x") end)
      end)
      assert.truthy(tostring(err):find("all of send, send", 1, true))
    end)
  end)

  it("is ended with its engine's run though nobody receives", function()
    run(function()
      local b = rendezvous(2)
      rille.root():go({ daemon = true }, b.send, b, "x")
      rille.yield()
    end)
  end)
end)
