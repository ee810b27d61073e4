-- Random programs on the engine and on the naive model: their logs must be
-- equal, line by line. A divergence is made as small as can be and shown with
-- its seed. The contract leaves a few orders open, which the model fixes as
-- the engine has them: a scope's tasks are cancelled in the order in which
-- they were made, a closed channel wakes receivers before senders, and who
-- leaves a queue does so before he is queued as ready.
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"
local model = require "spec.torture.model"
local program = require "spec.torture.model_program"

local operations = setting.size(100000, 10000000)
local seed = setting.seed(20260103)

local engine = setmetatable({
  select = function(cases, opts) return rille.select(cases, opts) end,
}, { __index = rille })

-- The first line in which the logs differ, or nil; and how many operations
-- have ended.
local function difference(p)
  local actual, chosen = program.run(p, engine, helper.run)
  local expected = program.run(p, model, function(fn) model.run(fn, chosen) end)
  for i = 1, math.max(#actual, #expected) do
    if actual[i] ~= expected[i] then
      return ("line %d\n  expected %s\n  got      %s"):format(i, expected[i], actual[i])
    end
  end
  return nil, #actual
end

local function checked(p)
  local ok, text, count = pcall(difference, p)
  return ok and text or not ok and "error: " .. tostring(text) or nil, count
end

local function report(p, number, random_seed)
  program.shrink(p, function(smaller) return checked(smaller) ~= nil end)
  error(("SEED=%d, program %d:\n%s\n%s"):format(random_seed, number, program.show(p),
    checked(p)), 0)
end

describe("the engine compared with the model", function()
  it("does the same in random programs", function()
    local done, number, began = 0, 0, os.clock()
    while done < operations do
      number = number + 1
      -- Each program has a seed of its own, so that it can be run alone.
      local p = program.new(helper.random(seed + number))
      local text, count = checked(p)
      if text then report(p, 1, seed + number - 1) end
      done = done + count
    end
    setting.note("model: %d operations in %d programs, seeds %d to %d, %.0f s", done, number,
      seed + 1, seed + number, os.clock() - began)
  end)

  it("finds a divergence and makes it small", function()
    local send = getmetatable(model.channel(1, {})).__index.try_send
    local channel = getmetatable(model.channel(1, {})).__index
    channel.try_send = function(self, value)
      return send(self, value == 7 and 8 or value)
    end
    local ok, err = pcall(function()
      local p = program.new(helper.random(1))
      p.body = { { name = "spawn", at = 1, id = 1, body = {
        { name = "try_send", at = 1, id = 2, value = 6 },
        { name = "try_send", at = 1, id = 3, value = 7 },
        { name = "yield", id = 4 }, { name = "recv", at = 1, id = 5 },
        { name = "recv", at = 1, id = 6 } } } }
      p.selectors = {}
      p.channels = { { capacity = 5, overflow = "block" } }
      assert(checked(p))
      report(p, 1, 0)
    end)
    channel.try_send = send
    assert.is_false(ok)
    assert.is_nil(err:find("6 recv", 1, true))
    assert.is_truthy(err:find("3 try_send", 1, true))
  end)
end)
