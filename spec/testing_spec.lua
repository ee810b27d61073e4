-- testing_spec.lua - the test kit.
local rille = require "rille"
local helper = require "spec.helper"

local testing = rille.testing

-- Two tasks that each add to a counter, with a call that need not wait between
-- reading and writing: whether an update is lost depends on the schedule.
local function lose_update()
  local count = 0
  local function add()
    local seen = count
    rille.select({}, {default = true})
    count = seen + 1
  end
  rille.scope(function(s)
    s:go(add)
    s:go(add)
  end)
  assert(count == 2, "an update was lost")
end

local function order_of_three()
  local order = ""
  rille.scope(function(s)
    for i = 1, 3 do s:go(function() order = order .. i end) end
  end)
  return order
end

describe("testing", function()
  describe("run", function()
    it("runs on the virtual clock and passes the results on", function()
      assert.same({3600, "b"}, {testing.run(function()
        rille.sleep(3600)
        return rille.now(), "b"
      end)})
    end)

    it("passes arguments on", function()
      assert.equal(3, testing.run(function(a, b) return a + b end, 1, 2))
    end)

    it("gives the same choices for the same seed", function()
      local function choices()
        return testing.run({seed = 7, schedule = "random"}, order_of_three)
      end
      assert.equal(choices(), choices())
    end)

    it("raises what the function raises", function()
      helper.raises(function() testing.run(function() error "oops" end) end, "oops")
    end)

    it("fails when a libuv handle is left open", function()
      local uv = require "luv"
      local timer
      local err = helper.raises_kind("invalid", function()
        testing.run(function() timer = uv.new_timer() end)
      end)
      timer:close()
      uv.run "nowait"
      assert.matches("left behind: handle timer", err.message)
    end)

    it("names the option it does not know", function()
      helper.raises(function() testing.run({sed = 1}, print) end,
        "unknown option 'sed'; did you mean 'seed'?")
    end)
  end)

  describe("explore", function()
    it("returns how many seeds it has run", function()
      assert.equal(20, testing.explore(function() rille.yield() end, {seeds = 20}))
    end)

    it("finds the update that one schedule loses", function()
      local err = helper.refused("failed", testing.explore(lose_update, {seeds = 200}))
      assert.matches("an update was lost", err.message)
    end)

    it("finds a deadlock and names the seed", function()
      local err = helper.refused("failed", testing.explore(function()
        local ch = rille.channel()
        if order_of_three() == "321" then ch:recv() end
      end, {seeds = 500}))
      assert.is_true(rille.is_error(err.cause, "deadlock"))
    end)

    it("keeps the dump from the moment of the failure", function()
      local err = helper.refused("failed", testing.explore(function()
        rille.scope({name = "bank"}, function(s)
          s:go({name = "clerk"}, rille.sleep, 1)
          s:go(function() error "robbed" end)
        end)
      end))
      assert.matches("bank.*clerk  waiting", err.dump)
    end)

    it("makes the same thing fail with replay", function()
      local err = helper.refused("failed", testing.explore(lose_update, {seeds = 200}))
      helper.raises(function() testing.replay(err.seed, lose_update) end, "an update was lost")
    end)

    it("begins at the seed that it is told", function()
      local err = helper.refused("failed", testing.explore(error, {first = 40}))
      assert.equal(40, err.seed)
    end)

    it("begins no seed after its budget", function()
      assert.equal(0, testing.explore(function() end, {budget = 0}))
    end)

    it("is refused inside a task", function()
      helper.run(function()
        local _, err = testing.explore(function() end)
        assert.matches("cannot be called inside a task", err.message)
      end)
    end)
  end)

  describe("wait_all_blocked", function()
    it("returns when no other task can go on", function()
      helper.run(function()
        local steps = 0
        rille.root():go(function() for _ = 1, 300 do rille.yield() steps = steps + 1 end end)
        testing.wait_all_blocked()
        assert.equal(300, steps)
      end)
    end)

    it("moves no time", function()
      helper.run(function()
        local sleeper = rille.root():go(rille.sleep, 10)
        testing.wait_all_blocked()
        assert.same({0, "waiting"}, {rille.now(), sleeper:status()})
      end)
    end)

    it("wakes all who call it", function()
      helper.run(function()
        local woken = 0
        for _ = 1, 3 do
          rille.root():go(function() testing.wait_all_blocked() woken = woken + 1 end)
        end
        rille.sleep(1)
        assert.equal(3, woken)
      end)
    end)

    it("is cancelled as any wait", function()
      helper.run(function()
        assert.is_nil(rille.timeout(0, testing.wait_all_blocked))
      end)
    end)
  end)

  describe("leaks", function()
    it("is empty outside a run and in a task alone", function()
      assert.same({}, testing.leaks())
      helper.run(function() assert.same({}, testing.leaks()) end)
    end)

    it("does not list a handle that keeps nothing alive", function()
      helper.run(function()
        local handle = require "luv".new_timer()
        handle:unref()
        assert.same({}, testing.leaks())
        handle:close()
      end)
    end)

    it("lists tasks, scopes and handles", function()
      helper.run(function()
        local handle = require "luv".new_timer()
        rille.scope({name = "open"}, function(s)
          local t = s:go({name = "sleeper"}, rille.sleep, 1)
          rille.root():go(function()
            local seen = {}
            for _, leak in ipairs(testing.leaks()) do
              seen[leak.kind .. " " .. leak.name] = leak.object or true
            end
            assert.equal(t, seen["task sleeper"])
            assert.equal(s, seen["scope open"])
            assert.is_true(seen["handle timer"])
          end)
        end)
        handle:close()
      end)
    end)
  end)
end)
