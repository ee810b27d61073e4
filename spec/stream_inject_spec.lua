-- A cancellation at every turn of every kind of stream: what was opened is
-- closed, once, and nothing is left behind.
local rille = require "rille"
local helper = require "spec.helper"

local stream = rille.stream

-- Sources that wait before some values and in their close; and a check that
-- each was closed once.
local function sources()
  local opened, closed = 0, 0
  local function source(n, period)
    local i, is_closed = 0, false
    opened = opened + 1
    return {
      recv = function()
        i = i + 1
        if i > n then return nil end
        rille.sleep(i % 2 * period)
        return i
      end,
      close = function()
        assert(not is_closed, "closed twice")
        is_closed = true
        rille.yield()
        closed = closed + 1
      end,
    }
  end
  return source, function() assert.equal(opened, closed) end
end

local function slow(v) rille.sleep(v % 3) return v end

local scenarios = {
  ["operators in a row"] = function(source)
    stream(source(6, 1)):map(slow):filter(function(v) return v ~= 2 end):batch(2)
      :flat_map(function(list) return list end):concat(source(2, 1)):zip(source(9, 0)):collect()
  end,
  ["tasks"] = function(source)
    stream(source(6, 1)):map_parallel(3, slow):merge(source(3, 2), stream(source(3, 1)):map(slow))
      :batch(3, 2):debounce(1):timeout(50):collect()
  end,
  ["tasks in any order"] = function(source)
    stream(source(6, 1)):map_parallel(3, slow, { ordered = false }):throttle(1):collect()
  end,
  ["failures"] = function(source)
    local fails = 2
    stream { open = function()
      fails = fails - 1
      if fails < 0 then return source(3, 1) end
      return stream(source(3, 1)):map_parallel(2, function(v)
        if v == 2 then error "failed" end
        return slow(v)
      end)
    end }:retry { delay = 1 }:concat(function() error "failed" end)
      :catch(function() return source(2, 1) end):collect()
  end,
  ["a loop that is left"] = function(source)
    for v in stream(source(6, 1)):map_parallel(2, slow):iter() do
      for w in stream(source(3, 1)):map(slow) do
        if w == v then break end
      end
      if v == 2 then break end
    end
  end,
  ["a channel"] = function(source)
    local ch = stream(source(4, 1)):map(slow):to_channel(1)
    for v in ch do rille.sleep(v) end
  end,
}

local TURNS = 12 -- to look at, of those at the same time

-- Runs the scenario and cancels it at a time, after some turns. Returns whether
-- it had not ended by then.
local function cancel_at(time, turns, scenario)
  local source, check = sources()
  local ended = false
  helper.run(function()
    rille.scope(function(s)
      rille.root():go({ daemon = true }, function()
        rille.sleep(time)
        for _ = 1, turns do rille.yield() end
        s:cancel()
      end)
      scenario(source)
      ended = true
    end)
  end)
  check()
  return not ended
end

for name, scenario in pairs(scenarios) do
  describe("cancelled at every turn: " .. name, function()
    it("everything is closed", function()
      local time, hit = 0, true
      while hit do
        hit = false
        for turns = 0, TURNS do hit = cancel_at(time, turns, scenario) or hit end
        time = time + 0.5
      end
      assert.is_true(time > 3)
    end)
  end)
end
