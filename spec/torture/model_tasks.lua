-- A naive rille: the same calls as the engine's, on plain lists, written to
-- be read and not to be fast. It shares no code with the engine.
--
-- A task is a coroutine; who waits is a list of places, one in the queue of
-- each thing that is waited for. Three rules say what happens when:
--
--   what is woken goes to the end of `ready`, which is served first to last;
--   time passes when nobody is ready, to the earliest timer;
--   a queue is served from its front.
--
-- Where a select may choose, `model.chosen` says what the engine has chosen:
-- any choice among the ready is right, no other is.
--
-- Here are tasks and scopes, and how to wait; model.lua has what is waited for.
local model = {}

local GRACE = 5

local now, ready, timers, current

local function remove(list, item)
  for i, other in ipairs(list) do
    if other == item then return table.remove(list, i) end
  end
end

local function raise(kind)
  error({ kind = kind }, 0)
end

-- Cancellation: a node for each task and each block. A node is cancelled by
-- the outermost one above it that was, up to the first shield.

local function new_node(parent, shield)
  local node = { parent = parent, shield = shield, children = {} }
  if parent then table.insert(parent.children, node) end
  return node
end

local function cancelled_by(node)
  local by
  repeat
    if node.called then by = node end
    node = not node.shield and node.parent
  until not node
  return by
end

local function raise_cancellation()
  local by = cancelled_by(current.top)
  by.delivered = true
  raise "cancelled"
end

-- Waiting

local function start_timer(due, fn)
  local timer, i = { due = due, fn = fn }, #timers
  while i > 0 and timers[i].due > due do i = i - 1 end
  table.insert(timers, i + 1, timer)
  return timer
end

local function turn()
  current.status = "ready"
  table.insert(ready, current)
  coroutine.yield()
end

local function wake(task, ...)
  local places = task.places
  remove(timers, task.timer)
  task.status, task.outcome, task.places, task.timer = "ready", table.pack(...), nil, nil
  for _, place in ipairs(places) do
    if place.queue then remove(place.queue, place) end
    remove(timers, place.timer)
  end
  for _, place in ipairs(places) do
    if place.left then place.left() end
  end
  table.insert(ready, task)
end

-- What the place waited for has come. A send to several is woken by the last.
local function fire(place, event, value)
  local sending = place.sending
  if not sending then return wake(place.task, event, value, place) end
  remove(place.queue, place)
  sending.waits = sending.waits - 1
  if event == "fired" then sending.reached = sending.reached + 1 else sending.missed = true end
  if sending.waits == 0 then wake(place.task, "fired") end
end

-- The place at the front; of several that one select has in the queue, the one
-- chosen.
local function first(queue)
  local place = queue[1]
  local chosen = place and place.cases and place.cases[model.chosen[place.key]]
  return chosen and chosen.queue == queue and chosen or place
end

local function fire_all(queue, event)
  while queue[1] do fire(first(queue), event) end
end

local function wait(places, due, shielded)
  local task = current
  task.status, task.places, task.shielded = "waiting", places, shielded
  for _, place in ipairs(places) do
    place.task = task
    if place.queue then table.insert(place.queue, place) end
    if place.start then place.start(place) end
  end
  if due then
    task.timer = start_timer(due, function() wake(task, "expired") end)
  end
  if not shielded and cancelled_by(task.top) then wake(task, "cancelled") end
  coroutine.yield()
  if task.outcome[1] == "cancelled" then raise_cancellation() end
  return table.unpack(task.outcome, 1, task.outcome.n)
end

-- Every call that may suspend looks for a cancellation first.
local function enter()
  if cancelled_by(current.top) then
    turn()
    raise_cancellation()
  end
end

local function interrupt_task(task)
  if task.status == "pending" then
    remove(ready, task)
    remove(task.scope.pending, task)
    table.insert(ready, task)
  elseif task.status == "waiting" and not task.shielded then
    wake(task, "cancelled")
  end
end

