-- Shutting down in good order, in this process: by trigger(), without signals.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- rille.shutdown without signals.
local function install(timeout)
  return rille.shutdown { timeout = timeout, signals = {} }
end

describe("shutdown", function()
  describe("trigger", function()
    it("calls what the scopes have registered, with the reason", function()
      run(function()
        local log = helper.log()
        local shutdown = install()
        rille.scope(function(s)
          s:on_shutdown(function(reason) log("stop", reason) end)
          shutdown:trigger "noon"
          rille.yield()
          helper.settle()
          assert.equal("stop:noon", helper.text(log))
        end)
      end)
    end)

    it("has the reason 'shutdown' unless there is another", function()
      run(function()
        local reason
        rille.root():on_shutdown(function(given) reason = given end)
        install():trigger()
        helper.settle()
        assert.equal("shutdown", reason)
      end)
    end)

    it("starts the last registered first and does not wait for it", function()
      run(function()
        local log = helper.log()
        local shutdown = install()
        rille.root():on_shutdown(function() log "root" end)
        rille.scope(function(s)
          s:on_shutdown(function() log "first" end)
          s:on_shutdown(function()
            log "second"
            rille.sleep(1)
            log "slept"
          end)
          rille.scope(function(inner)
            inner:on_shutdown(function() log "inner" end)
            shutdown:trigger()
            rille.sleep(2)
          end)
        end)
        assert.equal("inner second first root slept", helper.text(log))
      end)
    end)

    it("returns true the first time, and does nothing afterwards", function()
      run(function()
        local calls = 0
        local shutdown = install()
        rille.root():on_shutdown(function() calls = calls + 1 end)
        assert.is_true(shutdown:trigger())
        assert.is_false(shutdown:trigger())
        helper.settle()
        assert.equal(1, calls)
      end)
    end)

    it("lets the tasks end", function()
      run(function()
        local done = false
        rille.scope(function(s)
          s:go(function() rille.sleep(5) done = true end)
          install(10):trigger()
        end)
        assert.is_true(done)
      end)
    end)

    it("cancels the root when they have not after the timeout", function()
      local _, err = run(function()
        install(10):trigger "noon"
        rille.sleep(1e6)
      end)
      assert.equal("cancelled", err.kind)
      assert.is_true(rille.is_error(err.reason, "shutdown"))
      assert.equal("noon", err.reason.reason)
      assert.equal("shutdown: not drained 10 s after noon", tostring(err.reason))
    end)

    it("lets cleanup run then", function()
      local cleaned
      run(function()
        install(10):trigger()
        local _ <close> = helper.closing(function()
          rille.sleep(1)
          cleaned = rille.now()
        end)
        rille.sleep(1e6)
      end)
      assert.equal(11, cleaned)
    end)

    it("after 30 seconds by default", function()
      local stopped
      run(function()
        install():trigger()
        pcall(rille.sleep, 1e6)
        stopped = rille.now()
      end)
      assert.equal(30, stopped)
    end)

    it("with a timeout of 0 cancels at once", function()
      run(function()
        install(0):trigger()
        helper.raises_kind("cancelled", function() rille.sleep(1) end)
        assert.equal(0, rille.now())
      end)
    end)

    it("with a timeout of math.huge waits for ever", function()
      assert.equal("done", (run(function()
        install(math.huge):trigger()
        rille.sleep(1e6)
        return "done"
      end)))
    end)

    it("does not make the program wait for the timeout", function()
      run(function() install(10):trigger() end)
      run(function() assert.equal(0, rille.now()) end)
    end)

    it("may be called from a callback of the loop", function()
      run({ clock = "real" }, function()
        local shutdown, uv = install(), rille.uv()
        local called = rille.channel(1)
        rille.root():on_shutdown(function(reason) called:send(reason) end)
        local timer = uv.new_timer()
        timer:start(0, 0, function()
          timer:close()
          shutdown:trigger "callback"
        end)
        assert.equal("callback", (called:recv()))
      end)
    end)
  end)

  describe("close", function()
    it("lets another be installed", function()
      run(function()
        install():close()
        do local _ <close> = install() end
        install()
      end)
    end)

    it("keeps the root from being cancelled", function()
      assert.equal("done", (run(function()
        local shutdown = install(10)
        shutdown:trigger()
        shutdown:close()
        shutdown:close()
        rille.sleep(100)
        return "done"
      end)))
    end)

    it("makes trigger do nothing", function()
      run(function()
        local shutdown = install()
        rille.root():on_shutdown(error)
        shutdown:close()
        assert.is_false(shutdown:trigger())
      end)
    end)

    it("happens at the end of the root", function()
      for _ = 1, 2 do run(function() install() end) end
    end)
  end)

  describe("stats", function()
    it("tells its state", function()
      local shutdown
      run(function()
        shutdown = install(10)
        rille.sleep(1)
        rille.root():on_shutdown(rille.yield)
        assert.same({ state = "armed", functions = 1 }, shutdown:stats())
        shutdown:trigger "noon"
        assert.same({ state = "draining", reason = "noon", since = 1, functions = 1 },
          shutdown:stats())
        assert.equal("rille.shutdown: draining, noon", tostring(shutdown))
        pcall(rille.sleep, 100)
        assert.equal("cancelled", shutdown:stats().state)
      end)
      assert.equal("closed", shutdown:stats().state)
    end)
  end)

  it("can be installed once", function()
    run(function()
      install()
      raises(install, "is installed already")
    end)
  end)

  it("needs a root scope", function()
    raises(install, "no root scope is open")
  end)

  it("checks its options", function()
    run(function()
      local function with(opts) return function() rille.shutdown(opts) end end
      local place = "^%S*shutdown_spec.lua:%d+: bad argument #1 to 'shutdown' %("
      raises(with { timeout = "x" }, place .. "option 'timeout': a number of seconds expected")
      raises(with { timeut = 1 }, place .. "unknown option 'timeut'; did you mean 'timeout'")
      raises(with { signals = "sigint" }, place .. "option 'signals': a table expected")
      raises(with { signals = { "sigfoo" } }, place .. "option 'signals': sigfoo: no such signal")
      raises(with { signals = { "sigkill" } }, place .. "option 'signals': sigkill: EINVAL")
      raises(with { signals = { 5 } }, place .. "option 'signals': 5: a string expected")
      install()
    end)
  end)

  it("names the package of luv where that is missing", function()
    run(function()
      local loaded, path = package.loaded.luv, package.cpath
      package.loaded.luv, package.cpath = nil, ""
      local ok, err = pcall(rille.shutdown)
      package.loaded.luv, package.cpath = loaded, path
      assert.is_false(ok)
      assert.matches("lua%-luv", err)
      install()
    end)
  end)

  it("may name a signal twice", function()
    run(function() rille.shutdown { signals = { "sigint", "sigint", "sigterm" } } end)
  end)

  it("does not hide a deadlock", function()
    helper.raises_kind("deadlock", function()
      run(function()
        rille.shutdown()
        rille.channel():recv()
      end)
    end)
  end)
end)
