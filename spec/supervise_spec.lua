local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

local steady = { initial = 1, factor = 1 } -- a second before each restart

-- A function that fails so many times, noting when, then returns.
local function failing(times, log)
  local calls = 0
  return function()
    calls = calls + 1
    if log then log(rille.now()) end
    if calls <= times then error("failure " .. calls, 0) end
    return "done", calls
  end
end

describe("supervise", function()
  it("returns the results of a function that does not fail", function()
    run(function()
      assert.same({ 1, nil, 3, n = 3 },
        table.pack(rille.supervise(function() return 1, nil, 3 end)))
    end)
  end)

  it("runs a function that fails again", function()
    run(function()
      assert.same({ "done", 3 }, { rille.supervise(failing(2)) })
    end)
  end)

  it("does so for an error that is returned", function()
    local calls = 0
    run(function()
      rille.supervise(function()
        calls = calls + 1
        if calls == 1 then return nil, "refused" end
      end)
    end)
    assert.equal(2, calls)
  end)

  it("takes a returned closed for an ordinary end", function()
    local ch = rille.channel()
    ch:close()
    run(function()
      refused("closed", rille.supervise(function() return ch:recv() end))
      assert.equal(0, rille.now())
    end)
  end)

  it("gives up after three restarts in five seconds by default", function()
    local log = helper.log()
    run(function()
      assert.same({ nil, "failure 4", n = 2 }, table.pack(rille.supervise(failing(9, log))))
    end)
    assert.equal("0 0.1 0.3 0.7", helper.text(log))
  end)

  it("returns the last error unchanged", function()
    local thrown = {}
    run(function()
      local _, err = rille.supervise(function() error(thrown) end, { max_restarts = 0 })
      assert.equal(thrown, err)
    end)
  end)

  it("restarts as often as it takes when there is no limit", function()
    run(function()
      local _, calls = rille.supervise(failing(500),
        { max_restarts = math.huge, backoff = { initial = 0 } })
      assert.equal(501, calls)
      assert.equal(0, rille.now())
    end)
  end)

  it("counts the restarts of the last period only", function()
    local log = helper.log()
    run(function()
      rille.supervise(failing(7, log), { max_restarts = 3, period = 3, backoff = steady })
    end)
    assert.equal("0 1 2 3 4 5 6 7", helper.text(log))
  end)

  it("gives up when one more would be too many in a period", function()
    local log = helper.log()
    run(function()
      local _, err = rille.supervise(failing(7, log),
        { max_restarts = 2, period = 3, backoff = steady })
      assert.equal("failure 3", err)
    end)
    assert.equal("0 1 2", helper.text(log))
  end)

  describe("backoff", function()
    it("grows by the factor up to the maximum", function()
      local log = helper.log()
      run(function()
        rille.supervise(failing(5), { max_restarts = math.huge,
          backoff = { initial = 1, factor = 3, max = 20 },
          on_restart = function(_, _, delay) log(delay) end })
      end)
      assert.equal("1 3 9 20 20", helper.text(log))
    end)

    it("begins anew after a run that lasted a period", function()
      local log, calls = helper.log(), 0
      run(function()
        rille.supervise(function()
          calls = calls + 1
          rille.sleep(calls == 3 and 10 or 0)
          if calls < 6 then error "x" end
        end, { max_restarts = math.huge, period = 10,
          on_restart = function(_, _, delay) log(delay) end })
      end)
      assert.equal("0.1 0.2 0.1 0.2 0.4", helper.text(log))
    end)
  end)

  describe("on_restart", function()
    it("gets the error, the number and the delay", function()
      local log = helper.log()
      run(function() rille.supervise(failing(2), { on_restart = log }) end)
      assert.equal("failure 1:1:0.1 failure 2:2:0.2",
        (helper.text(log):gsub("failure:", "failure ")))
    end)

    it("is not called when it gives up", function()
      local log = helper.log()
      run(function() rille.supervise(failing(2), { max_restarts = 1, on_restart = log }) end)
      assert.equal(1, helper.count(log))
    end)

    it("that raises ends it", function()
      run(function()
        raises(function()
          rille.supervise(failing(2), { on_restart = function() error "log full" end })
        end, "log full")
      end)
    end)
  end)

  describe("each run", function()
    it("has a scope, whose tasks end with it", function()
      local log = helper.log()
      run(function()
        local calls = 0
        rille.supervise(function(s)
          calls = calls + 1
          s:go({ daemon = true }, function()
            local _ <close> = helper.closing(function() rille.sleep(1) log("task", rille.now()) end)
            rille.sleep(60)
          end)
          rille.yield()
          log("run", rille.now())
          if calls == 1 then error "x" end
        end, { backoff = { initial = 0 } })
      end)
      assert.equal("run:0 task:1 run:1 task:2", helper.text(log))
    end)

    it("fails when a task of its scope does", function()
      local calls = 0
      run(function()
        rille.supervise(function(s)
          calls = calls + 1
          s:go(function() if calls == 1 then error "x" end end)
          rille.sleep(1)
        end)
      end)
      assert.equal(2, calls)
    end)

    it("that cancels its own scope has failed", function()
      run(function()
        refused("cancelled", rille.supervise(function(s)
          s:cancel()
          rille.yield()
        end, { max_restarts = 0 }))
      end)
    end)
  end)

  describe("cancellation", function()
    it("passes while it runs, without a restart", function()
      local log = helper.log()
      run(function()
        refused("timeout", rille.timeout(3, rille.supervise, function()
          local _ <close> = helper.closing(function() log(rille.now()) end)
          rille.sleep(60)
        end))
      end)
      assert.equal("3", helper.text(log))
    end)

    it("passes while it waits for a restart", function()
      run(function()
        refused("timeout", rille.timeout(3, rille.supervise, failing(9),
          { backoff = { initial = 60, max = 60 } }))
        assert.equal(3, rille.now())
      end)
    end)

    it("gives way to a failure of the cleanup", function()
      local log = helper.log()
      run(function()
        raises(function()
          rille.timeout(3, rille.supervise, function()
            local _ <close> = helper.closing(function() error "cleanup" end)
            rille.sleep(60)
          end, { on_restart = log })
        end, "cleanup")
      end)
      assert.equal("", helper.text(log))
    end)
  end)

  it("refuses wrong arguments", function()
    run(function()
      raises(function() rille.supervise() end, "#1")
      raises(function() rille.supervise(print, { restarts = 1 }) end, "unknown option 'restarts'")
      raises(function() rille.supervise(print, { max_restarts = -1 }) end, "'max_restarts'")
      raises(function() rille.supervise(print, { period = 0 }) end, "'period'")
      raises(function() rille.supervise(print, { backoff = 1 }) end, "'backoff'")
      raises(function() rille.supervise(print, { backoff = { factor = 0 } }) end, "'factor'")
      raises(function() rille.supervise(print, { backoff = { jitter = "some" } }) end, "'jitter'")
    end)
  end)
end)
