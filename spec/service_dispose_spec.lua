local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local function gives(value)
  return function() return value end
end

-- A value whose __close calls `fn(value)`.
local function closable(fn)
  return setmetatable({}, { __close = function(self) fn(self) end })
end

describe("dispose", function()
  it("gets the service when the scope ends, and nothing else", function()
    local got
    run(function()
      rille.scope(function(s)
        s:provide("db", gives "value", function(...) got = table.pack(...) end)
        assert.is_nil(got)
      end)
    end)
    assert.same({ "value", n = 1 }, got)
  end)

  it("stands in one order with deferred functions, last first", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        s:defer(log, "first")
        s:provide("a", gives "a", log)
        s:defer(log, "between")
        s:provide("b", gives "b", log)
        s:defer(log, "last")
      end)
    end)
    assert.equal("last b between a first", helper.text(log))
  end)

  it("comes after what the factory itself has registered", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        s:provide("db", function()
          s:provide("socket", gives "socket", log)
          return "db"
        end, log)
      end)
    end)
    assert.equal("db socket", helper.text(log))
  end)

  it("runs after the tasks, daemons and child scopes that could use it", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        s:provide("db", gives "db", function() log("disposed") end)
        s:go(function() rille.sleep(2) log("task", s:use "db") end)
        s:go({ daemon = true }, function()
          local _ <close> = helper.closing(function() log("daemon", s:use "db") end)
          rille.sleep(99)
        end)
        local other = rille.root():go(function()
          rille.scope({ parent = s }, function(child)
            rille.sleep(1)
            log("child", child:use "db")
          end)
        end)
        rille.yield()
        assert.equal("waiting", other:status())
      end)
    end)
    assert.equal("child:db task:db daemon:db disposed", helper.text(log))
  end)

  it("runs when the body raises and when the scope is cancelled", function()
    local log = helper.log()
    run(function()
      pcall(rille.scope, function(s) s:provide("a", gives "a", log) error "x" end)
      rille.scope(function(s) s:provide("b", gives "b", log) s:cancel() rille.yield() end)
    end)
    assert.equal("a b", helper.text(log))
  end)

  it("may wait, out of reach of the cancellation", function()
    run(function()
      rille.scope({ timeout = 1 }, function(s)
        s:provide("db", gives "db", function() rille.sleep(2) end)
        rille.sleep(9)
      end)
      assert.equal(3, rille.now())
    end)
  end)

  it("that raises does not stop the others, and is raised", function()
    local log = helper.log()
    run(function()
      local problem = {}
      assert.equal(problem, raises(function()
        rille.scope(function(s)
          s:defer(log, "deferred")
          s:provide("a", gives "a", function() error(problem) end)
          s:provide("b", gives "b", log)
        end)
      end))
    end)
    assert.equal("b deferred", helper.text(log))
  end)

  it("that raises does not replace an error", function()
    run(function()
      assert.equal("of the body", raises(function()
        rille.scope(function(s)
          s:provide("a", gives "a", error)
          error("of the body", 0)
        end)
      end))
    end)
  end)

  it("is not called when the factory has failed", function()
    run(function()
      rille.scope(function(s)
        raises(function() s:provide("a", error, function() error "disposed" end) end)
      end)
    end)
  end)

  it("may use the services provided before, not those disposed of", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        s:provide("log", gives(log), function() end)
        s:defer(function() log("later", s:has "db", s:has "log") end)
        s:provide("db", gives "db", function()
          s:use "log"("in dispose", s:has "db")
        end)
        s:defer(function() s:use "log"("before", s:has "db") end)
      end)
    end)
    assert.equal("before:true in dispose:false later:false:true", helper.text(log))
  end)

  it("is by default the __close of the value", function()
    local log = helper.log()
    run(function()
      local value = closable(log)
      rille.scope(function(s)
        s:defer(log, "first")
        s:provide("db", gives(value))
        log("open")
      end)
      assert.equal("open " .. tostring(value) .. " first", helper.text(log))
    end)
  end)

  it("given explicitly replaces the __close", function()
    run(function()
      local value = closable(function() error "closed" end)
      rille.scope(function(s) s:provide("db", gives(value), function() end) end)
    end)
  end)

  it("closes a channel that is a service", function()
    run(function()
      local ch
      rille.scope(function(s)
        ch = s:provide("jobs", function() return rille.channel(1) end):use "jobs"
        assert.is_false(ch:is_closed())
      end)
      assert.is_true(ch:is_closed())
    end)
  end)

  it("runs at once when the scope has ended during the factory", function()
    local log = helper.log()
    run(function()
      local inner, task
      rille.scope(function(s)
        inner = s
        task = rille.root():task(function()
          inner:provide("db", function() rille.sleep(5) return "db" end, log)
        end)
        rille.yield()
      end)
      local _, err = task:await()
      assert.is_true(rille.is_error(err, "closed"))
      assert.equal("db", helper.text(log))
    end)
  end)

  it("runs when the service was made while the scope was being cleaned up", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        s:defer(function() s:provide("late", gives "late", log) end)
      end)
    end)
    assert.equal("late", helper.text(log))
  end)
end)

describe("a scope without services", function()
  it("pays nothing for those around it", function()
    run(function()
      rille.root():provide("db", gives(1))
      local function cost_once(fn)
        collectgarbage()
        collectgarbage "stop"
        local before = collectgarbage "count"
        for _ = 1, 100 do rille.scope(fn) end
        local spent = collectgarbage "count" - before
        collectgarbage "restart"
        return spent
      end
      -- Where addresses collide, a table of the engine grows now and then.
      local function cost(fn)
        local least = math.huge
        for _ = 1, 5 do least = math.min(least, cost_once(fn)) end
        return least
      end
      local function look(s) return s:use "db", s:has "nothing" end
      -- KB for 100 scopes; a table for each would be 5.
      assert.is_true(math.abs(cost(function() end) - cost(look)) < 1)
    end)
  end)

  it("lets go of its services when it has ended", function()
    run(function()
      local weak, kept = setmetatable({}, { __mode = "k" }), nil
      rille.scope(function(s)
        kept = s
        s:provide("db", function()
          local db = {}
          weak[db] = true
          return db
        end)
      end)
      collectgarbage()
      assert.is_nil(next(weak))
      assert.equal("userdata", type(kept))
    end)
  end)
end)
