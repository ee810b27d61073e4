-- The user's functions that a breaker calls, and its options.
local rille = require "rille"
local helper = require "spec.helper"
local rows = require "spec.breaker_rows"
local run, raises, play = helper.run, helper.raises, rows.play

describe("on_state_change", function()
  it("gets each change, when it is done, and the breaker", function()
    local log = helper.log()
    run(function()
      local breaker
      breaker = rille.breaker { failure_threshold = 1, reset_timeout = 1,
        on_state_change = function(from, to, b)
          log(from, to, b:state(), b == breaker)
        end }
      play(breaker, "f . s")
      breaker:isolate()
      breaker:isolate()
      breaker:reset()
      breaker:reset()
    end)
    assert.equal("closed:open:open:true open:half_open:half_open:true "
      .. "half_open:closed:closed:true closed:isolated:isolated:true "
      .. "isolated:closed:closed:true", helper.text(log))
  end)

  it("may change the state itself", function()
    local log = helper.log()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1,
        on_state_change = function(from, to, b)
          log(from, to)
          if to == "open" then b:isolate() end
        end }
      play(breaker, "f I -")
    end)
    assert.equal("closed:open open:isolated", helper.text(log))
  end)

  it("may isolate a breaker before its probe runs, which is then not heard", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1, reset_timeout = 1,
        on_state_change = function(_, to, b) if to == "half_open" then b:isolate() end end }
      play(breaker, "f . f I")
    end)
  end)

  it("that raises is a warning, and the call goes on", function()
    assert.equal("Lua warning: rille: the hook on_state_change raised: broken hook\nx\topen\n",
      helper.warnings [[
        local b = rille.breaker{failure_threshold = 1,
          on_state_change = function() error("broken hook", 0) end}
        print(select(2, b:call(error, "x")), b:state())]])
  end)

  it("cannot wait", function()
    local text = helper.warnings [[
      local b = rille.breaker{failure_threshold = 1,
        on_state_change = function() rille.sleep(1) end}
      b:call(error)]]
    assert.truthy(text:find "on_state_change raised: .*cannot wait here")
  end)
end)

describe("is_failure", function()
  it("gets the error, raised or returned", function()
    local log = helper.log()
    run(function()
      local breaker = rille.breaker { is_failure = log }
      breaker:call(error, "raised")
      breaker:call(function() return nil, "returned" end)
      breaker:call(function() return "fine" end)
    end)
    assert.equal("raised returned", helper.text(log))
  end)

  it("that says no makes it a success", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 2,
        is_failure = function(err) return err ~= "not found" end }
      for _ = 1, 3 do
        breaker:call(error, "failed")
        assert.same({ nil, "not found" }, { breaker:call(error, "not found") })
      end
      play(breaker, "C")
    end)
  end)

  it("is not asked about a cancellation", function()
    local log = helper.log()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1, is_failure = log }
      rille.timeout(1, breaker.call, breaker, rille.sleep, 10)
      play(breaker, "C")
    end)
    assert.equal("", helper.text(log))
  end)

  it("that raises ends the call with its error, which does not count", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1,
        is_failure = function() error "oops" end }
      raises(function() breaker:call(error, "x") end, "oops")
      play(breaker, "C")
    end)
  end)

  it("cannot wait", function()
    run(function()
      local breaker = rille.breaker { is_failure = function() rille.sleep(1) end }
      raises(function() breaker:call(error, "x") end, "cannot wait here")
    end)
  end)
end)

describe("a cancellation", function()
  it("passes through, and counts as nothing", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1 }
      helper.refused("timeout", rille.timeout(1, breaker.call, breaker, rille.sleep, 10))
      play(breaker, "C")
      assert.same({ 0, 1 }, { breaker:stats().calls, breaker:stats().ignored })
    end)
  end)

  it("that the function has caught counts as nothing either", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1 }
      rille.timeout(1, function()
        breaker:call(function() return nil, select(2, pcall(rille.sleep, 10)) end)
      end)
      play(breaker, "C")
    end)
  end)

  it("of another task is a failure like any other", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1 }
      local task = rille.root():task(rille.sleep)
      task:cancel()
      breaker:call(task.await, task)
      play(breaker, "O")
    end)
  end)

  it("before the call makes none", function()
    run(function()
      local breaker, called = rille.breaker(), false
      rille.scope(function(s)
        s:cancel()
        breaker:call(function() called = true end)
      end)
      assert.is_false(called)
    end)
  end)

  it("lets handlers in the function wait, as anywhere", function()
    local log = helper.log()
    run(function()
      local breaker = rille.breaker()
      rille.timeout(1, breaker.call, breaker, function()
        local _ <close> = helper.closing(function() rille.sleep(2) log(rille.now()) end)
        rille.sleep(10)
      end)
    end)
    assert.equal("3", helper.text(log))
  end)

  it("does not take a vararg function for a handler", function()
    run(function()
      local breaker = rille.breaker()
      rille.timeout(1, breaker.call, breaker, function(...) rille.sleep(10, ...) end)
      assert.equal(1, rille.now())
    end)
  end)
