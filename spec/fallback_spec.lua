local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused, start = helper.run, helper.raises, helper.refused, helper.start

-- An error object of the engine.
local function engine_error()
  local _, err = rille.channel(1):try_recv()
  return err
end

describe("fallback", function()
  it("returns the results of the function", function()
    assert.same({ n = 3, 1, nil, nil },
      table.pack(rille.fallback(function() return 1, nil, nil end, error)))
  end)

  it("works outside a task, if the two do not wait", function()
    assert.equal("other", (rille.fallback(error, function() return "other" end)))
  end)

  it("gives the function the arguments", function()
    assert.same({ n = 2, nil, 3 }, table.pack(rille.fallback(function(...)
      return select(2, ...)
    end, error, 1, nil, 3)) or nil)
  end)

  it("returns the results of the alternative when the function raised", function()
    assert.same({ n = 2, "a", nil }, table.pack(rille.fallback(function() error "x" end,
      function() return "a", nil end)))
  end)

  it("does so too when it returned nil and an error", function()
    assert.equal("a", (rille.fallback(function() return nil, "x" end, function() return "a" end)))
  end)

  it("does so too when it raised nil", function()
    assert.equal("a", (rille.fallback(function() error() end, function() return "a" end)))
  end)

  it("gives the alternative the error and the arguments", function()
    assert.same({ n = 4, "x", 1, nil, nil }, rille.fallback(function() error("x", 0) end,
      table.pack, 1, nil, nil))
  end)

  it("does not take nil alone for a failure", function()
    assert.is_nil(rille.fallback(function() return nil end, error))
  end)

  it("does not take a returned closed error for a failure", function()
    run(function()
      local ch = rille.channel()
      ch:close()
      refused("closed", rille.fallback(ch.recv, error, ch))
    end)
  end)

  it("takes a raised closed error for one", function()
    run(function()
      local ch = rille.channel()
      ch:close()
      assert.equal("a", (rille.fallback(ch.send, function() return "a" end, ch, 1)))
    end)
  end)

  it("takes the timeout of an inner scope for one", function()
    run(function()
      assert.equal("late", (rille.fallback(function()
        return rille.timeout(1, rille.sleep, 2)
      end, function(err)
        refused("timeout", nil, err)
        return "late"
      end)))
    end)
  end)

  it("lets both wait", function()
    run(function()
      rille.fallback(function() rille.sleep(1) error "x" end, function() rille.sleep(2) end)
      assert.equal(3, rille.now())
    end)
  end)

  it("raises without functions", function()
    raises(function() rille.fallback(1, print) end, "#1 to 'fallback'")
    raises(function() rille.fallback(print) end, "#2 to 'fallback'")
  end)
end)

describe("fallback, when the alternative fails", function()
  it("returns nil and its error", function()
    assert.same({ nil, "second" }, { rille.fallback(function() error "first" end,
      function() error("second", 0) end) })
    assert.same({ nil, "second" }, { rille.fallback(function() error "first" end,
      function() return false, "second" end) })
  end)

  it("gives an error object of the engine the first one as its cause", function()
    local err = engine_error()
    assert.equal(err, (select(2, rille.fallback(function() error("first", 0) end,
      function() error(err) end))))
    assert.equal("first", err.cause)
  end)

  it("leaves it the cause that it has", function()
    local err = engine_error()
    err.cause = "own"
    rille.fallback(function() error "first" end, function() error(err) end)
    assert.equal("own", err.cause)
  end)

  it("does not make an error its own cause", function()
    local err = engine_error()
    rille.fallback(function() error(err) end, error)
    assert.is_nil(err.cause)
  end)

  it("leaves an error of the user's as it is", function()
    local err = {}
    rille.fallback(function() error "first" end, function() error(err) end)
    assert.is_nil(next(err))
  end)
end)

describe("fallback and cancellation", function()
  -- Starts fallback in a task that is cancelled after 0.5 s. Returns whether
  -- the error was the task's cancellation, and whether `alternative` ran.
  local function cancelled(fn, alternative)
    local same
    local task = start(function()
      local ok, err = pcall(rille.fallback, fn, alternative)
      same = not ok and rille.is_cancellation(err)
    end)
    rille.sleep(0.5)
    task:cancel()
    task:await()
    return same
  end

  it("lets that of the function pass, without the alternative", function()
    run(function()
      local ran = false
      assert.is_true(cancelled(function() rille.sleep(1) end, function() ran = true end))
      assert.is_false(ran)
    end)
  end)

  it("lets one pass that the function returned", function()
    run(function()
      local ran = false
      assert.is_true(cancelled(function() return nil, select(2, pcall(rille.sleep, 1)) end,
        function() ran = true end))
      assert.is_false(ran)
    end)
  end)

  it("lets that of the alternative pass", function()
    run(function() assert.is_true(cancelled(error, function() rille.sleep(1) end)) end)
  end)

  it("takes that of another task for a failure", function()
    run(function()
      local other = start(rille.sleep, 9)
      other:cancel()
      assert.equal("a", (rille.fallback(other.await, function() return "a" end, other)))
    end)
  end)
end)
