--[[
worker_pool.lua - a bounded number of tasks that work off a bounded queue.

    submit --> [queue] --> worker 1 .. n --> results

A worker is a task of the pool's scope that exists while there is work: `submit`
starts one if fewer than `workers` are there, else the job goes into the queue,
a channel; a worker that finds the queue empty ends. So leaving the scope,
which waits for its tasks, drains the pool, and an idle pool is nothing. The
queue is empty unless all workers are at work.

A job is in `jobs`, under its worker's number, until it is done. What is still
there when the worker has ended was cut off by a cancellation.
]]
local rille, core = ...

core.load "rille.class"
local outcome = core.load "rille.outcome"

local methods = {}

local function describe(pool)
  return ("%d workers (%d active, %d queued%s)"):format(pool.workers, pool.active,
    pool.queue:size(), pool.closed and ", closed" or "")
end

local new_pool, state_of, meta = core.class("worker_pool", methods, describe)

-- Keeps the first failure that nobody was told of, for `close` or the scope.
local function tell(pool, job, err)
  if pool.on_error then
    pool.on_error(err, job)
  elseif not pool.output and not pool.unheard then
    pool.unheard = {err = err}
  end
end

-- `value` is the result, or the error. A job is done only when its result is
-- delivered.
local function finish_job(pool, number, ok, value)
  local job = pool.jobs[number]
  if pool.output then
    pool.output:send(ok and {job = job, value = value} or {job = job, err = value})
  end
  pool.jobs[number], pool.active = nil, pool.active - 1
  if ok then
    pool.processed = pool.processed + 1
  else
    pool.errors = pool.errors + 1
    tell(pool, job, value)
  end
end

local function take_job(pool, number, job)
  pool.jobs[number], pool.active = job, pool.active + 1
  pool.taken = pool.taken + 1
  pool.order[number] = pool.taken
end

local work

-- Gives the job to a new worker; raises if the scope takes no tasks.
local function start_worker(pool, job)
  local number = table.remove(pool.free) or #pool.tasks + 1
  local opts = pool.named[number] or {name = "worker " .. number}
  pool.named[number] = opts
  pool.tasks[number] = pool.scope:go(opts, work, pool, number)
  pool.busy = pool.busy + 1
  take_job(pool, number, job)
end

