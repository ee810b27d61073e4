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
local model = {}

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
  node.called = true
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

local function end_task(task, status, ...)
  local scope = task.scope
  task.status, task.results = status, table.pack(...)
  remove(task.node.parent.children, task.node)
  fire_all(task.awaiters, "fired")
  scope.active = scope.active - 1
  if task.holds_place then scope.running = scope.running - 1 end
  fill_places(scope)
  if scope.closing and scope.active == 0 then fire_all(scope.idle, "fired") end
end

local function body(task, ok, ...)
  if ok then
    end_task(task, "done", ...)
  elseif type((...)) == "table" and (...).kind == "cancelled" then
    end_task(task, "cancelled", nil, (...))
  else
    error((...), 0)
  end
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

function Scope:task(fn)
  if self.ended then raise "closed" end
  if cancelled_by(self.node) then raise "cancelled" end
  local node = new_node(self.node)
  local task = setmetatable({ fn = fn, scope = self, node = node, top = node,
    status = "pending", awaiters = {} }, Task)
  node.task = task
  self.active = self.active + 1
  table.insert(self.pending, task)
  fill_places(self)
  return task
end

function Scope:cancel()
  if not self.ended then cancel(self.node) end
end

function Task:cancel()
  if not self.results then cancel(self.node) end
end

function Task:await()
  enter()
  if not self.results then wait({ { queue = self.awaiters } }) end
  return table.unpack(self.results, 1, self.results.n)
end

local function new_scope(parent, opts)
  return setmetatable({ node = new_node(parent, opts.shield), active = 0, running = 0,
    pending = {}, idle = {}, limit = opts.concurrency or math.huge }, Scope)
end

local function leave(scope, task, below, ok, ...)
  local own, waited = scope.node, false
  scope.closing = true
  while scope.active > 0 do
    waited = true
    wait({ { queue = scope.idle } }, nil, true)
  end
  local by = cancelled_by(own)
  scope.ended, task.top = true, below
  remove(timers, scope.timer)
  if own.parent then remove(own.parent.children, own) end
  if by == own and (not ok or own.delivered) then
    return nil, { kind = own.expired and "timeout" or "cancelled" }
  elseif by and by ~= own and (not ok or waited) then
    by.delivered = true
    raise "cancelled"
  elseif not ok then
    error((...), 0)
  end
  return ...
end

function model.scope(opts, fn)
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

-- Channels; a subscription is one that only its broadcast sends to

local Channel = {}
Channel.__index = Channel

function model.channel(capacity, opts)
  return setmetatable({ capacity = capacity, overflow = opts.overflow, on_drop = opts.on_drop,
    buffer = {}, senders = {}, receivers = {}, missed = 0 }, Channel)
end

function Channel:foresee()
  if self.closed then return "closed" end
  if self.receivers[1] then return "sent" end
  if #self.buffer < self.capacity then return "sent" end
  return self.overflow == "block" and "wait" or self.overflow
end

function Channel:drop(value)
  self.missed = self.missed + 1
  if self.on_drop then self.on_drop(value) end
end

-- Sends if that need not wait: "sent", or why not.
function Channel:offer(value)
  local fate = self:foresee()
  if fate == "sent" and self.receivers[1] then
    fire(first(self.receivers), "fired", value)
  elseif fate == "sent" then
    table.insert(self.buffer, value)
  elseif fate == "drop_oldest" then
    table.insert(self.buffer, value)
    self:drop(table.remove(self.buffer, 1))
  elseif fate == "drop_newest" then
    self:drop(value)
  else
    return fate
  end
  return fate == "drop_newest" and "dropped" or "sent"
end

-- The next value, or nil.
function Channel:take()
  local sender = first(self.senders)
  if sender then fire(sender, "fired") end
  if not self.buffer[1] then return sender and sender.value end
  if sender then table.insert(self.buffer, sender.value) end
  return table.remove(self.buffer, 1)
