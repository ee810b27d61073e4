-- What tasks of the naive rille wait for: channels, broadcasts, locks, events,
-- selects. See model_tasks.lua.
local model = require "spec.torture.model_tasks"

local wait, fire, first, fire_all = model.wait, model.fire, model.first, model.fire_all
local enter, raise, remove = model.enter, model.raise, model.remove
local start_timer, current, Task, now = model.start_timer, model.current, model.Task, model.now

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

-- Semaphores, and the locks that are made of one

local Semaphore = {}
Semaphore.__index = Semaphore

-- `granted(task, count)` is called for whoever gets permits.
local function new_permits(kind, limit, granted)
  local sem = setmetatable({ limit = limit, free = limit, queue = {},
    granted = granted or function() end }, kind)
  function sem.serve()
    if sem.serving then return end -- who is being served leaves the queue
    sem.serving = true
    while sem.queue[1] and sem.queue[1].count <= sem.free do
      local place = first(sem.queue)
      sem.free = sem.free - place.count
      sem.granted(place.task, place.count)
      fire(place, "fired", true)
    end
    sem.serving = false
  end
  return sem
end

local function place_in(sem, count)
  return { queue = sem.queue, count = count, left = sem.serve }
end

local function take(sem, count)
  if sem.queue[1] or sem.free < count then return false end
  sem.free = sem.free - count
  sem.granted(current(), count)
  return true
end

local function give(sem, count)
  sem.free = sem.free + count
  sem.serve()
end

local FULL = { kind = "full" }

-- Calls fn, and then release(), however that ended.
local function call_and(release, fn)
  local results = table.pack(pcall(fn))
  release()
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

function model.semaphore(limit) return new_permits(Semaphore, limit) end

function Semaphore:try_acquire(count)
  if not take(self, count) then return nil, FULL end
  return true
end

function Semaphore:acquire(count)
  enter()
  if not take(self, count) then wait({ place_in(self, count) }) end
  return true
end

function Semaphore:release(count)
  if self.free + count > self.limit then raise "misuse" end
  give(self, count)
end

function Semaphore:call(fn)
  self:acquire(1)
  return call_and(function() self:release(1) end, fn)
end

function Semaphore:available() return self.free end

-- What a task holds of a lock is in its list, in the order in which it asked.
local function find_hold(task, lock)
  for _, hold in ipairs(task.held) do
    if hold.lock == lock then return hold end
  end
end

local Mutex = {}
Mutex.__index = Mutex

function model.mutex()
  local mutex
  mutex = new_permits(Mutex, 1, function(task)
    table.insert(task.held, { lock = mutex, count = 1 })
  end)
  return mutex
end

function Mutex:drop(task, hold)
  remove(task.held, hold)
  give(self, 1)
end

function Mutex:try_acquire()
  if not take(self, 1) then return nil, FULL end
  return true
end

function Mutex:acquire()
  enter()
  if find_hold(current(), self) then raise "misuse" end
  if not take(self, 1) then wait({ place_in(self, 1) }) end
  return true
end

function Mutex:release()
  local hold = find_hold(current(), self)
  if not hold then raise "misuse" end
  self:drop(current(), hold)
end

function Mutex:call(fn)
  self:acquire()
  return call_and(function() self:release() end, fn)
end

function Mutex:locked() return self.free == 0 end

local READ, WRITE = 1, 1000000

local Rwlock = {}
Rwlock.__index = Rwlock

function model.rwlock()
  local lock
  lock = new_permits(Rwlock, WRITE, function(task, count)
    find_hold(task, lock).count = count
  end)
  return lock
end

function Rwlock:drop(task, hold)
  remove(task.held, hold)
  if hold.count > 0 then give(self, hold.count) end
end

local function try_lock(lock, count)
  local task = current()
  if find_hold(task, lock) then return nil, FULL end
  local hold = { lock = lock, count = 0 }
  table.insert(task.held, hold)
  if take(lock, count) then return true end
  remove(task.held, hold)
  return nil, FULL
end

local function acquire_lock(lock, count)
  enter()
  local task = current()
  if find_hold(task, lock) then raise "misuse" end
  local hold = { lock = lock, count = 0 }
  table.insert(task.held, hold)
  if take(lock, count) then return true end
  local ok, err = pcall(wait, { place_in(lock, count) })
  if ok then return true end
  remove(task.held, hold)
  error(err, 0)
end

local function release_lock(lock, count)
  local hold = find_hold(current(), lock)
  if not hold or hold.count ~= (count or hold.count) then raise "misuse" end
  lock:drop(current(), hold)
end

function Rwlock:try_acquire_read() return try_lock(self, READ) end
function Rwlock:try_acquire_write() return try_lock(self, WRITE) end
function Rwlock:acquire_read() return acquire_lock(self, READ) end
function Rwlock:acquire_write() return acquire_lock(self, WRITE) end
function Rwlock:release_read() release_lock(self, READ) end
function Rwlock:release_write() release_lock(self, WRITE) end

