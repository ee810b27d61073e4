-- The stream itself: lazy, iterated, read once.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, raises = helper.run, helper.raises
local noted = sources.noted

local function read(iterator, ...)
  local list = {}
  for value in iterator, ... do list[#list + 1] = value end
  return list
end

describe("a stream", function()
  describe("that nobody reads", function()
    it("reads nothing from its source", function()
      run(function()
        local log = helper.log()
        rille.stream(noted(log, { 1 })):map(tostring):batch(2):merge({})
        assert.equal("", helper.text(log))
      end)
    end)

    it("starts no task", function()
      run(function()
        rille.stream { 1 }:map(tostring):map_parallel(2, tostring):batch(2, 1):merge({})
        assert.equal(0, rille.root():active())
      end)
    end)

    it("can be made outside a task", function()
      assert.matches("^rille.stream: list > map", tostring(rille.stream({}):map(tostring)))
    end)
  end)

  describe("in a for", function()
    it("gives its values", function()
      run(function() assert.same({ 1, 2, 3 }, read(rille.stream { 1, 2, 3 })) end)
    end)

    it("gives false", function()
      run(function() assert.same({ 1, false, 3 }, read(rille.stream { 1, false, 3 })) end)
    end)

    it("reads one value for each round", function()
      run(function()
        local log = helper.log()
        for value in rille.stream(noted(log, { 1, 2 })):map(function(v) return v end) do
          log("body", value)
        end
        assert.equal("1 body:1 2 body:2 end close", helper.text(log))
      end)
    end)

    it("that is left is closed at the end of the scope", function()
      run(function()
        local log = helper.log()
        rille.scope(function()
          for _ in rille.stream(noted(log, { 1, 2 })) do break end
          log "left"
        end)
        assert.equal("1 left close", helper.text(log))
      end)
    end)

    it("that raises is closed at the end of the scope", function()
      run(function()
        local log = helper.log()
        rille.scope(function()
          pcall(function()
            for _ in rille.stream(noted(log, { 1, 2 })) do error "x" end
          end)
          log "raised"
        end)
        assert.equal("1 raised close", helper.text(log))
      end)
    end)

    it("belongs to the innermost scope of its reader", function()
      run(function()
        local log = helper.log()
        local st = rille.stream(noted(log, { 1, 2 }))
        rille.scope(function(s)
          s:task(function() for _ in st do break end end):await()
          rille.scope(function() end)
          log "reader ended"
        end)
        assert.equal("1 reader ended close", helper.text(log))
      end)
    end)

    it("is closed in the reverse order of reading", function()
      run(function()
        local log = helper.log()
        rille.scope(function()
          for i = 1, 3 do
            local source = { recv = function() return 1 end, close = function() log(i) end }
            for _ in rille.stream(source) do break end
          end
        end)
        assert.equal("3 2 1", helper.text(log))
      end)
    end)

    it("raises outside a task", function()
      raises(function() read(rille.stream { 1 }) end, "not inside a task")
    end)
  end)

  describe("iter", function()
    it("gives the values", function()
      run(function() assert.same({ 1, 2 }, read(rille.stream { 1, 2 }:iter())) end)
    end)

    it("closes the stream when the loop is left", function()
      run(function()
        local log = helper.log()
        for _ in rille.stream(noted(log, { 1, 2 })):iter() do break end
        log "left"
        assert.equal("1 close left", helper.text(log))
      end)
    end)

    it("closes it when the body raises", function()
      run(function()
        local log = helper.log()
        raises(function()
          for _ in rille.stream(noted(log, { 1, 2 })):iter() do error "x" end
        end, "x$")
        assert.equal("1 close", helper.text(log))
      end)
    end)

    it("closes it when the function returns from inside", function()
      run(function()
        local log = helper.log()
        local function search()
          for value in rille.stream(noted(log, { 1, 2 })):iter() do return value end
        end
        assert.equal(1, search())
        assert.equal("1 close", helper.text(log))
      end)
    end)

    it("may be left half-way and nested", function()
      run(function()
        local list = {}
        for a in rille.stream { 1, 2 }:iter() do
          for b in rille.stream { "x", "y" }:iter() do
            list[#list + 1] = a .. b
            if a == 1 then break end
          end
        end
        assert.same({ "1x", "2x", "2y" }, list)
      end)
    end)

    it("whose loop never ran is closed with its scope by s:stream", function()
      run(function()
        local log = helper.log()
        rille.scope(function(s) s:stream(noted(log, { 1 })):iter() end)
        assert.equal("close", helper.text(log))
      end)
    end)
  end)

  describe("read twice", function()
    local again = "read already, by 'collect'; a stream can be read once$"
    local st

    local function read_stream()
      st = rille.stream { 1, 2 }
      st:collect()
    end

    it("by a terminal raises", function()
      run(function()
        read_stream()
        raises(function() st:count() end, "^%S*stream_spec.lua:%d+: .*" .. again)
      end)
    end)

    it("by for raises", function()
      run(function()
        read_stream()
        raises(function() for _ in st do break end end, "stream_spec.lua:%d+: .*" .. again)
        raises(function() st:iter() end, again)
      end)
    end)

    it("by an operator raises", function()
      run(function()
        read_stream()
        raises(function() st:map(print) end, again)
        raises(function() rille.stream {}:merge(st) end, again)
        raises(function() rille.stream(st) end, again)
      end)
    end)

    it("by a second for after a break raises", function()
      run(function()
        st = rille.stream { 1, 2 }
        for _ in st do break end
        raises(function() for _ in st do break end end, "read already, by 'for'")
      end)
    end)

    it("through what an operator took over raises", function()
      run(function()
        st = rille.stream { 1, 2 }
        local _ = st:map(print)
        raises(function() st:collect() end, "read already, by 'map'")
      end)
    end)

    it("by two tasks at a time raises", function()
      run(function()
        local ch = rille.channel()
        local next_value = rille.stream(ch):iter()
        local task = rille.root():task(next_value)
        rille.yield()
        raises(next_value, "a value is being read from this stream")
        ch:send(1)
        assert.equal(1, (task:await()))
      end)
    end)
  end)

  describe("tostring", function()
    it("says what it is made of and its state", function()
      run(function()
        local st = rille.stream(rille.channel()):map(print):take(0)
        assert.equal("rille.stream: channel > map > take (unused)", tostring(st))
        st:collect()
        assert.equal("rille.stream: channel > map > take (closed)", tostring(st))
      end)
    end)
  end)

  it("has no public field", function()
    for key in pairs(rille.stream { 1 }) do assert.equal("table", type(key)) end
  end)

  it("knows its methods' receiver", function()
    raises(function() rille.stream({}).map({}, print) end,
      "stream_spec.lua:%d+: calling 'map' on bad self %(a stream expected, got table%)")
  end)
end)
