-- A channel for cqueues, which has none: a list and two condition variables,
-- as one writes it there. With capacity 0 it is a rendezvous: a sender waits
-- until its value has been taken, unless a receiver is already waiting for it.
local condition = require "cqueues.condition"

local queue = {}
queue.__index = queue

function queue.new(capacity)
  return setmetatable({
    capacity = math.max(capacity, 1), rendezvous = capacity == 0,
    first = 1, last = 0, receivers = 0, closed = false,
    sleeping = {}, -- of a rendezvous: the numbers of values whose senders wait
    filled = condition.new(), emptied = condition.new(),
  }, queue)
end

-- Waits until value number `mine` has been taken.
local function wait_for_receiver(self, mine)
  self.sleeping[mine] = true
  while self.first <= mine do self.emptied:wait() end
end

function queue:send(value)
  while not self.rendezvous and self.last - self.first + 1 >= self.capacity do
    self.emptied:wait()
  end
  self.last = self.last + 1
  self[self.last] = value
  self.filled:signal(1)
  if self.rendezvous and self.last - self.first + 1 > self.receivers then
    wait_for_receiver(self, self.last)
  end
end

-- The next value, or nil once closed and empty.
function queue:recv()
  while self.last < self.first do
    if self.closed then return nil end
    self.receivers = self.receivers + 1
    self.filled:wait()
    self.receivers = self.receivers - 1
  end
  local number = self.first
  local value = self[number]
  self[number] = nil
  self.first = number + 1
  if not self.rendezvous or self.sleeping[number] then
    self.sleeping[number] = nil
    self.emptied:signal(1)
  end
  return value
end

function queue:close()
  self.closed = true
  self.filled:signal()
end

return queue
