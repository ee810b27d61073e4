-- scripts/bench: what it makes of the numbers it is given. That the programs
-- it runs work, the test bench/smoke shows.
local path = package.path
package.path = "scripts/benchmarks/?.lua;scripts/benchmarks/driver/?.lua;" .. path
local chart = require "chart"
local figures = require "figures"
local harness = require "harness"
local json = require "json"
local plan = require "plan"
local report = require "report"
local statistics = require "statistics"
local helper = require "spec.helper"
package.path = path

-- Runs the row `fn` as a program would; returns what it printed.
local function program(fn)
  local printed, print_before = {}, print
  local now = 0
  _G.print = function(text) printed[#printed + 1] = text end -- luacheck: ignore
  local ok, err = pcall(harness.main, {
    clock = function() now = now + 1 return now end,
    rows = {work = fn}, cold = {work = true},
  }, {"work", "10", "1"})
  _G.print = print_before -- luacheck: ignore
  if not ok then error(err, 0) end
  return table.concat(printed, "\n")
end

local peers = {{name = "rille", title = "rille"}, {name = "go", title = "Go"}}

-- The figures of one row, rille needing `seconds` and Go one second.
local function measured(seconds)
  local job = {row = {id = "spawn", kind = "time", tasks = 1}, ops = 1, tasks = 1}
  return figures({job}, {[job] = {
    rille = {{ops = 1, seconds = seconds}}, go = {{ops = 1, seconds = 1}},
  }}, peers)
end

describe("the benchmarks", function()
  describe("a program", function()
    it("prints the operations and the seconds", function()
      local line = program(function(b) return b.ops, 10 end)
      assert.matches("^result work ops=10 seconds=1%.0+ cpu=%S+ bytes=%d+", line)
    end)

    it("fails when it has computed the wrong thing", function()
      helper.raises(function() program(function() return 9, 10 end) end,
        "work: computed 9, not 10")
    end)

    it("fails on a row it does not know", function()
      helper.raises(function() harness.main({rows = {}}, {"no", "1", "1"}) end, "no row no")
    end)
  end)

  describe("the statistics", function()
    it("give the median and half the distance of the quartiles", function()
      local summary = statistics.summary{50, 10, 20, 30, 40}
      assert.are.equal(30, summary.median)
      assert.are.equal(1 / 3, summary.spread)
    end)

    it("compare what was measured in the same round", function()
      assert.are.equal(2, statistics.ratio({10, 200, 30}, {5, 100, 15}))
      assert.are.equal(3, statistics.ratio({10, nil, 30}, {nil, 100, 10}))
    end)
  end)

  describe("the figures", function()
    it("tell a target that is met from one that is missed", function()
      assert.is_true(measured(1).verdicts[1].met)
      assert.is_false(measured(1.01).verdicts[1].met)
    end)

    it("make a table with the ratio and a mark", function()
      assert.matches("| spawn | 2%.00 s | 0 %% | +| 2%.00 ! |",
        report.ratios(measured(2).lines, peers))
    end)

    it("hold the memory of a connection to what luv's takes, and so much more", function()
      local job = {row = {id = "idle", kind = "idle", tasks = 1}, ops = 1, tasks = 1}
      local function judge(bytes)
        local found = figures({job}, {[job] = {rille = {{bytes = bytes}}, luv = {{bytes = 900}}}},
          {peers[1], {name = "luv", title = "luv"}})
        return found.verdicts[1], found
      end
      assert.is_true(judge(6900).met)
      local missed, found = judge(6901)
      assert.is_false(missed.met)
      local titled = {{name = "luv", title = "luv"}}
      assert.matches("idle: memory, bytes more than luv | +6001 | +<= 6000 | MISSED",
        report.verdicts(found.verdicts, titled))
    end)

    it("judge the growth of an operation beside tasks that sleep", function()
      local beside = {id = "growth_beside_x", row = "x", kind = "growth", growth = "beside"}
      local together = {id = "growth_together_x", row = "x", kind = "growth", growth = "together"}
      local jobs, results = {}, {}
      for i, row in ipairs{beside, beside, together, together} do
        jobs[i] = {row = row, tasks = i % 2 == 1 and 10 or 1e6}
        results[jobs[i]] = {rille = {{ops = 1, seconds = i % 2 == 1 and 1 or i}}}
      end
      local found = figures(jobs, results, peers)
      assert.are.equal(1, #found.verdicts)
      assert.is_true(found.verdicts[1].met)
      assert.matches("| x +| +together | rille | 1%.00 s | 4%.00 s | +4%.00 ! |",
        report.growth(found.growth, peers))
    end)

    it("make a chart", function()
      local svg = chart.svg(measured(2).lines, peers, {date = "now", cpu = "A & B", cpus = 2})
      assert.matches("^<svg .*A &amp; B, 2 CPUs.*</svg>\n$", svg)
    end)
  end)

  describe("the plan", function()
    it("has the rows that match", function()
      local jobs = plan.jobs{rows = "^select(2|8)$", divide = 10, rounds = 3, growth_rounds = 1,
        most_tasks = 10}
      assert.are.same({"select2", "select8"}, {jobs[1].row.id, jobs[2].row.id})
      assert.are.equal(50000, jobs[1].ops)
    end)

    it("has every row of growth beside, and those of tasks that meet together", function()
      local ids = {}
      for _, job in ipairs(plan.jobs{rows = "growth", divide = 10, rounds = 1, growth_rounds = 1,
        most_tasks = 10}) do
        ids[job.row.id] = job.row.growth
      end
      assert.are.equal("beside", ids.growth_beside_pingpong)
      assert.are.equal("together", ids.growth_together_pingpong)
      assert.are.equal("beside", ids.growth_beside_timer)
      assert.is_nil(ids.growth_together_timer)
    end)

    it("fails when none matches", function()
      helper.raises(function() plan.jobs{rows = "^none$"} end, "no row matches '%^none%$'")
    end)
  end)

  it("write JSON", function()
    assert.are.equal('{"a\\n": [1, 0.5, true], "b": {"c": "\\u0001\\""}}\n',
      json.encode{["a\n"] = {1, 0.5, true}, b = {c = '\1"'}})
    helper.raises(function() json.encode{0 / 0} end, "JSON has no")
  end)
end)
