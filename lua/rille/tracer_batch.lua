--[[
tracer_batch.lua - finished spans on their way to an exporter that may wait.

    add --> [ queue, at most max_queue ] --batches, one at a time--> export

A task exports: it is started when the first span comes, waits until there is a
batch or the delay is over, and ends when nothing is left. So a program without
spans has no task of ours. It belongs to the scope at the top, above the root:
it is nobody's to count, to wait for or to cancel. When a run ends, what is left
is exported, for as long as the grace lasts, and then dropped.

A batch that was interrupted goes back to the front of the queue.
]]
local rille, core = ...

core.load "rille.common"

local M = {}

-- The queues that hold something or have a task, in the order of use.
local active = {}

local function activate(queue)
  if queue.active then return end
  queue.active = true
  active[#active + 1] = queue
end

----------------------------------------------------------------------------
-- The queue: items[first] to items[last]

local function count(queue) return queue.last - queue.first + 1 end

local Batch = {}

-- Takes a batch out; when it is closed what was not settled goes back.
local function take(queue)
  local n = math.min(queue.max_batch, count(queue))
  local batch = setmetatable({queue = queue, spans = {}}, Batch)
  for i = 1, n do
    batch.spans[i], queue.items[queue.first] = queue.items[queue.first], nil
    queue.first = queue.first + 1
  end
  queue.inflight = n
  return batch
end

function Batch.__close(batch)
  local queue = batch.queue
  queue.inflight = 0
  if batch.settled then return end
  for i = #batch.spans, 1, -1 do
    queue.first = queue.first - 1
    queue.items[queue.first] = batch.spans[i]
  end
end

----------------------------------------------------------------------------
-- Exporting

local function text_of(err)
  local ok, text = pcall(tostring, err)
  return ok and text or type(err)
end

-- Exports one batch, in which nothing is traced.
local function export(queue)
  if count(queue) == 0 then return end
  local batch <close> = take(queue)
  local ok, err = core.outcome(pcall(rille.scope,
    {name = "trace export", tracer = false, timeout = queue.export_timeout},
    function() return queue.export(batch.spans) end))
  batch.settled = true
  if ok then
    queue.exported = queue.exported + #batch.spans
    queue.complained = false
    return
  end
  queue.failed = queue.failed + #batch.spans
  if not queue.complained then
    queue.complain(("%d spans could not be exported: %s"):format(#batch.spans, text_of(err)))
  end
  queue.complained = true
end

-- Exports what is there now; what comes meanwhile is not waited for.
local function drain(queue)
  local last = queue.last
  while queue.first <= last and count(queue) > 0 or queue.inflight > 0 do
    queue.mutex:call(export, queue)
  end
  return true
end

-- The task that exports.
local function work(queue)
  local _ <close> = queue.guard
  while count(queue) > 0 do
    if count(queue) < queue.max_batch then
      queue.wake:try_recv() -- of a batch that is gone
      rille.select(queue.wake_cases, {timeout = queue.schedule_delay})
    end
    queue.mutex:call(export, queue)
  end
end

local task_options = {name = "trace export", daemon = true}

local function start(queue)
  queue.task = core.top():go(task_options, work, queue)
end

----------------------------------------------------------------------------

--- Makes a queue with the options of a tracer, `export(spans)` and
-- `complain(text)`; `close`, if given, is called at the end of each run.
function M.new(o, export_spans, complain, close)
  local queue = {
    items = {}, first = 1, last = 0, inflight = 0, exported = 0, failed = 0, dropped = 0,
    max_queue = o.max_queue, max_batch = o.max_batch, schedule_delay = o.schedule_delay,
    export_timeout = o.export_timeout, grace = o.grace, export = export_spans,
    complain = complain, close = close, mutex = rille.mutex(),
    wake = rille.channel(1, {overflow = "drop_newest"}),
  }
  queue.wake_cases = {{queue.wake}}
  queue.guard = setmetatable({}, {__close = function() queue.task = nil end})
  return queue
end

--- Adds a span; where there is no room it is dropped. Never suspends.
function M.add(queue, span)
  if count(queue) + queue.inflight >= queue.max_queue then
    queue.dropped = queue.dropped + 1
    return
  end
  queue.last = queue.last + 1
  queue.items[queue.last] = span
  activate(queue)
  if not queue.task then pcall(core.untraced, start, queue) end
  if count(queue) == queue.max_batch then queue.wake:try_send(true) end
end

--- Exports what there is. True; or nil and a timeout. Suspends.
function M.flush(queue, timeout)
  return rille.timeout(timeout or math.huge, drain, queue)
end

--- Takes all away that is not exported yet.
function M.drop(queue)
  local n = count(queue)
  queue.items, queue.first = {}, queue.last + 1
  queue.dropped = queue.dropped + n
  if n > 0 then queue.complain(("%d spans were not exported in time"):format(n)) end
end

--- How many wait.
M.count = count

-- What is left of a queue when a run ends.
local function finish(queue)
  local task = queue.task
  if task then
    task:cancel()
    task:await()
  end
  M.flush(queue, queue.grace)
  M.drop(queue)
  if queue.close then queue.close() end
end

local flush_options = {name = "trace flush", shield = true, tracer = false}

local function finish_all()
  local queues = active
  active = {}
  rille.scope(flush_options, function(s)
    for _, queue in ipairs(queues) do
      queue.active = false
      s:go(finish, queue)
    end
  end)
end

-- Leaves the queues as they are; for want of memory, say.
local function forget_all()
  for i = #active, 1, -1 do
    active[i].active = false
    active[i] = nil
  end
end

--- For the main task: exports what is left when a run ends. What fails here is
-- no matter of the run's.
function core.flush_tracers()
  while active[1] do
    local ok, err = pcall(finish_all)
    if not ok then
      forget_all()
      if warn then warn("rille: tracer: ", text_of(err)) end
    end
  end
end

core.tracer_batch = M
return M
