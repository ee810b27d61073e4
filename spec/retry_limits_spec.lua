-- When rille.retry gives up, and that it does so at once.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

local function fail() error("again", 0) end

describe("max_elapsed of rille.retry", function()
  it("ends it before the delay that would go beyond", function()
    run(function()
      assert.same({ nil, "again" }, { rille.retry({ delay = 4, max_elapsed = 10 }, fail) })
      assert.equal(8, rille.now())
    end)
  end)

  it("allows a delay that ends in time", function()
    run(function()
      rille.retry({ delay = 5, max_elapsed = 10 }, fail)
      assert.equal(10, rille.now())
    end)
  end)

  it("counts the calls as well", function()
    run(function()
      rille.retry({ delay = 1, max_elapsed = 10 }, function() rille.sleep(6) fail() end)
      assert.equal(13, rille.now())
    end)
  end)

  it("bounds a retry_after that is too long, with the error kept", function()
    run(function()
      local busy = { retry_after = 3600 }
      local _, err = rille.retry({ max_elapsed = 60 }, function() error(busy) end)
      assert.equal(busy, err)
      assert.equal(0, rille.now())
    end)
  end)
end)

describe("a deadline around rille.retry", function()
  it("that is nearer than the delay ends it at once", function()
    run(function()
      local value, err = rille.timeout(5, rille.retry, { delay = 3 }, fail)
      assert.same({ nil, "again" }, { value, err })
      assert.equal(3, rille.now())
    end)
  end)

  it("that comes with the end of the delay is nearer", function()
    run(function()
      local _, err = rille.timeout(6, rille.retry, { delay = 3 }, fail)
      assert.equal("again", err)
      assert.equal(3, rille.now())
    end)
  end)

  it("may be set by an outer scope", function()
    run(function()
      rille.timeout(5, function()
        rille.scope(function()
          assert.equal("again", select(2, rille.retry({ delay = 3 }, fail)))
          assert.equal(3, rille.now())
        end)
      end)
    end)
  end)

  it("may be that of the block around one whose parent is elsewhere", function()
    run(function(root)
      rille.timeout(5, function()
        rille.scope({ parent = root }, function()
          rille.retry({ delay = 3 }, fail)
          assert.equal(3, rille.now())
        end)
      end)
    end)
  end)

  it("may be that of a parent elsewhere", function()
    run(function()
      local ended
      rille.scope({ timeout = 5 }, function(other)
        helper.start(function()
          rille.scope({ parent = other }, function()
            rille.retry({ delay = 3 }, fail)
            ended = rille.now()
          end)
        end):await()
      end)
      assert.equal(3, ended)
    end)
  end)

  it("does not reach into a shield", function()
    run(function()
      rille.timeout(5, rille.shield, function()
        rille.retry({ delay = 3 }, fail)
        assert.equal(9, rille.now())
      end)
    end)
  end)

  it("is that of the grace in a cleanup", function()
    local finished
    run(function()
      rille.timeout(1, function()
        local _ <close> = helper.closing(function()
          rille.retry({ delay = 2, max_retries = 10 }, fail)
          finished = rille.now()
        end)
        rille.sleep(10)
      end)
    end)
    assert.equal(5, finished)
  end)
end)

describe("a cancellation of rille.retry", function()
  -- Runs rille.retry under a timeout of 2.5 s; how often the function ran.
  local function calls_under_timeout(opts, fn)
    local calls = 0
    run(function()
      local value, err = rille.scope(function(s)
        s:go({ daemon = true }, function() rille.sleep(2.5) s:cancel "enough" end)
        return rille.retry(opts, function()
          calls = calls + 1
          return fn()
        end)
      end)
      refused("cancelled", value, err)
      assert.equal(2.5, rille.now())
    end)
    return calls
  end

  it("in the delay ends it: the function is not called again", function()
    assert.equal(1, calls_under_timeout({ delay = 10 }, fail))
  end)

  it("in the call is not retried", function()
    assert.equal(1, calls_under_timeout({ delay = 0 }, function() rille.sleep(10) end))
  end)

  it("is not retried whatever retry_if says", function()
    assert.equal(1, calls_under_timeout({ delay = 0, retry_if = function() return true end },
      function() rille.sleep(10) end))
  end)

  it("is not retried when the function has caught it", function()
    assert.equal(1, calls_under_timeout({ delay = 0 }, function()
      local ok, err = pcall(rille.sleep, 10)
      return ok or nil, err
    end))
  end)

  it("before it makes no call", function()
    run(function()
      local calls = 0
      rille.scope(function(s)
        s:cancel()
        rille.retry({}, function() calls = calls + 1 end)
      end)
      assert.equal(0, calls)
    end)
  end)

  it("is not what an inner timeout ends in", function()
    run(function()
      local calls = 0
      local _, err = rille.retry({ delay = 0 }, function()
        calls = calls + 1
        return rille.timeout(1, rille.sleep, 5)
      end)
      assert.equal("timeout", err.kind)
      assert.equal(4, calls)
    end)
  end)

  it("is not that of another task, which is a failure like any other", function()
    run(function(root)
      local calls = 0
      local _, err = rille.retry({ delay = 0 }, function()
        calls = calls + 1
        local task = rille.root():task(rille.sleep)
        task:cancel "other"
        return task:await()
      end)
      assert.equal("cancelled", err.kind)
      assert.equal(4, calls)
      assert.is_nil(root)
    end)
  end)
end)

