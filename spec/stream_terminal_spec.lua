-- The terminals of a stream.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

local stream = rille.stream

local function add(a, b) return a + b end

local function failing(...)
  local values, i = { ... }, 0
  return function()
    i = i + 1
    if values[i] == nil then error("failed", 0) end
    return values[i]
  end
end

describe("terminal", function()
  describe("each", function()
    it("calls the function for every value and returns true", function()
      run(function()
        local log = helper.log()
        assert.is_true(stream { 1, false, 3 }:each(log))
        assert.equal("1 false 3", helper.text(log))
      end)
    end)

    it("fails with what the function raises", function()
      run(function()
        local problem = {}
        local ok, err = stream { 1 }:each(function() error(problem) end)
        assert.is_nil(ok)
        assert.equal(problem, err)
      end)
    end)

    it("fails when the function returns nil and an error", function()
      run(function()
        assert.same({ nil, "full" }, { stream { 1 }:each(function() return nil, "full" end) })
      end)
    end)
  end)

  describe("collect", function()
    it("returns a list", function()
      run(function() assert.same({ 1, false, 3 }, stream { 1, false, 3 }:collect()) end)
    end)
  end)

  describe("first", function()
    it("returns the first value, be it false", function()
      run(function() assert.same({ false }, { stream { false, 2 }:first() }) end)
    end)

    it("pulls one value and closes the stream", function()
      run(function()
        local log = helper.log()
        stream { recv = function() log "recv" return 1 end, close = function() log "close" end }
          :first()
        assert.equal("recv close", helper.text(log))
      end)
    end)

    it("of none returns nil alone", function()
      run(function() assert.same({ n = 1 }, table.pack(stream {}:first())) end)
    end)
  end)

  describe("count", function()
    it("returns the number of values", function()
      run(function() assert.equal(3, (stream { 1, false, 3 }:count())) end)
    end)
  end)

  describe("fold", function()
    it("makes one value of all", function()
      run(function() assert.equal(16, (stream { 1, 2, 3 }:fold(add, 10))) end)
    end)

    it("begins with the first value unless told otherwise", function()
      run(function()
        assert.equal(6, (stream { 1, 2, 3 }:fold(add)))
        assert.is_nil((stream {}:fold(add)))
        assert.equal(5, (stream {}:fold(add, 5)))
      end)
    end)

    it("may begin with false", function()
      run(function()
        assert.is_false((stream { false }:fold(function(a, b) return a or b end, false)))
      end)
    end)
  end)

  it("returns nil and the error of a stream that fails", function()
    run(function()
      for _, name in ipairs { "collect", "first", "count" } do
        local st = stream(failing())
        assert.same({ nil, "failed" }, { st[name](st) })
      end
      assert.same({ nil, "failed" }, { stream(failing(1)):each(function() end) })
      assert.same({ nil, "failed" }, { stream(failing(1, 2)):fold(add, 1) })
    end)
  end)

  it("raises outside a task", function()
    raises(function() stream { 1 }:collect() end, "not inside a task")
  end)

  describe("to_channel", function()
    it("sends the values and closes the channel", function()
      run(function()
        local ch = stream { 1, false, 3 }:to_channel()
        local list = {}
        for value in ch do list[#list + 1] = value end
        assert.same({ 1, false, 3 }, list)
        refused("closed", ch:recv())
      end)
    end)

    it("pulls no more than the channel takes", function()
      run(function()
        local pulled = 0
        local ch = stream(function() pulled = pulled + 1 return pulled end):to_channel(2)
        helper.settle()
        assert.equal(3, pulled)
        assert.equal(2, ch:size())
      end)
    end)

    it("closes the channel with the error of a stream that fails", function()
      run(function()
        local ch = stream(failing(1)):to_channel()
        assert.equal(1, (ch:recv()))
        assert.same({ nil, "failed" }, { ch:recv() })
      end)
    end)

    it("tells of a failure with nil", function()
      run(function()
        refused("invalid", stream(function() error(nil) end):to_channel():recv())
      end)
    end)

    it("closes the stream when the channel is closed", function()
      run(function()
        local closed = false
        local ch = stream { recv = function() return 1 end, close = function() closed = true end }
          :to_channel()
        ch:recv()
        ch:close()
        helper.settle()
        assert.is_true(closed)
      end)
    end)

    it("leaves a failure that the channel cannot tell to the scope", function()
      run(function()
        local err = raises(function()
          rille.scope(function(s)
            local ch = s:stream(function() rille.sleep(1) error("late", 0) end):to_channel()
            ch:close()
            rille.sleep(2)
          end)
        end)
        assert.equal("late", err)
      end)
    end)

    it("is stopped with the scope, and the channel says so", function()
      run(function()
        local ch
        rille.scope(function() ch = stream(rille.channel()):to_channel() end)
        refused("cancelled", ch:recv())
      end)
    end)

    it("says so too when it never started", function()
      run(function()
        local ch
        rille.scope(function(s)
          ch = stream { 1 }:to_channel()
          s:cancel()
        end)
        refused("cancelled", ch:recv())
      end)
    end)

    it("does not keep the scope waiting", function()
      run(function()
        local endless = function() rille.sleep(1) return 1 end
        rille.scope(function() stream(endless):to_channel(math.huge) end)
        assert.equal(0, rille.now())
      end)
    end)

    it("checks its capacity before it takes the stream", function()
      run(function()
        local st = stream { 1 }
        raises(function() st:to_channel(-1) end,
          "stream_terminal_spec.lua:%d+: bad argument #1 to 'to_channel'")
        assert.same({ 1 }, st:collect())
      end)
    end)
  end)
end)
