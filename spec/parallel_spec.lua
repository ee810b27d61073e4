local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused, list = helper.run, helper.raises, helper.refused, helper.list

-- Functions that sleep so long, then return the time.
local function sleepers(...)
  local fns = {}
  for i, seconds in ipairs { ... } do
    fns[i] = function()
      rille.sleep(seconds)
      return seconds
    end
  end
  return fns
end

-- Runs fn(scope) in a scope of its own.
local function scoped(opts, fn)
  return run(function() return rille.scope(opts, fn) end)
end

describe("parallel", function()
  it("returns the results in order", function()
    local results = scoped({}, function(s) return s:parallel(sleepers(3, 1, 2)) end)
    assert.same({ 3, 1, 2, n = 3 }, results)
  end)

  it("runs all at once", function()
    scoped({}, function(s)
      s:parallel(sleepers(3, 1, 2))
      assert.equal(3, rille.now())
    end)
  end)

  it("keeps the first result of each, nil and false too", function()
    local results = scoped({}, function(s)
      return s:parallel { function() return nil end, function() return false end,
        function() return 1, 2 end, function() end }
    end)
    assert.same({ nil, false, 1, nil, n = 4 }, results)
  end)

  it("of nothing is an empty list", function()
    assert.same({ n = 0 }, scoped({}, function(s) return s:parallel {} end))
  end)

  it("gives each function the scope", function()
    scoped({}, function(s)
      assert.equal(s, s:parallel { function(given) return given end }[1])
    end)
  end)

  it("starts its functions in order", function()
    local log = helper.log()
    scoped({}, function(s)
      local fns = {}
      for i = 1, 200 do fns[i] = function() log(i) rille.yield() end end
      s:parallel(fns)
    end)
    local expected = {}
    for i = 1, 200 do expected[i] = i end
    assert.equal(table.concat(expected, " "), helper.text(log))
  end)

  it("never starts inside the call", function()
    local log = helper.log()
    scoped({}, function(s)
      s:go(log, "before")
      s:parallel { function() log "part" end }
    end)
    assert.equal("before part", helper.text(log))
  end)

  describe("a failure", function()
    it("is returned as nil, err", function()
      local value, err = scoped({}, function(s)
        return s:parallel { function() return 1 end, function() error("disk full", 0) end }
      end)
      assert.is_nil(value)
      assert.equal("disk full", err)
    end)

    it("may be returned by the function", function()
      local value, err = scoped({}, function(s)
        return s:parallel { function() return nil, "disk full" end }
      end)
      assert.is_nil(value)
      assert.equal("disk full", err)
    end)

    it("of kind closed, returned, is an ordinary end", function()
      local results = scoped({}, function(s)
        local ch = rille.channel()
        ch:close()
        return s:parallel { function() return ch:recv() end, function() return 2 end }
      end)
      assert.same({ nil, 2, n = 2 }, results)
    end)

    it("passes as it is, whatever its type", function()
      for _, value in ipairs { {}, false, print, 42 } do
        local _, err = scoped({}, function(s)
          return s:parallel { function() error(value, 0) end }
        end)
        assert.equal(value, err)
      end
    end)

    it("may be nil", function()
      local results = table.pack(scoped({}, function(s)
        return s:parallel { function() error(nil, 0) end }
      end))
      assert.is_nil(results[1])
    end)

    it("cancels the others at once and joins them", function()
      local log = helper.log()
      scoped({}, function(s)
        s:parallel {
          function()
            local _ <close> = helper.closing(function() rille.sleep(2) log("joined") end)
            rille.sleep(60)
          end,
          function() rille.sleep(1) error("x") end,
        }
        log("returned", rille.now())
      end)
      assert.equal("joined returned:3", helper.text(log))
    end)

    it("keeps those from starting that have not", function()
      local log = helper.log()
      scoped({}, function(s)
        s:parallel({ function() error("x") end, function() log "started" end },
          { concurrency = 1 })
      end)
      assert.equal("", helper.text(log))
    end)

    it("is not the scope's", function()
      scoped({}, function(s)
        s:parallel { function() error("x") end }
        assert.is_false(s:cancelled())
        assert.equal(0, s:active())
      end)
    end)

    it("is the first one", function()
      local _, err = scoped({}, function(s)
        return s:parallel { function() rille.sleep(1) error("late", 0) end,
          function() error("early", 0) end }
      end)
      assert.equal("early", err)
    end)
  end)

  describe("settle", function()
    local function settle(fns)
      return scoped({}, function(s) return s:parallel(fns, { settle = true }) end)
    end

    it("lists how each has ended", function()
      local results = settle { function() return 1, 2 end, function() error("x", 0) end,
        function() return nil, "y" end, function() return false, false end }
      assert.same({ { ok = true, value = 1 }, { ok = false, err = "x" },
        { ok = false, err = "y" }, { ok = false, err = false }, n = 4 }, results)
    end)

    it("cancels nothing", function()
      local results = settle { function() error("x") end, table.unpack(sleepers(5)) }
      assert.same({ ok = true, value = 5 }, results[2])
    end)
  end)

  describe("on_progress", function()
    it("tells how many are done, of how many", function()
      local log = helper.log()
      scoped({}, function(s) s:parallel(sleepers(3, 1), { on_progress = log }) end)
      assert.equal("1:2 2:2", helper.text(log))
    end)

    it("counts failures that settle", function()
      local log = helper.log()
      scoped({}, function(s)
        s:parallel({ function() error("x") end }, { settle = true, on_progress = log })
      end)
      assert.equal("1:1", helper.text(log))
    end)

    it("is a failure when it raises, even if failures settle", function()
      local value, err = scoped({}, function(s)
        return s:parallel(sleepers(1), {
          settle = true, on_progress = function() error("display gone", 0) end,
        })
      end)
      assert.is_nil(value)
      assert.equal("display gone", err)
    end)
  end)

  it("refuses what is not a list of functions", function()
    scoped({}, function(s)
      raises(function() s:parallel() end, "#1")
      raises(function() s:parallel(print) end, "#1")
      raises(function() s:parallel { print, 3 } end, "#1.*number at 2")
    end)
  end)

  it("refuses unknown and wrong options", function()
    scoped({}, function(s)
      raises(function() s:parallel({}, { concurency = 1 }) end, "#2.*did you mean 'concurrency'")
      raises(function() s:parallel({}, { concurrency = 0 }) end, "#2.*'concurrency'.*got 0")
      raises(function() s:parallel({}, { settle = 1 }) end, "'settle'")
      raises(function() s:parallel({}, { on_progress = 1 }) end, "'on_progress'")
    end)
  end)

  it("refuses what is not a scope", function()
    run(function()
      raises(function() rille.root().parallel({}, {}) end, "bad self")
    end)
  end)
end)

