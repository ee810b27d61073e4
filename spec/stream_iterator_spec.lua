-- Streams of iterators, of what can be opened, and of streams.
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, raises = helper.run, helper.raises
local giver = sources.giver

local function collect(...)
  return assert(rille.stream(...):collect())
end

describe("a stream of", function()
  describe("an iterator", function()
    it("gives what it returns", function()
      run(function() assert.same({ "a", "b" }, collect(("a b"):gmatch "%a")) end)
    end)

    it("comes with its state and control value", function()
      run(function()
        assert.same({ 1, 2 }, collect(ipairs { "a", "b" }))
        assert.same({ "key" }, collect(pairs { key = "value" }))
      end)
    end)

    it("has its closing value closed", function()
      run(function()
        local closed = false
        local closing = helper.closing(function() closed = true end)
        rille.stream(giver { 1, 2 }, {}, nil, closing):first()
        assert.is_true(closed)
      end)
    end)

    it("may be a file's lines", function()
      run(function()
        local lines = collect(io.lines "spec/helper.lua")
        assert.equal("return helper", lines[#lines])
      end)
    end)

    it("may be a generator that waits", function()
      run(function()
        assert.same({ 1, 2 }, collect(rille.coroutine.wrap(function()
          for i = 1, 2 do
            rille.sleep(1)
            rille.coroutine.yield(i)
          end
        end)))
        assert.equal(2, rille.now())
      end)
    end)

    it("may be an object that can be called", function()
      run(function()
        local callable = setmetatable({}, { __call = function(_, _, last)
          return (last or 0) < 3 and (last or 0) + 1 or nil
        end })
        assert.same({ 1, 2, 3 }, collect(callable))
      end)
    end)

    it("that returns nil and an error fails with it", function()
      run(function()
        local _, err = rille.stream(function() return nil, "broken" end):collect()
        assert.equal("broken", err)
      end)
    end)

    it("that raises fails with it", function()
      run(function()
        local problem = {}
        local _, err = rille.stream(function() error(problem) end):collect()
        assert.equal(problem, err)
      end)
    end)

    it("lets other tasks run", function()
      run(function()
        local stop = false
        rille.root():go(function() stop = true end)
        rille.stream(function() return not stop and 1 or nil end):each(function() end)
      end)
    end)
  end)

  describe("an object with open", function()
    it("gives the values of what that returns", function()
      run(function()
        assert.same({ 1, 2 }, collect { open = function() return { 1, 2 } end })
      end)
    end)

    it("opens it when the first value is asked for", function()
      run(function()
        local opened = 0
        local st = rille.stream { open = function() opened = opened + 1 return {} end }
        st = st:map(tostring)
        assert.equal(0, opened)
        st:collect()
        assert.equal(1, opened)
      end)
    end)

    it("closes what it returned", function()
      run(function()
        local closed = false
        rille.stream { open = function()
          return { recv = function() return 1 end, close = function() closed = true end }
        end }:first()
        assert.is_true(closed)
      end)
    end)

    it("fails when that fails", function()
      run(function()
        local _, err = rille.stream { open = function() return nil, "refused" end }:collect()
        assert.equal("refused", err)
      end)
    end)

    it("fails when that returns something else", function()
      run(function()
        local _, err = rille.stream { open = function() return 5 end }:collect()
        assert.matches("bad result of the function given to 'open' %(.* got number%)", err)
      end)
    end)
  end)

  describe("a stream", function()
    it("gives its values, and has it alone", function()
      run(function()
        local st = rille.stream { 1, 2 }
        assert.same({ 1, 2 }, collect(st))
        raises(function() st:collect() end, "read already, by 'stream'")
      end)
    end)

    it("of a scope is the scope's", function()
      run(function()
        local log = helper.log()
        local source = { recv = function() end, close = function() log "closed" end }
        rille.scope(function(s) s:stream(rille.stream(source)) end)
        assert.equal("closed", helper.text(log))
      end)
    end)
  end)
end)
