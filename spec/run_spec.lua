local rille = require "rille"
local helper = require "spec.helper"
local run, raises, raises_kind = helper.run, helper.raises, helper.raises_kind

describe("rille", function()
  it("has a version", function()
    assert.equal("string", type(rille.version))
  end)

  describe("run", function()
    it("returns what the function returns", function()
      assert.same({ 1, nil, 3, n = 3 }, table.pack(run(function() return 1, nil, 3 end)))
    end)

    it("passes its arguments on", function()
      local got = table.pack(run({}, function(...) return ... end, "a", nil, "c"))
      assert.same({ "a", nil, "c", n = 3 }, got)
    end)

    it("takes the function first when there are no options", function()
      assert.equal("x", rille.run(function(value) return value end, "x"))
    end)

    it("waits for every task", function()
      local ended = false
      run(function()
        rille.root():go(function() rille.sleep(10) ended = true end)
      end)
      assert.is_true(ended)
    end)

    it("raises what the main function raises", function()
      local problem = {}
      local ok, err = pcall(run, function() error(problem) end)
      assert.is_false(ok)
      assert.equal(problem, err)
    end)

    it("raises what a task of the root scope raises", function()
      local problem = {}
      local _, err = pcall(run, function()
        rille.root():go(function() error(problem) end)
      end)
      assert.equal(problem, err)
    end)

    it("works again after a failure", function()
      pcall(run, function() error("first") end)
      assert.equal(2, run(function() return 2 end))
    end)

    it("raises inside a task", function()
      run(function()
        raises(function() rille.run(function() end) end, "run")
      end)
    end)

    it("takes the options of a scope", function()
      assert.equal("outermost", run({ name = "outermost" }, function()
        return rille.root():name()
      end))
    end)

    it("may run on the real clock", function()
      assert.equal("done", run({ clock = "real" }, function()
        rille.sleep(0)
        return "done"
      end))
    end)
  end)

  describe("now", function()
    it("is 0 when a virtual clock starts", function()
      assert.equal(0, run(rille.now))
    end)

    it("advances by what is slept", function()
      assert.equal(2.5, run(function() rille.sleep(2.5) return rille.now() end))
    end)

    it("starts at 0 in every virtual run", function()
      run(function() rille.sleep(100) end)
      assert.equal(0, run(rille.now))
    end)

    it("never goes back on the real clock", function()
      run({ clock = "real" }, function()
        local before = rille.now()
        assert.is_true(rille.now() >= before)
      end)
    end)
  end)

  describe("sleep", function()
    it("lets the other tasks run meanwhile", function()
      local log = helper.log()
      run(function()
        rille.root():go(function() log("task") end)
        rille.sleep(1)
        log("main")
      end)
      assert.equal("task main", helper.text(log))
    end)

    it("is a full turn when 0", function()
      local log = helper.log()
      run(function()
        rille.root():go(function() log("task") end)
        rille.sleep(0)
        log("main")
      end)
      assert.equal("task main", helper.text(log))
    end)

    it("counts a negative time as 0", function()
      assert.equal(0, run(function() rille.sleep(-5) return rille.now() end))
    end)

    it("raises on NaN", function()
      run(function() raises(function() rille.sleep(0 / 0) end, "#1") end)
    end)

    it("is for ever with math.huge: alone, a deadlock", function()
      raises_kind("deadlock", function() run(function() rille.sleep(math.huge) end) end)
    end)

    it("wakes equal deadlines in the order in which they were armed", function()
      local log = helper.log()
      run(function()
        for i = 1, 5 do
          rille.root():go(function() rille.sleep(1) log(i) end)
        end
      end)
      assert.equal("1 2 3 4 5", helper.text(log))
    end)

    it("wakes the earlier deadline first", function()
      local log = helper.log()
      run(function()
        for _, time in ipairs { 3, 1, 2 } do
          rille.root():go(function() rille.sleep(time) log(time) end)
        end
      end)
      assert.equal("1 2 3", helper.text(log))
    end)

    it("raises outside a task", function()
      raises(function() rille.sleep(1) end, "inside a task")
    end)
  end)

  describe("sleep_until", function()
    it("wakes at the given time", function()
      assert.equal(7, run(function()
        rille.sleep(3)
        rille.sleep_until(7)
        return rille.now()
      end))
    end)

    it("does not wait for a time that has passed", function()
      assert.equal(3, run(function()
        rille.sleep(3)
        rille.sleep_until(1)
        return rille.now()
      end))
    end)

    it("raises on NaN", function()
      run(function() raises(function() rille.sleep_until(0 / 0) end, "#1") end)
    end)
  end)

  describe("yield", function()
    it("lets the other ready tasks run", function()
      local log = helper.log()
      run(function()
        rille.root():go(function() log("a") rille.yield() log("c") end)
        rille.root():go(function() log("b") end)
        rille.yield()
        log("main")
      end)
      assert.equal("a b main c", helper.text(log))
    end)

    it("is a suspension point", function()
      run(function()
        local value, err = rille.scope(function(s) s:cancel() rille.yield() return 1 end)
        helper.refused("cancelled", value, err)
      end)
    end)

    it("takes no time", function()
      assert.equal(0, run(function() rille.yield() return rille.now() end))
    end)
  end)

  describe("current", function()
    it("is nil outside a task", function()
      assert.is_nil(rille.current())
    end)

    it("is the running task", function()
      run(function()
        local task
        task = rille.root():task(function() return rille.current() end)
        assert.equal(task, (task:await()))
      end)
    end)

    it("is the main task in the main function", function()
      run(function()
        assert.equal("running", rille.current():status())
      end)
    end)
  end)

  describe("root", function()
    it("is the scope of the main task", function()
      run(function() assert.equal(rille.root(), rille.current():scope()) end)
    end)

    it("is the same from every task", function()
      run(function()
        local seen = rille.scope(function(s) return s:task(rille.root):await() end)
        assert.equal(rille.root(), seen)
      end)
    end)

    it("has no parent", function()
      run(function() assert.is_nil(rille.root():parent()) end)
    end)
  end)
end)
