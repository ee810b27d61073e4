--[[
process.lua - one measurement: a program run on its CPU, its line read.

    run(peer, job, limit) -> result, or nil and what went wrong

A result has the numbers of the program's line `result NAME key=value ...`; or
`skip`, when the program says that it cannot do the row.
]]
local disturbance = require "disturbance"
local shell = require "shell"

local process = {}

-- The CPUs that this process may run on: "0-3,6" -> {0, 1, 2, 3, 6}
local function allowed_cpus()
  local list = {}
  local text = shell.read_file("/proc/self/status"):match "Cpus_allowed_list:%s*(%S+)"
  for first, last in text:gmatch "(%d+)%-?(%d*)" do
    for cpu = first, last ~= "" and last or first do list[#list + 1] = math.tointeger(cpu) end
  end
  return list
end

local cpus = allowed_cpus()
process.cpus = cpus

-- The last CPU works; the client of an echo server has the first.
local worker, client = cpus[#cpus], cpus[1]
local errors = os.tmpname()

local function pinned(peer)
  if peer.cpus == "all" or not shell.read "command -v taskset" then return {} end
  return {"taskset", "-c", worker}
end

local function append(list, ...)
  for _, words in ipairs{...} do table.move(words, 1, #words, #list + 1, list) end
  return list
end

-- What an empty program is for each peer, for the row `start`.
local function empty_program(peer)
  if peer.name == "floor" then return {"lua5.4", "-e", ""} end
  return {peer.command[1], "-e", ""}
end

-- ROW OPS TASKS WARM SLEEPERS, see ../harness.lua.
local function numbers_of(job)
  local row, tasks = job.row, job.tasks
  if row.kind == "growth" and row.growth == "beside" then
    return {row.row, job.ops, row.tasks, row.tasks, math.max(tasks - row.tasks, 0)}
  end
  return {row.row or row.id, job.ops, tasks, row.tasks}
end

local function words_of(peer, job, floor)
  if job.row.kind == "echo" then
    return append({floor, "echo", job.row.connections, job.ops, client, worker}, peer.echo)
  end
  if job.row.kind == "http" then
    return append({floor, "http", job.row.connections, job.ops, client, worker}, peer.http)
  end
  if job.row.kind == "idle" then
    return append({floor, "idle", job.ops, 1, client, worker}, peer.echo)
  end
  if job.row.kind == "start" then
    return append(pinned(peer), {floor, "start", job.ops}, empty_program(peer))
  end
  return append(pinned(peer), peer.command, numbers_of(job))
end

local function parse(output)
  for line in output:gmatch "[^\n]+" do
    local numbers = line:match "^result %S+ (.*)$"
    local skip = line:match "^skip %S+ (.*)$"
    if skip then return {skip = skip} end
    if numbers then
      local result = {}
      for key, value in numbers:gmatch "(%w+)=(%S+)" do result[key] = tonumber(value) end
      return result
    end
  end
  return nil
end

local function last_words(path)
  local text = shell.read_file(path) or ""
  return text:match "([^\n]*)\n?%s*$" ~= "" and text:sub(1, 600):gsub("%s+$", "") or "no message"
end

-- The CPUs on which a measurement must be left alone.
local function used_cpus(peer, job)
  if peer.cpus == "all" or job.row.kind == "echo" or job.row.kind == "http" then return cpus end
  return {worker}
end

local function run_once(peer, job, floor, limit)
  local command = ("%s timeout -k 1 %d %s 2>%s </dev/null"):format(peer.environment or "",
    math.ceil(limit), shell.join(words_of(peer, job, floor)), errors)
  local pipe = assert(io.popen(command))
  local output = pipe:read "a"
  local ok, _, status = pipe:close()
  local result = parse(output)
  if ok and result then return result end
  if status == 124 then return nil, ("no result within %d s"):format(math.ceil(limit)) end
  return nil, last_words(errors)
end

-- True for what keeps its one CPU busy from start to end: there, the CPU time is
-- what the clock would say on a machine that nobody else uses.
local function never_idle(peer, job)
  return peer.cpus ~= "all" and (job.row.kind == "time" or job.row.kind == "growth")
end

-- Kinds of rows that others do not disturb.
local is_of_memory = {memory = true, idle = true}

-- Whether the result can stand, after others have taken their share.
local function settle(peer, job, result)
  if result.disturbed <= disturbance.limit or is_of_memory[job.row.kind] then return true end
  if not (result.cpu and never_idle(peer, job)) then return false end
  result.seconds, result.by_cpu = result.cpu, true
  return true
end

-- job: row, ops, tasks; floor: the path of bench_floor; limit in seconds. What
-- others have disturbed is tried again, up to `tries` times, unless the CPU time
-- can stand for it; the best counts.
function process.run(peer, job, floor, limit, tries)
  local best
  for try = 1, tries do
    if try > 1 then os.execute "sleep 1" end
    local before = disturbance.look()
    local result, why = run_once(peer, job, floor, limit)
    if not result or result.skip then return result, why end
    result.disturbed = disturbance.since(before, used_cpus(peer, job))
    if not best or result.disturbed < best.disturbed then best = result end
    if settle(peer, job, result) then return result end
  end
  return best
end

function process.clean_up() os.remove(errors) end

return process