describe("the concurrency of parallel", function()
  -- The most that ran at a time.
  local function most(scope_limit, own_limit, count)
    local running, peak = 0, 0
    scoped({ concurrency = scope_limit }, function(s)
      local fns = {}
      for i = 1, count or 20 do
        fns[i] = function()
          running = running + 1
          peak = math.max(peak, running)
          rille.sleep(1 + i % 3)
          running = running - 1
        end
      end
      s:parallel(fns, { concurrency = own_limit })
    end)
    return peak
  end

  it("is that of its option", function()
    assert.equal(3, most(nil, 3))
  end)

  it("is that of the scope", function()
    assert.equal(4, most(4, nil))
  end)

  it("cannot be raised above the scope's", function()
    assert.equal(4, most(4, 9))
  end)

  it("can be lowered below the scope's", function()
    assert.equal(2, most(4, 2))
  end)

  it("is none without either", function()
    assert.equal(500, most(nil, nil, 500))
  end)

  it("is shared with the scope's other tasks", function()
    local log = helper.log()
    scoped({ concurrency = 2 }, function(s)
      s:go(rille.sleep, 10)
      s:parallel { function() rille.sleep(1) log(rille.now()) end,
        function() rille.sleep(1) log(rille.now()) end }
    end)
    assert.equal("1 2", helper.text(log))
  end)
end)

describe("cancellation and parallel", function()
  -- Two parts that sleep, and note how they are cleaned up.
  local function parts(log)
    local function part(name)
      return function()
        local _ <close> = helper.closing(function() rille.sleep(1) log(name) end)
        rille.sleep(60)
      end
    end
    return { part "a", part "b" }
  end

  it("of who waits stops and joins all", function()
    local log = helper.log()
    scoped({}, function(s)
      refused("timeout", rille.timeout(5, s.parallel, s, parts(log)))
      log(rille.now())
      assert.equal(0, s:active())
    end)
    assert.equal("a b 6", helper.text(log))
  end)

  it("of the scope stops and joins all", function()
    local log = helper.log()
    run(function()
      refused("timeout", rille.scope({ timeout = 5 }, function(s) s:parallel(parts(log)) end))
    end)
    assert.equal("a b", helper.text(log))
  end)

  it("of the scope comes back as nil, err to who is not in it", function()
    run(function()
      local given
      rille.root():go(function()
        rille.scope({ timeout = 5 }, function(s)
          given = s
          rille.sleep(60)
        end)
      end)
      rille.yield()
      refused("cancelled", given:parallel(parts(helper.log())))
    end)
  end)

  it("is checked first", function()
    run(function()
      local log = helper.log()
      local other = rille.root()
      rille.scope(function(s)
        s:cancel()
        helper.raises_kind("cancelled", function() other:parallel {} end)
        helper.raises_kind("cancelled", function() other:parallel { log } end)
      end)
      helper.settle()
      assert.equal("", helper.text(log))
    end)
  end)

  it("by a function of its own task is its failure", function()
    scoped({}, function(s)
      refused("cancelled", s:parallel { function()
        rille.current():cancel("enough")
        rille.yield()
      end })
    end)
  end)

  it("does not hide a failure of the cleanup: it is the scope's", function()
    run(function()
      raises(function()
        rille.scope(function(s)
          rille.timeout(1, s.parallel, s, { function()
            local _ <close> = helper.closing(function() error("cleanup", 0) end)
            rille.sleep(60)
          end })
        end)
      end, "cleanup")
    end)
  end)

  it("is refused outside a task before anything is started", function()
    local s = run(function() return rille.root() end)
    raises(function() s:parallel { print } end)
  end)
end)

describe("the list of parallel", function()
  it("may have an n", function()
    assert.equal(2, scoped({}, function(s)
      return s:parallel(table.pack(function() end, function() end)).n
    end))
  end)

  it("is free for reuse afterwards", function()
    scoped({}, function(s)
      local fns = sleepers(1, 2)
      assert.same(list(s:parallel(fns)), list(s:parallel(fns)))
    end)
  end)
end)
