-- A worker whose on_error raised, or whose result nobody could get any more,
-- went without giving up its place: in a scope with on_error = "continue" the
-- pool waited for it for ever.
local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

-- Runs fn(scope) in a scope that goes on after failures; its first failure.
local function continue(fn)
  local ok, err = pcall(rille.scope, { on_error = "continue" }, fn)
  assert.is_false(ok)
  return err
end

local function fail() error("job", 0) end

describe("a worker pool", function()
  it("goes on after an on_error that raises", function()
    run(function()
      local heard, stats = 0, nil
      assert.equal("hook", continue(function()
        local pool = rille.worker_pool { workers = 1, handler = fail, on_error = function()
          heard = heard + 1
          error("hook", 0)
        end }
        for i = 1, 4 do pool:submit(i) end
        assert.is_true(pool:close())
        stats = pool:stats()
      end))
      assert.same({ 4, 4, 4, 0 }, { heard, stats.submitted, stats.errors, stats.active })
    end)
  end)

  it("goes on when its results were closed", function()
    run(function()
      local stats
      local err = continue(function()
        local pool = rille.worker_pool { workers = 2, results = 1,
          handler = function(job) return job end }
        pool:results():close()
        for i = 1, 5 do pool:submit(i) end
        pool:close()
        stats = pool:stats()
      end)
      assert.equal("closed", err.kind)
      assert.same({ 5, 5, 0 }, { stats.submitted, stats.errors, stats.active })
    end)
  end)

end)

-- Its failure was told out of reach of any cancellation: where nobody took it,
-- the scope could not end.
describe("a worker whose handler cancels the task", function()
  local function new_pool()
    return rille.worker_pool { workers = 1, results = 0, handler = function(job)
      if job > 1 then return job end
      rille.current():cancel()
      rille.yield()
    end }
  end

  it("keeps no cancelled scope open when nobody takes its result", function()
    run(function()
      rille.scope(function(s)
        new_pool():submit(1)
        rille.sleep(1)
        s:cancel()
      end)
      assert.equal(1, rille.now())
    end)
  end)

  it("gives its job back to shutdown when nobody takes its result", function()
    run(function()
      rille.scope(function()
        local pool = new_pool()
        pool:submit(1)
        pool:submit(2)
        rille.sleep(1)
        assert.same({ 1, 2 }, pool:shutdown(1))
      end)
    end)
  end)

  it("tells of it and gives way to another", function()
    run(function()
      rille.scope(function()
        local pool = new_pool()
        pool:submit(1)
        pool:submit(2)
        local first, second = pool:results():recv(), pool:results():recv()
        assert.same({ 1, "cancelled", 2 }, { first.job, first.err.kind, second.value })
        pool:close()
      end)
    end)
  end)
end)