function Rwlock:read(fn)
  acquire_lock(self, READ)
  return call_and(function() release_lock(self) end, fn)
end

function Rwlock:write(fn)
  acquire_lock(self, WRITE)
  return call_and(function() release_lock(self) end, fn)
end

function Rwlock:stats()
  local written = self.free == 0
  return { readers = written and 0 or WRITE - self.free, writer = written }
end

-- Events

local Event = {}
Event.__index = Event

function model.event() return setmetatable({ queue = {} }, Event) end

function Event:set()
  self.on = true
  fire_all(self.queue, "fired")
end

function Event:clear() self.on = false end
function Event:is_set() return self.on == true end

function Event:wait()
  enter()
  if not self.on then wait({ { queue = self.queue } }) end
  return true
end

-- Select: each case is made into a place that also tells whether it is ready
-- and what it gives.

local Alarm = {}
Alarm.__index = Alarm

--- An alarm, for a case of a select: it fires once.
function model.after(seconds)
  return setmetatable({ due = now() + seconds, queue = {} }, Alarm)
end

local function alarm_case(alarm)
  local function take_alarm()
    alarm.taken = true
    return true
  end
  return {
    queue = alarm.queue,
    ready = function() return not alarm.taken and alarm.due <= now() end,
    take = take_alarm,
    start = function(place)
      if alarm.taken then return end
      place.timer = start_timer(alarm.due, function()
        alarm.taken = true
        fire(place, "fired", true)
      end)
    end,
  }
end

local function send_case(channel, value)
  local function take_value()
    local fate = channel:offer(value)
    if fate == "closed" then raise "closed" end
    if fate == "error" then return nil, { kind = "full" } end
    return true
  end
  return { queue = channel.senders, value = value, take = take_value,
    sends = channel,
    ready = function() return channel:foresee() ~= "wait" end }
end

local function recv_case(channel)
  local function take_value()
    local value = channel:take()
    if value then return value end
    return nil, { kind = "closed" }
  end
  return { queue = channel.receivers, take = take_value,
    ready = function() return channel.buffer[1] or channel.senders[1] or channel.closed end }
end

local function task_case(task)
  return { queue = task.awaiters, ready = function() return task.results end,
    take = function()
      task.awaited = true
      return table.unpack(task.results, 1, task.results.n)
    end }
end

local function permit_case(sem)
  local place = place_in(sem, 1)
  place.ready = function() return sem.free > 0 and not sem.queue[1] end
  place.take = function() return take(sem, 1) end
  return place
end

local function event_case(event)
  return { queue = event.queue, ready = function() return event.on end,
    take = function() return true end }
end

local function to_place(case)
  if not case then return { ready = function() return false end } end
  local source = case[1]
  local kind = getmetatable(source)
  if kind == Alarm then return alarm_case(source) end
  if kind == Task then return task_case(source) end
  if kind == Semaphore or kind == Mutex then return permit_case(source) end
  if kind == Event then return event_case(source) end
  if case.send then return send_case(source, case.send) end
  return recv_case(source)
end

-- A task can wait neither for its own end nor for a mutex that it holds.
local function check_self(cases)
  for _, case in ipairs(cases) do
    local source = case and case[1]
    if source and (source == current() or find_hold(current(), source)) then raise "misuse" end
  end
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

local function select_wait(places, timeout)
  local event, value, place = wait(places, timeout and now() + timeout)
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

local Selector = {}
Selector.__index = Selector

--- What a select is made of, to be waited on again and again.
function model.selector(cases, opts)
  return setmetatable({ cases = table.move(cases, 1, #cases, 1, {}), off = {}, places = {},
    opts = opts }, Selector)
end

function Selector:in_use()
  for _, place in ipairs(self.places) do
    if place.queue and index_of(place.queue, place) then return true end
  end
end

function Selector:enable(i, on)
  if self:in_use() then raise "misuse" end
  self.off[i] = not on
end

function Selector:set_send(i, value)
  if self:in_use() then raise "misuse" end
  self.cases[i] = { self.cases[i][1], send = value }
end

function Selector:wait(timeout, key)
  local cases, places, opts = {}, {}, self.opts
  enter()
  if self:in_use() then raise "misuse" end
  for i, case in ipairs(self.cases) do cases[i] = not self.off[i] and case end
  check_self(cases)
  for i, case in ipairs(cases) do
    places[i] = to_place(case)
    places[i].cases, places[i].key = not opts.ordered and places, key
  end
  local place = choose(places, key, opts.ordered)
  if place then return index_of(places, place), place.take() end
  if opts.default then return 0 end
  timeout = timeout or opts.timeout
  if timeout == 0 then return nil, { kind = "timeout" } end
  self.places = places
  return select_wait(places, timeout)
end

function model.select(cases, opts, key)
  return model.selector(cases, opts):wait(nil, key)
end

return model
