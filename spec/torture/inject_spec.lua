-- A cancellation or an error at every suspension point of every scenario. In
-- ctest at a few points of each; all of them with FULL=1 (scripts/torture
-- inject). SEED=n chooses the points and the error values.
local rille = require "rille"
local helper = require "spec.helper"
local inject = require "spec.torture.inject"
local scenarios = require "spec.torture.inject_scenarios"

local seed = math.tointeger(tonumber(os.getenv "SEED")) or 20260101
local limit = not os.getenv "FULL" and 6 or nil
local random = helper.random(seed)
local runs, points, unchanged = 0, 0, 0

local names = {}
for name in pairs(scenarios) do names[#names + 1] = name end
table.sort(names)

-- Only what the injection causes may come out.
local function only_cancellations(ok, err)
  if ok or rille.is_error(err) then return nil end
  return "raised: " .. tostring(err)
end

local function everywhere(name, act, check)
  local ran, all = inject.everywhere(scenarios[name], act, check, limit, random)
  runs, points = runs + ran, points + all
end

local function errors_at(name)
  local value
  everywhere(name, function(_, co)
    value = inject.values[random(#inject.values)]
    if co and coroutine.status(co) == "suspended" then inject.raise(co, value) end
  end, function(ok, err)
    if not ok and (rawequal(err, value) or value ~= value and err ~= err) then
      unchanged = unchanged + 1
      return nil
    end
    return only_cancellations(ok, err)
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
      everywhere(name, function() rille.root():cancel "injected" end, only_cancellations)
    end)

    it("an error unwinds: " .. name, function() errors_at(name) end)
  end

  it("errors come out as they were", function()
    assert.is_true(unchanged > #names)
  end)

  teardown(function()
    if os.getenv "FULL" then
      io.write(("\ninject: SEED=%d, %d scenarios, %d points, %d runs, %d errors unchanged\n")
        :format(seed, #names, points, runs, unchanged))
    end
  end)
end)