local function release_worker(pool, number)
  pool.busy = pool.busy - 1
  pool.free[#pool.free + 1] = number
  if pool.closed and pool.busy == 0 then pool.idle:close() end
end

-- The next job of a worker, or nil. For one turn a worker rests: more jobs may
-- come at once, and it need not end only to be started again.
local function next_job(pool, number)
  core.checkpoint()
  local job = pool.queue:try_recv()
  if job ~= nil then
    take_job(pool, number, job)
  elseif not pool.closed then
    pool.resting[number] = true
    rille.yield()
    pool.resting[number] = nil
  end
  return pool.jobs[number]
end

-- `failure`: the job in hand has failed already.
local function work_off(pool, number, failure)
  if failure then finish_job(pool, number, false, failure.err) end
  local job = pool.jobs[number] or next_job(pool, number)
  while job ~= nil do
    finish_job(pool, number, outcome.judge(outcome.attempt(pool.handler, job, number)))
    job = next_job(pool, number)
  end
end

local function has_worker(pool)
  return pool.busy < pool.workers or next(pool.resting) ~= nil
end

-- Gives the job to a worker that has none.
local function hand_out(pool, job)
  local number = next(pool.resting)
  if not number then return start_worker(pool, job) end
  pool.resting[number] = nil
  take_job(pool, number, job)
end

-- A worker that can do no more gives way to another: its handler has cancelled
-- the task, nobody gets its results any more, or on_error has raised. The job
-- in hand has failed; in the first case that is still to be told, by a task that
-- can wait.
local function give_way(pool, number, err)
  local failure
  if pool.jobs[number] ~= nil and rille.is_cancellation(err) then
    failure = {err = err}
  elseif pool.jobs[number] ~= nil then
    pool.jobs[number] = nil
    pool.active, pool.errors = pool.active - 1, pool.errors + 1
  end
  pool.tasks[number] = pool.scope:go(pool.named[number], work, pool, number, failure)
end

-- The body of a worker. It raises what on_error raises, and cancellations.
function work(pool, number, failure)
  local ok, err = pcall(work_off, pool, number, failure)
  pool.resting[number] = nil
  if ok then return release_worker(pool, number) end
  if not pool.cut and not pool.scope:cancelled() then give_way(pool, number, err) end
  error(err, 0)
end

-- The end

local function shut(pool)
  pool.closed = true
  pool.queue:close()
  if pool.busy == 0 then pool.idle:close() end
end

-- Takes back the jobs of workers that have been cut off, in order.
local function take_back(pool)
  local numbers = {}
  for number in pairs(pool.jobs) do numbers[#numbers + 1] = number end
  table.sort(numbers, function(a, b) return pool.order[a] < pool.order[b] end)
  for _, number in ipairs(numbers) do
    pool.left[#pool.left + 1] = pool.jobs[number]
    pool.jobs[number] = nil
  end
  pool.active, pool.returned = 0, pool.returned + #numbers
end

-- No worker is left.
local function finish(pool)
  take_back(pool)
  pool.idle:close()
  if pool.output then pool.output:close() end
  if not pool.unheard then pool.deferred.pool = nil end
end

local function end_with_scope(deferred)
  local pool = deferred.pool
  if not pool then return end
  shut(pool)
  finish(pool)
  if pool.unheard then error(pool.unheard.err, 0) end
end

local function check_caller(pool, name)
  local task = rille.current()
  for _, worker in ipairs(pool.tasks) do
    if worker == task then
      core.misuse(("a handler cannot %s its own pool: it would wait for itself"):format(name))
    end
  end
end

local function drain(pool)
  shut(pool)
  pool.idle:wait_closed()
  finish(pool)
end

local function cut_off(pool)
  pool.cut = true
  for _, task in ipairs(pool.tasks) do task:cancel("the pool was shut down") end
  for _, task in ipairs(pool.tasks) do
    local _ <close> = task
  end
end

--- Worker pools.
-- @type worker_pool

--- Ends the pool: it takes no more jobs, and this waits until those it has are
-- done. Suspends until then; a second call does the same.
-- @function worker_pool:close
-- @treturn boolean true; or nil and the first failure of a job, if neither
-- `results` nor `on_error` told of it
-- @raise cancelled; when a handler calls it
function methods.close(object)
  local pool = state_of(object, "close")
  check_caller(pool, "close")
  drain(pool)
  local unheard = pool.unheard
  if not unheard then return true end
  pool.unheard, pool.deferred.pool = nil, nil
  return nil, unheard.err
end

-- Drains the pool for so long; then nothing of it is left.
local function end_within(pool, timeout)
  shut(pool)
  if not pool.idle:is_closed() then
    rille.select({{pool.idle}}, {timeout = timeout})
    cut_off(pool)
  end
  finish(pool)
end

--- Ends the pool in a given time: drains it for so long, then cancels the jobs
-- at work and joins their workers. Suspends.
-- @function worker_pool:shutdown
-- @tparam number timeout seconds
-- @treturn table a list of the jobs that were not done, those cut off first
-- @raise cancelled; when a handler calls it
-- @usage for _, job in ipairs(pool:shutdown(5)) do save(job) end
function methods.shutdown(object, timeout)
  local pool = state_of(object, "shutdown")
  core.check(timeout, "seconds", "shutdown", 1)
  check_caller(pool, "shutdown")
  end_within(pool, timeout)
  local left = pool.left
  pool.left = {}
  for job in pool.queue.try_recv, pool.queue do
    left[#left + 1] = job
    pool.returned = pool.returned + 1
  end
  return left
end

-- A block that fails has no use for the rest.
function meta.__close(object, err)
  local pool = state_of(object, "close")
  if err == nil then
    drain(pool)
  else
    end_within(pool, 0)
  end
end

-- Jobs

local function refusal(pool)
  if pool.closed or pool.scope:cancelled() then
    return core.error("closed", "the worker pool is closed")
  end
end

local function check_job(job, name)
  if job == nil then core.arg_error(name, 1, "nil is no job") end
end

--- Gives the pool a job. Suspends while the queue is full; waiting calls are
-- served in order.
-- @function worker_pool:submit
-- @param job anything but nil
-- @treturn boolean true
-- @raise closed, also while it waits; cancelled
-- @usage pool:submit{url = url}
function methods.submit(object, job)
  local pool = state_of(object, "submit")
  check_job(job, "submit")
  if has_worker(pool) then core.checkpoint() end -- `send` does it, too
  local err = refusal(pool)
  if err then error(err, 0) end
  if has_worker(pool) then
    hand_out(pool, job)
  else
    pool.queue:send(job)
  end
  return true
end

--- Gives the pool a job if that need not wait. Never suspends.
-- @function worker_pool:try_submit
-- @param job anything but nil
-- @treturn boolean true; or nil and an error of kind `full` or `closed`
function methods.try_submit(object, job)
  local pool = state_of(object, "try_submit")
  check_job(job, "try_submit")
  local err = refusal(pool)
  if err then return nil, err end
  if has_worker(pool) then
    hand_out(pool, job)
  elseif not pool.queue:try_send(job) then
    return nil, core.error("full", "the queue of the worker pool is full")
  end
  return true
end

--- Never suspends.
-- @function worker_pool:results
-- @return the channel of results, each `{job=, value=, err=}`, in the order in
-- which the jobs end; it is closed when the pool has ended
-- @raise when the pool was made without `results`
function methods.results(object)
  return state_of(object, "results").output
    or core.misuse "the worker pool has no results: make it with results = true"
end

--- Never suspends.
-- @function worker_pool:stats
-- @treturn table `workers`, and numbers of jobs: `submitted`, which are
-- `processed`, `errors`, `active`, `queued` or `returned` (cut off, or given
-- back by `shutdown`)
function methods.stats(object)
  local pool = state_of(object, "stats")
  local queued = pool.queue:size()
  return {
    workers = pool.workers,
    processed = pool.processed, errors = pool.errors, returned = pool.returned,
    active = pool.active, queued = queued,
    submitted = pool.processed + pool.errors + pool.returned + pool.active + queued,
  }
end

local read_options = core.options("worker_pool", 1, {
  workers = {"workers", 4},
  queue = "count",
  handler = "function",
  results = {"boolean|count", false},
  on_error = "function",
})

--- Makes a pool of workers for jobs. It belongs to the innermost scope, and is
-- drained and closed when that ends. Never suspends.
-- @function worker_pool
-- @tparam table opts `handler(job, worker)` (function of the job and the
-- worker's number; required), `workers` (default 4), `queue` (jobs that wait;
-- default 2 x `workers`), `results` (true: a channel of results, with a buffer
-- of 2 x `workers`; or a number: that buffer), `on_error(err, job)`
-- @return the pool
-- @usage local pool = rille.worker_pool{workers = 8, handler = fetch}
function rille.worker_pool(opts)
  core.check(opts, "table", "worker_pool", 1)
  local read = read_options(opts)
  if not read.handler then core.arg_error("worker_pool", 1, "option 'handler' is missing") end
  local scope = core.innermost_scope "worker_pool"
  local buffer = read.results == true and 2 * read.workers or read.results
  local pool = {
    scope = scope, handler = read.handler, on_error = read.on_error, workers = read.workers,
    queue = rille.channel(read.queue or 2 * read.workers),
    output = buffer and rille.channel(buffer) or nil,
    idle = rille.channel(),
    tasks = {}, named = {}, free = {}, resting = {}, jobs = {}, order = {}, left = {},
    deferred = {},
    busy = 0, active = 0, taken = 0, processed = 0, errors = 0, returned = 0,
  }
  pool.deferred.pool = pool
  scope:defer(end_with_scope, pool.deferred)
  return new_pool(pool)
end
