-- once, singleflight and cache share a mechanism; here they are tried among
-- random cancellations. What must hold: one run per key at a time; a caller
-- gets what a run returned that was under way during its call; a cancelled one
-- gets its own cancellation; in the end nobody waits and nothing is in flight.
local rille = require "rille"
local helper = require "spec.helper"
local run, start = helper.run, helper.start

local seed = math.tointeger(tonumber(os.getenv("SEED"))) or 4043

local totals = { done = 0, cancelled = 0 }

-- A function for `key` whose runs take, fail and return at random.
-- `world.ended[outcome]` is the time at which the run that gave it ended.
local function working(world, key)
  return function()
    local random, outcome = world.random, { key = key }
    world.runs[key] = (world.runs[key] or 0) + 1
    if world.runs[key] > 1 then world.wrong("two runs") end
    local _ <close> = helper.closing(function()
      if random(4) == 1 then rille.sleep(random(0, 2) / 8) end
      world.runs[key] = world.runs[key] - 1
      world.ended[outcome] = rille.now()
    end)
    rille.sleep(random(0, 6) / 8)
    if random(4) == 1 then error(outcome, 0) end
    return outcome
  end
end

-- Makes one call and judges how it ends. `max_age` is how old a value may be
-- that is no failure.
local function call(world, key, max_age)
  local at = rille.now()
  local ok, value, err = pcall(world.call, key, working(world, key))
  if not ok then
    if not rille.is_cancellation(value) then world.wrong(value) end
    error(value, 0)
  end
  local outcome = value or err
  local ended = world.ended[outcome]
  if not ended or outcome.key ~= key then
    world.wrong("an outcome of nothing")
  elseif at - ended > (value and max_age or 0) then
    world.wrong("an old outcome")
  end
end

-- Starts callers for `keys` keys and cancels some, at random.
local function storm(world, keys, max_age)
  local random, tasks = world.random, {}
  for i = 1, 60 do
    tasks[i] = start(call, world, random(keys), max_age)
    if random(3) == 1 then rille.sleep(random(0, 2) / 8) end
    if random(2) == 1 then tasks[random(math.max(1, i - 8), i)]:cancel() end
  end
  for _, task in ipairs(tasks) do
    task:await()
    totals[task:status()] = totals[task:status()] + 1
  end
end

local function new_world(number)
  return { random = helper.random(number), runs = {}, ended = setmetatable({}, { __mode = "k" }),
    wrong = helper.log() }
end

local function check(world)
  assert.equal("", helper.text(world.wrong))
  for _, count in pairs(world.runs) do assert.equal(0, count) end
end

for round = 1, 20 do
  local number = seed + round

  describe("among random cancellations", function()
    it("singleflight gives all an outcome, seed " .. number, function()
      local world = new_world(number)
      run({ seed = round }, function()
        local g = rille.singleflight()
        world.call = function(key, fn) return g:call(key, fn) end
        storm(world, 3, 0)
        assert.equal(0, g:stats().active)
      end)
      check(world)
    end)

    it("cache gives all an outcome, seed " .. number, function()
      local world = new_world(number)
      run({ seed = round }, function()
        local c = rille.cache { size = 2, ttl = 0.5, stale = 0.5 }
        world.call = function(key, fn) return c:get(key, fn) end
        storm(world, 3, 1)
        assert.equal(0, c:stats().loading)
      end)
      check(world)
    end)

    it("once gives all an outcome, seed " .. number, function()
      local world = new_world(number)
      run({ seed = round }, function()
        local functions = {}
        for key = 1, 6 do functions[key] = rille.once(working(world, key)) end
        world.call = function(key) return functions[key]() end
        storm(world, 6, math.huge)
      end)
      check(world)
    end)
  end)
end

describe("random cancellations", function()
  it("have met some callers and missed others", function()
    assert.is_true(totals.done > 500)
    assert.is_true(totals.cancelled > 500)
  end)
end)
