-- task_policies_spec.lua - the policies of a task's options, and the defaults
-- of its scope.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- A function that fails until it has been called `times` times, and a table
-- that counts its calls.
local function failing(times)
  local calls = {n = 0}
  return function()
    calls.n = calls.n + 1
    if calls.n < times then error("failure " .. calls.n, 0) end
    return "call " .. calls.n
  end, calls
end

local function sleeper() rille.sleep(60) end

describe("a task's option", function()
  it("retry calls the function again", function()
    run(function()
      local fn = failing(3)
      local task = rille.root():task(fn, {retry = {delay = 1}})
      assert.equal("call 3", (task:await()))
      assert.equal(2, rille.now())
    end)
  end)

  it("retry gives up with the last error", function()
    run(function()
      local fn, calls = failing(99)
      local _, err = rille.root():task(fn, {retry = {delay = 0, max_retries = 2}}):await()
      assert.same({"failure 3", 3}, {err, calls.n})
    end)
  end)

  it("timeout is for each attempt", function()
    run(function()
      local attempts = 0
      local task = rille.root():task(function()
        attempts = attempts + 1
        if attempts < 3 then rille.sleep(60) end
        return "third"
      end, {timeout = 1, retry = {delay = 0}})
      assert.equal("third", (task:await()))
      assert.equal(2, rille.now())
    end)
  end)

  it("total_timeout is for all attempts together", function()
    run(function()
      local task = rille.root():task(sleeper, {timeout = 2, total_timeout = 3,
        retry = {delay = 0, max_retries = 9}})
      refused("timeout", task:await())
      assert.equal(3, rille.now())
    end)
  end)

  it("circuit_breaker may be a breaker that others share", function()
    run(function()
      local breaker = rille.breaker {failure_threshold = 1}
      rille.root():task(function() error "down" end, {circuit_breaker = breaker}):await()
      refused("circuit_open", rille.root():task(sleeper, {circuit_breaker = breaker}):await())
    end)
  end)

  it("limiter makes tasks wait for their turn", function()
    run(function()
      local limiter = rille.limiter {rate = 1}
      local times = {}
      rille.scope(function(s)
        for _ = 1, 3 do
          s:task(function() times[#times + 1] = rille.now() end, {limiter = limiter})
        end
      end)
      assert.same({0, 1, 2}, times)
    end)
  end)

  it("fallback gets the error", function()
    run(function()
      local task = rille.root():task(function() error("down", 0) end, {
        fallback = function(err) return "instead of " .. err end,
      })
      assert.equal("instead of down", (task:await()))
    end)
  end)

  it("fallback stands outside of all the others", function()
    run(function()
      local task = rille.root():task(sleeper, {timeout = 1, retry = {max_retries = 1, delay = 1},
        fallback = function(err) return err.kind end})
      assert.equal("timeout", (task:await()))
      assert.equal(3, rille.now())
    end)
  end)

  it("leaves a cancellation alone", function()
    run(function()
      local fn_calls, fallbacks = 0, 0
      local task = rille.root():task(function() fn_calls = fn_calls + 1 rille.sleep(9) end, {
        retry = {delay = 0}, fallback = function() fallbacks = fallbacks + 1 end})
      rille.yield()
      task:cancel()
      refused("cancelled", task:await())
      assert.same({1, 0}, {fn_calls, fallbacks})
    end)
  end)

  it("hands the function its scope, as without", function()
    run(function()
      rille.scope(function(s)
        assert.equal(s, (s:task(function(got) return got end, {timeout = 1}):await()))
      end)
    end)
  end)

  it("goes with a name and a daemon", function()
    run(function()
      rille.scope(function(s)
        local task = s:task(sleeper, {name = "patient", daemon = true, timeout = 600})
        assert.equal("patient", task:name())
      end)
      assert.equal(0, rille.now())
    end)
  end)

  it("is checked before anything starts", function()
    run(function()
      local s = rille.root()
      raises(function() s:task(print, {retry = 3}) end, "option 'retry': a table or false expected")
      raises(function() s:task(print, {retry = {max_retrys = 1}}) end, "did you mean 'max_retries'")
      raises(function() s:task(print, {timeout = "1"}) end, "option 'timeout': a number of seconds")
      raises(function() s:task(print, {limiter = {}}) end, "option 'rate'")
      raises(function() s:task(print, {fallback = 1}) end, "option 'fallback': a function expected")
      raises(function() s:task(print, {timeuot = 1}) end, "did you mean 'timeout'")
      assert.equal(0, s:active())
    end)
  end)

  it("is none of go's", function()
    run(function()
      raises(function() rille.root():go({retry = {}}, print) end, "unknown option 'retry'")
    end)
  end)
end)

describe("a scope's default", function()
  it("is for every task of it", function()
    run(function()
      rille.scope({retry = {delay = 0}}, function(s)
        for _ = 1, 2 do assert.equal("call 2", (s:task((failing(2))):await())) end
      end)
    end)
  end)

  it("is none of its supervised tasks'", function()
    run(function()
      local fn, calls = failing(2)
      local function body(s) s:go(fn) end
      raises(function() rille.scope({retry = {delay = 0}}, body) end, "failure 1")
      assert.equal(1, calls.n)
    end)
  end)

  it("task_timeout is the timeout of each", function()
    run(function()
      rille.scope({task_timeout = 2}, function(s) refused("timeout", s:task(sleeper):await()) end)
      assert.equal(2, rille.now())
    end)
  end)

  it("circuit_breaker given as options is one for the scope", function()
    run(function()
      rille.scope({circuit_breaker = {failure_threshold = 1}}, function(s)
        s:task(function() error "down" end):await()
        refused("circuit_open", s:task(sleeper):await())
      end)
    end)
  end)

  it("limiter is one for the scope", function()
    run(function()
      rille.scope({limiter = {rate = 1}}, function(s)
        for _ = 1, 3 do s:task(function() end) end
      end)
      assert.equal(2, rille.now())
    end)
  end)

  it("gives way to the task's own option", function()
    run(function()
      rille.scope({task_timeout = 1}, function(s)
        assert.equal("done", (s:task(function() rille.sleep(5) return "done" end,
          {timeout = 10}):await()))
      end)
    end)
  end)

  it("is taken away by false", function()
    run(function()
      rille.scope({task_timeout = 1, retry = {delay = 0}}, function(s)
        local fn, calls = failing(2)
        s:task(fn, {retry = false}):await()
        s:task(function() rille.sleep(5) end, {timeout = false}):await()
        assert.same({1, 5}, {calls.n, rille.now()})
      end)
    end)
  end)

  it("is inherited by the scopes in it", function()
    run(function()
      rille.scope({retry = {delay = 0}}, function()
        rille.scope(function(s) assert.equal("call 2", (s:task((failing(2))):await())) end)
      end)
    end)
  end)

  it("of an inner scope stands over what that inherits, option by option", function()
    run(function()
      rille.scope({retry = {delay = 0, max_retries = 1}, task_timeout = 1}, function()
        rille.scope({retry = {delay = 0, max_retries = 3}}, function(s)
          local _, err = s:task(sleeper):await()
          assert.equal("timeout", err.kind)
          assert.equal(4, rille.now())
        end)
      end)
    end)
  end)

  it("stops at a scope with inherit = 'cancel'", function()
    run(function()
      rille.scope({retry = {delay = 0}}, function()
        rille.scope({inherit = "cancel"}, function(s)
          local fn, calls = failing(2)
          s:task(fn):await()
          assert.equal(1, calls.n)
        end)
      end)
    end)
  end)

  it("may be the root's", function()
    run({retry = {delay = 0}}, function()
      assert.equal("call 2", (rille.root():task((failing(2))):await()))
    end)
  end)

  it("is checked before the scope opens", function()
    run(function()
      raises(function() rille.scope({retry = {delay = "1"}}, print) end, "option 'delay'")
      raises(function() rille.scope({task_timeout = 0 / 0}, print) end, "option 'task_timeout'")
      assert.equal(rille.root(), rille.current():scope())
      assert.same({}, rille.testing.leaks())
    end)
  end)
end)
