local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- Runs fn(scope) in a scope of its own.
local function scoped(fn)
  return run(function() return rille.scope(fn) end)
end

-- Everything that comes out of a channel, as text.
local function text(channel)
  local values = {}
  for value in channel do values[#values + 1] = tostring(value) end
  return table.concat(values, " ")
end

-- What comes out of a pipeline of the stages, in a scope.
local function through(input, ...)
  local stages = table.pack(...)
  return scoped(function()
    return text(rille.pipeline(table.unpack(stages, 1, stages.n))(input))
  end)
end

local function double(x) return x * 2 end
local function increment(x) return x + 1 end
local function odd(x) if x % 2 == 1 then return x end end

describe("pipeline", function()
  it("sends every value through every stage, in order", function()
    assert.equal("3 5 7", through({ 1, 2, 3 }, double, increment))
  end)

  it("drops nil", function()
    assert.equal("2 6", through({ 1, 2, 3 }, odd, double))
  end)

  it("does not drop false", function()
    assert.equal("true false", through({ 1, 2 }, function(x) return x == 1 end))
  end)

  it("takes an iterator", function()
    local i = 0
    assert.equal("2 4", through(function() i = i + 1 return i < 3 and i or nil end, double))
  end)

  it("takes a channel", function()
    scoped(function(s)
      local ch = s:channel(3)
      ch:send_many { 1, 2, 3 }
      ch:close()
      assert.equal("2 4 6", text(rille.pipeline(double)(ch)))
    end)
  end)

  it("of an empty input is closed at once", function()
    assert.equal("", through({}, double, double))
  end)

  it("may be run again, and twice at a time", function()
    scoped(function()
      local p = rille.pipeline(double)
      local a, b = p { 1, 2 }, p { 3, 4 }
      assert.equal("6 8 2 4", text(b) .. " " .. text(a))
    end)
  end)

  it("may be a stage", function()
    local inner = rille.pipeline(increment, increment)
    assert.equal("3 4", through({ 1, 2 }, inner))
    assert.equal("8", through({ 1 }, double, inner, double))
  end)

  it("says how many stages it has", function()
    assert.equal("rille.pipeline: 2 stages", tostring(rille.pipeline(double, double)))
  end)

  it("never suspends in the call", function()
    local log = helper.log()
    scoped(function(s)
      s:go(log, "later")
      rille.pipeline(double) { 1 }
      log "first"
      rille.yield()
    end)
    assert.equal("first later", helper.text(log))
  end)

  it("works on one value ahead for each stage", function()
    local log = helper.log()
    scoped(function()
      local out = rille.pipeline(function(x) log("a", x) return x end,
        function(x) log("b", x) return x end)({ 1, 2, 3, 4, 5, 6 })
      helper.settle()
      log "look"
      out:recv()
    end)
    assert.equal("a:1 b:1 a:2 look", helper.text(log):match "^.* look")
  end)

  it("works on `buffer` more values ahead", function()
    local log = helper.log()
    scoped(function()
      rille.pipeline { function(x) log(x) return x end, buffer = 2 } { 1, 2, 3, 4, 5, 6 }
      helper.settle()
    end)
    assert.equal("1 2 3", helper.text(log))
  end)

  it("keeps no more than what is in flight", function()
    scoped(function(s)
      local i = 0
      local out = rille.pipeline(double, { double, workers = 3, ordered = true })(function()
        i = i + 1
        return i <= 20000 and i or nil
      end)
      out:recv()
      local before, peak = collectgarbage "count", 0
      for value in out do
        if value % 20000 == 0 then
          collectgarbage()
          peak = math.max(peak, collectgarbage "count" - before)
        end
      end
      assert.is_true(peak < 64, "KB: " .. peak)
      helper.settle()
      assert.equal(0, s:active())
    end)
  end)

  it("refuses wrong stages", function()
    raises(function() rille.pipeline() end, "#1")
    raises(function() rille.pipeline(double, 3) end, "#2")
    raises(function() rille.pipeline(double, {}) end, "#2.*no function")
    raises(function() rille.pipeline { double, worker = 1 } end, "did you mean 'workers'")
    raises(function() rille.pipeline { double, workers = 0 } end, "'workers'")
    raises(function() rille.pipeline { double, workers = math.huge } end, "'workers'")
    raises(function() rille.pipeline { stream = double, workers = 2 } end, "workers")
  end)

  it("refuses a wrong input", function()
    scoped(function()
      raises(function() rille.pipeline(double)(3) end, "#1.*list, a channel or an iterator")
    end)
  end)

  it("is started only inside a task", function()
    raises(function() rille.pipeline(double) {} end, "inside a task")
  end)
end)

describe("a stage with workers", function()
  -- One value of three is slow.
  local function slow(x)
    rille.sleep(x % 3 == 1 and 5 or 1)
    return x
  end

  it("runs so many at a time", function()
    local running, peak = 0, 0
    through({ 1, 2, 3, 4, 5, 6, 7, 8 }, { function(x)
      running = running + 1
      peak = math.max(peak, running)
      rille.sleep(1)
      running = running - 1
      return x
    end, workers = 3 })
    assert.equal(3, peak)
  end)

  it("lets the fast overtake the slow", function()
    assert.equal("2 3 1", through({ 1, 2, 3 }, { slow, workers = 3 }))
  end)

  it("keeps the order if that is asked for", function()
    assert.equal("1 2 3 4 5 6 7",
      through({ 1, 2, 3, 4, 5, 6, 7 }, { slow, workers = 3, ordered = true }))
  end)

  it("keeps the order when some are dropped", function()
    assert.equal("1 3 5 7", through({ 1, 2, 3, 4, 5, 6, 7 },
      { function(x) return odd(slow(x)) end, workers = 3, ordered = true }))
  end)

  it("gets no more than its number ahead of the slowest", function()
    local log = helper.log()
    scoped(function()
      local out = rille.pipeline { function(x)
        log(x)
        if x == 1 then rille.sleep(9) end
        return x
      end, workers = 3, ordered = true } { 1, 2, 3, 4, 5, 6 }
      rille.sleep(5)
      assert.equal("1 2 3", helper.text(log))
      assert.equal("1 2 3 4 5 6", text(out))
    end)
  end)

  it("takes from an iterator one at a time", function()
    local inside, i = 0, 0
    local function items()
      inside = inside + 1
      assert.equal(1, inside)
      rille.sleep(0.1)
      inside = inside - 1
      i = i + 1
      return i <= 9 and i or nil
    end
    assert.equal("1 2 3 4 5 6 7 8 9", through(items, { increment, workers = 4, ordered = true },
      function(x) return x - 1 end))
  end)
end)

describe("a stream stage", function()
  it("gets the channels before and after it", function()
    assert.equal("1 1 2 2", through({ 1, 2 }, { stream = function(input, output)
      for value in input do
        output:send(value)
        output:send(value)
      end
    end }))
  end)

  it("in the middle, and with a buffer", function()
    assert.equal("3 5", through({ 1, 2 }, double, { stream = function(input, output)
      for value in input do output:send(value + 1) end
    end, buffer = 4 }))
  end)

  it("that ends early ends those before it, with their cleanup", function()
    local log = helper.log()
    local out = through(function() return 1 end, { stream = function(input, output)
      local _ <close> = helper.closing(function() log "closed" end)
      for value in input do output:send(value) end
    end }, { stream = function(input, output)
      for _ = 1, 2 do output:send(input:recv()) end
    end })
    assert.equal("1 1", out)
    assert.equal("closed", helper.text(log))
  end)

  it("has its output closed at its end", function()
    assert.equal("", through({ 1, 2 }, { stream = function() end }))
  end)
end)