end)

describe("reset_timeout as a function", function()
  it("gets the openings since it was closed", function()
    local log = helper.log()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1,
        reset_timeout = function(openings) log(openings) return openings end }
      play(breaker, "f O . f O . - . f O .. - . s C f O . s C")
    end)
    assert.equal("1 2 3 1", helper.text(log))
  end)

  it("that raises ends the call with its error; the breaker is open", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 1,
        reset_timeout = function() error "oops" end }
      raises(function() breaker:call(error, "x") end, "oops")
      play(breaker, "O ............................. - . s C")
    end)
  end)

  for name, value in pairs { nothing = false, ["a string"] = "1", NaN = 0 / 0 } do
    it("that returns " .. name .. " raises", function()
      run(function()
        local breaker = rille.breaker { failure_threshold = 1,
          reset_timeout = function() return value or nil end }
        raises(function() breaker:call(error, "x") end, "reset_timeout returned no time")
      end)
    end)
  end
end)

describe("rille.breaker", function()
  for name, row in pairs {
    ["an unknown option"] = { { failure_treshold = 1 }, "did you mean 'failure_threshold'" },
    ["a threshold of 0"] = { { failure_threshold = 0 }, "option 'failure_threshold': .* got 0" },
    ["half a failure"] = { { failure_threshold = 2.5 }, "got 2.5" },
    ["no probes"] = { { half_open_max = 0 }, "option 'half_open_max'" },
    ["a reset_timeout of NaN"] = { { reset_timeout = 0 / 0 }, "option 'reset_timeout'" },
    ["a window without a type"] = { { window = {} }, "'type' is missing" },
    ["an unknown window"] = { { window = { type = "calls" } }, "option 'type': .*'calls'" },
    ["an unknown option of a window"] = { { window = { type = "count", sice = 1 } },
      "mean 'size'" },
    ["a window of half a call"] = { { window = { type = "count", size = 2.5 } }, "option 'size'" },
    ["a window without calls"] = { { window = { type = "count", size = 0 } }, "option 'size'" },
    ["a window of too many calls"] = { { window = { type = "count", size = 1e7 } },
      "option 'size'" },
    ["a window of no time"] = { { window = { type = "time", size = 0 } }, "option 'size'" },
    ["a threshold and a window"] = { { failure_threshold = 1, window = { type = "count" } },
      "exclude each other" },
    ["a rate without a window"] = { { failure_rate = 0.5 }, "'failure_rate' needs a 'window'" },
    ["slow calls without a window"] = { { slow_call = 1 }, "'slow_call' needs a 'window'" },
    ["a slow rate without slow calls"] = { { window = { type = "count" }, slow_rate = 1 },
      "needs 'slow_call'" },
    ["more min_calls than calls"] = { { window = { type = "count", size = 5 }, min_calls = 6 },
      "option 'min_calls'" },
    ["a hook that is none"] = { { on_state_change = 1 }, "option 'on_state_change': a function" },
    ["options that are none"] = { "open", "#1 to 'breaker'" },
  } do
    it("refuses " .. name, function()
      raises(function() rille.breaker(row[1]) end, row[2])
    end)
  end

  -- cockatiel: thresholds that are no part of all calls.
  for _, rate in ipairs { -1, 0, 1.5, 10, 0 / 0 } do
    it("refuses a failure_rate of " .. rate, function()
      raises(function() rille.breaker { window = { type = "time" }, failure_rate = rate } end,
        "option 'failure_rate'")
    end)
  end

  it("accepts a float that is whole", function()
    assert.truthy(rille.breaker { failure_threshold = 3.0, half_open_max = 2.0 })
  end)

  it("is shared by several tasks and scopes", function()
    run(function()
      local breaker = rille.breaker { failure_threshold = 3 }
      rille.scope(function(s)
        for _ = 1, 3 do s:go(function() breaker:call(error, "x") end) end
      end)
      play(breaker, "O")
    end)
  end)
end)
