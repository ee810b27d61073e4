--[[
plan.lua - which programs are run, with how much to do, in which order.

A job is a row at one number of tasks: {row, tasks, ops, rounds}. All jobs make
a round, and in each job the peers come one after the other, rille first: A B C,
A B C, ... What disturbs the machine for a while then falls on all of a job.
]]
local rows = require "rows"
local shell = require "shell"

local plan = {}

-- Numbers of tasks of the rows of growth.
local sizes = {10, 1000, 100000, 1000000}

-- A task of these does so many operations where there are more tasks than the
-- row has operations for.
local each = {spawn = 2}

local function scaled(ops, o, least)
  return math.tointeger(math.max(ops // o.divide, least))
end

local function add_growth(jobs, row, o)
  for _, tasks in ipairs(sizes) do
    if tasks <= o.most_tasks then
      local least = row.growth == "together" and tasks * (each[row.row] or 10) or row.least
      jobs[#jobs + 1] = {row = row, tasks = tasks, ops = scaled(row.ops, o, least),
        rounds = math.min(o.rounds, o.growth_rounds)}
    end
  end
end

-- The rows whose names match an extended regular expression; raises when there
-- are none.
local function choose(regex)
  local names, chosen = {}, {}
  for i, row in ipairs(rows) do names[i] = row.id end
  local lines = shell.read(("printf '%%s\\n' %s | grep -E -e %s"):format(shell.join(names),
    shell.quote(regex)))
  for name in (lines or ""):gmatch "%S+" do chosen[name] = true end
  if next(chosen) == nil then
    error(("no row matches '%s'; --list lists them"):format(regex), 0)
  end
  return chosen
end

-- o: rows (regex or nil), divide (by what the operations are), rounds,
-- growth_rounds, most_tasks
function plan.jobs(o)
  local jobs, chosen = {}, o.rows and choose(o.rows)
  for _, row in ipairs(rows) do
    if not chosen or chosen[row.id] then
      if row.kind == "growth" then
        add_growth(jobs, row, o)
      else
        jobs[#jobs + 1] = {row = row, tasks = row.tasks, rounds = o.rounds,
          ops = scaled(row.ops, o, row.least)}
      end
    end
  end
  return jobs
end

-- How much `peer` does of `job`: all of it, unless that is beyond it.
function plan.share(job, peer)
  local most = job.row.at[peer.name]
  if not most or most >= job.ops then return job end
  return {row = job.row, tasks = job.tasks, ops = most}
end

return plan
