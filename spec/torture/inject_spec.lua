-- A cancellation or an error at every suspension point of every scenario. In
-- ctest at a few points of each; all of them with FULL=1 (scripts/torture
-- inject). SEED=n chooses the points and the error values.
local rille = require "rille"
local helper = require "spec.helper"
local inject = require "spec.torture.inject"

local scenarios = {}
for _, name in ipairs { "scenarios", "policies", "patterns", "streams", "io", "http" } do
  for key, scenario in pairs(require("spec.torture.inject_" .. name)) do
    scenarios[key] = scenario
  end
end

local seed = math.tointeger(tonumber(os.getenv "SEED")) or 20260101
local limit = not os.getenv "FULL" and 6 or nil
local random = helper.random(seed)
local runs, points, unchanged, rescued = 0, 0, 0, 0

local names = {}
for name in pairs(scenarios) do names[#names + 1] = name end
table.sort(names)

-- Only what the injection causes may come out.
local function only_cancellations(ok, err, seen)
  if seen.rescued then rescued = rescued + 1 end
  if ok or rille.is_error(err) then return nil end
  return "raised: " .. tostring(err)
end

-- Nobody is left waiting when all are cancelled.
local function without_rescue(ok, err, seen)
  if seen.rescued then return "something did not end by itself" end
  return only_cancellations(ok, err, seen)
end

-- The steps after which a run on the real clock is taken for one that ends only
-- when it is rescued, where none should be: as long as any machine takes.
local LONG = 100000

local function everywhere(name, act, check, patience)
  local most = limit and inject.real[scenarios[name]] and limit // 3 or limit
  local ran, all = inject.everywhere(scenarios[name], act, check, most, random, patience)
  runs, points = runs + ran, points + all
end

local function errors_at(name)
  local value
  everywhere(name, function(_, co)
    value = inject.values[random(inject.values.n)]
    if co and coroutine.status(co) == "suspended" then inject.raise(co, value) end
  end, function(ok, err, seen)
    if not ok and (rawequal(err, value) or value ~= value and err ~= err) then
      unchanged = unchanged + 1
      return nil
    end
    return only_cancellations(ok, err, seen)
  end)
end

describe("SEED=" .. seed .. ", at every suspension point,", function()
  for _, name in ipairs(names) do
    it("a cancelled task unwinds: " .. name, function()
      everywhere(name, function(task) task:cancel "injected" end, only_cancellations)
    end)

    it("a task cancelled twice unwinds: " .. name, function()
      everywhere(name, function(task)
        task:cancel "injected"
        rille.yield()
        task:cancel "again"
      end, only_cancellations)
    end)

    it("a cancelled root unwinds: " .. name, function()
      everywhere(name, function() rille.root():cancel "injected" end, without_rescue, LONG)
    end)

    it("an error unwinds: " .. name, function() errors_at(name) end)
  end

  it("errors come out as they were", function()
    assert.is_true(unchanged > #names)
  end)

  teardown(function()
    if os.getenv "FULL" then
      io.write(("\ninject: SEED=%d, %d scenarios, %d points, %d runs, %d errors unchanged, "
        .. "%d left waiting for a task that was gone\n")
        :format(seed, #names, points, runs, unchanged, rescued))
    end
  end)
end)