end

function Channel:send(value)
  enter()
  local fate = self:offer(value)
  if fate == "wait" then
    fate = wait({ { queue = self.senders, value = value } })
  end
  if fate == "closed" then raise "closed" end
  if fate == "error" then return nil, { kind = "full" } end
  return true
end

function Channel:send_many(list)
  enter()
  for _, value in ipairs(list) do
    local fate = self:offer(value)
    if fate == "wait" then
      fate = wait({ { queue = self.senders, value = value } })
    end
    if fate == "closed" then raise "closed" end
    if fate == "error" then return nil, { kind = "full" } end
  end
  return true
end

function Channel:try_send(value)
  local fate = self:offer(value)
  if fate == "closed" then return nil, { kind = "closed" } end
  if fate == "wait" or fate == "error" then return nil, { kind = "full" } end
  return true
end

function Channel:wait_for_value()
  local event, value = wait({ { queue = self.receivers } })
  if event == "closed" then return nil, { kind = "closed" } end
  return value
end

function Channel:recv()
  enter()
  local value = self:take()
  if value then return value end
  if self.closed then return nil, { kind = "closed" } end
  return self:wait_for_value()
end

function Channel:try_recv()
  local value = self:take()
  if value then return value end
  return nil, { kind = self.closed and "closed" or "empty" }
end

function Channel:recv_many(max)
  enter()
  local list = { self:take() }
  if not list[1] then
    if self.closed then return nil, { kind = "closed" } end
    local value, err = self:wait_for_value()
    if not value then return nil, err end
    list[1] = value
  end
  while #list < max do
    local value = self:take()
    if not value then break end
    table.insert(list, value)
  end
  return list
end

function Channel:close()
  if self.broadcast then remove(self.broadcast.subscriptions, self) end
  if self.closed then return end
  self.closed = true
  fire_all(self.receivers, "closed")
  fire_all(self.senders, "closed")
end

function Channel:size() return #self.buffer end
function Channel:dropped() return self.missed end

-- Broadcasts

local Broadcast = {}
Broadcast.__index = Broadcast

function model.broadcast()
  return setmetatable({ subscriptions = {} }, Broadcast)
end

function Broadcast:subscribe(name, opts)
  local sub = model.channel(opts.buffer, opts)
  sub.name, sub.broadcast = name, self
  table.insert(self.subscriptions, sub)
  return sub
end

-- Gives the value to whoever has room; the places of the others.
local function deliver(subscriptions, value, sending)
  local places = {}
  for _, sub in ipairs(subscriptions) do
    local fate = sub:offer(value)
    if fate == "wait" then
      table.insert(places, { queue = sub.senders, value = value, sending = sending })
    elseif fate == "error" then
      sub.missed = sub.missed + 1
      table.insert(sending.full, sub.name)
    elseif fate == "sent" then
      sending.reached = sending.reached + 1
    end
  end
  return places
end

function Broadcast:send(value)
  enter()
  if self.closed then raise "closed" end
  local sending = { reached = 0, full = {} }
  local places = deliver(self.subscriptions, value, sending)
  sending.waits = #places
  if places[1] then wait(places) end
  if sending.missed and self.closed then raise "closed" end
  if sending.full[1] then
    return nil, { kind = "full", reached = sending.reached, subscribers = sending.full }
  end
  return sending.reached
end

function Broadcast:close()
  self.closed = true
  while self.subscriptions[1] do self.subscriptions[1]:close() end
end

-- Semaphores

local Semaphore = {}
Semaphore.__index = Semaphore

function model.semaphore(limit)
  local sem = setmetatable({ limit = limit, free = limit, queue = {} }, Semaphore)
  function sem.serve()
    if sem.serving then return end -- who is being served leaves the queue
    sem.serving = true
    while sem.queue[1] and sem.queue[1].count <= sem.free do
      local place = first(sem.queue)
      sem.free = sem.free - place.count
      fire(place, "fired", true)
    end
    sem.serving = false
  end
  return sem
