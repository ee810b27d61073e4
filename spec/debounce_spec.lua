local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused, start = helper.run, helper.raises, helper.refused, helper.start

-- Calls `fn(name)` in a task of its own at each of the times; notes the runs as
-- "name@time" and what the calls settled with, in order of their ends.
local function calls(make, opts, times)
  local log = helper.log()
  run(function()
    local fn = make(function(name)
      log("run " .. name, rille.now())
      return name
    end, opts)
    for i, at in ipairs(times) do
      rille.root():go(function()
        rille.sleep_until(at)
        local value, err = fn(i)
        if value ~= i then
          refused("superseded", value, err)
          log("no " .. i, rille.now())
        end
      end)
    end
  end)
  return helper.text(log)
end

describe("debounce", function()
  it("runs the last call of a burst, after the quiet", function()
    assert.equal("no 1:0.2 no 2:0.4 run 3:0.7",
      calls(rille.debounce, { wait = 0.3 }, { 0, 0.2, 0.4 }))
  end)

  it("waits 0.3 s by default", function()
    assert.equal("run 1:0.3", calls(rille.debounce, nil, { 0 }))
  end)

  it("runs one call of each burst", function()
    assert.equal("no 1:0.1 run 2:0.4 no 3:1.1 run 4:1.4",
      calls(rille.debounce, nil, { 0, 0.1, 1, 1.1 }))
  end)

  it("begins a new burst at the moment when the quiet ends", function()
    assert.equal("run 1:0.5 run 2:1", calls(rille.debounce, { wait = 0.5 }, { 0, 0.5 }))
    assert.equal("run 1:0.3 run 2:0.5", calls(rille.debounce, { wait = 0.2 }, { 0.1, 0.3 }))
  end)

  it("lets the last one of calls in the same turn win", function()
    assert.equal("no 1:1 no 2:1 run 3:1.3", calls(rille.debounce, nil, { 1, 1, 1 }))
  end)

  it("runs the first call of a burst with leading, and the last", function()
    assert.equal("run 1:0 no 2:0.2 run 3:0.5",
      calls(rille.debounce, { leading = true }, { 0, 0.1, 0.2 }))
  end)

  it("runs a lone call once with leading and trailing", function()
    assert.equal("run 1:0 run 2:1", calls(rille.debounce, { leading = true }, { 0, 1 }))
  end)

  it("runs the first call alone with leading and without trailing", function()
    assert.equal("run 1:0 no 2:0.2 no 3:0.4 run 4:0.8",
      calls(rille.debounce, { leading = true, trailing = false }, { 0, 0.2, 0.4, 0.8 }))
  end)

  it("runs every call at once with a wait of 0", function()
    assert.equal("run 1:0 run 2:1", calls(rille.debounce, { wait = 0 }, { 0, 1 }))
  end)

  it("passes arguments and results, nils included", function()
    run(function()
      assert.same({ n = 3, nil, 2, nil },
        table.pack(rille.debounce(function(...) return ... end)(nil, 2, nil)))
    end)
  end)

  it("raises what the function raises, unchanged", function()
    run(function()
      local err = {}
      assert.equal(err, raises(function() rille.debounce(function() error(err) end)() end))
    end)
  end)

  it("lets the function wait, and calls meanwhile begin a burst of their own", function()
    run(function()
      local log = helper.log()
      local fn = rille.debounce(function(name) rille.sleep(1) log(name, rille.now()) end)
      local first = start(fn, "a")
      rille.sleep(0.5)
      fn("b")
      first:await()
      assert.equal("a:1.3 b:1.8", helper.text(log))
    end)
  end)
end)

describe("debounce and cancellation", function()
  it("raises that of the call that waits, and nobody runs", function()
    run(function()
      local ran, same = 0, nil
      local fn = rille.debounce(function() ran = ran + 1 end)
      local first = start(fn)
      local second = start(function()
        local ok, err = pcall(fn)
        same = not ok and rille.is_cancellation(err)
      end)
      second:cancel()
      refused("superseded", first:await())
      second:await()
      rille.sleep(1)
      assert.same({ 0, true }, { ran, same })
    end)
  end)

  it("lets the next call run as if that one had not waited", function()
    run(function()
      local log = helper.log()
      local fn = rille.debounce(function(name) log(name, rille.now()) end)
      start(fn, "a"):cancel()
      rille.sleep(1)
      fn("b")
      assert.equal("b:1.3", helper.text(log))
    end)
  end)

  it("of a call that is superseded already changes nothing", function()
    run(function()
      local fn = rille.debounce(function(name) return name end)
      local first, second = start(fn, "a"), start(fn, "b")
      first:cancel()
      refused("superseded", first:await())
      assert.equal("b", (second:await()))
    end)
  end)

  it("interrupts the function in the task of its caller", function()
    run(function()
      local fn = rille.debounce(function() rille.sleep(9) end)
      refused("timeout", rille.timeout(1, fn))
      assert.equal(1, rille.now())
    end)
  end)

  it("that came before keeps the call from superseding another", function()
    run(function()
      local fn = rille.debounce(function(name) return name end)
      local first = start(fn, "a")
      rille.scope(function(s) s:cancel() fn("b") end)
      assert.equal("a", (first:await()))
    end)
  end)
end)

