local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused
local raises_kind = helper.raises_kind

-- Starts fn(...) in the root scope and lets it come to its first wait.
local function start(fn, ...)
  local task = rille.root():go(fn, ...)
  rille.yield()
  return task
end

local function closed_channel(...)
  local ch = rille.channel(10)
  for _, value in ipairs { ... } do ch:send(value) end
  ch:close()
  return ch
end

describe("channel", function()
  it("may be made outside a task", function()
    assert.equal(3, rille.channel(3):cap())
  end)

  it("is a rendezvous by default", function()
    assert.equal(0, rille.channel():cap())
  end)

  it("says what it is as text", function()
    assert.truthy(tostring(rille.channel()):find("channel"))
  end)

  describe("send", function()
    it("returns true", function()
      run(function() assert.is_true(rille.channel(1):send("x")) end)
    end)

    it("waits for the receiver of a rendezvous", function()
      run(function()
        local ch = rille.channel()
        start(function() rille.sleep(3) ch:recv() end)
        ch:send("x")
        assert.equal(3, rille.now())
      end)
    end)

    it("waits while the buffer is full", function()
      run(function()
        local ch = rille.channel(1)
        ch:send(1)
        start(function() rille.sleep(3) ch:recv() end)
        ch:send(2)
        assert.equal(3, rille.now())
      end)
    end)

    it("never waits on an unbounded channel", function()
      run(function()
        local ch = rille.channel(math.huge)
        for i = 1, 10000 do ch:send(i) end
        assert.equal(10000, ch:size())
      end)
    end)

    it("raises closed on a closed channel", function()
      run(function()
        raises_kind("closed", function() closed_channel():send(1) end)
      end)
    end)

    it("raises closed for a sender that was waiting", function()
      run(function()
        local ch = rille.channel()
        local task = rille.root():task(function() ch:send(1) end)
        rille.yield()
        ch:close()
        refused("closed", task:await())
      end)
    end)

    it("raises on nil", function()
      run(function() raises(function() rille.channel(1):send(nil) end, "nil") end)
    end)

    it("raises on nil before it looks at the channel", function()
      run(function()
        local err = raises(function() closed_channel():send(nil) end, "nil")
        assert.is_false(rille.is_error(err, "closed"))
      end)
    end)

    it("sends false", function()
      run(function()
        local ch = rille.channel(1)
        ch:send(false)
        assert.is_false((ch:recv()))
      end)
    end)

    it("sends the channel through itself", function()
      run(function()
        local ch = rille.channel(1)
        ch:send(ch)
        assert.equal(ch, (ch:recv()))
      end)
    end)

    it("serves waiting senders in order", function()
      run(function()
        local ch = rille.channel()
        for i = 1, 3 do start(ch.send, ch, i) end
        assert.same({ 1, 2, 3 }, { (ch:recv()), (ch:recv()), (ch:recv()) })
      end)
    end)

    it("keeps the order when the buffer overflows into waiting senders", function()
      run(function()
        local ch = rille.channel(2)
        for i = 1, 5 do start(ch.send, ch, i) end
        local got = {}
        for i = 1, 5 do got[i] = ch:recv() end
        assert.same({ 1, 2, 3, 4, 5 }, got)
      end)
    end)

    it("that was cancelled sends nothing", function()
      run(function()
        local ch = rille.channel()
        refused("timeout", rille.timeout(1, ch.send, ch, "ghost"))
        refused("empty", ch:try_recv())
      end)
    end)

    it("raises outside a task", function()
      raises(function() rille.channel():send(1) end)
    end)
  end)

  describe("recv", function()
    it("returns the values in order", function()
      run(function()
        local ch = closed_channel("a", "b")
        assert.same({ "a", "b" }, { (ch:recv()), (ch:recv()) })
      end)
    end)

    it("waits for a value", function()
      run(function()
        local ch = rille.channel()
        start(function() rille.sleep(3) ch:send("x") end)
        assert.equal("x", (ch:recv()))
      end)
    end)

    it("returns nil, closed once closed and drained", function()
      run(function()
        local ch = closed_channel("a")
        ch:recv()
        refused("closed", ch:recv())
        refused("closed", ch:recv())
      end)
    end)

    it("serves waiting receivers in order", function()
      local log = helper.log()
      run(function()
        local ch = rille.channel()
        for i = 1, 3 do start(function() log(i, (ch:recv())) end) end
        ch:send_many { "a", "b", "c" }
      end)
      assert.equal("1:a 2:b 3:c", helper.text(log))
    end)

    it("that timed out takes no value", function()
      run(function()
        local ch = rille.channel(1)
        refused("timeout", rille.timeout(10, ch.recv, ch))
        ch:send("kept")
        assert.equal(1, ch:size())
      end)
    end)

    it("of a value handed over survives a cancellation in the same turn", function()
      run(function()
        local ch = rille.channel()
        local task = rille.root():task(function() return ch:recv() end)
        rille.yield()
        ch:send("mine")
        task:cancel()
        assert.equal("mine", (task:await()))
      end)
    end)

    it("passes a value over a receiver that was cancelled before", function()
      local log = helper.log()
      run(function()
        local ch = rille.channel()
        local first = start(function() log(1, (ch:recv())) end)
        start(function() log(2, (ch:recv())) end)
        first:cancel()
        ch:send("x")
      end)
      assert.equal("2:x", helper.text(log))
    end)

    it("raises outside a task", function()
      raises(function() rille.channel():recv() end)
    end)
  end)

  describe("close", function()
    it("is idempotent", function()
      local ch = rille.channel()
      ch:close()
      ch:close()
      assert.is_true(ch:is_closed())
    end)

    it("leaves buffered values receivable", function()
      run(function() assert.equal("a", (closed_channel("a"):recv())) end)
    end)

    it("wakes every receiver", function()
      local log = helper.log()
      run(function()
        local ch = rille.channel()
        for _ = 1, 3 do start(function() log((select(2, ch:recv())).kind) end) end
        ch:close()
      end)
      assert.equal("closed closed closed", helper.text(log))
    end)

    it("wakes every sender", function()
      local log = helper.log()
      run(function()
        local ch = rille.channel()
        for _ = 1, 3 do start(function() log((pcall(ch.send, ch, 1))) end) end
        ch:close()
      end)
      assert.equal("false false false", helper.text(log))
    end)

    it("gives its error to the receivers after the drain", function()
      run(function()
        local ch, problem = rille.channel(1), {}
        ch:send("a")
        ch:close(problem)
        assert.equal("a", (ch:recv()))
        assert.same({ nil, problem }, { ch:recv() })
      end)
    end)

    it("gives its error to a receiver that was waiting", function()
      run(function()
        local ch, problem = rille.channel(), {}
        local task = rille.root():task(function() return ch:recv() end)
        rille.yield()
        ch:close(problem)
        assert.equal(problem, (select(2, task:await())))
      end)
    end)

    it("keeps the first error", function()
      run(function()
        local ch = rille.channel()
        ch:close("first")
        ch:close("second")
        assert.equal("first", (select(2, ch:recv())))
      end)
    end)

    it("does not take back a value handed to a receiver", function()
      run(function()
        local ch = rille.channel()
        local task = rille.root():task(function() return ch:recv() end)
        rille.yield()
        ch:send("mine")
        ch:close()
        assert.equal("mine", (task:await()))
      end)
    end)

    it("is what <close> calls", function()
      local ch = rille.channel()
      do local _ <close> = ch end
      assert.is_true(ch:is_closed())
    end)
  end)

  describe("iteration", function()
    it("receives until closed", function()
      run(function()
        local got = {}
        for value in closed_channel("a", "b", "c") do got[#got + 1] = value end
        assert.same({ "a", "b", "c" }, got)
      end)
    end)

    it("goes on after false", function()
      run(function()
        local count = 0
        for _ in closed_channel(false, 1, false) do count = count + 1 end
        assert.equal(3, count)
      end)
    end)

    it("raises the error of the close after the drain", function()
      run(function()
        local ch, problem, got = rille.channel(1), {}, 0
        ch:send(1)
        ch:close(problem)
        assert.equal(problem, raises(function() for _ in ch do got = got + 1 end end))
        assert.equal(1, got)
      end)
    end)

    it("shares the values between loops", function()
      local seen = {}
      run(function()
        local ch = rille.channel(1)
        for _ = 1, 5 do
          rille.root():go(function() for v in ch do seen[#seen + 1] = v end end)
        end
        for i = 0, 29 do ch:send(i) end
        ch:close()
      end)
      table.sort(seen)
      assert.equal(30, #seen)
      assert.equal(29, seen[30])
    end)
  end)
end)
