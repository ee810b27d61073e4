-- What a stream can be made of.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, raises = helper.run, helper.raises
local giver = sources.giver

local function collect(...)
  return assert(rille.stream(...):collect())
end

-- A channel that holds the values and is closed.
local function closed_channel(err, ...)
  local ch = rille.channel(10)
  for _, value in ipairs { ... } do ch:send(value) end
  ch:close(err)
  return ch
end

describe("a stream of", function()
  describe("a list", function()
    it("gives its items", function()
      run(function() assert.same({ "a", false, "c" }, collect { "a", false, "c" }) end)
    end)

    it("may be empty", function()
      run(function()
        assert.same({}, collect {})
        assert.same({}, collect(table.pack()))
      end)
    end)

    it("gives what was added meanwhile", function()
      run(function()
        local list, seen = { 1, 2 }, {}
        for value in rille.stream(list) do
          seen[#seen + 1] = value
          if value == 2 then list[3] = 3 end
        end
        assert.same({ 1, 2, 3 }, seen)
      end)
    end)

    it("lets other tasks run", function()
      run(function()
        local ran = false
        rille.root():go(function() ran = true end)
        rille.stream(table.pack(("x"):rep(500):byte(1, -1))):count()
        assert.is_true(ran)
      end)
    end)
  end)

  describe("a channel", function()
    it("gives what is sent until it is closed", function()
      run(function()
        assert.same({ 1, false, 2 }, collect(closed_channel(nil, 1, false, 2)))
      end)
    end)

    it("waits for its senders", function()
      run(function()
        local ch = rille.channel()
        rille.root():go(function()
          for i = 1, 3 do
            rille.sleep(1)
            ch:send(i)
          end
          ch:close()
        end)
        assert.same({ 1, 2, 3 }, collect(ch))
        assert.equal(3, rille.now())
      end)
    end)

    it("makes them wait", function()
      run(function()
        local ch, sent = rille.channel(), 0
        rille.root():go({ daemon = true }, function()
          while true do
            ch:send(sent)
            sent = sent + 1
          end
        end)
        for _ in rille.stream(ch):map(tostring):filter(tostring):iter() do
          helper.settle()
          break
        end
        helper.settle()
        assert.equal(1, sent)
      end)
    end)

    it("fails with what it was closed with", function()
      run(function()
        local value, err = rille.stream(closed_channel("lost", 1)):collect()
        assert.is_nil(value)
        assert.equal("lost", err)
      end)
    end)

    it("of a scope ends with it", function()
      run(function()
        local st
        rille.scope(function(s) st = rille.stream(s:channel()) end)
        assert.same({}, st:collect())
      end)
    end)
  end)

  describe("a ticker", function()
    it("gives its counts", function()
      run(function()
        assert.same({ 1, 2, 3 }, collect(rille.stream(rille.every(2)):take(3)))
        assert.equal(6, rille.now())
      end)
    end)

    it("ends when it is stopped", function()
      run(function()
        local ticker = rille.every(1)
        rille.root():go(function()
          rille.sleep(2.5)
          ticker:stop()
        end)
        assert.equal(2, rille.stream(ticker):count())
      end)
    end)
  end)

  describe("an object", function()
    it("with recv gives what that returns", function()
      run(function()
        assert.same({ 1, false, 2 }, collect { recv = giver { 1, false, 2 } })
      end)
    end)

    it("with read likewise", function()
      run(function() assert.same({ "a", "b" }, collect { read = giver { "a", "b" } }) end)
    end)

    it("may have them from its metatable", function()
      run(function()
        local class = { read = giver { "a" } }
        assert.same({ "a" }, collect(setmetatable({}, { __index = class })))
      end)
    end)

    it("that returns nil and an error fails with it", function()
      run(function()
        local problem = {}
        local _, err = rille.stream { recv = giver({ 1 }, problem) }:collect()
        assert.equal(problem, err)
      end)
    end)

    it("that returns nil and closed ends", function()
      run(function()
        local closed = closed_channel()
        assert.same({}, collect { recv = function() return closed:recv() end })
      end)
    end)

    it("is closed at the end", function()
      run(function()
        local closed = 0
        local object = { read = giver {}, close = function(self)
          closed = closed + (self.read and 1 or 0)
        end }
        collect(object)
        assert.equal(1, closed)
      end)
    end)

    it("may wait in its close, though its reader is cancelled", function()
      run(function()
        local closed
        rille.scope(function(s)
          local object = { recv = function() s:cancel() rille.sleep(1) end, close = function()
            rille.sleep(1)
            closed = rille.now()
          end }
          rille.stream(object):collect()
        end)
        assert.equal(1, closed)
      end)
    end)

    it("may be a file", function()
      run(function()
        local file = assert(io.open("spec/helper.lua"))
        assert.equal('local rille = require "rille"', (rille.stream(file):skip(3):first()))
        assert.equal("closed file", io.type(file))
      end)
    end)
  end)

  it("anything else raises", function()
    for _, bad in ipairs { 5, "text", true, { key = 1 }, rille.after(1), math } do
      raises(function() rille.stream(bad) end, "^%S*stream_source_spec.lua:%d+: bad argument #1 "
        .. "to 'stream' %(a channel, .* expected, got %l")
    end
    raises(function() rille.stream() end, "bad argument #1 .* got nil")
  end)

  it("anything else raises in an operator", function()
    raises(function() rille.stream {}:merge({}, 5) end,
      "^%S*stream_source_spec.lua:%d+: bad argument #2 to 'merge' %(.* got number%)")
  end)
end)
