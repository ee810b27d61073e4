--[[
figures.lua - from the results of the rounds to the figures of the report.

    figures(jobs, results) -> {lines, growth, verdicts}

A line is one metric of one row:
  {row, metric, peers = {name = {median, spread, values, ratio, target, met}}, alloc}
`growth` has a line for each row of growth: {row, sizes, peers = {name = list of
medians}, factor = {name = last / first}}, the factor of each round and of them
the median, as all ratios are. A verdict is {text, ratio, limit,
met} of one target that could be checked.
]]
local metrics = require "metrics"
local statistics = require "statistics"
local targets = require "targets"

-- round -> value of the metric, over the rounds that were measured.
local function values_of(rounds, metric)
  local values = {}
  for round, result in pairs(rounds or {}) do
    if type(result) == "table" then values[round] = metric.value(result) end
  end
  return values
end

local function as_list(values)
  local list = {}
  for _, value in pairs(values) do list[#list + 1] = value end
  return list
end

local function median_alloc(rounds)
  local values = values_of(rounds, {value = function(result) return result.alloc end})
  local summary = statistics.summary(as_list(values))
  return summary and summary.median
end

local function verdict(verdicts, what, ratio, target)
  local met = targets.met(target, ratio)
  verdicts[#verdicts + 1] = {what = what, ratio = ratio, met = met,
    most = target.most, least = target.least}
  return met
end

local function add_peer(line, name, theirs, mine, verdicts)
  local summary = statistics.summary(as_list(theirs))
  if not summary then return end
  line.peers[name] = summary
  if name == "rille" then return end
  summary.ratio = statistics.ratio(mine, theirs)
  local target = targets.of(line.row, line.metric, name)
  if not target or not summary.ratio then return end
  local what, value = {row = line.row, metric = line.metric, peer = name}, summary.ratio
  if target.over then
    what.over, value = true, line.peers.rille.median - summary.median
    target = {most = target.over}
  else
    summary.target = target
  end
  summary.met = verdict(verdicts, what, value, target)
end

local function add_lines(figures, job, of_job, peers)
  for i, metric in ipairs(metrics.of(job.row)) do
    local line = {row = job.row, metric = metric, peers = {}, ops = job.ops}
    local mine = values_of(of_job.rille, metric)
    for _, peer in ipairs(peers) do
      add_peer(line, peer.name, values_of(of_job[peer.name], metric), mine, figures.verdicts)
    end
    local alloc = i == 1 and line.peers.rille and median_alloc(of_job.rille)
    line.alloc = alloc or nil
    local allowed = alloc and targets.alloc(job.row)
    if allowed then
      verdict(figures.verdicts, {row = job.row, bytes = true}, alloc, {most = allowed})
    end
    figures.lines[#figures.lines + 1] = line
  end
end

local function growth_line(figures, row)
  local last = figures.growth[#figures.growth]
  if last and last.row == row then return last end
  local line = {row = row, sizes = {}, peers = {}, factor = {}, ends = {}}
  figures.growth[#figures.growth + 1] = line
  return line
end

local function add_growth(figures, job, of_job, peers)
  if next(values_of(of_job.rille, metrics.of(job.row)[1])) == nil then return end
  local line = growth_line(figures, job.row)
  local metric = metrics.of(job.row)[1]
  line.sizes[#line.sizes + 1] = job.tasks
  for _, peer in ipairs(peers) do
    local values = values_of(of_job[peer.name], metric)
    local summary = statistics.summary(as_list(values))
    line.peers[peer.name] = line.peers[peer.name] or {}
    line.peers[peer.name][#line.sizes] = summary and summary.median
    line.ends[peer.name] = line.ends[peer.name] or {first = values}
    line.ends[peer.name].last = values
  end
end

local function judge_growth(figures)
  for _, line in ipairs(figures.growth) do
    for name, ends in pairs(line.ends) do
      if #line.sizes > 1 then line.factor[name] = statistics.ratio(ends.last, ends.first) end
    end
    if line.factor.rille and line.row.growth == targets.judged then
      verdict(figures.verdicts, {row = line.row, sizes = line.sizes}, line.factor.rille,
        {most = targets.growth})
    end
  end
end

return function(jobs, results, peers)
  local figures = {lines = {}, growth = {}, verdicts = {}}
  for _, job in ipairs(jobs) do
    local add = job.row.kind == "growth" and add_growth or add_lines
    add(figures, job, results[job], peers)
  end
  judge_growth(figures)
  return figures
end
