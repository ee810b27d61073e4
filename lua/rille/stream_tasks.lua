--[[
stream_tasks.lua - the operators that work on several things at once.

map_parallel has n workers that take their places one after the other:

    worker 1   pull, pass the turn on | fn(value) | hand the result over
    worker 2          pull, pass on   | fn(value)      | hand over
    ...

A worker pulls again when the consumer has taken its result, so at most n
values are on the way. In order, worker k does values k, k + n, ..., and the
consumer takes the results round the ring; in any order, all take turns and
hand over at one place.
]]
local rille, core = ...

local flow = core.load "rille.stream_flow"
local object = core.load "rille.stream_object"

local methods, derive = object.methods, object.derive
local check, check_result = core.check, flow.check_result

-- Several sources at once ---------------------------------------------------

-- Waits for one of the feeds. Returns its number and its value, or nil.
local function next_of(feeds, selector)
  for i = 1, #feeds do
    if feeds[i].live then feeds[i]:ask() end
  end
  local i, value, err = selector:wait()
  value = feeds[i]:take(value, err)
  if value == nil then
    feeds[i].live = false
    selector:enable(i, false)
  end
  return value
end

local function merge(run, parts)
  local feeds, cases, live = {}, {}, #parts
  for i, part in ipairs(parts) do
    feeds[i] = run:feed(part, "merge")
    feeds[i].live, cases[i] = true, {feeds[i].source}
  end
  local selector = rille.selector(cases)
  return function()
    while live > 0 do
      local value = next_of(feeds, selector)
      if value ~= nil then return value end
      live = live - 1
    end
  end
end

--- The values of this stream and of the others as they come. Ends when all have
-- ended; fails when one fails, and the others are closed. Holds at most one
-- value of each.
-- @function stream:merge
-- @param ... sources
-- @return a stream
function methods.merge(st, ...)
  local others = object.parts("merge", ...)
  return derive(st, "merge", function(run, part)
    return merge(run, {part, table.unpack(others)})
  end, others)
end

-- Workers ------------------------------------------------------------------

-- What is handed over in the place of a result that is nil.
local DROP = {}

local function start_worker(job, k)
  local shared = not job.ordered
  job.turns[k] = shared and job.turns[1] or rille.channel(1)
  job.outs[k] = shared and job.outs[1] or rille.channel()
  job.start(job.run, job, k)
end

local function pass_turn_to(job, k)
  if not job.turns[k] then start_worker(job, k) end
  job.turns[k]:send(true)
end

local function work(job, k)
  while true do
    job.turns[k]:recv()
    local value = job.pull()
    if value == nil then return end
    job.running = job.running + 1
    pass_turn_to(job, k % job.workers + 1)
    local result, err = job.fn(value)
    if err ~= nil then check_result(result, err) end
    if result == nil then result = DROP end
    job.outs[k]:send(result)
    job.running = job.running - 1
    if job.ended then return end
  end
end

-- Tells how the worker has ended, in the place of a result: by closing it at the
-- end of the values. In any order the last one who works does so. Who has
-- cancelled itself cannot wait to hand the failure over, and closes, too.
local function run_worker(job, k)
  local ok, err = flow.attempt_in(job.crew, work, job, k)
  local out = job.outs[k]
  if out:is_closed() then return end
  job.ended = not job.ordered
  if not ok and rille.is_cancellation(err) then
    job.cancelled = {err}
    out:close()
  elseif not ok then
    local failure = {err}
    job.failures[failure] = true
    out:send(failure)
  elseif job.ordered or job.running == 0 then
    out:close()
  end
end

local function parallel(run, part, job)
  job.pull, job.run = part.open(run), run_worker
  job.start, job.crew = run:crew "map_parallel"
  job.turns, job.outs, job.failures, job.running = {}, {}, {}, 0
  local at = 0
  return function()
    if at == 0 then pass_turn_to(job, 1) end
    repeat
      at = at % job.workers + 1
      local value = job.outs[at]:recv()
      if value == nil and job.cancelled then error(job.cancelled[1], 0) end
      if value == nil then return nil end
      if job.failures[value] then error(value[1], 0) end
      if value ~= DROP then return value end
    until false
  end
end

local read_options = core.options("map_parallel", 3, {ordered = {"boolean", true}})

--- As `map`, but `fn` runs for up to n values at once, each in a daemon task of
-- the stream's scope. The results come in the order of the values.
-- @function stream:map_parallel
-- @tparam integer n from 1
-- @tparam function fn `fn(value)`; nil drops the value
-- @tparam[opt] table opts `ordered` (true; false: the results come as they are
-- ready)
-- @return a stream
-- @usage rille.stream(urls):map_parallel(8, fetch):each(print)
function methods.map_parallel(st, n, fn, opts)
  check(n, "size", "map_parallel", 1)
  check(fn, "function", "map_parallel", 2)
  local ordered = read_options(opts).ordered
  return derive(st, "map_parallel", function(run, part)
    return parallel(run, part, {workers = n, fn = fn, ordered = ordered})
  end)
end
