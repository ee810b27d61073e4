-- Fan-out and fan-in: one stream of numbers is shared out among several tasks,
-- and what they find comes back as one stream.
--
--                /--> solve --\
--   numbers -->  |--> solve --|--> merged
--                \--> solve --/
--
-- Whoever is free takes the next number, so a hard one holds up its own task
-- only. The order of the results is nobody's business here: they are sorted.
local rille = require "rille"

local TASKS = 3

local done_by = {} -- how many numbers each task has solved

-- The steps that the Collatz sequence takes from n to 1; it lets the others in
-- now and then, as a task that computes should.
local function steps(n)
  local count, value = 0, n
  while value ~= 1 do
    value = value % 2 == 0 and value // 2 or 3 * value + 1
    count = count + 1
    if count % 50 == 0 then rille.yield() end
  end
  local task = rille.current()
  done_by[task] = (done_by[task] or 0) + 1
  return { n = n, steps = count }
end

local numbers = {}
for n = 1, 1000 do numbers[n] = n end

local found = {}
for result in rille.fan_in(rille.fan_out(numbers, TASKS, steps, { buffer = 4 })) do
  found[#found + 1] = result
end

table.sort(found, function(a, b)
  return a.steps > b.steps or (a.steps == b.steps and a.n < b.n)
end)
print(#found .. " numbers")
for i = 1, 3 do print(found[i].n, found[i].steps .. " steps") end

local tasks, sum = 0, 0
for _, count in pairs(done_by) do
  tasks, sum = tasks + 1, sum + count
end
print(tasks .. " tasks have solved " .. sum)

-- Channels that others fill can be merged as well; the merged one is closed
-- when the last of them is.
rille.scope(function(scope)
  local odd, even = scope:channel(), scope:channel()
  scope:go(function() for n = 1, 9, 2 do odd:send(n) end odd:close() end)
  scope:go(function() for n = 2, 8, 2 do even:send(n) end even:close() end)
  local total = 0
  for n in rille.fan_in(odd, even) do total = total + n end
  print("the sum of 1 ... 9 is " .. total)
end)

-- expect: 1000 numbers
-- expect: 871	178 steps
-- expect: 937	173 steps
-- expect: 703	170 steps
-- expect: 3 tasks have solved 1000
-- expect: the sum of 1 ... 9 is 45
