-- record.lua - the figures as a table for JSON: every value of every round,
-- in seconds, bytes, and trips a second.

local function peers_of(line)
  local peers = {}
  for name, figure in pairs(line.peers) do
    local values = {}
    for _, value in pairs(figure.values) do values[#values + 1] = value end
    peers[name] = {median = figure.median, spread = figure.spread, values = values,
      ratio = figure.ratio, met = figure.met}
  end
  return peers
end

local function lines_of(figures)
  local list = {}
  for i, line in ipairs(figures.lines) do
    list[i] = {row = line.row.id, title = line.row.title, metric = line.metric.key,
      ops = line.ops, tasks = line.row.tasks, bytes_per_op = line.alloc, peers = peers_of(line)}
  end
  return list
end

local function growth_of(figures)
  local list = {}
  for i, line in ipairs(figures.growth) do
    list[i] = {row = line.row.row, how = line.row.growth, tasks = line.sizes,
      seconds = line.peers, factor = line.factor}
  end
  return list
end

local function targets_of(figures)
  local list = {}
  for i, v in ipairs(figures.verdicts) do
    list[i] = {row = v.what.row.id, metric = v.what.metric and v.what.metric.key,
      peer = v.what.peer, ratio = v.ratio, most = v.most, least = v.least, met = v.met}
  end
  return list
end

return function(figures, machine, notes, o)
  return {machine = machine, rounds = o.rounds, notes = notes, rows = lines_of(figures),
    growth = growth_of(figures), targets = targets_of(figures)}
end
