local rille = require "rille"
local helper = require "spec.helper"
local run, start, refused = helper.run, helper.start, helper.refused

-- A load that takes `seconds` and returns v1, v2 and so on, or fails if
-- `loads.fails` is set.
local function counting(seconds)
  local loads = { n = 0 }
  return function()
    loads.n = loads.n + 1
    local result = "v" .. loads.n
    rille.sleep(seconds)
    if loads.fails then error("failed", 0) end
    return result
  end, loads
end

-- A cache whose key "k" was loaded as "v1" and is fresh for 10 s from now.
local function loaded(opts, seconds)
  opts.ttl = 10
  local c, load, loads = rille.cache(opts), counting(seconds)
  c:get("k", load)
  return c, load, loads
end

describe("cache ttl", function()
  it("ends a value's life, counted from the end of its load", function()
    run(function()
      local c, load = loaded({}, 1)
      rille.sleep(9)
      assert.equal("v1", c:get("k", load))
      rille.sleep(1)
      assert.equal("v2", c:get("k", load))
    end)
  end)

  it("counts from set", function()
    run(function()
      local c = rille.cache { ttl = 0.2 }
      rille.sleep(0.1)
      c:set("k", 1)
      rille.sleep(0.1)
      assert.equal(1, c:peek("k"))
      rille.sleep(0.1)
      assert.is_nil(c:peek("k"))
    end)
  end)

  it("is not counted from a use", function()
    run(function()
      local c, load = loaded({}, 1)
      rille.sleep(5)
      c:get("k", load)
      rille.sleep(5)
      assert.is_nil(c:peek("k"))
    end)
  end)

  it("of 0 keeps nothing, but still loads once at a time", function()
    run(function()
      local c, load, loads = rille.cache { ttl = 0 }, counting(1)
      local first, second = start(c.get, c, "k", load), start(c.get, c, "k", load)
      first:await()
      second:await()
      c:get("k", load)
      assert.equal(2, loads.n)
    end)
  end)

  it("is math.huge by default", function()
    run(function()
      local c = rille.cache()
      c:set("k", 1)
      rille.sleep(1e9)
      assert.equal(1, c:peek("k"))
    end)
  end)

  it("that has ended lets a failed load be a failure", function()
    run(function()
      local c, load, loads = loaded({}, 1)
      rille.sleep(10)
      loads.fails = true
      assert.same({ nil, "failed" }, { c:get("k", load) })
    end)
  end)
end)

describe("cache stale", function()
  it("lets one caller load anew in its own task", function()
    run(function()
      local c, load = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      assert.equal("v2", c:get("k", load))
      assert.equal(14, rille.now())
    end)
  end)

  it("gives the others the old value meanwhile, at once", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      local first = start(c.get, c, "k", load)
      assert.equal("v1", c:get("k", load))
      assert.equal(13, rille.now())
      assert.equal("v2", (first:await()))
      assert.equal(2, loads.n)
    end)
  end)

  it("gives them the new value afterwards", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      c:get("k", load)
      assert.equal("v2", c:get("k", load))
      assert.equal(2, loads.n)
    end)
  end)

  it("lets them wait once it has passed", function()
    run(function()
      local c, load = loaded({ stale = 5 }, 3)
      rille.sleep(14)
      local first = start(c.get, c, "k", load)
      rille.sleep(2)
      assert.equal("v2", (c:get("k", load)))
      assert.equal(20, rille.now())
      first:await()
    end)
  end)

  it("gives the old value when the load fails", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      loads.fails = true
      assert.equal("v1", c:get("k", load))
    end)
  end)

  it("lets a load that fails be tried again by the next caller", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      loads.fails = true
      c:get("k", load)
      loads.fails = false
      assert.equal("v3", c:get("k", load))
    end)
  end)

  it("does not give it once it has passed when the load fails", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 3)
      rille.sleep(14)
      loads.fails = true
      assert.same({ nil, "failed" }, { c:get("k", load) })
    end)
  end)

  it("does not give it in place of nil, which says that there is no value", function()
    run(function()
      local c = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      assert.is_nil(c:get("k", function() end))
      assert.equal(0, c:stats().size)
    end)
  end)

  it("does not turn the cancellation of the caller that loads into the old value", function()
    run(function()
      local c, load = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      local first = start(c.get, c, "k", load)
      first:cancel()
      refused("cancelled", first:await())
    end)
  end)

  it("lets the next caller load when the one that loads is cancelled", function()
    run(function()
      local c, load = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      start(c.get, c, "k", load):cancel()
      rille.yield()
      assert.equal("v3", (c:get("k", load)))
    end)
  end)

  it("is not given back by forget", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      loads.fails = true
      local first = start(c.get, c, "k", load)
      c:forget("k")
      assert.same({ nil, "failed" }, { first:await() })
    end)
  end)

  it("is not what peek looks for", function()
    run(function()
      local c = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      assert.is_nil(c:peek("k"))
    end)
  end)
end)

describe("cache stats", function()
  it("count hits, misses, loads and entries", function()
    run(function()
      local c, load = rille.cache(), counting(1)
      local first, second = start(c.get, c, "k", load), start(c.get, c, "k", load)
      assert.equal(1, c:stats().loading)
      first:await()
      second:await()
      c:get("k", load)
      assert.same({ hits = 1, misses = 2, stale = 0, loads = 1, evictions = 0, size = 1,
        loading = 0 }, c:stats())
    end)
  end)

  it("count old values, given while loading and after a failure", function()
    run(function()
      local c, load, loads = loaded({ stale = 5 }, 1)
      rille.sleep(12)
      loads.fails = true
      local first = start(c.get, c, "k", load)
      c:get("k", load)
      first:await()
      assert.equal(2, c:stats().stale)
      assert.equal(2, c:stats().misses)
    end)
  end)

  it("count evictions", function()
    local c = rille.cache { size = 2 }
    for key = 1, 5 do c:set(key, key) end
    assert.equal(3, c:stats().evictions)
  end)

  it("do not count what was forgotten as evicted", function()
    local c = rille.cache()
    c:set(1, 1)
    c:forget(1)
    assert.same({ 0, 0 }, { c:stats().evictions, c:stats().size })
  end)
end)
