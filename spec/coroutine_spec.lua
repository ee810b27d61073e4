local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

describe("rille.coroutine", function()
  it("has what the stock library has", function()
    for name in pairs(coroutine) do
      assert.equal("function", type(rille.coroutine[name]), name)
    end
  end)

  describe("a generator in a task", function()
    it("may sleep", function()
      local log = helper.log()
      run(function()
        local next_value = rille.coroutine.wrap(function()
          for i = 1, 3 do
            rille.sleep(1)
            rille.coroutine.yield(i)
          end
        end)
        for value in next_value do log(value, rille.now()) end
      end)
      assert.equal("1:1 2:2 3:3", helper.text(log))
    end)

    it("may use channels", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(function() ch:send_many { 1, 2, 3 } ch:close() end)
        local doubled = rille.coroutine.wrap(function()
          for value in ch do coroutine.yield(value * 2) end
        end)
        assert.same({ 2, 4, 6 }, { doubled(), doubled(), doubled() })
      end)
    end)

    it("may be nested in another", function()
      run(function()
        local co = rille.coroutine
        local inner = co.wrap(function() rille.sleep(1) co.yield("inner") end)
        local outer = co.wrap(function() rille.sleep(1) co.yield(inner()) end)
        assert.equal("inner", outer())
        assert.equal(2, rille.now())
      end)
    end)

    it("may open a scope between two of its yields", function()
      run(function()
        local co = rille.coroutine
        local gen = co.wrap(function()
          rille.scope(function(s) s:go(rille.sleep, 1) end)
          co.yield(rille.now())
        end)
        assert.equal(1, gen())
      end)
    end)

    it("lets other tasks run while it waits", function()
      local log = helper.log()
      run(function()
        rille.root():go(function() log("task") end)
        rille.coroutine.wrap(function() rille.sleep(1) log("generator") end)()
      end)
      assert.equal("task generator", helper.text(log))
    end)

    it("is interrupted with its task", function()
      local log = helper.log()
      run(function()
        rille.timeout(1, rille.coroutine.wrap(function()
          local ok, err = pcall(rille.sleep, 9)
          log(ok, err.kind)
          error(err)
        end))
      end)
      assert.equal("false:cancelled", helper.text(log))
    end)

    it("sees its task as the running one", function()
      run(function()
        assert.equal(rille.current(), rille.coroutine.wrap(rille.current)())
      end)
    end)
  end)

  describe("resume", function()
    it("returns true and what is yielded", function()
      local co = rille.coroutine.create(function(a) return coroutine.yield(a + 1) end)
      assert.same({ true, 2 }, { rille.coroutine.resume(co, 1) })
      assert.same({ true, "end" }, { rille.coroutine.resume(co, "end") })
    end)

    it("returns false and the error", function()
      local problem = {}
      local co = rille.coroutine.create(function() error(problem) end)
      assert.same({ false, problem }, { rille.coroutine.resume(co) })
    end)

    it("returns false for a dead coroutine, in the stock words", function()
      local co = rille.coroutine.create(function() end)
      rille.coroutine.resume(co)
      local expected = { coroutine.resume(co) }
      assert.same(expected, { rille.coroutine.resume(co) })
    end)

    it("passes a wait outward and comes back with the results", function()
      run(function()
        local co = rille.coroutine.create(function() rille.sleep(1) return "result" end)
        assert.same({ true, "result" }, { rille.coroutine.resume(co) })
        assert.equal(1, rille.now())
      end)
    end)

    it("passes nil and the number of values", function()
      local co = rille.coroutine.create(function(...) return select("#", ...), ... end)
      assert.same({ true, 3, nil, nil, nil, n = 5 },
        table.pack(rille.coroutine.resume(co, nil, nil, nil)))
    end)
  end)

  describe("wrap", function()
    it("raises the error", function()
      local problem = {}
      local gen = rille.coroutine.wrap(function() error(problem) end)
      assert.equal(problem, raises(gen))
    end)

    it("works outside a task for what does not wait", function()
      local gen = rille.coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end)
      assert.same({ 1, 2 }, { gen(), gen() })
    end)

    it("refuses what cannot be called", function()
      raises(function() rille.coroutine.wrap(42) end, "#1")
    end)
  end)

  it("closes a generator with the handlers it holds", function()
    local log = helper.log()
    run(function()
      local co = rille.coroutine.create(function()
        local _ <close> = helper.closing(function() log("closed") end)
        rille.coroutine.yield(1)
      end)
      rille.coroutine.resume(co)
      assert.is_true(rille.coroutine.close(co))
    end)
    assert.equal("closed", helper.text(log))
  end)
end)

describe("a stock coroutine in a task", function()
  it("works for what does not wait", function()
    run(function()
      local gen = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end)
      assert.same({ 1, 2 }, { gen(), gen() })
    end)
  end)

  it("refuses a wait, naming rille.coroutine", function()
    run(function()
      raises(function()
        coroutine.wrap(function() rille.sleep(1) end)()
      end, "rille%.coroutine")
    end)
  end)

  it("leaves the task as it was after the refusal", function()
    run(function()
      pcall(coroutine.wrap(function() rille.sleep(1) end))
      rille.sleep(2)
      assert.equal(2, rille.now())
    end)
  end)
end)

describe("install_coroutines", function()
  local saved

  before_each(function()
    saved = { library = coroutine, fields = {} }
    for name, value in pairs(coroutine) do saved.fields[name] = value end
  end)

  after_each(function()
    _G.coroutine = saved.library
    for name, value in pairs(saved.fields) do saved.library[name] = value end
  end)

  it("makes generators of the global coroutine wait", function()
    rille.install_coroutines()
    run(function()
      local gen = coroutine.wrap(function() rille.sleep(1) coroutine.yield("value") end)
      assert.equal("value", gen())
    end)
  end)

  it("may be called twice", function()
    rille.install_coroutines()
    rille.install_coroutines()
    assert.equal(1, coroutine.wrap(function() return 1 end)())
  end)

  it("leaves ordinary generators as they were", function()
    rille.install_coroutines()
    local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
    assert.same({ 1, 2, 3 }, { gen(), gen(), gen() })
  end)
end)
