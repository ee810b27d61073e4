-- A function or source that a stream runs in a task of its own, and that
-- cancelled that task, was gone without a word: who read the stream waited for
-- ever. It has failed.
local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

local function cancels_itself(v)
  if v == 3 then
    rille.current():cancel "enough"
    rille.yield()
  end
  return v
end

local function source()
  local i = 0
  return { recv = function() i = i + 1 return cancels_itself(i) end }
end

-- Reads the stream to its failure; its reason.
local function failure_of(st)
  return helper.refused("cancelled", st:each(function() end)).reason
end

describe("what cancels the task in which a stream runs it", function()
  it("fails map_parallel, in order or not", function()
    for _, ordered in ipairs { true, false } do
      run(function()
        assert.equal("enough", failure_of(rille.stream { 1, 2, 3, 4, 5 }
          :map_parallel(2, cancels_itself, { ordered = ordered })))
      end)
    end
  end)

  it("may do so from outside, and late: the stream ends or fails all the same", function()
    for step = 0, 16 do
      run(function()
        local tasks = {}
        rille.root():go({ daemon = true }, function()
          rille.sleep(step / 8)
          for _, task in pairs(tasks) do task:cancel() end
        end)
        rille.stream { 1, 2, 3, 4, 5 }:map_parallel(2, function(v)
          tasks[1] = rille.current()
          rille.sleep(v % 3 / 8)
          return v
        end):each(function() rille.sleep(0.25) end)
      end)
    end
  end)

  it("fails a merge", function()
    run(function()
      assert.equal("enough", failure_of(rille.stream(source()):merge { 1, 2 }))
    end)
  end)

  it("fails batch, debounce and timeout", function()
    run(function()
      assert.equal("enough", failure_of(rille.stream(source()):batch(9, 9)))
      assert.equal("enough", failure_of(rille.stream(source()):debounce(1)))
      assert.equal("enough", failure_of(rille.stream(source()):timeout(9)))
    end)
  end)

  it("is closed in order when the scope is cancelled", function()
    run(function()
      local closed = 0
      local _, err = rille.scope(function(s)
        local list = { recv = function() return 1 end, close = function() closed = closed + 1 end }
        local st = s:stream(list):map_parallel(2, function() rille.sleep(1) return 1 end)
        s:go(function() rille.sleep(1.5) s:cancel "over" end)
        st:each(function() end)
      end)
      assert.same({ "over", 1 }, { err.reason, closed })
    end)
  end)
end)
