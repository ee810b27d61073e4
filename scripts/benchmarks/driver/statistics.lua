-- statistics.lua - medians, spreads and ratios of the rounds.

local statistics = {}

-- The value below which the fraction q of the sorted list lies.
local function quantile(sorted, q)
  local at = 1 + (#sorted - 1) * q
  local low = math.floor(at)
  local high = math.min(low + 1, #sorted)
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low)
end

-- nil for an empty list; else median, and half the distance of the quartiles
-- as a fraction of it.
function statistics.summary(values)
  if #values == 0 then return nil end
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local median = quantile(sorted, 0.5)
  local spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2
  return {median = median, spread = median > 0 and spread / median or 0, values = values}
end

-- The median of the ratios of the rounds in which both were measured: a round
-- is short, so that what else the machine does weighs on both.
function statistics.ratio(mine, theirs)
  local ratios = {}
  for round, value in pairs(mine) do
    local other = theirs[round]
    if other and other > 0 then ratios[#ratios + 1] = value / other end
  end
  local summary = statistics.summary(ratios)
  return summary and summary.median
end

return statistics
