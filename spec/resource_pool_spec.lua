local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Runs fn(pool, scope, log) with a pool of tables {id = 1}, {id = 2} ... that
-- notes what is made and destroyed; `opts` are added to its options.
local function pooled(opts, fn)
  local log, made = helper.log(), 0
  local options = {
    create = function()
      made = made + 1
      log("+" .. made)
      return { id = made }
    end,
    destroy = function(resource) log("-" .. (resource.id or "")) end,
  }
  for key, value in pairs(opts) do options[key] = value end
  local result = run(function()
    return rille.scope(function(s) return fn(rille.resource_pool(options), s, log) end)
  end)
  return helper.text(log), result
end

-- Some fields of the stats, in order.
local function stats(pool, ...)
  local read, parts = pool:stats(), {}
  for i, key in ipairs { ... } do parts[i] = read[key] end
  return table.concat(parts, " ")
end

describe("resource_pool", function()
  describe("with", function()
    it("returns the results of the function, which gets a resource", function()
      pooled({}, function(pool)
        assert.same({ 1, nil, "x", n = 3 }, table.pack(pool:with(function(resource, more)
          return resource.id, nil, more
        end, "x")))
      end)
    end)

    it("lends the same resource again", function()
      assert.equal("+1 -1", (pooled({}, function(pool)
        for _ = 1, 3 do pool:with(function() rille.yield() end) end
      end)))
    end)

    it("never lends more than max at a time", function()
      local lent, peak = 0, 0
      pooled({ max = 3 }, function(pool, s)
        for i = 1, 20 do
          s:go(pool.with, pool, function()
            lent = lent + 1
            peak = math.max(peak, lent)
            rille.sleep(1 + i % 4)
            lent = lent - 1
          end)
        end
      end)
      assert.equal(3, peak)
    end)

    it("gives back after a failure, which passes unchanged", function()
      pooled({ max = 1 }, function(pool)
        local thrown = {}
        local _, err = pcall(pool.with, pool, function() error(thrown) end)
        assert.equal(thrown, err)
        assert.equal("1 0", stats(pool, "idle", "lent"))
      end)
    end)

    it("gives back when it is cancelled", function()
      pooled({ max = 1 }, function(pool)
        refused("timeout", rille.timeout(1, pool.with, pool, function() rille.sleep(60) end))
        assert.equal("1 0", stats(pool, "idle", "lent"))
      end)
    end)

    it("lets the function give back before its end", function()
      pooled({}, function(pool)
        pool:with(function(resource)
          pool:release(resource)
          assert.equal("1 0", stats(pool, "idle", "lent"))
          pool:acquire()
        end)
        assert.equal("0 1", stats(pool, "idle", "lent"))
      end)
    end)
  end)

  describe("waiting", function()
    it("is served in order", function()
      local log = helper.log()
      pooled({ max = 1 }, function(pool, s)
        for i = 1, 4 do
          s:go(pool.with, pool, function() log(i) rille.sleep(1) end)
        end
        rille.yield()
        pool:with(function() log "last" end)
      end)
      assert.equal("1 2 3 4 last", helper.text(log))
    end)

    it("is not overtaken when a resource is destroyed", function()
      local log = helper.log()
      pooled({ max = 1 }, function(pool, s)
        local resource = pool:acquire()
        s:go(pool.with, pool, function(r) log("first", r.id) end)
        rille.yield()
        pool:discard(resource)
        pool:with(function(r) log("second", r.id) end)
      end)
      assert.equal("first:2 second:2", helper.text(log))
    end)

    it("that is cancelled leaves nothing", function()
      pooled({ max = 1 }, function(pool)
        local resource = pool:acquire()
        refused("timeout", rille.timeout(1, pool.acquire, pool))
        assert.equal("0", stats(pool, "waiting"))
        pool:release(resource)
        assert.equal("1", stats(pool, "idle"))
      end)
    end)

    it("ends after acquire_timeout with a timeout", function()
      pooled({ max = 1, acquire_timeout = 3 }, function(pool)
        pool:acquire()
        local err = refused("timeout", pool:acquire())
        assert.truthy(err.message:find "3 s")
        assert.equal(3, rille.now())
        refused("timeout", pool:with(error))
      end)
    end)

    it("gets what is given back in the last moment, by the clock", function()
      pooled({ max = 1, acquire_timeout = 3 }, function(pool, s)
        local resource = pool:acquire()
        s:go(function() rille.sleep(3 - 1e-9) pool:release(resource) end)
        assert.equal(resource, (pool:acquire()))
      end)
    end)

    it("checks for cancellation first", function()
      assert.equal("", (pooled({}, function(pool)
        rille.scope(function(s)
          s:cancel()
          helper.raises_kind("cancelled", function() pool:acquire() end)
        end)
      end)))
    end)
  end)

  describe("create", function()
    it("that raises raises for the caller, and frees the place", function()
      pooled({ max = 1, create = function() error("refused", 0) end }, function(pool)
        for _ = 1, 3 do raises(function() pool:acquire() end, "^refused$") end
        assert.equal("0", stats(pool, "size"))
      end)
    end)

    it("that returns an error gives it to the caller", function()
      pooled({ create = function() return nil, "refused" end }, function(pool)
        assert.same({ nil, "refused", n = 2 }, table.pack(pool:acquire()))
        assert.same({ nil, "refused", n = 2 }, table.pack(pool:with(print)))
      end)
    end)

    it("that returns nothing is a failure", function()
      pooled({ create = function() end }, function(pool) refused("invalid", pool:acquire()) end)
    end)

    it("that fails gives its place to the next who waits", function()
      local log, calls = helper.log(), 0
      pooled({ max = 1, create = function()
        calls = calls + 1
        rille.sleep(1)
        if calls == 1 then error("refused", 0) end
        return {}
      end }, function(pool, s)
        s:go(function() log(pcall(pool.acquire, pool)) end)
        rille.yield()
        s:go(function() log(pool:acquire() ~= nil) end)
      end)
      assert.equal("false:refused true", helper.text(log))
    end)

    it("that is cancelled frees the place", function()
      pooled({ max = 1, create = function() rille.sleep(5) return {} end }, function(pool)
        refused("timeout", rille.timeout(1, pool.acquire, pool))
        assert.equal("0", stats(pool, "size"))
        assert.is_truthy(pool:acquire())
      end)
    end)

    it("that takes longer than acquire_timeout is cut", function()
      pooled({ acquire_timeout = 2, create = function() rille.sleep(5) return {} end },
        function(pool)
          refused("timeout", pool:acquire())
          assert.equal(2, rille.now())
          assert.equal("0", stats(pool, "size"))
        end)
    end)

    it("that stands the timeout has its resource lent all the same", function()
      pooled({ acquire_timeout = 2, create = function()
        rille.shield(rille.sleep, 5)
        return {}
      end }, function(pool)
        assert.is_truthy(pool:acquire())
        assert.equal("1 1", stats(pool, "size", "lent"))
      end)
    end)

    it("may give equal values", function()
      pooled({ create = function() return "same" end, destroy = function() end },
        function(pool)
          local a, b = pool:acquire(), pool:acquire()
          pool:release(a)
          assert.equal("1 1", stats(pool, "idle", "lent"))
          pool:release(b)
          assert.equal("2 0", stats(pool, "idle", "lent"))
          raises(function() pool:release(a) end)
        end)
    end)
  end)

  describe("validate", function()
    it("is asked before a resource is lent again, not of a new one", function()
      local log = helper.log()
      pooled({ validate = function(resource) log("?" .. resource.id) return true end },
        function(pool)
          pool:with(function() end)
          pool:with(function() end)
        end)
      assert.equal("?1", helper.text(log))
    end)

    it("that says no has it destroyed and replaced", function()
      assert.equal("+1 -1 +2 -2", (pooled({ max = 1, validate = function() end }, function(pool)
        pool:with(function() end)
        pool:with(function(resource) assert.equal(2, resource.id) end)
      end)))
    end)

    it("that raises has it destroyed and replaced", function()
      assert.equal("+1 -1 +2 -2", (pooled({ validate = error }, function(pool)
        pool:with(function() end)
        pool:with(function() end)
      end)))
    end)

    it("is asked of what is handed to one who waits", function()
      pooled({ max = 1, validate = function() return false end }, function(pool, s)
        s:go(pool.with, pool, function() rille.sleep(1) end)
        rille.yield()
        pool:with(function(resource) assert.equal(2, resource.id) end)
      end)
    end)

    it("that is cancelled loses the resource and its place is free", function()
      pooled({ max = 1, validate = function() rille.sleep(5) return true end }, function(pool)
        pool:with(function() end)
        refused("timeout", rille.timeout(1, pool.acquire, pool))
        assert.equal("0 1", stats(pool, "size", "destroyed"))
      end)
    end)
  end)

  describe("min", function()
    it("are made at once", function()
      pooled({ min = 2 }, function(pool) assert.equal("2 2", stats(pool, "size", "idle")) end)
    end)

    it("that cannot be made make no pool, and none is left", function()
      local log, made = helper.log(), 0
      run(function()
        local pool, err = rille.resource_pool { min = 3, destroy = log, create = function()
          made = made + 1
          if made == 3 then return nil, "refused" end
          return made
        end }
        assert.is_nil(pool)
        assert.equal("refused", err)
      end)
      assert.equal("2 1", helper.text(log))
    end)
  end)

  it("says what it is as text", function()
    pooled({ max = 3, min = 2 }, function(pool)
      assert.equal("rille.resource_pool: 2 of 3 (2 idle)", tostring(pool))
      pool:close()
      assert.equal("rille.resource_pool: 0 of 3 (0 idle, closed)", tostring(pool))
    end)
    pooled({ max = math.huge }, function(pool)
      assert.equal("rille.resource_pool: 0 of inf (0 idle)", tostring(pool))
    end)
  end)

  it("refuses to take back what it has not lent", function()
    pooled({}, function(pool)
      for _, method in ipairs { "release", "discard" } do
        raises(function() pool[method](pool, {}) end, "#1")
        raises(function() pool[method](pool, nil) end, "#1")
      end
    end)
  end)

  it("refuses wrong options and receivers", function()
    run(function()
      raises(function() rille.resource_pool() end, "#1")
      raises(function() rille.resource_pool {} end, "'create' is missing")
      raises(function() rille.resource_pool { create = print, max = 0 } end, "'max'")
      raises(function() rille.resource_pool { create = print, min = 3, max = 2 } end, "'min'")
      raises(function() rille.resource_pool { create = print, idle = 2 } end, "unknown")
      local pool = rille.resource_pool { create = print }
      raises(function() pool.acquire {} end, "bad self")
      raises(function() pool.x = 1 end, "no fields")
      assert.is_nil(pool.idle)
    end)
    raises(function() rille.resource_pool { create = print } end, "inside a task")
  end)
end)
