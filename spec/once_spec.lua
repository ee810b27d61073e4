local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused
local start = helper.start

-- A function that takes a second and counts its runs.
local function slow(result)
  local runs = 0
  return function(...)
    runs = runs + 1
    rille.sleep(1)
    if result == "fail" then error("failed", 0) end
    return result or runs, ...
  end, function() return runs end
end

describe("once", function()
  it("is a function", function()
    assert.equal("function", type(rille.once(print)))
  end)

  it("returns the results", function()
    run(function() assert.same({ 1, "x" }, { rille.once((slow()))("x") }) end)
  end)

  it("runs the function once", function()
    run(function()
      local fn, runs = slow()
      local once = rille.once(fn)
      once()
      once()
      assert.equal(1, runs())
    end)
  end)

  it("gives later calls the results at once", function()
    run(function()
      local once = rille.once((slow()))
      once()
      once()
      assert.equal(1, rille.now())
    end)
  end)

  it("gives later calls the results for the first arguments", function()
    run(function()
      local once = rille.once((slow()))
      once("first")
      assert.same({ 1, "first" }, { once("second") })
    end)
  end)

  for name, values in pairs {
    none = { n = 0 }, ["a nil"] = { n = 1 }, ["a false"] = { n = 1, false },
    ["nils between values"] = { n = 4, 1, nil, 3, nil },
  } do
    it("keeps " .. name, function()
      run(function()
        local once = rille.once(function() return table.unpack(values, 1, values.n) end)
        once()
        assert.same(values, table.pack(once()))
      end)
    end)
  end

  it("keeps 200 results", function()
    run(function()
      local once = rille.once(function() return table.unpack({}, 1, 200) end)
      once()
      assert.equal(200, select("#", once()))
    end)
  end)

  it("lets callers that come meanwhile wait for the results", function()
    run(function()
      local once = rille.once((slow("value")))
      local first, second = start(once), start(once)
      assert.equal("value", (first:await()))
      assert.equal("value", (second:await()))
      assert.equal(1, rille.now())
    end)
  end)

  it("takes a returned closed error for a result", function()
    run(function()
      local runs = 0
      local once = rille.once(function()
        runs = runs + 1
        local ch = rille.channel()
        ch:close()
        return ch:recv()
      end)
      refused("closed", once())
      refused("closed", once())
      assert.equal(1, runs)
    end)
  end)

  it("does not hold the function once it has run", function()
    run(function()
      local weak = setmetatable({}, { __mode = "k" })
      local function make()
        local big = {}
        weak[big] = true
        return rille.once(function() return #big end)
      end
      local once = make()
      once()
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
      assert.equal(0, (once()))
    end)
  end)
end)

describe("once, when the function fails", function()
  it("returns nil and the raised error", function()
    run(function()
      local value, err = rille.once((slow("fail")))()
      assert.is_nil(value)
      assert.equal("failed", err)
    end)
  end)

  it("returns nil and the returned error", function()
    run(function()
      assert.same({ nil, "why" },
        { rille.once(function() return false, "why", 3 end)() })
    end)
  end)

  it("gives those who wait the same error", function()
    run(function()
      local err = setmetatable({}, {})
      local once = rille.once(function() rille.sleep(1) error(err) end)
      local tasks = {}
      for i = 1, 5 do tasks[i] = start(once) end
      for _, task in ipairs(tasks) do
        assert.equal(err, (select(2, task:await())))
      end
    end)
  end)

  it("runs it anew for a later call", function()
    run(function()
      local fn, runs = slow("fail")
      local once = rille.once(fn)
      once()
      once()
      assert.equal(2, runs())
    end)
  end)

  it("keeps the results of a later success", function()
    run(function()
      local fails = true
      local once = rille.once(function() if fails then error "no" end return "yes" end)
      once()
      fails = false
      assert.equal("yes", (once()))
      fails = true
      assert.equal("yes", (once()))
    end)
  end)

  it("keeps the failure with keep_errors", function()
    run(function()
      local fn, runs = slow("fail")
      local once = rille.once(fn, { keep_errors = true })
      once()
      assert.same({ nil, "failed" }, { once() })
      assert.equal(1, runs())
    end)
  end)
end)

describe("once, called by its own function", function()
  it("raises deadlock", function()
    run(function()
      local once
      once = rille.once(function() return once() end)
      refused("deadlock", once())
    end)
  end)

  it("raises deadlock in a task that it waits for", function()
    run(function()
      local once
      once = rille.once(function()
        return rille.scope(function(s) return s:task(function() return once() end):await() end)
      end)
      refused("deadlock", once())
    end)
  end)

  it("raises deadlock deeper down", function()
    run(function()
      local once
      once = rille.once(function()
        return rille.hedge({ delay = 9 }, function()
          return rille.hedge({ delay = 9 }, once)
        end)
      end)
      refused("deadlock", once())
    end)
  end)

  it("waits in a task of a scope around it", function()
    run(function()
      rille.scope(function(s)
        local once = rille.once((slow("value")))
        local other = s:task(function() return once() end)
        assert.equal("value", (once()))
        assert.equal("value", (other:await()))
      end)
    end)
  end)

  it("waits in a daemon, which nobody waits for", function()
    run(function()
      local once
      once = rille.once(function()
        rille.scope(function(s)
          s:go({ daemon = true }, once)
          rille.sleep(1)
        end)
        return "value"
      end)
      assert.equal("value", (once()))
    end)
  end)

  it("waits in a task that a sibling has started", function()
    run(function()
      local once = rille.once((slow("value")))
      local first = start(once)
      rille.scope(function(s) assert.equal("value", (s:task(once):await())) end)
      first:await()
    end)
  end)
end)

describe("once, misused", function()
  it("raises without a function", function()
    raises(function() rille.once(1) end, "#1 to 'once' %(a function expected, got 1%)")
  end)

  it("raises for an unknown option", function()
    raises(function() rille.once(print, { keep_error = true }) end, "did you mean 'keep_errors'")
  end)

  it("raises outside a task", function()
    raises(rille.once(print), "not inside a task")
  end)
end)
