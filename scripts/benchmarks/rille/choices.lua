-- Select: one task receives from k channels, each with a sender of its own.
-- With more tasks, groups of k + 1.
local rille = require "rille"
local sum = require "harness".sum

local rows = {}

local function start_senders(s, b, k, each)
  local cases = {}
  for i = 1, k do
    local ch = rille.channel()
    cases[i] = {ch}
    s:go(function()
      b:meet()
      for v = 1, each do ch:send(v) end
      b:part()
    end)
  end
  return cases
end

-- choose(cases, count) receives so many values and returns their sum.
local function select_over(k, choose)
  return function(b)
    local groups = b.tasks // (k + 1)
    local each, total = b:share(k * groups), 0
    b.tasks = groups * (k + 1)
    rille.scope(function(s)
      for _ = 1, groups do
        local cases = start_senders(s, b, k, each)
        s:go(function()
          b:meet()
          local got = choose(cases, k * each)
          total = total + got
          b:part()
        end)
      end
    end)
    return total, k * groups * sum(each)
  end
end

local function by_selector(cases, count)
  local selector, total = rille.selector(cases), 0
  for _ = 1, count do
    local _, v = selector:wait()
    total = total + v
  end
  return total
end

-- The list of cases is built for every call, as one writes it at first.
local function by_select(cases, count)
  local first, second, total = cases[1][1], cases[2][1], 0
  for _ = 1, count do
    local _, v = rille.select{{first}, {second}}
    total = total + v
  end
  return total
end

rows.select2 = select_over(2, by_selector)
rows.select8 = select_over(8, by_selector)
rows.select64 = select_over(64, by_selector)
rows.select2_list = select_over(2, by_select)

return rows