end

function Semaphore:place(count)
  return { queue = self.queue, count = count, left = self.serve }
end

function Semaphore:try_acquire(count)
  if self.queue[1] or self.free < count then return nil, { kind = "full" } end
  self.free = self.free - count
  return true
end

function Semaphore:acquire(count)
  enter()
  if not self:try_acquire(count) then wait({ self:place(count) }) end
  return true
end

function Semaphore:release(count)
  if self.free + count > self.limit then raise "misuse" end
  self.free = self.free + count
  self.serve()
end

function Semaphore:available() return self.free end

-- Select: each case is made into a place that also tells whether it is ready
-- and what it gives.

local function alarm(seconds)
  local due = now + seconds
  return {
    ready = function() return due <= now end,
    take = function() return true end,
    start = function(place)
      place.timer = start_timer(due, function() fire(place, "fired", true) end)
    end,
  }
end

local function send_case(channel, value)
  local function take()
    local fate = channel:offer(value)
    if fate == "closed" then raise "closed" end
    if fate == "error" then return nil, { kind = "full" } end
    return true
  end
  return { queue = channel.senders, value = value, take = take,
    sends = channel,
    ready = function() return channel:foresee() ~= "wait" end }
end

local function recv_case(channel)
  local function take()
    local value = channel:take()
    if value then return value end
    return nil, { kind = "closed" }
  end
  return { queue = channel.receivers, take = take,
    ready = function() return channel.buffer[1] or channel.senders[1] or channel.closed end }
end

local function task_case(task)
  return { queue = task.awaiters, ready = function() return task.results end,
    take = function() return table.unpack(task.results, 1, task.results.n) end }
end

local function semaphore_case(sem)
  local place = sem:place(1)
  place.ready = function() return sem.free > 0 and not sem.queue[1] end
  place.take = function() return sem:try_acquire(1) end
  return place
end

local function to_place(case)
  if not case then return { ready = function() return false end } end
  local source = case[1]
  if type(source) == "number" then return alarm(source) end
  local kind = getmetatable(source)
  if kind == Task then return task_case(source) end
  if kind == Semaphore then return semaphore_case(source) end
  if case.send then return send_case(source, case.send) end
  return recv_case(source)
end

-- The engine's choice if it is one of the ready; it names no case when it has
-- raised that a channel is closed.
local function choose(places, key, ordered)
  local chosen, fallback = places[model.chosen[key]], nil
  if chosen and chosen.ready() and not ordered then return chosen end
  for _, place in ipairs(places) do
    if place.ready() then
      local raises = place.sends and place.sends.closed
      if ordered or raises and not chosen then return place end
      fallback = fallback or place
    end
  end
  return fallback
end

local function index_of(places, place)
  for i, other in ipairs(places) do
    if other == place then return i end
  end
end

local function select_wait(places, opts)
  local event, value, place = wait(places, opts.timeout and now + opts.timeout)
  if event == "expired" then return nil, { kind = "timeout" } end
  local i = index_of(places, place)
  if place.sends then
    if event == "closed" then raise "closed" end
    return i, true
  end
  if event == "closed" then return i, nil, { kind = "closed" } end
  if place.queue and value == nil then return i, place.take() end
  return i, value
end

function model.select(cases, opts, key)
  enter()
  local places = {}
  for i, case in ipairs(cases) do
    places[i] = to_place(case)
    places[i].cases, places[i].key = not opts.ordered and places, key
  end
  local place = choose(places, key, opts.ordered)
  if place then return index_of(places, place), place.take() end
  if opts.default then return 0 end
  if opts.timeout == 0 then return nil, { kind = "timeout" } end
  return select_wait(places, opts)
end

--- An alarm, for a case of a select.
function model.after(seconds) return seconds end

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

return model