describe("throttle", function()
  it("runs the first call and none within the interval", function()
    assert.equal("run 1:0 no 2:0.1 no 3:0.29 run 4:0.3 no 5:0.5 run 6:0.6",
      calls(rille.throttle, nil, { 0, 0.1, 0.29, 0.3, 0.5, 0.6 }))
  end)

  it("counts the interval from the start of the run", function()
    run(function()
      local fn = rille.throttle(function() rille.sleep(1) return 1 end, { interval = 1 })
      fn()
      assert.equal(1, (fn()))
    end)
  end)

  it("is exact where sums of fractions are not", function()
    assert.equal("run 1:0.1 run 2:0.3", calls(rille.throttle, { interval = 0.2 }, { 0.1, 0.3 }))
  end)

  it("lets the last call within the interval run at its end with trailing", function()
    assert.equal("run 1:0 no 2:0.2 run 3:0.3 run 4:0.6",
      calls(rille.throttle, { trailing = true }, { 0, 0.1, 0.2, 0.4 }))
  end)

  it("runs a call at the end of an interval that had no trailing run at once", function()
    assert.equal("run 1:0 run 2:0.3",
      calls(rille.throttle, { trailing = true }, { 0, 0.3 }))
  end)

  it("keeps the interval between a trailing run and the next call", function()
    assert.equal("run 1:0 run 2:1 run 3:2 run 4:3",
      calls(rille.throttle, { interval = 1, trailing = true }, { 0, 0.5, 1, 2.5 }))
  end)

  it("runs the last call of an interval at its end without leading", function()
    assert.equal("no 1:0.1 run 2:0.3 run 3:0.6 run 4:1.3",
      calls(rille.throttle, { leading = false, trailing = true }, { 0, 0.1, 0.4, 1 }))
  end)

  it("runs at most once per interval, whatever comes", function()
    for seed = 1, 20 do
      local random, times, at = helper.random(seed), {}, 0
      for i = 1, 60 do
        at = at + random(0, 4) / 8
        times[i] = at
      end
      local text = calls(rille.throttle, { interval = 0.5, trailing = true,
        leading = seed % 2 == 0 }, times)
      local last = -1
      for run_at in text:gmatch "run %d+:(%S+)" do
        assert.is_true(tonumber(run_at) - last >= 0.5, text)
        last = tonumber(run_at)
      end
      assert.equal(60, select(2, text:gsub("%a+ %d+:", "")), text)
    end
  end)

  it("raises what the function raises, unchanged", function()
    run(function()
      local err = {}
      assert.equal(err, raises(function() rille.throttle(function() error(err) end)() end))
    end)
  end)
end)

describe("throttle and cancellation", function()
  it("raises that of the call that waits, and nobody runs", function()
    run(function()
      local log = helper.log()
      local fn = rille.throttle(function(name) log(name) end, { trailing = true })
      fn("a")
      start(fn, "b"):cancel()
      rille.sleep(1)
      assert.equal("a", helper.text(log))
    end)
  end)

  it("lets the next call run at the end of the interval, or at once after it", function()
    run(function()
      local log = helper.log()
      local fn = rille.throttle(function(name) log(name, rille.now()) end,
        { interval = 1, trailing = true })
      fn("a")
      start(fn, "b"):cancel()
      rille.sleep(0.5)
      fn("c")
      start(fn, "d"):cancel()
      rille.sleep(1.5)
      fn("e")
      assert.equal("a:0 c:1 e:2.5", helper.text(log))
    end)
  end)

  it("raises in a cancelled task before anything else", function()
    run(function()
      local ran = false
      rille.scope(function(s)
        s:cancel()
        rille.throttle(function() ran = true end)()
      end)
      assert.is_false(ran)
    end)
  end)
end)

for _, name in ipairs { "debounce", "throttle" } do
  describe(name .. ", misused", function()
    it("raises without a function", function()
      raises(function() rille[name](1) end, "#1 to '" .. name)
    end)

    it("raises when nothing would ever run", function()
      raises(function() rille[name](print, { leading = false, trailing = false }) end,
        "#2 to '" .. name .. "'.*nothing would ever run")
    end)

    it("raises for an unknown option and for bad ones", function()
      raises(function() rille[name](print, { waits = 1 }) end, "unknown option 'waits'")
      raises(function() rille[name](print, { leading = 1 }) end, "'leading': a boolean")
    end)

    it("raises outside a task", function()
      raises(rille[name](print), "not inside a task")
    end)
  end)
end
