local rille = require "rille"
local helper = require "spec.helper"

-- The events of a run that depends on many select choices.
local function events(seed)
  local log = helper.log()
  helper.run({ seed = seed }, function()
    local channels = {}
    for i = 1, 4 do channels[i] = rille.channel(1) end
    for i, ch in ipairs(channels) do
      rille.root():go(function()
        for n = 1, 20 do
          ch:send(i * 100 + n)
          if n % i == 0 then rille.sleep(0.25 * i) end
        end
        ch:close()
      end)
    end
    for _ = 1, 2 do
      rille.root():go(function()
        local cases = { { channels[1] }, { channels[2] }, { channels[3] }, { channels[4] } }
        for _ = 1, 60 do
          local index, value = rille.select(cases)
          log(index, value, rille.now())
        end
      end)
    end
  end)
  return helper.text(log)
end

describe("a seed", function()
  it("makes the events of a run the same again", function()
    for seed = 1, 20 do
      assert.equal(events(seed), events(seed))
    end
  end)

  it("makes them others than those of another seed", function()
    local seen, count = {}, 0
    for seed = 1, 20 do
      local text = events(seed)
      if not seen[text] then
        seen[text] = true
        count = count + 1
      end
    end
    assert.is_true(count > 10)
  end)

  it("does not depend on what ran before", function()
    local first = events(7)
    events(8)
    pcall(helper.run, function() error("x") end)
    assert.equal(first, events(7))
  end)

  it("does not depend on the garbage collector", function()
    local first = events(7)
    collectgarbage("incremental", 1, 1000, 1)
    local second = events(7)
    collectgarbage("incremental", 200, 100, 13)
    assert.equal(first, second)
  end)

  it("may be 0", function()
    assert.equal(events(0), events(0))
  end)

  it("refuses what is no number", function()
    helper.raises(function() rille.run({ seed = "x" }, print) end, "seed")
  end)
end)

describe("the order of tasks", function()
  it("is that in which they were woken", function()
    local log = helper.log()
    helper.run(function()
      local ch = rille.channel()
      for i = 1, 5 do
        rille.root():go(function() ch:recv() log(i) end)
      end
      rille.yield()
      ch:close()
    end)
    assert.equal("1 2 3 4 5", helper.text(log))
  end)
end)
