-- What finalizers and the collector may do to a broadcast while it sends.
local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

-- Calls fn(act) while a finalizer that calls `meddle` comes at every
-- collection between act(true) and act(false). The sends must make buffers of
-- thousands of values, so that there are collections.
local function meddling(meddle, fn)
  local active, armed, count = false, true, 0
  local function arm()
    setmetatable({}, { __gc = function()
      if active then
        active = false
        count = count + 1
        meddle()
        active = true
      end
      if armed then arm() end
    end })
  end
  collectgarbage("incremental", 1, 1000, 1)
  arm()
  local ok, err = pcall(fn, function(on) active = on end)
  armed = false
  collectgarbage("incremental", 200, 100, 13)
  assert(ok, err)
  return count
end

describe("a finalizer that comes while a broadcast sends", function()
  it("may unsubscribe and subscribe", function()
    run(function()
      local b = rille.broadcast { buffer = math.huge }
      local keep = b:subscribe("keep")
      local count = meddling(function()
        local _, names = b:subscribers()
        if #names > 3 then b:unsubscribe(names[#names // 2]) end
        b:subscribe()
      end, function(act)
        for i = 1, 1200 do
          if i % 10 == 0 then b:subscribe() end
          act(true)
          b:send(i)
          act(false)
        end
      end)
      assert.is_true(count > 0)
      for i = 1, 1200 do assert.equal(i, (keep:try_recv())) end
    end)
  end)

  it("may send: every subscription has the same order", function()
    run(function()
      local b, n = rille.broadcast { buffer = math.huge }, 0
      local subs = {}
      for i = 1, 5 do subs[i] = b:subscribe() end
      local function send()
        n = n + 1
        assert.equal(5, b:try_send(n))
      end
      local count = meddling(send, function(act)
        for _ = 1, 1200 do act(true) send() act(false) end
      end)
      assert.is_true(count > 0)
      local first = subs[1]:recv_many(math.maxinteger)
      assert.equal(n, #first)
      for i = 2, 5 do assert.same(first, subs[i]:recv_many(math.maxinteger)) end
    end)
  end)

  it("may receive what it is about to wait for", function()
    run(function()
      local b = rille.broadcast { buffer = 1 }
      local subs = {}
      for i = 1, 4 do subs[i] = b:subscribe() end
      local got = 0
      local function take()
        for _, sub in ipairs(subs) do got = got + (sub:try_recv() and 1 or 0) end
      end
      meddling(take, function(act)
        for i = 1, 50 do
          act(true)
          local task = rille.root():task(function() return b:send(i) end)
          rille.yield()
          act(false)
          take()
          assert.equal(4, (task:await()))
        end
      end)
      take()
      assert.equal(200, got)
    end)
  end)

  it("may close it", function()
    run(function()
      local closed = 0
      for delay = 1, 20 do
        local b = rille.broadcast { buffer = math.huge }
        for _ = 1, 5 do b:subscribe() end
        meddling(function() b:close() end, function(act)
          for _ = 1, delay do local _ = {} end
          act(true)
          for i = 1, 600 do
            local reached, err = b:try_send(i)
            assert(reached == 5 or rille.is_error(err, "closed"))
          end
          act(false)
        end)
        closed = closed + (b:is_closed() and 1 or 0)
      end
      assert.is_true(closed > 0)
    end)
  end)
end)

describe("the collector", function()
  it("leaves alone what a sender waits for", function()
    run(function()
      local task, subs
      do
        local b = rille.broadcast { buffer = 0 }
        subs = { b:subscribe(), b:subscribe() }
        task = rille.root():task(function() return b:send({ "x" }) end)
      end
      rille.yield()
      collectgarbage()
      assert.equal("x", subs[1]:recv()[1])
      collectgarbage()
      assert.equal("x", subs[2]:recv()[1])
      assert.equal(2, (task:await()))
    end)
  end)

  it("takes a broadcast with its subscriptions that nobody has", function()
    local gone = setmetatable({}, { __mode = "k" })
    do
      local b = rille.broadcast()
      gone[b] = true
      gone[b:subscribe()] = true
      b:try_send({})
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
  end)

  it("takes what has been received", function()
    local gone = setmetatable({}, { __mode = "k" })
    local b = rille.broadcast()
    local subs = { b:subscribe(), b:subscribe() }
    b:try_send(setmetatable({}, {}))
    gone[subs[1]:try_recv()] = true
    subs[2]:try_recv()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
  end)

  it("keeps memory flat over many subscriptions", function()
    local b = rille.broadcast()
    local function churn(count)
      for _ = 1, count do
        local sub = b:subscribe()
        b:try_send(1)
        sub:close()
      end
      return helper.heap()
    end
    local before = churn(20000) -- the same work: Lua's table of strings has its size
    assert.is_true(churn(20000) - before < 16)
  end)
end)
