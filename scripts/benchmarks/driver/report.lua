--[[
report.lua - the figures as tables, readable as they are and as Markdown.
]]
local metrics = require "metrics"
local targets = require "targets"

local report = {}

-- rows: lists of cells, the first the heads. The first column is text, the
-- others are aligned to the right.
local function draw_table(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 3, utf8.len(cell)) end
  end
  local rule = {}
  for i, width in ipairs(widths) do
    rule[i] = ("-"):rep(width - 1) .. (i == 1 and "-" or ":")
  end
  table.insert(rows, 2, rule)
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local blank = (" "):rep(widths[i] - utf8.len(cell))
      cells[i] = i == 1 and cell .. blank or blank .. cell
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return table.concat(lines, "\n") .. "\n"
end

local function title_of(line)
  local name = line.metric.name
  local more = line.metric.more and ", more is better" or ""
  return line.row.id .. (name ~= "" and ": " .. name .. more or "")
end

local function measured(lines, peers)
  local seen, list = {}, {}
  for _, line in ipairs(lines) do
    for name in pairs(line.peers) do seen[name] = true end
  end
  for _, peer in ipairs(peers) do
    if seen[peer.name] and peer.name ~= "rille" then list[#list + 1] = peer end
  end
  return list
end

-- A table with a row for each line and, after `heads`, a column for each peer.
-- first(line) returns the cells under `heads`, other(line, figure) a peer's.
local function peer_table(lines, peers, heads, first, other)
  local columns, rows = measured(lines, peers), {heads}
  for _, peer in ipairs(columns) do heads[#heads + 1] = peer.title end
  for _, line in ipairs(lines) do
    if line.peers.rille then
      local row = first(line)
      for _, peer in ipairs(columns) do
        local figure = line.peers[peer.name]
        row[#row + 1] = figure and other(line, figure) or ""
      end
      rows[#rows + 1] = row
    end
  end
  return draw_table(rows)
end

-- rille's figures, and rille's over each peer's.
function report.ratios(lines, peers)
  return peer_table(lines, peers, {"row", "rille", "±", "B/op"}, function(line)
    local mine = line.peers.rille
    return {title_of(line), line.metric.show(mine.median), ("%.0f %%"):format(mine.spread * 100),
      line.alloc and ("%.0f"):format(line.alloc) or ""}
  end, function(_, figure)
    if not figure.ratio then return "" end
    return metrics.show_ratio(figure.ratio) .. (figure.met == false and " !" or "")
  end)
end

-- Each peer's own figures.
function report.figures(lines, peers)
  return peer_table(lines, peers, {"row", "rille"}, function(line)
    return {title_of(line), line.metric.show(line.peers.rille.median)}
  end, function(line, figure) return line.metric.show(figure.median) end)
end

local function count(n)
  local power = math.tointeger(math.log(n, 10) + 0.5 // 1)
  return n >= 1000 and ("10^%d"):format(power or math.floor(math.log(n, 10) + 0.5)) or tostring(n)
end

local function show_factor(factor, peer)
  local mark = peer.name == "rille" and factor > targets.growth and " !" or ""
  return metrics.show_ratio(factor) .. mark
end

-- The cost of an operation at growing numbers of tasks.
function report.growth(growth, peers)
  local rows = {{"row", "tasks", "who"}}
  for _, size in ipairs(growth[1].sizes) do table.insert(rows[1], count(size)) end
  table.insert(rows[1], "growth")
  for _, line in ipairs(growth) do
    for _, peer in ipairs(peers) do
      local medians = line.peers[peer.name]
      if medians and next(medians) then
        local row = {line.row.row, line.row.growth, peer.title}
        for i = 1, #line.sizes do
          row[#row + 1] = medians[i] and metrics.of(line.row)[1].show(medians[i]) or ""
        end
        local factor = line.factor[peer.name]
        row[#row + 1] = factor and show_factor(factor, peer) or ""
        rows[#rows + 1] = row
      end
    end
  end
  return draw_table(rows)
end

local function describe(what, titles)
  local name = what.row.id
  if what.sizes then
    return ("%s, from %s to %s tasks, itself (%s)"):format(what.row.row, count(what.sizes[1]),
      count(what.sizes[#what.sizes]), what.row.growth)
  end
  if what.bytes then return name .. ": bytes allocated by a call" end
  local metric = what.metric.name
  return ("%s%s, %s %s"):format(name, metric ~= "" and ": " .. metric or "",
    what.over and "bytes more than" or "against", titles[what.peer])
end

-- The targets, each met or missed.
function report.verdicts(verdicts, peers)
  local titles, rows = {}, {{"target", "ratio", "to reach", ""}}
  for _, peer in ipairs(peers) do titles[peer.name] = peer.title end
  for _, v in ipairs(verdicts) do
    rows[#rows + 1] = {describe(v.what, titles), metrics.show_ratio(v.ratio),
      v.most and ("<= %.4g"):format(v.most) or (">= %.4g"):format(v.least),
      v.met and "met" or "MISSED"}
  end
  return draw_table(rows)
end

report.growth_legend = [[
The cost of an operation while there are so many tasks, and how it grows from the least to the most.
Beside: the others sleep, each with a timer of its own; this is what is judged. Together: all of
them do the work in turn.
]]

-- What the columns and marks mean.
report.legend = [[
rille: the median of the rounds; ±: half the distance of the quartiles; B/op: bytes of Lua heap
that an operation allocates. Then rille's figure divided by each peer's, the median of the rounds:
below 1 rille needs less. A ! marks a target that is missed.
]]

return report
