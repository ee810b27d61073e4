-- Those who wait for a limiter: their order, their deadlines, their leaving.
local rille = require "rille"
local helper = require "spec.helper"
local run, refused = helper.run, helper.refused

-- An empty limiter of one token a second, and a function that starts a task
-- which acquires n and logs its name and the time.
local function world(s, log, burst)
  local limiter = rille.limiter { rate = 1, burst = burst or 3 }
  limiter:acquire(burst or 3)
  return limiter, function(name, n)
    local task = s:go(function()
      if limiter:acquire(n) then log(name, rille.now()) else log(name, "refused") end
    end)
    rille.yield()
    return task
  end
end

local function waits(body, expected, burst)
  return function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        local limiter, start = world(s, log, burst)
        body(start, limiter, s, log)
      end)
    end)
    assert.equal(expected, helper.text(log))
  end
end

describe("who waits for a limiter", function()
  it("is served in order", waits(function(start)
    start("a", 1) start("b", 1) start("c", 1)
  end, "a:1 b:2 c:3"))

  it("is served in order, however much the first wants", waits(function(start)
    start("a", 3) start("b", 1) start("c", 2)
  end, "a:3 b:4 c:6"))

  it("is served before who comes later", waits(function(start, limiter, _, log)
    start("a", 2)
    rille.sleep(1.5)
    limiter:acquire()
    log("later", rille.now())
  end, "a:2 later:3"))

  it("moves up when the first is cancelled", waits(function(start)
    local first = start("a", 3)
    start("b", 1) start("c", 1)
    rille.sleep(0.5)
    first:cancel()
  end, "b:1 c:2"))

  it("is served at once when the first is cancelled and its tokens are there", waits(function(start)
    local first = start("a", 3)
    start("b", 1) start("c", 1)
    rille.sleep(2.5)
    first:cancel()
  end, "b:2.5 c:2.5"))

  it("moves up when one in front is cancelled", waits(function(start)
    start("a", 1)
    local second = start("b", 3)
    start("c", 1)
    second:cancel()
  end, "a:1 c:2"))

  it("that is cancelled leaves nothing behind", waits(function(start, limiter)
    local tasks = {}
    for i = 1, 100 do tasks[i] = start(i, 1) end
    rille.sleep(0.5)
    for _, task in ipairs(tasks) do task:cancel() end
    rille.yield()
    assert.same({ 0.5, 0 }, { limiter:stats().tokens, limiter:stats().waiting })
    start("last", 1)
  end, "last:1"))

  it("leaves nothing behind when its scope is cancelled", waits(function(_, limiter)
    rille.scope(function(s)
      for _ = 1, 100 do s:go(function() limiter:acquire() end) end
      rille.sleep(0.5)
      s:cancel()
    end)
    assert.equal(0, limiter:stats().waiting)
    limiter:acquire()
    assert.equal(1, rille.now())
  end, ""))

  it("keeps what was handed over in the turn of its cancellation", waits(function(start, limiter)
    local first = start("a", 1)
    rille.sleep_until(1)
    first:cancel()
    rille.yield()
    assert.equal(0, limiter:stats().tokens)
  end, "a:1"))

  it("shows in the dump", waits(function(start)
    start("a", 1)
    assert.truthy(rille.dump():find "waiting 0.0 s: acquire")
  end, "a:1"))

  it("may be a generator", waits(function(_, limiter, _, log)
    for now in rille.coroutine.wrap(function()
      for _ = 1, 2 do
        limiter:acquire()
        rille.coroutine.yield(rille.now())
      end
    end) do log(now) end
  end, "1 2"))

  it("is one of ten thousand as well", function()
    run(function()
      local limiter, done = rille.limiter { rate = 1000, burst = 1 }, 0
      rille.scope(function(s)
        for i = 0, 9999 do
          s:go(function()
            limiter:acquire()
            assert.equal(i, done)
            done = done + 1
          end)
        end
      end)
      assert.is_true(math.abs(rille.now() - 9.999) < 1e-9)
    end)
  end)

  it("keeps the engine from a deadlock, and nobody else does", function()
    helper.raises_kind("deadlock", function()
      run(function()
        local limiter = rille.limiter { rate = 1 }
        limiter:acquire()
        limiter:acquire()
        rille.channel():recv()
      end)
    end)
  end)
end)

describe("a deadline of who would wait for a limiter", function()
  it("that comes first refuses at once, with the time to wait", waits(function(_, limiter)
    rille.timeout(1.5, function()
      local err = refused("rate_limited", limiter:acquire(2))
      assert.equal(2, err.retry_after)
      assert.equal(0, rille.now())
    end)
    assert.equal(0, limiter:stats().tokens)
  end, ""))

  it("that comes at the same time comes first", waits(function(_, limiter)
    rille.timeout(2, function() refused("rate_limited", limiter:acquire(2)) end)
    assert.equal(0, rille.now())
  end, ""))

  it("that comes later does nothing", waits(function(_, limiter, _, log)
    rille.timeout(2.1, function() log(limiter:acquire(2)) end)
  end, "true"))

  it("is compared with all who wait in front", waits(function(start, limiter)
    start("a", 3) start("b", 2)
    rille.timeout(5.5, function() refused("rate_limited", limiter:acquire()) end)
  end, "a:3 b:5"))

  it("does not matter where the tokens are there", function()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      rille.timeout(0.1, function() assert.is_true(limiter:acquire()) end)
    end)
  end)

  it("in a cleanup is the end of its grace", function()
    local log = helper.log()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 10 }
      limiter:acquire(10)
      rille.timeout(1, function()
        local _ <close> = helper.closing(function()
          log(limiter:acquire(3), rille.now()) -- cancelled at 1, until 6
          log(limiter:acquire(5), rille.now())
        end)
        rille.sleep(10)
      end)
    end)
    assert.equal("true:3 nil:3", helper.text(log))
  end)
end)

describe("a cancelled task", function()
  it("is not given tokens that are there", function()
    run(function()
      local limiter = rille.limiter { rate = 1, burst = 2 }
      rille.scope(function(s)
        s:cancel()
        limiter:acquire()
      end)
      assert.is_true(limiter:try_acquire(2))
    end)
  end)

  it("does not call the function of limiter:call", function()
    run(function()
      local limiter = rille.limiter { rate = 1 }
      rille.scope(function(s)
        s:cancel()
        limiter:call(error, "called")
      end)
      assert.equal(1, limiter:stats().tokens)
    end)
  end)
end)
