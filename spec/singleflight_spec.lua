local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises
local start = helper.start

-- Waits a second, then returns its arguments.
local function slow(...)
  rille.sleep(1)
  return ...
end

describe("singleflight", function()
  it("says what it is as text", function()
    assert.equal("rille.singleflight: 0 in flight", tostring(rille.singleflight()))
  end)

  it("may be made outside a task", function()
    assert.same({ runs = 0, shared = 0, active = 0 }, rille.singleflight():stats())
  end)

  it("has no public fields", function()
    local g = rille.singleflight()
    assert.is_nil(next(g))
    raises(function() g.x = 1 end, "no fields")
  end)

  it("is collected", function()
    local weak = setmetatable({ rille.singleflight() }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)

describe("singleflight call", function()
  it("returns the results", function()
    run(function()
      assert.same({ n = 3, 1, nil, nil },
        table.pack(rille.singleflight():call("k", slow, 1, nil, nil)))
    end)
  end)

  it("runs a key once for ten callers", function()
    run(function()
      local g, runs, tasks = rille.singleflight(), 0, {}
      for i = 1, 10 do
        tasks[i] = start(g.call, g, "k", function()
          runs = runs + 1
          return slow("bar")
        end)
      end
      for _, task in ipairs(tasks) do assert.equal("bar", (task:await())) end
      assert.equal(1, runs)
    end)
  end)

  it("gives those who wait the leader's results, not those of their own function", function()
    run(function()
      local g = rille.singleflight()
      local first, second = start(g.call, g, "k", slow, 1), start(g.call, g, "k", slow, 2)
      assert.equal(1, (first:await()))
      assert.equal(1, (second:await()))
    end)
  end)

  it("runs two keys side by side", function()
    run(function()
      local g = rille.singleflight()
      local first, second = start(g.call, g, "a", slow, 1), start(g.call, g, "b", slow, 2)
      assert.equal(1, (first:await()))
      assert.equal(2, (second:await()))
      assert.equal(1, rille.now())
    end)
  end)

  it("runs a key again once its run has ended", function()
    run(function()
      local g = rille.singleflight()
      assert.equal(1, (g:call("k", slow, 1)))
      assert.equal(2, (g:call("k", slow, 2)))
    end)
  end)

  it("takes 1 and 1.0 for the same key", function()
    run(function()
      local g = rille.singleflight()
      start(g.call, g, 1, slow, "a")
      assert.equal("a", (g:call(1.0, slow, "b")))
    end)
  end)

  it("takes false for a key", function()
    run(function() assert.equal(1, (rille.singleflight():call(false, slow, 1))) end)
  end)

  it("gives all the same error when the function raises", function()
    run(function()
      local g, err, tasks = rille.singleflight(), {}, {}
      for i = 1, 5 do
        tasks[i] = start(g.call, g, "k", function() rille.sleep(1) error(err) end)
      end
      for _, task in ipairs(tasks) do
        local value, given = task:await()
        assert.is_nil(value)
        assert.equal(err, given)
      end
    end)
  end)

  it("gives all the same error when it returns one", function()
    run(function()
      local g, err = rille.singleflight(), {}
      local first = start(g.call, g, "k", slow, nil, err)
      local second = start(g.call, g, "k", slow)
      assert.equal(err, (select(2, first:await())))
      assert.equal(err, (select(2, second:await())))
    end)
  end)

  it("does not keep a failure", function()
    run(function()
      local g = rille.singleflight()
      g:call("k", error, "x")
      assert.equal(1, (g:call("k", slow, 1)))
    end)
  end)

  it("raises for a key of nil or NaN", function()
    run(function()
      local g = rille.singleflight()
      raises(function() g:call(nil, slow) end, "#1 to 'call'.*other than nil and NaN")
      raises(function() g:call(0 / 0, slow) end, "#1 to 'call'")
    end)
  end)

  it("raises without a function", function()
    run(function()
      raises(function() rille.singleflight():call("k", 1) end, "#2 to 'call'")
    end)
  end)

  it("raises outside a task", function()
    raises(function() rille.singleflight():call("k", slow) end, "not inside a task")
  end)

  for _, receiver in ipairs { 42, "text", {}, rille.channel(1), (rille.cache()) } do
    it("refuses a receiver that is " .. tostring(receiver):gsub(":.*", ""), function()
      for _, name in ipairs { "call", "forget", "stats" } do
        raises(function() rille.singleflight()[name](receiver, 1, print) end, "bad self")
      end
    end)
  end
end)

describe("singleflight forget", function()
  it("lets the next call run, and share with those after it", function()
    run(function()
      local g = rille.singleflight()
      local first = start(g.call, g, "k", slow, 1)
      g:forget("k")
      local second, third = start(g.call, g, "k", slow, 2), start(g.call, g, "k", slow, 3)
      assert.equal(1, (first:await()))
      assert.equal(2, (second:await()))
      assert.equal(2, (third:await()))
    end)
  end)

  it("leaves those who wait with their run", function()
    run(function()
      local g = rille.singleflight()
      local first, second = start(g.call, g, "k", slow, 1), start(g.call, g, "k", slow, 2)
      g:forget("k")
      first:cancel()
      assert.equal(2, (second:await()))
    end)
  end)

  it("lets the end of the old run leave the new one alone", function()
    run(function()
      local g = rille.singleflight()
      start(g.call, g, "k", slow, 1)
      rille.sleep(0.5)
      g:forget("k")
      start(g.call, g, "k", slow, 2)
      rille.sleep(0.6)
      assert.equal(2, (g:call("k", slow, 3)))
    end)
  end)

  it("does nothing for a key that is not in flight", function()
    rille.singleflight():forget("k")
  end)
end)

describe("singleflight stats", function()
  it("counts runs, shared outcomes and keys in flight", function()
    run(function()
      local g = rille.singleflight()
      for _ = 1, 3 do start(g.call, g, "a", slow) end
      start(g.call, g, "b", slow)
      assert.same({ runs = 2, shared = 0, active = 2 }, g:stats())
      rille.sleep(2)
      assert.same({ runs = 2, shared = 2, active = 0 }, g:stats())
    end)
  end)
end)
