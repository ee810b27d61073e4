local rille = require "rille"
local helper = require "spec.helper"
local run, refused = helper.run, helper.refused

-- A function that acts as the next of `acts` says at each call: it waits for
-- act[1] seconds and returns the rest, or raises act.raise. It counts its calls
-- and those whose wait was cut short.
local function acting(acts)
  local count = { calls = 0, cut = 0, ended = 0 }
  return function()
    count.calls = count.calls + 1
    local act = acts[count.calls]
    local whole = false
    local _ <close> = helper.closing(function()
      count.ended = count.ended + 1
      if not whole then count.cut = count.cut + 1 end
    end)
    rille.sleep(act[1])
    whole = true
    if act.raise then error(act.raise, 0) end
    return table.unpack(act, 2, act.n or #act)
  end, count
end

describe("hedge", function()
  it("returns the results of an attempt that is fast enough", function()
    run(function()
      local fn, count = acting { { 1, "a", nil, "c", n = 5 } }
      assert.same({ n = 4, "a", nil, "c" }, table.pack(rille.hedge({ delay = 2 }, fn)))
      assert.equal(1, count.calls)
      assert.equal(1, rille.now())
    end)
  end)

  it("passes the arguments to each attempt", function()
    run(function()
      local given = {}
      rille.hedge({ delay = 1 }, function(...)
        given[#given + 1] = table.pack(...)
        rille.sleep(3)
      end, 1, nil, 3, nil)
      assert.same({ { n = 4, 1, nil, 3 }, { n = 4, 1, nil, 3 } }, given)
    end)
  end)

  it("starts a second attempt after the delay", function()
    run(function()
      local fn, count = acting { { 9, "first" }, { 1, "second" } }
      assert.equal("second", (rille.hedge({ delay = 2 }, fn)))
      assert.equal(2, count.calls)
      assert.equal(3, rille.now())
    end)
  end)

  it("lets the first attempt win that ends first", function()
    run(function()
      local fn = acting { { 3, "first" }, { 2, "second" } }
      assert.equal("first", (rille.hedge({ delay = 2 }, fn)))
      assert.equal(3, rille.now())
    end)
  end)

  it("makes two attempts at most by default", function()
    run(function()
      local fn, count = acting { { 9, 1 }, { 9, 2 }, { 9, 3 } }
      rille.hedge({ delay = 1 }, fn)
      assert.equal(2, count.calls)
    end)
  end)

  it("makes max attempts at most, a delay apart", function()
    run(function()
      local fn, count = acting { { 9, 1 }, { 9, 2 }, { 5, 3 }, { 1, 4 } }
      assert.equal(3, (rille.hedge({ delay = 1, max = 3 }, fn)))
      assert.equal(3, count.calls)
      assert.equal(7, rille.now())
    end)
  end)

  it("makes one with a max of 1", function()
    run(function()
      local fn, count = acting { { 5, 1 } }
      rille.hedge({ delay = 1, max = 1 }, fn)
      assert.equal(1, count.calls)
    end)
  end)

  it("makes all at once with a delay of 0", function()
    run(function()
      local fn, count = acting { { 3, 1 }, { 2, 2 }, { 1, 3 } }
      assert.equal(3, (rille.hedge({ delay = 0, max = 3 }, fn)))
      assert.equal(3, count.calls)
      assert.equal(1, rille.now())
    end)
  end)

  it("takes a negative delay for 0", function()
    run(function()
      local fn = acting { { 3, 1 }, { 1, 2 } }
      rille.hedge({ delay = -1 }, fn)
      assert.equal(1, rille.now())
    end)
  end)

  it("makes none for slowness with a delay of math.huge", function()
    run(function()
      local fn, count = acting { { 99, 1 } }
      rille.hedge({ delay = math.huge, max = 5 }, fn)
      assert.equal(1, count.calls)
    end)
  end)

  it("asks a delay function, with the number of the attempt to come", function()
    run(function()
      local log, fn = helper.log(), acting { { 9, 1 }, { 9, 2 }, { 9, 3 } }
      rille.hedge({ max = 3, delay = function(attempt)
        log(attempt, rille.now())
        return attempt
      end }, fn)
      assert.equal("2:0 3:2", helper.text(log))
    end)
  end)

  it("may be called again inside an attempt", function()
    run(function()
      local fn = acting { { 9, 1 }, { 9, 2 }, { 1, 3 }, { 1, 4 } }
      assert.equal(3, (rille.hedge({ delay = 2 }, rille.hedge, { delay = 1 }, fn)))
      assert.equal(3, rille.now())
    end)
  end)

  it("is not slowed by a limit on the scope around it", function()
    run(function()
      local fn = acting { { 9, 1 }, { 1, 2 } }
      rille.scope({ concurrency = 1 }, function(s)
        assert.equal(2, (s:task(function() return rille.hedge({ delay = 1 }, fn) end):await()))
      end)
    end)
  end)
end)

describe("hedge, when attempts fail", function()
  it("starts the next one at once", function()
    run(function()
      local fn, count = acting { { 1, raise = "x" }, { 1, "second" } }
      assert.equal("second", (rille.hedge({ delay = 60 }, fn)))
      assert.equal(2, count.calls)
      assert.equal(2, rille.now())
    end)
  end)

  it("does so too for one that returned nil and an error", function()
    run(function()
      local fn = acting { { 1, nil, "x", n = 3 }, { 1, "second" } }
      assert.equal("second", (rille.hedge({ delay = 60 }, fn)))
    end)
  end)

  it("does not take a returned closed error for a failure", function()
    run(function()
      local ch = rille.channel()
      ch:close()
      refused("closed", rille.hedge({ delay = 1, on_hedge = error }, ch.recv, ch))
    end)
  end)

  it("counts the delay to the one after that from its start", function()
    run(function()
      local log, fn = helper.log(), acting { { 1, raise = "x" }, { 9, 2 }, { 9, 3 } }
      rille.hedge({ delay = 3, max = 3, on_hedge = function(n) log(n, rille.now()) end }, fn)
      assert.equal("2:1 3:4", helper.text(log))
    end)
  end)

  it("waits for one that still runs", function()
    run(function()
      local fn = acting { { 5, "first" }, { 1, raise = "x" } }
      assert.equal("first", (rille.hedge({ delay = 1 }, fn)))
      assert.equal(5, rille.now())
    end)
  end)

  it("returns nil and the error of the first one when all have failed", function()
    run(function()
      local fn = acting { { 5, raise = "first" }, { 1, raise = "second" } }
      assert.same({ nil, "first" }, { rille.hedge({ delay = 1 }, fn) })
    end)
  end)

  it("returns it unchanged, whatever it is", function()
    run(function()
      local err = setmetatable({}, {})
      local fn = acting { { 1, raise = err }, { 1, raise = "second" } }
      assert.equal(err, (select(2, rille.hedge({ delay = 9 }, fn))))
      assert.is_nil(next(err))
    end)
  end)

  it("lists the others in an error object of the engine", function()
    run(function()
      local calls = 0
      local err = refused("timeout", rille.hedge({ delay = 9, max = 3 }, function()
        calls = calls + 1
        if calls == 1 then return rille.timeout(1, rille.sleep, 2) end
        error(calls, 0)
      end))
      assert.same({ 2, 3 }, err.errors)
    end)
  end)

  it("does not list an error in itself", function()
    run(function()
      local _, err = rille.timeout(1, rille.sleep, 2)
      rille.hedge({ delay = 9 }, function() return nil, err end)
      assert.is_nil(err.errors)
    end)
  end)

  it("is a failure too when the first one returned an error, the second raised", function()
    run(function()
      local fn = acting { { 1, nil, "first", n = 3 }, { 1, raise = "second" } }
      assert.same({ nil, "first" }, { rille.hedge({ delay = 9 }, fn) })
    end)
  end)

  it("counts an inner timeout as a failure of that attempt alone", function()
    run(function()
      local fn = acting { { 9, 1 }, { 1, "second" } }
      assert.equal("second", (rille.hedge({ delay = 60 }, rille.timeout, 2, fn)))
      assert.equal(3, rille.now())
    end)
  end)
end)

describe("hedge and its losers", function()
  it("cancels them and waits until they have cleaned up", function()
    run(function()
      local calls, cleaned = 0, false
      rille.hedge({ delay = 1 }, function()
        calls = calls + 1
        if calls == 2 then return end
        local _ <close> = helper.closing(function() rille.sleep(2) cleaned = true end)
        rille.sleep(60)
      end)
      assert.is_true(cleaned)
      assert.equal(3, rille.now())
    end)
  end)

  it("counts each as ended when it returns", function()
    run(function()
      local fn, count = acting { { 9, 1 }, { 9, 2 }, { 1, 3 } }
      rille.hedge({ delay = 1, max = 3 }, fn)
      assert.same({ 3, 3, 2 }, { count.calls, count.ended, count.cut })
    end)
  end)

  it("is not moved by how they fail", function()
    run(function()
      local calls = 0
      assert.equal("won", (rille.hedge({ delay = 1 }, function()
        calls = calls + 1
        if calls == 2 then return "won" end
        pcall(rille.sleep, 9)
        error "no use"
      end)))
    end)
  end)

  -- A value that notes in `log` that it was closed.
  local function resource(log, name)
    return helper.closing(function() log(name) end)
  end

  it("closes the values of one that was done in the same turn", function()
    local log = helper.log()
    run(function()
      local calls = 0
      rille.hedge({ delay = 0, max = 2 }, function()
        calls = calls + 1
        local name = calls
        rille.sleep(1)
        return resource(log, name), "text", nil
      end)
    end)
    assert.equal("2", helper.text(log))
  end)

  it("closes the values of one that ignored its cancellation", function()
    local log = helper.log()
    run(function()
      local calls = 0
      rille.hedge({ delay = 1 }, function()
        calls = calls + 1
        if calls == 2 then return "won" end
        pcall(rille.sleep, 9)
        return resource(log, "a"), resource(log, "b")
      end)
    end)
    assert.equal("b a", helper.text(log))
  end)

  it("does not close what the winner has returned too", function()
    local log = helper.log()
    run(function()
      local shared = resource(log, "shared")
      assert.equal(shared, (rille.hedge({ delay = 0 }, function()
        rille.sleep(1)
        return shared
      end)))
    end)
    assert.equal("", helper.text(log))
  end)

  it("closes the winner's values when the caller is cancelled before it gets them", function()
    local log = helper.log()
    run(function()
      rille.timeout(2, rille.hedge, { delay = 1 }, function()
        if rille.now() == 1 then return resource(log, "winner") end
        local _ <close> = helper.closing(function() rille.sleep(3) end)
        rille.sleep(60)
      end)
      assert.equal(4, rille.now())
    end)
    assert.equal("winner", helper.text(log))
  end)
end)
