--[[
chart.lua - the ratios as a bar chart in SVG.

For each line of the report (but the times of single trips) a group of bars, one
for each peer: rille's cost over the peer's, on a logarithmic scale. A bar to
the left of the middle line means that rille needs less. A tick across a bar is
the target. The text follows the reader's light or dark scheme, and is grey
where that is not known; the bars are of colours that do on both.
]]
local chart = {}

local label_width, plot_width, bar, gap, top = 220, 600, 11, 8, 64
local width = label_width + plot_width + 70
local least, most = 1 / 32, 8

-- Of equal weight to the eye, and told apart by most who see colours badly.
local colours = {
  go = "#4477aa", go2 = "#66aacc", floor = "#888888", tarantool = "#cc6677",
  cqueues = "#aa7733", luv = "#999933", node = "#44aa77", copas = "#aa66aa",
}

local style = [[
<style>
  text { font: 12px sans-serif; fill: #777; }
  .small { font-size: 10px; }
  .value { font-size: 9px; }
  .title { font-size: 15px; font-weight: bold; }
  .grid { stroke: #888; stroke-opacity: 0.35; }
  .one { stroke: #888; stroke-width: 1.5; }
  .target { stroke: #e44; stroke-width: 2; }
  @media (prefers-color-scheme: light) { text { fill: #333; } }
  @media (prefers-color-scheme: dark) { text { fill: #ddd; } }
</style>
]]

local function escape(text)
  return (text:gsub("[&<>]", {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}))
end

local function x_of(ratio)
  local clipped = math.min(math.max(ratio, least), most)
  return label_width + plot_width * math.log(clipped / least) / math.log(most / least)
end

local function add(out, format, ...) out[#out + 1] = format:format(...) end

local function text(out, x, y, class, content, anchor)
  add(out, '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>', x, y, class,
    anchor or "start", escape(content))
end

-- Cost over cost: of a rate, the other way round.
local function cost_ratio(line, ratio)
  return line.metric.more and 1 / ratio or ratio
end

local function draw_target(out, line, target, y)
  local ratio = cost_ratio(line, target.most or target.least)
  local x = x_of(ratio)
  add(out, '<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="target"/>', x, x, y - 1, y + bar)
end

local function draw_bar(out, line, name, y)
  local figure = line.peers[name]
  local ratio = cost_ratio(line, figure.ratio)
  local from, to = math.min(x_of(1), x_of(ratio)), math.max(x_of(1), x_of(ratio))
  add(out, '<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>', from, y,
    math.max(to - from, 1), bar - 1, colours[name])
  local shown = ratio >= 10 and "%.0f" or "%.2f"
  if ratio < 1 then
    text(out, from - 3, y + bar - 2, "value", shown:format(ratio), "end")
  else
    text(out, to + 3, y + bar - 2, "value", shown:format(ratio))
  end
  if figure.target and not figure.target.general then draw_target(out, line, figure.target, y) end
end

-- The bars of one line; returns the y below them.
local function draw_line(out, line, peers, y)
  local start = y
  for _, peer in ipairs(peers) do
    local figure = line.peers[peer.name]
    if figure and figure.ratio then
      draw_bar(out, line, peer.name, y)
      y = y + bar
    end
  end
  if y == start then return y end
  local name = line.metric.name
  text(out, label_width - 30, (start + y) / 2 + 4, "label",
    line.row.id .. (name ~= "" and ": " .. name or ""), "end")
  return y + gap
end

local function draw_grid(out, height)
  local ratio = least
  while ratio <= most do
    local x = x_of(ratio)
    add(out, '<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="%s"/>', x, x, top - 8, height,
      ratio == 1 and "one" or "grid")
    text(out, x, top - 12, "small", ratio < 1 and ("1/%d"):format(1 / ratio) or
      ("%d"):format(ratio), "middle")
    ratio = ratio * 2
  end
end

local function draw_legend(out, peers)
  local x = 12
  for _, peer in ipairs(peers) do
    if colours[peer.name] then
      add(out, '<rect x="%d" y="28" width="10" height="10" fill="%s"/>', x, colours[peer.name])
      text(out, x + 14, 37, "small", peer.title)
      x = x + 30 + 6 * utf8.len(peer.title)
    end
  end
  add(out, '<line x1="%d" x2="%d" y1="28" y2="38" class="target"/>', x, x)
  text(out, x + 6, 37, "small", "target")
end

-- The text of an SVG file.
function chart.svg(lines, peers, machine)
  local body, y = {}, top
  for _, line in ipairs(lines) do
    if not line.metric.minor then y = draw_line(body, line, peers, y) end
  end
  local out = {}
  add(out, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">',
    width, y + 24, width, y + 24)
  out[#out + 1] = style
  text(out, 12, 18, "title", "rille's cost divided by the peer's; to the left rille needs less")
  draw_legend(out, peers)
  draw_grid(out, y)
  table.move(body, 1, #body, #out + 1, out)
  text(out, 12, y + 16, "small", ("%s, %s, %d CPUs"):format(machine.date, machine.cpu,
    machine.cpus))
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

return chart
