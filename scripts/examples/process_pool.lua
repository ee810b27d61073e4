-- A process pool: many commands, a few at a time, as `make -j` runs them. Each
-- has a time limit; what fails is tried once more; what is left when the first
-- one fails for good is ended, and waited for.
--
--   rille scripts/examples/process_pool.lua
local rille = require "rille"
local process, fs = rille.process, rille.fs

local WORKERS <const> = 3
local TIME_LIMIT <const> = 60 -- seconds

-- Runs one command; its output, or nil and an error.
local function attempt(args, opts)
  local result, err = rille.timeout(TIME_LIMIT, process.run, args, opts)
  if not result then return nil, err end
  return result.stdout
end

local function run_job(job)
  local opts = {check = true, cwd = job.cwd, stdin = job.stdin}
  local output, err = attempt(job.args, opts)
  if not output and job.again then output, err = attempt(job.args, opts) end
  return output, err
end

-- Runs the jobs, WORKERS at a time. A list of outputs in the order of the jobs;
-- or nil and what has failed: the programs that still ran were ended then.
local function run_all(jobs)
  local all, stopped = rille.scope({concurrency = WORKERS}, function(s)
    local tasks = {}
    for i, job in ipairs(jobs) do
      tasks[i] = s:task(function() return run_job(job) end, {name = "job " .. i})
    end
    local outputs = {}
    for i, task in ipairs(tasks) do
      local output, err = task:await()
      if not output then s:cancel(("job %d: %s"):format(i, err.message)) end
      outputs[i] = output
    end
    return outputs
  end)
  return all, stopped and stopped.reason
end

local dir <close> = assert(fs.temp_dir())

local jobs = {}
for i = 1, 8 do
  local name = ("part%d.txt"):format(i)
  assert(fs.write_file(dir:path() .. "/" .. name, ("line of part %d\n"):format(i):rep(i)))
  jobs[i] = {args = {"wc", "-l", name}, cwd = dir:path()}
end
-- One that fails the first time, and one that reads what it is given.
jobs[9] = {args = {"sh", "-c", "test -e tried || { touch tried; exit 1; }; echo second time"},
  cwd = dir:path(), again = true}
jobs[10] = {args = {"sort", "-r"}, stdin = {"a\n", "c\n", "b\n"}}

for i, output in ipairs(assert(run_all(jobs))) do
  print(("%2d  %s"):format(i, output:gsub("%s+$", ""):gsub("%s+", " ")))
end

-- A job that fails ends the others: a long sleep does not make us wait.
print(select(2, run_all {
  {args = {"sh", "-c", "echo no such thing >&2; exit 4"}},
  {args = {"sh", "-c", "sleep 50; touch slept"}, cwd = dir:path()},
}))
print("waited for the others", fs.exists(dir:path() .. "/slept"))

-- expect:  1  1 part1.txt
-- expect:  2  2 part2.txt
-- expect:  3  3 part3.txt
-- expect:  4  4 part4.txt
-- expect:  5  5 part5.txt
-- expect:  6  6 part6.txt
-- expect:  7  7 part7.txt
-- expect:  8  8 part8.txt
-- expect:  9  second time
-- expect: 10  c b a
-- expect: job 1: sh ended with status 4: no such thing
-- expect: waited for the others	false
