local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused
local raises_kind = helper.raises_kind

-- Runs fn(pool, scope) with a pool made of the options.
local function pooled(opts, fn)
  return run(function()
    return rille.scope(function(s) return fn(rille.worker_pool(opts), s) end)
  end)
end

local function sleep_one() rille.sleep(1) end

local function fail(job) error("bad " .. job, 0) end

-- Every field of the stats but `workers`, by name.
local function stats(pool)
  local read, parts = pool:stats(), {}
  for _, key in ipairs { "submitted", "processed", "errors", "active", "queued", "returned" } do
    if read[key] ~= 0 then parts[#parts + 1] = key .. "=" .. read[key] end
  end
  return table.concat(parts, " ")
end

describe("worker_pool", function()
  describe("submit", function()
    it("returns true and has the job done by a worker", function()
      local log = helper.log()
      pooled({ handler = log }, function(pool)
        assert.is_true(pool:submit("job"))
        pool:close()
      end)
      assert.equal("job:1", helper.text(log))
    end)

    it("never runs more jobs at a time than there are workers", function()
      local running, peak = 0, 0
      pooled({ workers = 3, handler = function(seconds)
        running = running + 1
        peak = math.max(peak, running)
        rille.sleep(seconds)
        running = running - 1
      end }, function(pool)
        for i = 1, 30 do pool:submit(1 + i % 4) end
      end)
      assert.equal(3, peak)
    end)

    it("looks again for a free worker when it has given up a turn", function()
      local running, peak = 0, 0
      local function handler()
        running = running + 1
        peak = math.max(peak, running)
        rille.sleep(1)
        running = running - 1
      end
      for calls = 100, 150 do -- one of them uses up the budget of a turn
        pooled({ workers = 1, handler = handler }, function(pool, s)
          for _ = 1, 2 do
            s:go(function()
              local ch = rille.channel(1)
              for i = 1, calls do if i % 2 == 1 then ch:send(i) else ch:recv() end end
              pool:submit(calls)
            end)
          end
        end)
      end
      assert.equal(1, peak)
    end)

    it("gives the handler the number of its worker", function()
      local seen = {}
      pooled({ workers = 2, handler = function(_, number)
        seen[number] = (seen[number] or 0) + 1
        rille.sleep(1)
      end }, function(pool)
        for i = 1, 6 do pool:submit(i) end
      end)
      assert.same({ 3, 3 }, seen)
    end)

    it("waits while all work and the queue is full", function()
      pooled({ workers = 1, queue = 2, handler = sleep_one }, function(pool)
        for i = 1, 3 do pool:submit(i) end
        assert.equal(0, rille.now())
        pool:submit(4)
        assert.equal(1, rille.now())
      end)
    end)

    it("has room for twice as many jobs as workers by default", function()
      pooled({ workers = 3, handler = sleep_one }, function(pool)
        for i = 1, 9 do assert.is_true(pool:try_submit(i)) end
        refused("full", pool:try_submit(10))
      end)
    end)

    it("hands over directly without a queue", function()
      pooled({ workers = 1, queue = 0, handler = sleep_one }, function(pool)
        pool:submit(1)
        refused("full", pool:try_submit(2))
        pool:submit(2)
        assert.equal(1, rille.now())
      end)
    end)

    it("finds a worker in the turn after its last job", function()
      pooled({ workers = 1, queue = 0, handler = function() end }, function(pool)
        for _ = 1, 20 do
          pool:submit(1)
          rille.yield()
          assert.is_true(pool:try_submit(2))
          rille.yield()
        end
      end)
    end)

    it("has the jobs done in order", function()
      local log = helper.log()
      pooled({ workers = 1, queue = 1, handler = function(job) rille.yield() log(job) end },
        function(pool, s)
          for i = 1, 3 do s:go(pool.submit, pool, i) end
          rille.yield()
          for i = 4, 6 do pool:submit(i) end
        end)
      assert.equal("1 2 3 4 5 6", helper.text(log))
    end)

    it("takes false for a job, and refuses nil", function()
      local log = helper.log()
      pooled({ handler = log }, function(pool)
        pool:submit(false)
        raises(function() pool:submit(nil) end, "#1")
        raises(function() pool:try_submit(nil) end, "#1")
      end)
      assert.equal("false:1", helper.text(log))
    end)

    it("raises closed after close, also when it was waiting", function()
      pooled({ workers = 1, queue = 0, handler = sleep_one }, function(pool, s)
        pool:submit(1)
        local waiting = s:task(function() pool:submit(2) end)
        rille.yield()
        pool:close()
        refused("closed", waiting:await())
        raises_kind("closed", function() pool:submit(3) end)
        refused("closed", pool:try_submit(3))
      end)
    end)

    it("that is cancelled while it waits leaves nothing", function()
      local log = helper.log()
      pooled({ workers = 1, queue = 0, handler = function(job) rille.sleep(2) log(job) end },
        function(pool)
          pool:submit(1)
          refused("timeout", rille.timeout(1, pool.submit, pool, 2))
          assert.equal("submitted=1 active=1", stats(pool))
        end)
      assert.equal("1", helper.text(log))
    end)

    it("checks for cancellation first", function()
      pooled({ handler = sleep_one }, function(pool)
        rille.scope(function(s)
          s:cancel()
          raises_kind("cancelled", function() pool:submit(1) end)
        end)
        assert.equal("", stats(pool))
      end)
    end)
  end)

  describe("a failing job", function()
    it("does not keep its worker from the next one", function()
      local log = helper.log()
      pooled({ workers = 1, on_error = function(err) log(err) end, handler = function(job)
        if job == 2 then fail(job) end
        log(job)
      end }, function(pool)
        for i = 1, 3 do pool:submit(i) end
      end)
      assert.equal("1 bad 2 3", helper.text(log):gsub("bad:2", "bad 2"))
    end)

    it("is told to on_error with the job", function()
      local log = helper.log()
      pooled({ handler = function() return nil, "late" end, on_error = log }, function(pool)
        pool:submit(7)
      end)
      assert.equal("late:7", helper.text(log))
    end)

    it("is returned by close when nobody was told", function()
      pooled({ handler = fail }, function(pool)
        pool:submit(1)
        local value, err = pool:close()
        assert.is_nil(value)
        assert.equal("bad 1", err)
        assert.is_true(pool:close())
      end)
    end)

    it("is raised by the scope when nobody was told", function()
      raises(function()
        pooled({ handler = fail }, function(pool) pool:submit(1) pool:submit(2) end)
      end, "bad 1")
    end)

    it("may be that of a handler which cancelled its own task", function()
      local log = helper.log()
      pooled({ workers = 1, on_error = function(err, job) log(err.kind, job) end,
        handler = function(job)
          if job == 1 then
            rille.current():cancel()
            rille.yield()
          end
          log(job)
        end }, function(pool)
        for i = 1, 3 do pool:submit(i) end
      end)
      assert.equal("cancelled:1 2 3", helper.text(log))
    end)

    it("whose on_error raises fails the scope", function()
      raises(function()
        pooled({ handler = fail, on_error = function() error("log full", 0) end },
          function(pool)
            pool:submit(1)
            rille.sleep(60)
          end)
      end, "log full")
    end)
  end)

  describe("results", function()
    it("has one for each job, failed or not", function()
      local log = helper.log()
      pooled({ workers = 1, results = true, handler = function(job)
        if job == 2 then fail(job) end
        return job * 10, "more"
      end }, function(pool, s)
        s:go(function() for r in pool:results() do log(r.job, r.value, r.err) end end)
        for i = 1, 3 do pool:submit(i) end
        pool:close()
      end)
      assert.equal("1:10:nil 2:nil:bad 2 3:30:nil", helper.text(log))
    end)

    it("has a buffer of twice as many as there are workers, or as asked", function()
      pooled({ workers = 3, results = true, handler = print }, function(pool)
        assert.equal(6, pool:results():cap())
      end)
      pooled({ results = 0, handler = print }, function(pool)
        assert.equal(0, pool:results():cap())
      end)
    end)

    it("makes the workers wait when nobody takes them", function()
      pooled({ workers = 1, results = 1, handler = sleep_one }, function(pool, s)
        for i = 1, 3 do pool:submit(i) end
        rille.sleep(9)
        assert.equal("submitted=3 processed=1 active=1 queued=1", stats(pool))
        s:go(function() for _ in pool:results() do end end) -- luacheck: ignore 542
        pool:close()
      end)
    end)

    it("is closed when the scope ends", function()
      local results = pooled({ results = true, handler = function(job) return job end },
        function(pool)
          pool:submit(1)
          return pool:results()
        end)
      run(function()
        assert.equal(1, results:recv().value)
        refused("closed", results:recv())
      end)
    end)

    it("is off unless asked for", function()
      pooled({ handler = print }, function(pool)
        raises(function() pool:results() end, "results = true")
      end)
    end)
  end)

  it("keeps nothing of the jobs that are done", function()
    pooled({ workers = 4, handler = rille.yield }, function(pool)
      for i = 1, 100 do pool:submit { i } end
      collectgarbage()
      local before = collectgarbage "count"
      for i = 1, 20000 do pool:submit { i } end
      collectgarbage()
      assert.is_true(collectgarbage "count" - before < 64)
    end)
  end)

  it("has no task while there is nothing to do", function()
    pooled({ handler = sleep_one }, function(pool, s)
      pool:submit(1)
      assert.equal(1, s:active())
      rille.sleep(2)
      assert.equal(0, s:active())
      pool:submit(1)
    end)
  end)

  it("says what it is as text", function()
    pooled({ workers = 2, handler = sleep_one }, function(pool)
      for i = 1, 3 do pool:submit(i) end
      assert.equal("rille.worker_pool: 2 workers (2 active, 1 queued)", tostring(pool))
      pool:close()
      assert.equal("rille.worker_pool: 2 workers (0 active, 0 queued, closed)", tostring(pool))
    end)
  end)

  it("refuses wrong options", function()
    run(function()
      raises(function() rille.worker_pool() end, "#1")
      raises(function() rille.worker_pool {} end, "'handler' is missing")
      raises(function() rille.worker_pool { handler = 1 } end, "'handler'")
      raises(function() rille.worker_pool { handler = print, workers = 0 } end, "'workers'")
      raises(function() rille.worker_pool { handler = print, queue = -1 } end, "'queue'")
      raises(function() rille.worker_pool { handler = print, result = true } end,
        "did you mean 'results'")
    end)
    raises(function() rille.worker_pool { handler = print } end, "inside a task")
  end)
end)
