-- The operators that take the values as they come.
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, raises = helper.run, helper.raises
local counted = sources.counted

local stream = rille.stream

local function add(a, b) return a + b end
local function is_even(n) return n % 2 == 0 end

describe("stream", function()
  describe("map", function()
    it("passes on what the function returns", function()
      run(function()
        assert.same({ 2, 4 }, stream { 1, 2 }:map(function(v) return v * 2 end):collect())
      end)
    end)

    it("drops nil and keeps false", function()
      run(function()
        assert.same({ false, "a" }, stream { 1, 2, 3 }:map(function(v)
          return ({ nil, false, "a" })[v]
        end):collect())
      end)
    end)

    it("may wait", function()
      run(function()
        stream { 1, 2 }:map(rille.sleep):collect()
        assert.equal(3, rille.now())
      end)
    end)

    it("gives the function one value", function()
      run(function()
        local function count(...) return select("#", ...) end
        assert.same({ 1 }, stream { "a" }:map(count):collect())
      end)
    end)
  end)

  describe("filter", function()
    it("passes on the values that the function accepts", function()
      run(function() assert.same({ 2, 4 }, stream { 1, 2, 3, 4 }:filter(is_even):collect()) end)
    end)

    it("passes on false", function()
      run(function()
        local function is_false(v) return not v end
        assert.same({ false }, stream { false, true }:filter(is_false):collect())
      end)
    end)

    it("pulls on over many values that are refused", function()
      run(function()
        local source = counted(100000)
        assert.same({ 100000 }, stream(source):filter(function(v) return v == 100000 end):collect())
      end)
    end)
  end)

  describe("tap", function()
    it("passes the values on and calls the function for each", function()
      run(function()
        local log = helper.log()
        assert.same({ 1, false }, stream { 1, false }:tap(log):collect())
        assert.equal("1 false", helper.text(log))
      end)
    end)
  end)

  describe("take", function()
    it("passes on the first values and pulls no more", function()
      run(function()
        local source, pulled = counted(10)
        assert.same({ 1, 2, 3 }, stream(source):take(3):collect())
        assert.equal(3, pulled())
      end)
    end)

    it("of 0 pulls nothing", function()
      run(function()
        local source, pulled = counted(10)
        assert.same({}, stream(source):take(0):collect())
        assert.equal(0, pulled())
      end)
    end)

    it("of more than there are passes on all", function()
      run(function()
        assert.same({ 1, 2 }, stream { 1, 2 }:take(5):collect())
        assert.same({ 1, 2 }, stream { 1, 2 }:take(math.huge):collect())
      end)
    end)

    it("closes the source", function()
      run(function()
        local closed = false
        stream { recv = counted(5), close = function() closed = true end }:take(1):collect()
        assert.is_true(closed)
      end)
    end)
  end)

  describe("take_while", function()
    it("ends at the first value that is refused", function()
      run(function()
        local source, pulled = counted(10)
        assert.same({ 1, 2 }, stream(source):take_while(function(v) return v < 3 end):collect())
        assert.equal(3, pulled())
      end)
    end)

    it("passes on false", function()
      run(function()
        local always = function() return true end
        assert.same({ false, 1 }, stream { false, 1 }:take_while(always):collect())
      end)
    end)
  end)

  describe("skip", function()
    it("drops the first values", function()
      run(function() assert.same({ 3 }, stream { 1, 2, 3 }:skip(2):collect()) end)
    end)

    it("of more than there are drops all", function()
      run(function() assert.same({}, stream { 1 }:skip(2):collect()) end)
    end)
  end)

  describe("distinct", function()
    it("passes on each value once", function()
      run(function()
        assert.same({ 1, false, "1" }, stream { 1, false, 1, "1", false }:distinct():collect())
      end)
    end)

    it("may have a key", function()
      run(function()
        assert.same({ "a", "bb" }, stream { "a", "b", "bb", "c" }:distinct(string.len):collect())
      end)
    end)

    it("knows nil and NaN as keys", function()
      run(function()
        local keys = { nil, nil, 0 / 0, 0 / 0 }
        assert.same({ 1, 3 }, stream { 1, 2, 3, 4 }:distinct(function(v)
          return keys[v]
        end):collect())
      end)
    end)
  end)

  describe("scan", function()
    it("passes on each result, beginning with the first value", function()
      run(function() assert.same({ 1, 3, 6 }, stream { 1, 2, 3 }:scan(add):collect()) end)
    end)

    it("may begin with a result, which is not passed on", function()
      run(function() assert.same({ 11, 13 }, stream { 1, 2 }:scan(add, 10):collect()) end)
    end)

    it("may begin with false", function()
      run(function()
        local function either(a, b) return a or b end
        assert.same({ false, 1 }, stream { false, 1 }:scan(either, false):collect())
      end)
    end)

    it("of no value passes on none", function()
      run(function() assert.same({}, stream {}:scan(add, 10):collect()) end)
    end)
  end)

  describe("reduce", function()
    it("passes on the last result alone", function()
      run(function() assert.same({ 6 }, stream { 1, 2, 3 }:reduce(add):collect()) end)
    end)

    it("passes on the initial result when nothing comes", function()
      run(function()
        assert.same({ 10 }, stream {}:reduce(add, 10):collect())
        assert.same({}, stream {}:reduce(add):collect())
      end)
    end)
  end)

  describe("window", function()
    it("passes on every n values that follow one another", function()
      run(function()
        assert.same({ { 1, 2 }, { 2, 3 }, { 3, 4 } },
          stream { 1, 2, 3, 4 }:window(2):collect())
      end)
    end)

    it("may step further", function()
      run(function()
        assert.same({ { 1, 2, 3 }, { 3, 4, 5 } },
          stream { 1, 2, 3, 4, 5, 6 }:window(3, 2):collect())
        assert.same({ { 1, 2 }, { 4, 5 } },
          stream { 1, 2, 3, 4, 5, 6 }:window(2, 3):collect())
        assert.same({ { 1, 2 }, { 3, 4 } },
          stream { 1, 2, 3, 4, 5 }:window(2, 2):collect())
      end)
    end)

    it("of more than there are passes on nothing", function()
      run(function() assert.same({}, stream { 1, 2 }:window(3):collect()) end)
    end)

    it("gives lists that stay as they are", function()
      run(function()
        local windows = stream { 1, 2, 3 }:window(2):collect()
        windows[1][2] = "changed"
        assert.same({ 2, 3 }, windows[2])
      end)
    end)
  end)

  it("may be a long chain", function()
    run(function()
      local st = stream { 1 }
      for _ = 1, 150 do st = st:map(function(v) return v + 1 end) end
      assert.same({ 151 }, st:collect())
    end)
  end)

  it("checks the arguments of operators", function()
    local bad = {
      { "map" }, { "map", 5 }, { "filter", {} }, { "tap", "x" }, { "flat_map" }, { "take" },
      { "take", -1 }, { "take", 1.5 }, { "take_while" }, { "skip", "1" }, { "batch", 0 },
      { "batch", 1, "x" }, { "batch" }, { "window", 0 }, { "window", 1, 0 }, { "scan" },
      { "reduce", 1 }, { "distinct", 1 }, { "debounce" }, { "throttle", {} },
      { "timeout", 0 / 0 }, { "catch" }, { "map_parallel", 0, print }, { "map_parallel", 1 },
      { "map_parallel", 2, print, { order = true } }, { "retry", -1 },
      { "retry", { max = 1 } }, { "merge", 5 }, { "zip", false }, { "concat", 1 }, { "each" },
      { "fold", 0, print },
    }
    for _, call in ipairs(bad) do
      local st = stream {}
      raises(function() st[call[1]](st, table.unpack(call, 2)) end,
        "^%S*stream_ops_spec.lua:%d+: bad argument #%d to '" .. call[1] .. "'")
    end
  end)
end)
