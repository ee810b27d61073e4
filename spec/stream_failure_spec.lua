-- What becomes of a failure in a stream: it reaches the consumer, as it was,
-- and the stream is closed.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, raises = helper.run, helper.raises
local identity, second_fails, failing = sources.identity, sources.second_fails, sources.failing

local stream = rille.stream

local function read(st)
  local list = {}
  local ok, err = pcall(function()
    for value in st do list[#list + 1] = value end
  end)
  return list, not ok and err or nil
end

describe("a failure", function()
  -- Every operator, as a function that puts it on a stream.
  local operators = {
    map = function(st) return st:map(identity) end,
    filter = function(st) return st:filter(function() return true end) end,
    flat_map = function(st) return st:flat_map(function(v) return { v } end) end,
    take = function(st) return st:take(10) end,
    take_while = function(st) return st:take_while(function() return true end) end,
    skip = function(st) return st:skip(0) end,
    scan = function(st) return st:scan(function(_, v) return v end) end,
    distinct = function(st) return st:distinct() end,
    concat = function(st) return st:concat {} end,
    merge = function(st) return st:merge {} end,
    tap = function(st) return st:tap(identity) end,
    debounce = function(st) return st:debounce(1) end,
    throttle = function(st) return st:throttle(0) end,
    timeout = function(st) return st:timeout(1) end,
    map_parallel = function(st) return st:map_parallel(2, identity) end,
    unordered = function(st) return st:map_parallel(2, identity, { ordered = false }) end,
    ["nothing"] = identity,
  }

  for name, put in pairs(operators) do
    it("of the source passes through " .. name, function()
      run(function()
        local log = helper.log()
        local list, err = read(put(stream(failing(log, 1, 2))))
        assert.same({ name == "debounce" and { 2 } or { 1, 2 }, "failed" }, { list, err })
        assert.equal("closed", helper.text(log))
      end)
    end)
  end

  -- Operators with a function that gets the second value.
  local with_function = {
    map = function(st, fn) return st:map(fn) end,
    filter = function(st, fn) return st:filter(fn) end,
    flat_map = function(st, fn) return st:flat_map(function(v) return { fn(v) } end) end,
    take_while = function(st, fn) return st:take_while(fn) end,
    scan = function(st, fn) return st:scan(function(_, v) return fn(v) end) end,
    distinct = function(st, fn) return st:distinct(fn) end,
    tap = function(st, fn) return st:tap(fn) end,
    map_parallel = function(st, fn) return st:map_parallel(2, fn) end,
    unordered = function(st, fn) return st:map_parallel(2, fn, { ordered = false }) end,
  }

  for name, put in pairs(with_function) do
    it("of the function of " .. name .. " is the stream's", function()
      run(function()
        local log = helper.log()
        assert.same({ { 1 }, "failed" }, { read(put(stream(failing(log, 1, 2, 3)), second_fails)) })
        assert.equal("closed", helper.text(log))
      end)
    end)
  end

  for _, name in ipairs { "map", "filter", "take_while", "scan", "distinct", "tap",
    "map_parallel" } do
    it("that " .. name .. "'s function returns is the stream's", function()
      run(function()
        local st = with_function[name](stream { 1, 2 }, function(v)
          if v == 2 then return nil, "failed" end
          return v
        end)
        assert.same({ nil, "failed" }, { st:collect() })
      end)
    end)
  end

  it("that is a returned closed is none", function()
    run(function()
      local ch = rille.channel()
      ch:close()
      assert.same({}, stream { 1 }:map(function() return ch:recv() end):collect())
    end)
  end)

  it("may be any value", function()
    run(function()
      for _, problem in ipairs { false, 5, {}, "text" } do
        local value, err = stream { 1 }:map(function() error(problem, 0) end):collect()
        assert.same({ nil, problem }, { value, err })
        value, err = stream { 1 }:map_parallel(2, function() error(problem, 0) end):collect()
        assert.same({ nil, problem }, { value, err })
      end
    end)
  end)

  it("with nil is one in a loop as well", function()
    run(function()
      local log = helper.log()
      local st = stream(failing(log, 1)):tap(function() error(nil) end)
      assert.same({ false }, { pcall(function() for _ in st do log "value" end end) })
      assert.equal("closed", helper.text(log))
    end)
  end)

  it("with nil passes through tasks", function()
    run(function()
      local function fail() error(nil) end
      for _, st in ipairs { stream { 1 }:map_parallel(2, fail), stream(fail):timeout(1),
        stream(fail):merge {} } do
        assert.same({ n = 2 }, table.pack(st:collect()))
      end
    end)
  end)

  it("comes after what an operator holds, and once", function()
    run(function()
      local function source()
        local log = failing(helper.log(), 1)
        local failed = false
        return { recv = function()
          if failed then return nil end
          local value, err = log.recv()
          failed = value == nil
          return value, err
        end }
      end
      for _, st in ipairs { stream(source()):batch(2), stream(source()):batch(2, 5),
        stream(source()):debounce(5) } do
        local list, err = read(st)
        assert.same({ 1, "failed" }, { #list, err })
      end
    end)
  end)

  it("ends the stream for good", function()
    run(function()
      local st = stream { 1, 2, 3 }:map(second_fails)
      local next_value = st:iter()
      assert.equal(1, next_value())
      assert.equal("failed", raises(next_value))
      assert.is_nil(next_value())
      raises(function() st:collect() end, "read already")
    end)
  end)

  it("in a loop keeps its traceback", function()
    run(function()
      local function deep() error "deep" end
      local task = rille.root():task(function()
        for _ in stream { 1 }:map(deep) do error "not reached" end
      end)
      task:await()
      assert.matches("stream_failure_spec.lua:%d+: in %w+ 'fn'", task:traceback())
    end)
  end)

  describe("in closing", function()
    local function stuck() return { recv = function() return nil end, close = function()
      error("stuck", 0)
    end } end

    it("is returned by a terminal", function()
      run(function() assert.same({ nil, "stuck" }, { stream(stuck()):collect() }) end)
    end)

    it("is raised by a loop", function()
      run(function()
        raises(function() for _ in stream(stuck()) do break end end, "^stuck$")
        raises(function() for _ in stream(stuck()):iter() do break end end, "^stuck$")
      end)
    end)

    it("is raised at the end of the scope", function()
      run(function()
        local source = stuck()
        source.recv = function() return 1 end
        raises(function()
          rille.scope(function() for _ in stream(source) do break end end)
        end, "^stuck$")
      end)
    end)

    it("gives way to the failure that led to it", function()
      run(function()
        local source = stuck()
        source.recv = function() return nil, "failed" end
        assert.same({ nil, "failed" }, { stream(source):collect() })
        raises(function() for _ in stream(source) do error "not reached" end end, "^failed$")
        source.recv = function() return 1 end
        raises(function() for _ in stream(source):iter() do error("body", 0) end end, "^body$")
      end)
    end)

    it("does not keep others from being closed", function()
      run(function()
        local log = helper.log()
        local st = stream(failing(log, 1)):zip(stuck(), failing(log, 1))
        assert.same({ nil, "stuck" }, { st:collect() })
        assert.equal("closed closed", helper.text(log))
      end)
    end)

    it("does not keep another stream of the scope from being closed", function()
      run(function()
        local log = helper.log()
        raises(function()
          rille.scope(function(s)
            s:stream(failing(log))
            s:stream(stuck())
          end)
        end, "^stuck$")
        assert.equal("closed", helper.text(log))
      end)
    end)
  end)
end)
