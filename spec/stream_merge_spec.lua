-- merge: several streams at once.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run = helper.run
local identity, counted, every = sources.identity, sources.counted, sources.every

local stream = rille.stream

describe("merge", function()
  -- What select can wait for, and what it cannot.
  local function both(ch) return { ch, stream(ch):map(identity) } end

  it("passes values on as they come", function()
    for i = 1, 2 do
      run(function()
        local a, b = every(2, { "a", "a" }), every(3, { "b", "b" })
        assert.same({ "a", "b", "a", "b" }, stream(both(a)[i]):merge(b):collect())
        assert.equal(6, rille.now())
      end)
    end
  end)

  it("ends when all have ended", function()
    run(function()
      local st = stream {}:merge(every(1, { 1 }), every(5, { 2, 3 }), function() end)
      assert.same({ 1, 2, 3 }, st:collect())
      assert.equal(10, rille.now())
    end)
  end)

  it("passes on false", function()
    run(function() assert.same({ false, false }, stream { false }:merge({ false }):collect()) end)
  end)

  it("of one stream is that stream", function()
    run(function() assert.same({ 1, 2 }, stream { 1, 2 }:merge():collect()) end)
  end)

  it("fails when one fails, and the others are closed", function()
    run(function()
      local closed = false
      local other = { recv = function() rille.sleep(100) end, close = function() closed = true end }
      local st = stream(every(1, { 1 }, "failed")):merge(other)
      assert.same({ nil, "failed" }, { st:collect() })
      assert.is_true(closed)
      assert.equal(1, rille.now())
    end)
  end)

  it("takes no more than one value of each ahead", function()
    run(function()
      local a, pulled_a = counted()
      local b, pulled_b = counted()
      for _ in stream(a):merge(b):iter() do
        helper.settle()
        assert.same({ 1, 1 }, { pulled_a(), pulled_b() })
        break
      end
    end)
  end)

  it("takes nothing from a channel that it does not pass on", function()
    run(function()
      local a, b = rille.channel(1), rille.channel(1)
      a:send "a"
      b:send "b"
      stream(a):merge(b):first()
      assert.equal(1, a:size() + b:size())
    end)
  end)

  it("starts no task for what select can wait for", function()
    run(function()
      local ticker <close> = rille.every(1)
      for _ in stream(ticker):merge(rille.channel()):iter() do
        assert.equal(0, rille.root():active())
        break
      end
    end)
  end)

  it("ends its tasks with it", function()
    run(function()
      local slow = function() rille.sleep(100) end
      assert.equal(1, (stream { 1 }:merge(slow, slow):first()))
      assert.equal(0, rille.root():active())
      assert.equal(0, rille.now())
    end)
  end)

  it("treats all alike", function()
    run(function()
      local counts = { a = 0, b = 0 }
      local function endless(v) return function() return v end end
      stream(endless "a"):merge(endless "b"):take(1000):each(function(v)
        counts[v] = counts[v] + 1
      end)
      assert.is_true(counts.a > 300 and counts.b > 300)
    end)
  end)
end)
