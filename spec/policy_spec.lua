local rille = require "rille"
local helper = require "spec.helper"
local run, raises, start = helper.run, helper.raises, helper.start

-- An object as circuit_breaker, limiter and bulkhead take it, which notes its
-- calls.
local function caller(log, name)
  return {
    call = function(_, fn, ...)
      log(name)
      return fn(...)
    end,
    stats = function() return { name = name } end,
  }
end

local function sleep_and_return(seconds, ...)
  rille.sleep(seconds)
  return ...
end

describe("policy without layers", function()
  it("calls the function", function()
    assert.same({ n = 3, 1, nil, nil }, table.pack(rille.policy():call(table.unpack, { 1 }, 1, 3)))
  end)

  it("returns nil and the error that it raises", function()
    assert.same({ nil, "x" }, { rille.policy {}:call(error, "x", 0) })
  end)

  it("returns nil and the error that it returns", function()
    assert.same({ nil, "x" }, { rille.policy {}:call(function() return false, "x", 1 end) })
  end)

  it("is described as fn", function()
    assert.equal("fn", rille.policy():describe())
  end)
end)

describe("policy", function()
  it("puts its layers into the fixed order, outermost first", function()
    local log = helper.log()
    run(function()
      local p = rille.policy {
        bulkhead = caller(log, "bulkhead"),
        limiter = caller(log, "limiter"),
        circuit_breaker = caller(log, "circuit_breaker"),
        hedge = { delay = function() log "hedge" return 1 end },
      }
      p:call(log, "fn")
    end)
    assert.equal("hedge circuit_breaker limiter bulkhead fn", helper.text(log))
  end)

  it("describes them in a line", function()
    local log = helper.log()
    assert.equal("fallback > cache > total_timeout 5 s > hedge > circuit_breaker > limiter"
      .. " > bulkhead > timeout 0.5 s > fn", rille.policy {
        fallback = print, cache = {}, total_timeout = 5, hedge = { delay = 1 },
        circuit_breaker = caller(log), limiter = caller(log), bulkhead = caller(log),
        timeout = 0.5 }:describe())
  end)

  it("says what it is as text", function()
    assert.equal("rille.policy: timeout 1 s > fn", tostring(rille.policy { timeout = 1 }))
  end)

  it("passes arguments and results through all layers, nils included", function()
    run(function()
      local p = rille.policy { fallback = error, cache = {}, total_timeout = 9,
        hedge = { delay = 9 }, limiter = caller(helper.log(), "l"), timeout = 9 }
      assert.same({ n = 4, "key", nil, 3, nil },
        table.pack(p:call(function(...) return ... end, "key", nil, 3, nil)))
    end)
  end)

  it("gives the statistics of the objects in it", function()
    local p = rille.policy { cache = { size = 3 }, limiter = caller(helper.log(), "l") }
    local stats = p:stats()
    assert.equal(0, stats.cache.hits)
    assert.equal("l", stats.limiter.name)
    assert.is_nil(stats.hedge)
  end)

  it("counts what the other layers have done", function()
    run(function()
      local p = rille.policy { fallback = function() return "instead" end, total_timeout = 10,
        retry = { delay = 1, max_retries = 9 }, hedge = { delay = 1 }, timeout = 2 }
      assert.equal("instead", (p:call(rille.sleep, 60)))
      assert.equal("quick", (p:call(function() return "quick" end)))
      assert.same({ fallback = { used = 1 }, total_timeout = { expired = 1 },
        retry = { retries = 2 }, hedge = { hedges = 3 }, timeout = { expired = 4 } }, p:stats())
    end)
  end)

  it("leaves the hooks that it counts with to their owners", function()
    run(function()
      local log = helper.log()
      local p = rille.policy { retry = { delay = 1, max_retries = 1,
        on_retry = function(err, attempt) log(err, attempt) end } }
      p:call(error, "x")
      assert.equal("x:1", helper.text(log))
    end)
  end)

  it("may be used within another", function()
    run(function()
      local inner = rille.policy { timeout = 1 }
      local outer = rille.policy { fallback = function(err) return err.kind end }
      assert.equal("timeout", (outer:call(inner.call, inner, rille.sleep, 2)))
    end)
  end)

  it("may be shared by tasks", function()
    run(function()
      local p, tasks = rille.policy { timeout = 2, hedge = { delay = 9 } }, {}
      for i = 1, 5 do tasks[i] = start(p.call, p, sleep_and_return, 1, i) end
      for i, task in ipairs(tasks) do assert.equal(i, (task:await())) end
    end)
  end)

  it("raises for an unknown layer", function()
    raises(function() rille.policy { breaker = {} } end, "unknown option 'breaker'")
  end)

  for option, value in pairs { fallback = {}, cache = 1, total_timeout = "1", hedge = 1,
    circuit_breaker = 1, limiter = print, bulkhead = false, timeout = 0 / 0, cache_key = 1 } do
    it("raises for a bad " .. option, function()
      raises(function() rille.policy { [option] = value } end, "option '" .. option .. "'")
    end)
  end

  it("checks the options of a layer when it is made", function()
    raises(function() rille.policy { hedge = { delay = 1, max = 0 } } end, "option 'max'")
    raises(function() rille.policy { hedge = {} } end, "option 'delay'")
    raises(function() rille.policy { cache = { size = 0 } } end, "option 'size'")
  end)

  it("raises without a function to call", function()
    raises(function() rille.policy():call(1) end, "#1 to 'call'")
  end)

  it("refuses a receiver that is no policy", function()
    for _, name in ipairs { "call", "describe", "stats" } do
      raises(function() rille.policy()[name]({}, print) end, "bad self")
    end
  end)
end)

