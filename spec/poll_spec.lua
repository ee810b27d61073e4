local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- A function that takes `seconds` and returns 1, 2, 3 ...; notes its start.
local function source(log, seconds)
  local n = 0
  return function()
    log("call", rille.now())
    if seconds then rille.sleep(seconds) end
    n = n + 1
    return n
  end
end

describe("scope:poll", function()
  it("calls at once, in a later turn, and then every interval", function()
    local log = helper.log()
    run(function()
      rille.root():poll(source(log), nil, { interval = 5 })
      log("started")
      rille.sleep(12)
    end)
    assert.equal("started call:0 call:5 call:10", helper.text(log))
  end)

  it("calls first after one interval without immediate", function()
    local log = helper.log()
    run(function()
      rille.root():poll(source(log), nil, { interval = 5, immediate = false })
      rille.sleep(12)
    end)
    assert.equal("call:5 call:10", helper.text(log))
  end)

  it("counts the interval from the end of on_value", function()
    local log = helper.log()
    run(function()
      rille.root():poll(source(log, 2), function() rille.sleep(1) end, { interval = 5 })
      rille.sleep(20)
    end)
    assert.equal("call:0 call:8 call:16", helper.text(log))
  end)

  it("hands every result to on_value, nils included", function()
    local got
    run(function()
      rille.root():poll(function() return 1, nil, 3, nil end,
        function(...) got = table.pack(...) end, { interval = 5 })
      rille.sleep(1)
    end)
    assert.same({ 1, nil, 3, n = 4 }, got)
  end)

  it("gives the function the scope that polls", function()
    run(function()
      rille.scope(function(s)
        local got
        s:poll(function(scope) got = scope end, nil, { interval = 5 })
        rille.sleep(1)
        assert.equal(s, got)
      end)
    end)
  end)

  it("may do without on_value", function()
    run(function()
      local p = rille.root():poll(function() return 1 end, nil, { interval = 1 })
      rille.sleep(2.5)
      assert.equal(3, p:status().poll_count)
    end)
  end)

  it("is a daemon: the scope does not wait for it", function()
    run(function()
      rille.scope(function(s)
        s:poll(function() end, nil, { interval = 1 })
        rille.sleep(2.5)
      end)
      assert.equal(2.5, rille.now())
    end)
  end)

  it("goes on while other tasks of the scope run", function()
    run(function()
      local p
      rille.scope(function(s)
        p = s:poll(function() end, nil, { interval = 1 })
        s:go(rille.sleep, 3.5)
      end)
      assert.equal(4, p:status().poll_count)
    end)
  end)

  it("polls as often as is asked, at the least advancing time", function()
    run(function()
      local p = rille.root():poll(function() end, nil, { interval = 1e-12 })
      rille.sleep(10e-9)
      assert.is_true(p:status().poll_count >= 9)
    end)
  end)

  it("calls once with an endless interval", function()
    run(function()
      local p = rille.root():poll(function() end, nil, { interval = math.huge })
      rille.sleep(1e6)
      assert.equal(1, p:status().poll_count)
    end)
  end)

  it("does not hide a deadlock with an endless interval", function()
    helper.raises_kind("deadlock", function()
      run(function()
        rille.root():poll(function() end, nil, { interval = math.huge })
        rille.channel():recv()
      end)
    end)
  end)

  it("does not fill the stack over many rounds", function()
    run(function()
      local p = rille.root():poll(function() end, function() end, { interval = 1 })
      rille.sleep(20000.5)
      assert.equal(20001, p:status().poll_count)
    end)
  end)

  it("may start tasks in the scope, which outlive the call", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        s:poll(function(scope) scope:go(function() rille.sleep(3) log(rille.now()) end) end, nil,
          { interval = 10 })
        rille.sleep(1)
      end)
    end)
    assert.equal("3", helper.text(log))
  end)

  it("raises in a scope that is cancelled or has ended", function()
    run(function()
      local ended
      rille.scope(function(s)
        ended = s
        s:cancel()
        helper.raises_kind("cancelled", function() s:poll(print, nil, { interval = 1 }) end)
      end)
      helper.raises_kind("closed", function() ended:poll(print, nil, { interval = 1 }) end)
    end)
  end)

  it("stands in a dump under its name, with the place that started it", function()
    run(function()
      local place
      place = helper.where() rille.root():poll(print, nil,
        { interval = 9, immediate = false, name = "gauge" })
      helper.settle()
      local line = rille.dump():match("[^\n]*gauge[^\n]*")
      assert.truthy(line:find("poll", 1, true))
      assert.truthy(line:find(place, 1, true))
    end)
  end)

  it("is garbage once stopped and forgotten", function()
    run(function()
      local weak = setmetatable({}, { __mode = "k" })
      do
        local p
        p = rille.root():poll(function() return p end, function() p:stop() end, { interval = 1 })
        weak[p] = true
        rille.sleep(1)
      end
      rille.yield()
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end)
  end)
end)

describe("jitter", function()
  -- The times between the calls of a run.
  local function gaps(opts)
    local list, last = {}, nil
    run({ seed = opts.seed }, function()
      rille.root():poll(function()
        if last then list[#list + 1] = rille.now() - last end
        last = rille.now()
      end, nil, { interval = 10, jitter = opts.jitter })
      rille.sleep(2000)
    end)
    return list
  end

  it("is none unless asked for", function()
    for _, gap in ipairs(gaps { seed = 1 }) do assert.equal(10, gap) end
  end)

  it("varies the interval by its part, both ways", function()
    local least, most = math.huge, 0
    for _, gap in ipairs(gaps { seed = 1, jitter = 0.25 }) do
      least, most = math.min(least, gap), math.max(most, gap)
    end
    assert.is_true(least >= 7.5 and least < 8, "least: " .. least)
    assert.is_true(most <= 12.5 and most > 12, "most: " .. most)
  end)

  it("follows from the seed", function()
    assert.same(gaps { seed = 7, jitter = 0.5 }, gaps { seed = 7, jitter = 0.5 })
    assert.not_same(gaps { seed = 7, jitter = 0.5 }, gaps { seed = 8, jitter = 0.5 })
  end)
end)

describe("the options of a poll", function()
  local function refuses(pattern, ...)
    local args = table.pack(...)
    run(function()
      raises(function()
        rille.root():poll(table.unpack(args, 1, args.n))
      end, pattern)
      assert.equal(0, rille.root():active())
    end)
  end

  it("must have an interval", function()
    refuses("#3.*'interval' is required", print, nil, {})
    refuses("#3.*'interval' is required", print, nil)
  end)

  it("are checked", function()
    local bad = {
      interval = { 0, -1, "1", 0 / 0 }, immediate = { 1 }, timeout = { "1", 0 / 0 },
      on_error = { true }, max_errors = { 0, 1.5, "3" }, jitter = { -0.1, 1.1, 0 / 0 },
      name = { 42 },
    }
    for key, values in pairs(bad) do
      for _, value in ipairs(values) do
        local opts = { interval = 1 }
        opts[key] = value
        refuses("#3.*'" .. key .. "'", print, nil, opts)
      end
    end
  end)

  it("are named when unknown, with the nearest known", function()
    refuses("'intervall'.*'interval'", print, nil, { intervall = 1 })
  end)

  it("come after two functions", function()
    refuses("#1", nil, print, { interval = 1 })
    refuses("#2", print, { interval = 1 })
  end)
end)
