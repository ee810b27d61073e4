local rille = require "rille"
local helper = require "spec.helper"
local run, raises_kind = helper.run, helper.raises_kind

describe("cancellation", function()
  describe("does not interrupt", function()
    for name, call in pairs {
      ["try_send"] = function(ch) return ch:try_send(1) end,
      ["try_recv"] = function(ch) return select("#", ch:try_recv()) == 2 end,
      ["now"] = function() return rille.now() == 0 end,
      ["cancel"] = function(_, s) s:cancel() return true end,
      ["try_acquire of a semaphore"] = function() return rille.semaphore(1):try_acquire() end,
      ["acquire and release of a mutex by try_acquire"] = function()
        local mutex = rille.mutex()
        local taken = mutex:try_acquire()
        mutex:release()
        return taken
      end,
      ["set of an event"] = function() rille.event():set() return true end,
      ["a channel's close"] = function(ch) ch:close() return true end,
      ["go of another scope"] = function() return rille.root():go(rille.yield) ~= nil end,
      ["task of another scope"] = function()
        return rille.root():task(rille.yield) ~= nil
      end,
    } do
      it(name, function()
        run(function()
          local ch = rille.channel(1)
          rille.scope(function(s)
            s:cancel()
            assert.is_true(call(ch, s))
          end)
        end)
      end)
    end
  end)

  describe("interrupts", function()
    for name, call in pairs {
      ["sleep"] = function() rille.sleep(0) end,
      ["sleep_until"] = function() rille.sleep_until(0) end,
      ["yield"] = function() rille.yield() end,
      ["send"] = function(ch) ch:send(1) end,
      ["recv"] = function(ch) ch:try_send(1) ch:recv() end,
      ["recv_many"] = function(ch) ch:try_send(1) ch:recv_many(1) end,
      ["send_many"] = function(ch) ch:send_many { 1 } end,
      ["iteration"] = function(ch) ch:try_send(1) for _ in ch do ch:close() end end,
      ["wait_closed"] = function(ch) ch:close() ch:wait_closed() end,
      ["await of an ended task"] = function(_, task) task:await() end,
      ["select"] = function(ch) ch:try_send(1) rille.select { { ch } } end,
      ["select with a default"] = function(ch) rille.select({ { ch } }, { default = true }) end,
      ["a selector"] = function(ch) ch:try_send(1) rille.selector({ { ch } }):wait() end,
      ["await of a callback"] = function() rille.await(function(r) r() end) end,
      ["the wait of a timer"] = function() rille.after(0):wait() end,
      ["acquire of a semaphore"] = function() rille.semaphore(1):acquire() end,
      ["call of a semaphore"] = function() rille.semaphore(1):call(print) end,
      ["acquire of a mutex"] = function() rille.mutex():acquire() end,
      ["read of a rwlock"] = function() rille.rwlock():read(print) end,
      ["acquire_write of a rwlock"] = function() rille.rwlock():acquire_write() end,
      ["a full bulkhead"] = function()
        local bulkhead = rille.bulkhead { max = 1 }
        bulkhead:try_acquire()
        bulkhead:call(print)
      end,
      ["wait of an event"] = function()
        local event = rille.event()
        event:set()
        event:wait()
      end,
    } do
      it(name, function()
        run(function()
          local ch = rille.channel(1)
          local task = rille.root():task(rille.yield)
          helper.settle()
          rille.scope(function(s)
            s:cancel()
            raises_kind("cancelled", function() call(ch, task) end)
          end)
        end)
      end)
    end
  end)

  describe("is_cancellation", function()
    it("is true in the scope that is cancelled", function()
      run(function()
        rille.scope(function(s)
          s:cancel()
          local _, err = pcall(rille.yield)
          assert.is_true(rille.is_cancellation(err))
        end)
      end)
    end)

    it("is false once the scope has been left", function()
      run(function()
        local _, err = rille.scope(function(s) s:cancel() rille.yield() end)
        assert.is_false(rille.is_cancellation(err))
      end)
    end)

    it("is false for the cancellation of an awaited task", function()
      run(function()
        local task = rille.root():task(rille.yield)
        task:cancel()
        local _, err = task:await()
        assert.is_false(rille.is_cancellation(err))
      end)
    end)

    it("is false for any other value", function()
      run(function()
        for _, value in ipairs { "cancelled", 1, false, {}, print } do
          assert.is_false(rille.is_cancellation(value))
        end
      end)
    end)
  end)
end)
