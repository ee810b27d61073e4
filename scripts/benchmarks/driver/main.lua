--[[
main.lua - the driver of scripts/bench: plans, measures, reports.

    lua5.4 scripts/benchmarks/driver/main.lua OPTIONS

The programs must have been built; scripts/bench does that and starts this.
Everything that is measured is in rows.lua, everything it is held to in
targets.lua.
]]
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path

local peers = require "peers"
local plan = require "plan"
local report = require "report"
local machine = require "machine"

local o = require "options".read(arg, peers.names)
o.here = o.here or here:gsub("/driver$", "")

local function list_rows()
  for _, row in ipairs(require "rows") do print(("%-16s %s"):format(row.id, row.title)) end
end

local function chosen_peers()
  local list = peers.find(o)
  for _, peer in ipairs(list) do
    if peer.absent and (peer.name == "rille" or peer.name == "before") then
      error("there is no rille to measure at " .. tostring(o[peer.name]), 0)
    elseif peer.absent then
      io.stderr:write("bench: without ", peer.title, ": ", peer.absent, "\n")
    end
  end
  return list
end

local function print_report(figures, all, described, notes)
  print(machine.text(described, all))
  if #figures.lines > 0 then
    print(report.ratios(figures.lines, all) .. "\n" .. report.legend)
    print(report.figures(figures.lines, all))
  end
  if #figures.growth > 0 then
    print(report.growth(figures.growth, all) .. "\n" .. report.growth_legend)
  end
  if #figures.verdicts > 0 then print(report.verdicts(figures.verdicts, all)) end
  for _, note in ipairs(notes) do print("note: " .. note) end
end

local function write_files(figures, all, described, notes)
  local shell = require "shell"
  if o.json then
    local record = require "record"(figures, described, notes, o)
    shell.write_file(o.json, require "json".encode(record))
  end
  if o.svg then
    shell.write_file(o.svg, require "chart".svg(figures.lines, all, described))
  end
end

local function missed(figures)
  for _, v in ipairs(figures.verdicts) do
    if not v.met then return true end
  end
  return false
end

local function main()
  if o.list then return list_rows() end
  local all = chosen_peers()
  local described = machine.describe(all, o.rille)
  local jobs = plan.jobs(o)
  local results, notes, failed = require "measure"(jobs, all, o)
  machine.finish(described)
  local figures = require "figures"(jobs, results, all)
  print_report(figures, all, described, notes)
  write_files(figures, all, described, notes)
  if failed then os.exit(1) end
  if o.check and missed(figures) then os.exit(3) end
end

local ok, err = xpcall(main, function(err)
  return type(err) == "string" and err:find "^[^:\n]*%.lua:%d" and debug.traceback(err) or err
end)
if not ok then
  io.stderr:write("bench: ", tostring(err), "\n")
  os.exit(2)
end