describe("policy fallback", function()
  it("gets the error and the arguments of the call, alone and around layers", function()
    for _, opts in ipairs { {}, { timeout = 1 }, { timeout = 1, total_timeout = 2 } } do
      run(function()
        opts.fallback = table.pack
        assert.same({ n = 4, "x", 0, nil, 3 }, rille.policy(opts):call(function()
          error("x", 0)
        end, 0, nil, 3))
      end)
    end
  end)

  it("runs also when a layer inside returned a closed error that was raised", function()
    run(function()
      local ch = rille.channel()
      ch:close()
      local p = rille.policy { fallback = function() return "saved" end, hedge = { delay = 1 } }
      assert.equal("saved", (p:call(ch.send, ch, 1)))
    end)
  end)

  it("that fails is nil and its error", function()
    run(function()
      assert.same({ nil, "y" }, { rille.policy { fallback = function() error("y", 0) end,
        timeout = 1 }:call(error, "x") })
    end)
  end)
end)

describe("policy cache", function()
  it("keeps results by the first argument", function()
    run(function()
      local p, calls = rille.policy { cache = {} }, 0
      local function load(key) calls = calls + 1 return key .. calls end
      assert.equal("a1", p:call(load, "a"))
      assert.equal("a1", p:call(load, "a"))
      assert.equal("b2", p:call(load, "b"))
    end)
  end)

  it("keeps them by what cache_key gives for the arguments", function()
    run(function()
      local p = rille.policy { cache = {}, timeout = 9,
        cache_key = function(a, b) return a .. b end }
      assert.equal(1, p:call(function() return 1 end, "x", "y"))
      assert.equal(1, p:call(function() return 2 end, "x", "y"))
      assert.equal(3, p:call(function() return 3 end, "x", "z"))
    end)
  end)

  it("runs the layers inside only when it loads", function()
    local log = helper.log()
    run(function()
      local p = rille.policy { cache = {}, limiter = caller(log, "limiter") }
      p:call(rille.now, "k")
      p:call(rille.now, "k")
    end)
    assert.equal("limiter", helper.text(log))
  end)

  it("does not keep what fallback gives", function()
    run(function()
      local p = rille.policy { cache = {}, fallback = function() return "other" end }
      assert.equal("other", (p:call(error, "k")))
      assert.equal("value", (p:call(function() return "value" end, "k")))
    end)
  end)

  it("may be one made before", function()
    run(function()
      local c = rille.cache()
      rille.policy { cache = c }:call(function() return "value" end, "k")
      assert.equal("value", c:peek("k"))
    end)
  end)

  it("raises, or fails, where a call has no key", function()
    run(function()
      local value, err = rille.policy { cache = {}, fallback = function(e) return nil, e end }
        :call(print)
      assert.is_nil(value)
      assert.truthy(err:find "needs a key")
      raises(function() rille.policy { cache = {} }:call(print) end, "needs a key")
    end)
  end)
end)
