local rille = require "rille"
local helper = require "spec.helper"
local run, raises, raises_kind = helper.run, helper.raises, helper.raises_kind

-- Runs fn(pool, scope) with a pool made of the options.
local function pooled(opts, fn)
  return run(function()
    return rille.scope(function(s) return fn(rille.worker_pool(opts), s) end)
  end)
end

-- A handler that takes `seconds` and notes what is done.
local function noting(log, seconds)
  return function(job)
    rille.sleep(seconds)
    log(job)
  end
end

describe("the end of a worker pool", function()
  describe("close", function()
    it("waits until all jobs are done, and returns true", function()
      local log = helper.log()
      pooled({ workers = 2, handler = noting(log, 1) }, function(pool)
        for i = 1, 5 do pool:submit(i) end
        assert.is_true(pool:close())
        assert.equal(3, rille.now())
      end)
      assert.equal("1 2 3 4 5", helper.text(log))
    end)

    it("may be called twice, and by several tasks", function()
      local log = helper.log()
      pooled({ workers = 1, handler = noting(log, 1) }, function(pool, s)
        pool:submit(1)
        s:go(function() log(pool:close()) end)
        rille.yield()
        log(pool:close())
      end)
      assert.equal("1 true true", helper.text(log))
    end)

    it("of an unused pool returns at once", function()
      pooled({ handler = print }, function(pool) assert.is_true(pool:close()) end)
    end)

    it("goes on draining when its caller is cancelled", function()
      local log = helper.log()
      pooled({ workers = 1, handler = noting(log, 2) }, function(pool)
        pool:submit(1)
        pool:submit(2)
        rille.timeout(1, pool.close, pool)
        log "left"
        raises_kind("closed", function() pool:submit(3) end)
      end)
      assert.equal("left 1 2", helper.text(log))
    end)

    it("is refused to a handler, which would wait for itself", function()
      pooled({ handler = function(pool) pool:close() end }, function(pool)
        pool:submit(pool)
        local _, err = pool:close()
        assert.truthy(err:find "handler")
      end)
    end)
  end)

  describe("shutdown", function()
    it("returns nothing when all was done in time", function()
      local log = helper.log()
      pooled({ workers = 1, handler = noting(log, 1) }, function(pool)
        for i = 1, 3 do pool:submit(i) end
        assert.same({}, pool:shutdown(3.5))
        assert.equal(3, rille.now())
      end)
      assert.equal("1 2 3", helper.text(log))
    end)

    it("returns the jobs not done, those cut off first, in order", function()
      pooled({ workers = 2, handler = rille.sleep }, function(pool)
        for _, seconds in ipairs { 1, 9, 8, 7, 6 } do pool:submit(seconds) end
        assert.same({ 9, 8, 7, 6 }, pool:shutdown(2))
        assert.equal(2, rille.now())
        assert.equal(4, pool:stats().returned)
        assert.same({}, pool:shutdown(2))
      end)
    end)

    it("of 0 cuts all off at once", function()
      local log = helper.log()
      pooled({ workers = 1, handler = noting(log, 1) }, function(pool)
        pool:submit(1)
        pool:submit(2)
        assert.same({ 1, 2 }, pool:shutdown(0))
      end)
      assert.equal("", helper.text(log))
    end)

    it("joins those it has cut off", function()
      local log = helper.log()
      pooled({ handler = function()
        local _ <close> = helper.closing(function() rille.sleep(1) log "cleaned" end)
        rille.sleep(60)
      end }, function(pool, s)
        pool:submit(1)
        pool:shutdown(3)
        log(rille.now())
        assert.equal(0, s:active())
      end)
      assert.equal("cleaned 4", helper.text(log))
    end)

    it("returns a job whose result nobody has taken", function()
      pooled({ workers = 1, results = 0, handler = function(job) return job end }, function(pool)
        pool:submit(1)
        assert.same({ 1 }, pool:shutdown(1))
      end)
    end)

    it("counts a job that stands its cancellation as done", function()
      pooled({ handler = function() rille.shield(rille.sleep, 5) end }, function(pool)
        pool:submit(1)
        assert.same({}, pool:shutdown(1))
        assert.equal(1, pool:stats().processed)
      end)
    end)

    it("refuses a wrong time", function()
      pooled({ handler = print }, function(pool)
        raises(function() pool:shutdown() end, "#1")
        raises(function() pool:shutdown("soon") end, "#1")
      end)
    end)
  end)

  describe("of the scope", function()
    it("drains the pool", function()
      local log = helper.log()
      pooled({ workers = 1, handler = noting(log, 1) }, function(pool)
        for i = 1, 3 do pool:submit(i) end
      end)
      assert.equal("1 2 3", helper.text(log))
    end)

    it("closes the pool", function()
      local kept = pooled({ handler = print }, function(pool) return pool end)
      run(function() raises_kind("closed", function() kept:submit(1) end) end)
    end)

    it("by a failure cuts the jobs off; shutdown returns them", function()
      local kept
      pcall(pooled, { workers = 1, handler = rille.sleep }, function(pool)
        kept = pool
        for i = 7, 9 do pool:submit(i) end
        rille.sleep(1)
        error "elsewhere"
      end)
      assert.equal(1, kept:stats().returned)
      assert.equal(2, kept:stats().queued)
      assert.same({ 7, 8, 9 }, run(function() return kept:shutdown(0) end))
      assert.equal(3, kept:stats().returned)
    end)

    it("before a worker has begun keeps its job", function()
      local kept
      pcall(pooled, { handler = print }, function(pool)
        kept = pool
        pool:submit(1)
        error "elsewhere"
      end)
      assert.same({ 1 }, run(function() return kept:shutdown(0) end))
    end)

    it("wakes a submit that waits in another scope", function()
      run(function()
        local pool
        local owner = rille.root():task(function()
          rille.scope({ timeout = 5 }, function()
            pool = rille.worker_pool { workers = 1, queue = 0, handler = rille.sleep }
            rille.sleep(60)
          end)
        end)
        rille.yield()
        pool:submit(60)
        raises_kind("closed", function() pool:submit(60) end)
        owner:await()
      end)
    end)
  end)

  describe("<close>", function()
    it("drains", function()
      local log = helper.log()
      run(function()
        do
          local pool <close> = rille.worker_pool { workers = 1, handler = noting(log, 1) }
          pool:submit(1)
          pool:submit(2)
        end
        log "left"
      end)
      assert.equal("1 2 left", helper.text(log))
    end)

    it("cuts off when the block fails", function()
      local log = helper.log()
      run(function()
        pcall(function()
          local pool <close> = rille.worker_pool { handler = noting(log, 1) }
          pool:submit(1)
          error "x"
        end)
        log(rille.now())
      end)
      assert.equal("0", helper.text(log))
    end)

    it("joins when the task is cancelled", function()
      local log = helper.log()
      run(function()
        rille.timeout(1, function()
          local pool <close> = rille.worker_pool { handler = function()
            local _ <close> = helper.closing(function() rille.sleep(1) log "cleaned" end)
            rille.sleep(60)
          end }
          pool:submit(1)
          rille.sleep(60)
        end)
        log(rille.now())
      end)
      assert.equal("cleaned 2", helper.text(log))
    end)
  end)
end)
