-- The operators that take several sources, one after the other.
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run = helper.run
local identity, counted = sources.identity, sources.counted

local stream = rille.stream

describe("stream", function()
  describe("flat_map", function()
    it("passes on the values of each source in turn", function()
      run(function()
        assert.same({ 1, 10, 2, 20 }, stream { 1, 2 }:flat_map(function(v)
          return { v, v * 10 }
        end):collect())
      end)
    end)

    it("takes any source, and nil for an empty one", function()
      run(function()
        assert.same({ "a", "b", 1 }, stream { 1, 2, 3 }:flat_map(function(v)
          if v == 1 then return ("ab"):gmatch "." end
          if v == 3 then return stream { 1 } end
        end):collect())
      end)
    end)

    it("pulls the next value when the last source has ended", function()
      run(function()
        local source, pulled = counted(5)
        local st = stream(source):flat_map(function(v) return { v, v } end)
        assert.same({ 1, 1 }, st:take(2):collect())
        assert.equal(1, pulled())
      end)
    end)

    it("closes each source before the next is made", function()
      run(function()
        local log = helper.log()
        stream { 1, 2 }:flat_map(function(v)
          log("open", v)
          return { recv = function() end, close = function() log("close", v) end }
        end):collect()
        assert.equal("open:1 close:1 open:2 close:2", helper.text(log))
      end)
    end)

    it("closes the source that it was left in", function()
      run(function()
        local closed = 0
        stream { 1, 2 }:flat_map(function()
          return { recv = function() return 1 end, close = function() closed = closed + 1 end }
        end):first()
        assert.equal(1, closed)
      end)
    end)

    it("fails when the function returns something else", function()
      run(function()
        local _, err = stream { 1 }:flat_map(identity):collect()
        assert.matches("bad result of the function given to 'flat_map' %(.*got number%)", err)
      end)
    end)
  end)

  describe("concat", function()
    it("passes on the values of one after the other", function()
      run(function()
        assert.same({ 1, 2, 3 }, stream { 1 }:concat({ 2 }, {}, stream { 3 }):collect())
      end)
    end)

    it("closes each before it reads the next", function()
      run(function()
        local log = helper.log()
        local function source(name)
          return {
            recv = function() log("read", name) end,
            close = function() log("close", name) end,
          }
        end
        stream(source(1)):concat(source(2)):collect()
        assert.equal("read:1 close:1 read:2 close:2", helper.text(log))
      end)
    end)

    it("closes those that were never read", function()
      run(function()
        local closed = false
        stream { 1 }:concat({ recv = error, close = function() closed = true end }):first()
        assert.is_true(closed)
      end)
    end)
  end)

  describe("zip", function()
    it("passes on lists of a value of each", function()
      run(function()
        assert.same({ { 1, "a", true }, { 2, "b", false } },
          stream { 1, 2 }:zip({ "a", "b" }, { true, false }):collect())
      end)
    end)

    it("ends with the shortest and closes the others", function()
      run(function()
        local closed = false
        local endless = { recv = function() return 1 end, close = function() closed = true end }
        assert.same({ { 1, 1 } }, stream(endless):zip({ 1 }):collect())
        assert.is_true(closed)
      end)
    end)

    it("reads no more after an end", function()
      run(function()
        local source, pulled = counted(5)
        stream {}:zip(source):collect()
        assert.equal(0, pulled())
      end)
    end)
  end)
end)
