-- map_parallel: a function for several values at once.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run = helper.run
local identity, counted, every = sources.identity, sources.counted, sources.every

local stream = rille.stream

describe("map_parallel", function()
  -- A function that takes `seconds[v]`, and how many of it ran at most at once.
  local function slow(seconds)
    local running, most = 0, 0
    return function(v)
      running = running + 1
      most = math.max(most, running)
      rille.sleep(seconds[v])
      running = running - 1
      return v
    end, function() return most end
  end

  it("runs up to n at once", function()
    run(function()
      local fn, most = slow { 1, 1, 1, 1, 1, 1 }
      assert.same({ 1, 2, 3, 4, 5, 6 },
        stream { 1, 2, 3, 4, 5, 6 }:map_parallel(3, fn):collect())
      assert.equal(3, most())
      assert.equal(2, rille.now())
    end)
  end)

  it("keeps the order", function()
    run(function()
      local fn = slow { 5, 1, 4, 1 }
      assert.same({ 1, 2, 3, 4 }, stream { 1, 2, 3, 4 }:map_parallel(4, fn):collect())
      assert.equal(5, rille.now())
    end)
  end)

  it("passes results on as they are ready when asked to", function()
    run(function()
      local fn, most = slow { 5, 1, 2, 9 }
      local st = stream { 1, 2, 3, 4 }:map_parallel(2, fn, { ordered = false })
      assert.same({ 2, 3, 1, 4 }, st:collect())
      assert.equal(2, most())
      assert.equal(12, rille.now())
    end)
  end)

  for _, ordered in ipairs { true, false } do
    local opts = { ordered = ordered }
    local as = ordered and ", in order" or ", in any order"

    it("gives all values for any n" .. as, function()
      run(function()
        local values = {}
        for i = 1, 20 do values[i] = i end
        for _, n in ipairs { 1, 2, 7, 20, 50, math.huge } do
          local fn = function(v)
            rille.sleep(v % 3)
            return v
          end
          local list = stream(values):map_parallel(n, fn, opts):collect()
          table.sort(list)
          assert.same(values, list)
        end
      end)
    end)

    it("is at most n values ahead" .. as, function()
      run(function()
        local source, pulled = counted()
        local taken = 0
        for _ in stream(source):map_parallel(3, identity, opts):iter() do
          taken = taken + 1
          helper.settle()
          assert.is_true(pulled() <= taken + 3)
          if taken == 10 then break end
        end
      end)
    end)

    it("drops nil and keeps false" .. as, function()
      run(function()
        local results = { [2] = false, [4] = "d" }
        local st = stream { 1, 2, 3, 4 }:map_parallel(2, function(v) return results[v] end, opts)
        assert.same({ false, "d" }, st:collect())
      end)
    end)

    it("of an empty stream is empty" .. as, function()
      run(function() assert.same({}, stream {}:map_parallel(3, identity, opts):collect()) end)
    end)

    it("stops the others when one fails" .. as, function()
      run(function()
        local st = stream { 1, 2, 3 }:map_parallel(3, function(v)
          if v == 2 then error("failed", 0) end
          rille.sleep(v == 1 and 0 or 100)
          return v
        end, opts)
        assert.same({ nil, "failed" }, { st:collect() })
        assert.equal(0, rille.now())
        assert.equal(0, rille.root():active())
      end)
    end)
  end

  it("passes on what comes before a failure in order", function()
    run(function()
      local list = {}
      local _, err = stream { 1, 2, 3 }:map_parallel(3, function(v)
        if v == 3 then error("failed", 0) end
        rille.sleep(v)
        return v
      end):each(function(v) list[#list + 1] = v end)
      assert.same({ { 1, 2 }, "failed" }, { list, err })
    end)
  end)

  it("raises the first failure in order", function()
    run(function()
      local _, err = stream { 1, 2 }:map_parallel(2, function(v)
        rille.sleep(5 - v)
        error("failed " .. v, 0)
      end):collect()
      assert.equal("failed 1", err)
    end)
  end)

  it("gives results while the source makes it wait", function()
    run(function()
      local times = {}
      stream(every(10, { 1, 2 })):map_parallel(4, identity):each(function()
        times[#times + 1] = rille.now()
      end)
      assert.same({ 10, 20 }, times)
    end)
  end)

  it("starts only the tasks that it needs", function()
    run(function()
      for _ in stream { 1, 2 }:map_parallel(100, identity):iter() do
        helper.settle()
        assert.equal(2, rille.root():active())
        break
      end
    end)
  end)

  it("names its tasks", function()
    run(function()
      local name
      stream { 1 }:map_parallel(1, function() name = rille.current():name() end):collect()
      assert.equal("stream map_parallel", name)
    end)
  end)

  it("ends its tasks when the loop is left, before its source is closed", function()
    run(function()
      local log = helper.log()
      local source = { recv = function() return 1 end, close = function()
        log(rille.root():active())
      end }
      for _ in stream(source):map_parallel(3, identity):iter() do break end
      assert.equal("0", helper.text(log))
    end)
  end)

  it("runs cleanup in its function when it is stopped", function()
    run(function()
      local cleaned
      stream { 1, 2 }:map_parallel(2, function(v)
        local _ <close> = helper.closing(function()
          rille.sleep(v - 1)
          cleaned = v
        end)
        if v == 2 then rille.sleep(100) end
        return v
      end):first()
      assert.equal(2, cleaned)
      assert.equal(1, rille.now())
    end)
  end)

  it("may be put on another", function()
    run(function()
      local st = stream { 1, 2, 3 }:map_parallel(2, identity):map_parallel(2, identity)
        :merge(stream { 4 }:map_parallel(2, identity)):batch(2, 1)
      local list = {}
      st:each(function(batch) table.move(batch, 1, #batch, #list + 1, list) end)
      table.sort(list)
      assert.same({ 1, 2, 3, 4 }, list)
      assert.equal(0, rille.root():active())
    end)
  end)
end)
