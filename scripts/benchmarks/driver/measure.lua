--[[
measure.lua - carries a plan out: round by round, job by job, peer by peer.

    measure(jobs, peers, o) -> results, notes

results[job][peer's name][round] is what process.run returned; notes is a list
of lines about what could not be measured.
]]
local disturbance = require "disturbance"
local plan = require "plan"
local process = require "process"
local shell = require "shell"

local progress = {terminal = os.execute "test -t 2" == true}

function progress.show(text)
  if progress.terminal then io.stderr:write("\r\27[K", text) end
end

function progress.say(text)
  progress.show ""
  io.stderr:write("bench: ", text, "\n")
end

local function takes_part(peer, job)
  local is_rille = peer.name == "rille" or peer.name == "before"
  return not peer.absent and (is_rille or job.row.peers[peer.name])
end

local function add_note(state, note)
  state.notes[#state.notes + 1] = note
  progress.say(note)
end

local function count_disturbed(state, result)
  state.made = state.made + 1
  if result.by_cpu then
    state.by_cpu = state.by_cpu + 1
  elseif result.disturbed > disturbance.limit then
    state.disturbed = state.disturbed + 1
  end
end

-- What the reader must know of who else was there.
local function tell_disturbed(state)
  if state.by_cpu + state.disturbed == 0 then return end
  add_note(state, ("of %d measurements, others took more than %d %% of the CPU in %d; for %d of "
    .. "these CPU time is given instead of the clock's"):format(state.made,
    math.floor(disturbance.limit * 100), state.by_cpu + state.disturbed, state.by_cpu))
end

-- One program, one round. What fails once is not tried again.
local function run_one(state, peer, job, round)
  local of_job = state.results[job]
  of_job[peer.name] = of_job[peer.name] or {}
  if of_job[peer.name].failed then return end
  local result, why = process.run(peer, plan.share(job, peer), state.o.floor, state.limit(),
    state.o.tries)
  if result and not result.skip then
    count_disturbed(state, result)
    of_job[peer.name][round] = result
    return
  end
  of_job[peer.name].failed = true
  if result and state.skipped[job.row] then return end
  state.skipped[job.row] = result ~= nil
  local at = job.row.kind == "growth" and not result and (" at %d tasks"):format(job.tasks) or ""
  add_note(state, ("%s %s%s: %s: %s"):format(result and "skipped" or "FAILED", job.row.id, at,
    peer.title, result and result.skip or why))
  state.failed = state.failed or not result
end

-- False when there is no time left. A row that rille skips is skipped by all.
local function run_job(state, job, round, number, count)
  for _, peer in ipairs(state.peers) do
    if state.limit() <= 1 then return false end
    local mine = state.results[job].rille
    if takes_part(peer, job) and not (mine and mine.failed) then
      progress.show(("round %d of %d, %d of %d: %s, %s"):format(round, state.o.rounds, number,
        count, job.row.id, peer.title))
      run_one(state, peer, job, round)
    end
  end
  return true
end

-- Seconds that the next program may take.
local function limiter(o)
  local start = shell.uptime()
  return function()
    return math.min(o.limit, o.budget - (shell.uptime() - start))
  end
end

local function run_rounds(state, jobs)
  for round = 1, state.o.rounds do
    if not progress.terminal then progress.say(("round %d of %d"):format(round, state.o.rounds)) end
    for number, job in ipairs(jobs) do
      if round <= job.rounds and not run_job(state, job, round, number, #jobs) then
        return ("time is up in round %d of %d"):format(round, state.o.rounds)
      end
    end
  end
end

-- o: rounds, floor, limit (seconds for one program), budget (for all of them).
-- A third value is true when a program failed.
return function(jobs, peers, o)
  local state = {results = {}, notes = {}, skipped = {}, peers = peers, o = o,
    made = 0, by_cpu = 0, disturbed = 0, limit = limiter(o)}
  for _, job in ipairs(jobs) do state.results[job] = {} end
  local late = run_rounds(state, jobs)
  if late then add_note(state, late) end
  tell_disturbed(state)
  progress.show ""
  process.clean_up()
  return state.results, state.notes, state.failed
end
