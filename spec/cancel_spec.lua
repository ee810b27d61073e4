local rille = require "rille"
local helper = require "spec.helper"
local run, raises_kind, refused = helper.run, helper.raises_kind, helper.refused

describe("cancellation", function()
  describe("at a suspension point", function()
    it("is of kind cancelled", function()
      run(function()
        rille.scope(function(s)
          s:cancel()
          raises_kind("cancelled", rille.yield)
        end)
      end)
    end)

    it("carries the reason", function()
      run(function()
        rille.scope(function(s)
          s:cancel("why")
          assert.equal("why", raises_kind("cancelled", rille.yield).reason)
        end)
      end)
    end)

    it("carries the scope", function()
      run(function()
        rille.scope(function(s)
          s:cancel()
          assert.equal(s, raises_kind("cancelled", rille.yield).scope)
        end)
      end)
    end)

    it("carries the outer scope when that was cancelled", function()
      run(function()
        rille.scope(function(outer)
          rille.scope(function()
            outer:cancel()
            assert.equal(outer, raises_kind("cancelled", rille.yield).scope)
          end)
        end)
      end)
    end)

    it("is still cancelled inside the scope whose deadline fired", function()
      run(function()
        rille.scope({ timeout = 1 }, function()
          raises_kind("cancelled", function() rille.sleep(2) end)
        end)
      end)
    end)

    it("raises although it need not wait", function()
      run(function()
        rille.scope(function(s)
          local ch = rille.channel(1)
          s:cancel()
          raises_kind("cancelled", function() ch:send(1) end)
          assert.equal(0, ch:size())
        end)
      end)
    end)

    it("raises again and again until the scope is left", function()
      local log = helper.log()
      run(function()
        rille.scope(function(s)
          s:cancel()
          for _ = 1, 5 do log((pcall(rille.sleep, 1))) end
        end)
        log((pcall(rille.sleep, 1)))
      end)
      assert.equal("false false false false false true", helper.text(log))
    end)

    it("wakes a task that is waiting, at once", function()
      run(function()
        rille.scope(function(s)
          s:go(function() rille.sleep(1) s:cancel() end)
          rille.sleep(9)
        end)
        assert.equal(1, rille.now())
      end)
    end)

    it("gives the other tasks a turn even when it is swallowed", function()
      local others = 0
      run(function()
        rille.root():go(function()
          for _ = 1, 10 do rille.yield() others = others + 1 end
        end)
        rille.scope(function(s)
          s:cancel()
          for _ = 1, 20 do pcall(rille.yield) end
          assert.equal(10, others)
        end)
      end)
    end)
  end)

  describe("reach", function()
    it("is every task below the scope", function()
      local log = helper.log()
      run(function()
        rille.scope(function(s)
          for w = 1, 2 do
            s:go(function()
              rille.scope(function(inner)
                for l = 1, 2 do
                  inner:go(function()
                    local _ <close> = helper.closing(function() log(w, l) end)
                    rille.sleep(math.huge)
                  end)
                end
              end)
            end)
          end
          helper.settle()
          s:cancel()
        end)
      end)
      assert.equal("1:1 1:2 2:1 2:2", helper.text(log))
    end)

    it("stops exactly at the scope that was cancelled", function()
      run(function()
        local got = rille.scope(function()
          rille.scope(function(inner) inner:cancel() rille.yield() end)
          rille.yield()
          return "untouched"
        end)
        assert.equal("untouched", got)
      end)
    end)

    it("passes an inner scope that was not cancelled", function()
      local log = helper.log()
      run(function()
        refused("cancelled", rille.scope(function(outer)
          rille.scope(function() outer:cancel() rille.yield() end)
          log("after inner")
        end))
      end)
      assert.equal("", helper.text(log))
    end)

    it("is the outer scope's when inner and outer are both cancelled", function()
      local log = helper.log()
      run(function()
        local err = refused("cancelled", rille.scope(function(outer)
          rille.scope(function(inner)
            inner:cancel("inner")
            outer:cancel("outer")
            rille.yield()
          end)
          log("after inner")
        end))
        assert.equal("outer", err.reason)
      end)
      assert.equal("", helper.text(log))
    end)

    it("is the middle scope's when the inner two of three are cancelled", function()
      run(function()
        local got = rille.scope(function()
          refused("cancelled", rille.scope(function(two)
            rille.scope(function(three)
              three:cancel()
              two:cancel("two")
              rille.sleep(1)
            end)
          end))
          rille.yield()
          return "one"
        end)
        assert.equal("one", got)
      end)
    end)

    it("is not the siblings", function()
      run(function()
        rille.scope(function(s)
          local first = s:task(rille.yield)
          local second = s:task(function() rille.sleep(2) return "second" end)
          first:cancel()
          assert.equal("second", (second:await()))
        end)
      end)
    end)

    it("is a thousand nested scopes", function()
      local depth = 0
      local function nest(n)
        if n == 0 then return rille.sleep(math.huge) end
        depth = depth + 1
        local _ <close> = helper.closing(function() depth = depth - 1 end)
        local _ <close> = rille.scope()
        nest(n - 1)
      end
      run(function()
        refused("timeout", rille.timeout(1, nest, 1000))
        assert.equal(0, depth)
      end)
    end)
  end)

  describe("of a scope that returned values", function()
    it("wins when the body caught the error", function()
      run(function()
        refused("cancelled", rille.scope(function(s)
          s:cancel()
          pcall(rille.yield)
          return "result"
        end))
      end)
    end)

    it("wins when a task was interrupted", function()
      run(function()
        refused("cancelled", rille.scope(function(s)
          s:go(rille.sleep, 9)
          rille.yield()
          s:cancel()
          return "result"
        end))
      end)
    end)

    it("loses when everything had ended", function()
      run(function()
        assert.equal("result", (rille.scope(function(s)
          s:go(rille.yield)
          rille.sleep(1)
          s:cancel()
          return "result"
        end)))
      end)
    end)

    it("loses to a failure", function()
      run(function()
        helper.raises(function()
          rille.scope(function(s)
            s:cancel()
            pcall(rille.yield)
            error("failed")
          end)
        end, "failed")
      end)
    end)

    it("loses to a failure of a cleanup it is passing through", function()
      run(function()
        helper.raises(function()
          rille.scope(function(s)
            local _ <close> = helper.closing(function() error("failed") end)
            s:cancel()
            rille.yield()
          end)
        end, "failed")
      end)
    end)
  end)

  describe("from the start", function()
    it("is a scope opened under a cancelled one", function()
      run(function()
        rille.scope(function(outer)
          outer:cancel("why")
          rille.scope(function(inner)
            assert.same({ true, "why" }, { inner:cancelled() })
          end)
        end)
      end)
    end)

    it("lets the body of such a scope run to its first suspension", function()
      local log = helper.log()
      run(function()
        rille.scope(function(outer)
          outer:cancel()
          rille.scope(function() log("started") rille.yield() log("went on") end)
        end)
      end)
      assert.equal("started", helper.text(log))
    end)

    it("keeps a task that had not started from running", function()
      local log = helper.log()
      run(function()
        rille.scope(function(s) s:go(log, "ran") s:cancel() end)
      end)
      assert.equal("", helper.text(log))
    end)
  end)

  describe("that arrives while the scope is being left", function()
    it("is raised after the join", function()
      run(function()
        refused("timeout", rille.timeout(1, function()
          rille.scope(function(s)
            s:go(function()
              local _ <close> = helper.closing(function() rille.sleep(2) end)
              rille.sleep(9)
            end)
          end)
        end))
        assert.equal(3, rille.now())
      end)
    end)
  end)

  describe("does not interrupt", function()
    for name, call in pairs {
      ["try_send"] = function(ch) return ch:try_send(1) end,
      ["try_recv"] = function(ch) return select("#", ch:try_recv()) == 2 end,
      ["now"] = function() return rille.now() == 0 end,
      ["cancel"] = function(_, s) s:cancel() return true end,
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
      ["await of an ended task"] = function(_, task) task:await() end,
      ["select"] = function(ch) ch:try_send(1) rille.select { { ch } } end,
      ["select with a default"] = function(ch) rille.select({ { ch } }, { default = true }) end,
      ["a selector"] = function(ch) ch:try_send(1) rille.selector({ { ch } }):wait() end,
      ["await of a callback"] = function() rille.await(function(r) r() end) end,
      ["the wait of a timer"] = function() rille.after(0):wait() end,
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
