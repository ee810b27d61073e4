local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Starts n tasks that are at work in the bulkhead for a second each.
local function work(bulkhead, n)
  local tasks = {}
  for i = 1, n do
    tasks[i] = rille.root():task(function() return bulkhead:call(rille.sleep, 1) end)
  end
  helper.settle()
  return tasks
end

describe("bulkhead", function()
  describe("constructor", function()
    for name, opts in pairs {
      ["no max"] = {}, ["max 0"] = { max = 0 }, ["max -1"] = { max = -1 },
      ["max 1.5"] = { max = 1.5 }, ["max NaN"] = { max = 0 / 0 },
      ["max huge"] = { max = math.huge }, ["max a string"] = { max = "3" },
      ["max true"] = { max = true },
    } do
      it("refuses " .. name, function()
        raises(function() rille.bulkhead(opts) end, "option 'max'")
      end)
    end

    for _, queue in ipairs { -1, 1.5, 0 / 0, -math.huge, "3", true } do
      it("refuses the queue " .. tostring(queue), function()
        raises(function() rille.bulkhead { max = 1, queue = queue } end, "option 'queue'")
      end)
    end

    it("refuses an unknown option with the nearest known one", function()
      raises(function() rille.bulkhead { max = 1, quque = 1 } end, "did you mean 'queue'")
    end)

    for _, value in ipairs { 3, "x", false } do
      it("refuses " .. tostring(value) .. " for the options", function()
        raises(function() rille.bulkhead(value) end, "table expected")
      end)
    end

    it("refuses nothing", function()
      raises(function() rille.bulkhead() end, "table expected")
    end)
  end)

  describe("call", function()
    it("runs up to max at once", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 3 }
        local tasks = work(bulkhead, 3)
        assert.equal(0, bulkhead:available())
        for _, task in ipairs(tasks) do task:await() end
        assert.equal(1, rille.now())
      end)
    end)

    it("beyond it is refused, at once and without calling", function()
      run(function()
        local bulkhead, called = rille.bulkhead { max = 2 }, false
        work(bulkhead, 2)
        local err = refused("bulkhead_full", bulkhead:call(function() called = true end))
        assert.equal("the bulkhead is full: 2 at work, 0 waiting", err.message)
        assert.is_false(called)
        assert.equal(0, rille.now())
      end)
    end)

    it("waits in order while the queue has room", function()
      local log = helper.log()
      run(function()
        local bulkhead = rille.bulkhead { max = 1, queue = 2 }
        for id = 1, 4 do
          rille.root():go(function()
            local _, err = bulkhead:call(function()
              rille.sleep(1)
              log(id, rille.now())
            end)
            if err then log(id, err.kind) end
          end)
        end
      end)
      assert.equal("4:bulkhead_full 1:1 2:2 3:3", helper.text(log))
    end)

    it("has room again as soon as somebody is served", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 1, queue = 1 }
        bulkhead:acquire()
        local first = rille.root():go(function() bulkhead:acquire() end)
        rille.yield()
        bulkhead:release() -- the first waiter's, though it has not run
        local second = rille.root():task(function() return bulkhead:acquire() end)
        helper.settle()
        assert.equal(1, bulkhead:waiting())
        first:await()
        bulkhead:release()
        assert.is_true((second:await()))
      end)
    end)

    it("has room again as soon as a waiter is cancelled", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 1, queue = 1 }
        local tasks = work(bulkhead, 2)
        tasks[2]:cancel()
        assert.equal("ran", (rille.root():task(function()
          return bulkhead:call(function() return "ran" end)
        end):await()))
      end)
    end)

    it("waits without a bound where the queue is math.huge", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 10, queue = math.huge }
        local tasks = work(bulkhead, 1000)
        assert.equal(990, bulkhead:waiting())
        for _, task in ipairs(tasks) do assert.equal(0, select("#", task:await())) end
        assert.equal(100, rille.now())
      end)
    end)

    it("lets an error through", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 1 }
        raises(function() bulkhead:call(error, "boom") end, "boom")
        assert.equal(1, bulkhead:available())
      end)
    end)
  end)

  describe("acquire", function()
    it("is refused beyond the queue", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 1 }
        assert.is_true(bulkhead:acquire())
        refused("bulkhead_full", bulkhead:acquire())
        bulkhead:release()
        assert.is_true(bulkhead:acquire())
      end)
    end)

    it("tried is full", function()
      run(function()
        local bulkhead = rille.bulkhead { max = 1, queue = 5 }
        assert.is_true(bulkhead:try_acquire())
        refused("full", bulkhead:try_acquire())
      end)
    end)
  end)

  it("refuses in bounded time, however many wait", function()
    run(function()
      local bulkhead = rille.bulkhead { max = 1, queue = 10 }
      work(bulkhead, 11)
      for _ = 1, 1000 do refused("bulkhead_full", bulkhead:call(print)) end
      assert.equal(0, rille.now())
    end)
  end)

  it("tells its state", function()
    run(function()
      local bulkhead = rille.bulkhead { max = 2, queue = 3 }
      work(bulkhead, 3)
      assert.same({ limit = 2, available = 0, waiting = 1, queue = 3 }, bulkhead:stats())
      assert.equal("rille.bulkhead: 0 of 2 free, 1 waiting", tostring(bulkhead))
      assert.equal(math.huge, rille.bulkhead({ max = 1, queue = math.huge }):stats().queue)
      assert.equal(0, rille.bulkhead({ max = 1 }):stats().queue)
    end)
  end)

  it("is no source for select", function()
    run(function()
      raises(function() rille.select { { rille.bulkhead { max = 1 } } } end, "not something to")
    end)
  end)
end)