local function interrupt(node)
  if node.task and node.task.top == node then interrupt_task(node.task) end
  for _, child in ipairs(node.children) do
    if not child.shield then interrupt(child) end
  end
end

local function cancel(node)
  if node.called then return end
  local before = cancelled_by(node)
  node.called, node.called_at = true, now
  if not before then interrupt(node) end
end

-- Scopes and tasks

local Scope, Task = {}, {}
Scope.__index, Task.__index = Scope, Task

local function fill_places(scope)
  while scope.pending[1] and scope.running < scope.limit do
    local task = table.remove(scope.pending, 1)
    task.holds_place = true
    scope.running = scope.running + 1
    table.insert(ready, task)
  end
end

-- Once only daemons are left in a scope that is being left, they are cancelled.
local function settle(scope)
  if not scope.closing then return end
  if scope.active == 0 then return fire_all(scope.idle, "fired") end
  if scope.active > scope.daemons then return end
  for _, node in ipairs(table.move(scope.node.children, 1, #scope.node.children, 1, {})) do
    if node.runs then cancel(node) end
  end
end

local function end_task(task, status, ...)
  local scope = task.scope
  task.status, task.results = status, table.pack(...)
  remove(task.node.parent.children, task.node)
  fire_all(task.awaiters, "fired")
  scope.active = scope.active - 1
  if task.daemon then scope.daemons = scope.daemons - 1 end
  if task.holds_place then scope.running = scope.running - 1 end
  fill_places(scope)
  settle(scope)
end

-- The failure of a task is its scope's, or a value for whoever awaits it.
local function fail(task, err)
  local scope = task.scope
  if not task.supervised then
    if not task.awaited then table.insert(scope.lost, task) end
    return
  end
  table.insert(scope.failures, err)
  if not scope.goes_on and not scope.ended then cancel(scope.node) end
end

local function is_cancellation(err)
  return type(err) == "table" and err.kind == "cancelled"
end

-- Gives back the locks that the task holds, the last one first; whether there
-- were any.
local function abandon(task)
  local held = false
  while task.held[1] do
    local hold = task.held[#task.held]
    held = held or hold.count > 0
    hold.lock:drop(task, hold)
  end
  return held
end

local function body(task, ok, ...)
  local err, status = (...), "done"
  if not ok then status = is_cancellation(err) and "cancelled" or "failed" end
  if abandon(task) and status ~= "failed" then
    err, status = { kind = "invalid" }, "failed"
  end
  if status == "done" then return end_task(task, status, ...) end
  if status == "failed" then fail(task, err) end
  end_task(task, status, nil, err)
end

local function resume(task)
  current = task
  if task.status == "pending" then
    local by = cancelled_by(task.top)
    if by then
      by.delivered = true
      return end_task(task, "cancelled", nil, { kind = "cancelled" })
    end
    task.co = coroutine.create(function() body(task, pcall(task.fn, task.scope)) end)
  end
  task.status = "running"
  local ok, err = coroutine.resume(task.co)
  if not ok then error(err, 0) end
end

local function start(self, fn, supervised, daemon)
  if self.ended then raise "closed" end
  if cancelled_by(self.node) then raise "cancelled" end
  local node = new_node(self.node)
  local task = setmetatable({ fn = fn, scope = self, node = node, top = node,
    status = "pending", awaiters = {}, held = {}, supervised = supervised,
    daemon = daemon }, Task)
  node.task, node.runs = task, true
  self.active = self.active + 1
  if daemon then self.daemons = self.daemons + 1 end
  table.insert(self.pending, task)
  fill_places(self)
  return task
end

function Scope:task(fn, opts)
  return start(self, fn, false, opts and opts.daemon)
end

function Scope:go(opts, fn)
  return start(self, fn, true, opts.daemon)
end

function Scope:defer(fn)
  table.insert(self.defers, fn)
end

function Scope:cancel()
  if not self.ended then cancel(self.node) end
end

function Task:cancel()
  if not self.results then cancel(self.node) end
end

function Task:await()
  enter()
  if self == current then raise "misuse" end
  self.awaited = true
  if not self.results then wait({ { queue = self.awaiters } }) end
  return table.unpack(self.results, 1, self.results.n)
end

local function new_scope(parent, opts)
  return setmetatable({ node = new_node(parent, opts.shield), active = 0, daemons = 0,
    running = 0, pending = {}, idle = {}, failures = {}, lost = {}, defers = {},
    limit = opts.concurrency or math.huge, goes_on = opts.on_error == "continue" }, Scope)
end

-- Waits for the tasks of the scope; whether it had to.
local function join(scope)
  local waited = false
  scope.closing = true
  settle(scope)
  while scope.active > 0 do
    waited = true
    wait({ { queue = scope.idle } }, nil, true)
  end
  return waited
end

local function take_lost(scope)
  for _, task in ipairs(scope.lost) do
    if not task.awaited then table.insert(scope.failures, task.results[2]) end
  end
end

local open_block

local function leave(scope, task, below, ok, ...)
  local own = scope.node
  if not ok and not is_cancellation((...)) then
    table.insert(scope.failures, (...))
    cancel(own)
  end
  local waited = join(scope)
  while scope.defers[1] do
    local by = cancelled_by(own)
    local left = by and math.max(by.called_at + GRACE - now, 0) or nil
    open_block({ timeout = left, shield = true }, function()
      while scope.defers[1] do
        local fine, err = pcall(table.remove(scope.defers))
        if not fine and not is_cancellation(err) then table.insert(scope.failures, err) end
      end
    end)
    waited = join(scope) or waited
  end
  take_lost(scope)
  local by = cancelled_by(own)
  scope.ended, task.top = true, below
  remove(timers, scope.timer)
  if own.parent then remove(own.parent.children, own) end
  if scope.failures[1] then
    error(scope.failures[1], 0)
  elseif by == own and (not ok or own.delivered) then
    return nil, { kind = own.expired and "timeout" or "cancelled" }
  elseif by and by ~= own and (not ok or waited) then
    by.delivered = true
    raise "cancelled"
  end
  return ...
end

function open_block(opts, fn)
  local task, below = current, current.top
  local scope = new_scope(below, opts)
  local function expire()
    scope.node.expired = not scope.node.called
    cancel(scope.node)
  end
  scope.node.task, task.top = task, scope.node
  if opts.timeout and opts.timeout > 0 then
    scope.timer = start_timer(now + opts.timeout, expire)
  elseif opts.timeout then
    expire()
  end
  return leave(scope, task, below, pcall(fn, scope))
end

model.scope = open_block

function model.timeout(seconds, fn)
  return model.scope({ timeout = seconds }, fn)
end

function model.shield(seconds, fn)
  return model.scope({ timeout = seconds, shield = true }, fn)
end

-- Time

function model.now() return now end

function model.sleep(seconds)
  enter()
  wait({}, now + seconds)
end

function model.yield()
  enter()
  turn()
end

-- Running

local function pass_time()
  local timer = table.remove(timers, 1)
  if not timer then error("the model is at a dead end", 0) end
  now = math.max(now, timer.due)
  timer.fn()
  while timers[1] and timers[1].due <= now do
    table.remove(timers, 1).fn()
  end
end

--- Runs `fn` as the only task of a root scope; `chosen[key]` is the case that
-- the engine's select `key` has chosen.
function model.run(fn, chosen)
  now, ready, timers, current = 0, {}, {}, nil
  model.chosen = chosen
  local main = new_scope(nil, {}):task(fn)
  while not main.results do
    while ready[1] do resume(table.remove(ready, 1)) end
    if not main.results then pass_time() end
  end
end

-- For model.lua.
model.wait, model.fire, model.first, model.fire_all = wait, fire, first, fire_all
model.enter, model.raise, model.remove = enter, raise, remove
model.start_timer, model.Task = start_timer, Task
function model.current() return current end

return model