describe("retry_if of rille.retry", function()
  it("gets the error and the attempt", function()
    local log = helper.log()
    run(function()
      rille.retry({ delay = 0, retry_if = function(...) log(...) return true end }, fail)
    end)
    assert.equal("again:1 again:2 again:3", helper.text(log))
  end)

  it("that says no ends it, with the error as it is", function()
    run(function()
      local permanent, calls = {}, 0
      local _, err = rille.retry({ retry_if = function(e) return e ~= permanent end }, function()
        calls = calls + 1
        error(permanent)
      end)
      assert.equal(permanent, err)
      assert.equal(1, calls)
    end)
  end)

  it("may let some errors pass", function()
    run(function()
      local calls = 0
      rille.retry({ delay = 0, retry_if = function(e) return e == "first" end }, function()
        calls = calls + 1
        error(calls == 1 and "first" or "second", 0)
      end)
      assert.equal(2, calls)
    end)
  end)

  it("that raises ends the call with its error", function()
    run(function()
      raises(function() rille.retry({ retry_if = function() error "oops" end }, fail) end, "oops")
    end)
  end)

  it("is by default no for an open circuit", function()
    run(function()
      local breaker, calls = rille.breaker {}, 0
      breaker:isolate()
      local value, err = rille.retry({ delay = 0 }, function()
        calls = calls + 1
        return breaker:call(print)
      end)
      refused("circuit_open", value, err)
      assert.equal(1, calls)
    end)
  end)
end)

describe("on_retry of rille.retry", function()
  it("gets the error, the attempt and the delay", function()
    local log = helper.log()
    run(function()
      rille.retry({ delay = 2, on_retry = function(...) log(rille.now(), ...) end }, fail)
    end)
    assert.equal("0:again:1:2 2:again:2:2 4:again:3:2", helper.text(log))
  end)

  it("is not called when it gives up", function()
    run(function()
      rille.retry({ max_retries = 0, on_retry = error }, fail)
      rille.retry({ retry_if = function() end, on_retry = error }, fail)
    end)
  end)

  it("that raises is a warning, and the retry goes on", function()
    local text = helper.warnings [[
      local _, err = rille.retry({max_retries = 1, delay = 0,
        on_retry = function() error("broken hook", 0) end}, error, "failed")
      print(err)]]
    assert.equal("Lua warning: rille: the hook on_retry raised: broken hook\nfailed\n", text)
  end)

  it("cannot wait", function()
    local text = helper.warnings [[
      rille.retry({max_retries = 1, on_retry = function() rille.sleep(1) end}, error)]]
    assert.truthy(text:find "on_retry raised: .*cannot wait here")
  end)
end)

describe("rille.retry", function()
  for name, row in pairs {
    ["an unknown option"] = { { max_retry = 1 },
      "unknown option 'max_retry'; did you mean 'max_retries'" },
    ["half a retry"] = { { max_retries = 2.5 }, "option 'max_retries': .* got 2.5" },
    ["fewer than none"] = { { max_retries = -1 }, "option 'max_retries': .* got %-1" },
    ["NaN retries"] = { { max_retries = 0 / 0 }, "max_retries" },
    ["a delay that is a string"] = { { delay = "1" }, "option 'delay': .*'1'" },
    ["a delay of NaN"] = { { delay = 0 / 0 }, "option 'delay'" },
    ["two delays"] = { { delay = 1, backoff = {} }, "exclude each other" },
    ["an unknown back-off"] = { { backoff = { inital = 1 } }, "'inital'; did you mean 'initial'" },
    ["a factor below 1"] = { { backoff = { factor = 0.5 } }, "option 'factor'" },
    ["an unknown jitter"] = { { backoff = { jitter = "some" } }, "option 'jitter': .*'some'" },
    ["a budget that is none"] = { { budget = {} }, "option 'budget': a rille.retry_budget" },
    ["a hook that is none"] = { { on_retry = true }, "option 'on_retry': a function" },
  } do
    it("refuses " .. name, function()
      run(function() raises(function() rille.retry(row[1], print) end, row[2]) end)
    end)
  end

  it("refuses options that are no table", function()
    run(function() raises(function() rille.retry(5, print) end, "#1 to 'retry'") end)
  end)

  it("refuses a function that is none", function()
    run(function()
      raises(function() rille.retry({}, 5) end, "#2 to 'retry'")
      raises(function() rille.retry {} () end, "#1 to 'retry'")
    end)
  end)
end)
