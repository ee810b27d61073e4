local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

local seed = math.tointeger(tonumber(os.getenv("SEED"))) or 20260101

-- A channel as a list of values and two lists of who waits; no engine inside.
local Model = {}
Model.__index = Model

function Model.new(capacity)
  return setmetatable({ capacity = capacity, buffer = {}, senders = {}, receivers = {},
    events = {}, closed = false }, Model)
end

function Model:note(...)
  self.events[#self.events + 1] = table.concat({ ... }, ":")
end

function Model:refill()
  while #self.buffer < self.capacity and #self.senders > 0 do
    local sender = table.remove(self.senders, 1)
    self.buffer[#self.buffer + 1] = sender.value
    self:note(sender.id, "sent")
  end
end

function Model:take()
  if #self.buffer > 0 then
    local value = table.remove(self.buffer, 1)
    self:refill()
    return value
  elseif #self.senders > 0 then
    local sender = table.remove(self.senders, 1)
    self:note(sender.id, "sent")
    return sender.value
  end
end

function Model:send(id, value)
  if self.closed then
    self:note(id, "closed")
  elseif #self.receivers > 0 then
    self:note(table.remove(self.receivers, 1), "got", value)
    self:note(id, "sent")
  elseif #self.buffer < self.capacity then
    self.buffer[#self.buffer + 1] = value
    self:note(id, "sent")
  else
    self.senders[#self.senders + 1] = { id = id, value = value }
  end
end

function Model:recv(id)
  local value = self:take()
  if value then
    self:note(id, "got", value)
  elseif self.closed then
    self:note(id, "closed")
  else
    self.receivers[#self.receivers + 1] = id
  end
end

function Model:try_send(value)
  if self.closed then return "closed" end
  if #self.receivers > 0 then
    self:note(table.remove(self.receivers, 1), "got", value)
  elseif #self.buffer < self.capacity then
    self.buffer[#self.buffer + 1] = value
  else
    return "full"
  end
  return "true"
end

function Model:try_recv()
  local value = self:take()
  return value and tostring(value) or self.closed and "closed" or "empty"
end

function Model:cancel(id)
  for i, sender in ipairs(self.senders) do
    if sender.id == id then table.remove(self.senders, i) self:note(id, "cancelled") return end
  end
  for i, receiver in ipairs(self.receivers) do
    if receiver == id then table.remove(self.receivers, i) self:note(id, "cancelled") return end
  end
end

function Model:close()
  self.closed = true
  for _, sender in ipairs(self.senders) do self:note(sender.id, "closed") end
  for _, receiver in ipairs(self.receivers) do self:note(receiver, "closed") end
  self.senders, self.receivers = {}, {}
end

-- The same calls on the engine: tasks that note how their call ended.
local Real = {}
Real.__index = Real

function Real.new(capacity)
  return setmetatable({ ch = rille.channel(capacity), tasks = {}, events = {} }, Real)
end

function Real:note(...)
  self.events[#self.events + 1] = table.concat({ ... }, ":")
end

function Real:start(id, fn)
  self.tasks[id] = rille.root():go(function()
    local ok, value, err = pcall(fn)
    if not ok then
      self:note(id, value.kind)
      error(value)
    end
    self:note(id, value == nil and err.kind or value)
  end)
end

function Real:send(id, value)
  self:start(id, function()
    local ok, err = pcall(self.ch.send, self.ch, value)
    if ok then return "sent" end
    if rille.is_error(err, "closed") then return nil, err end
    error(err)
  end)
end

function Real:recv(id)
  self:start(id, function()
    local value, err = self.ch:recv()
    if value then return "got:" .. value end
    return nil, err
  end)
end

function Real:try_send(value)
  local ok, err = self.ch:try_send(value)
  return ok and "true" or err.kind
end

function Real:try_recv()
  local value, err = self.ch:try_recv()
  return value and tostring(value) or err.kind
end

function Real:cancel(id) self.tasks[id]:cancel() end

function Real:close() self.ch:close() end

-- What happened in one step; who woke first is not the model's business.
local function step_events(side)
  table.sort(side.events)
  local text = table.concat(side.events, " ")
  side.events = {}
  return text
end

local function random_operation(random, id)
  local dice = random(100)
  if dice <= 30 then return "send", id, id end
  if dice <= 60 then return "recv", id end
  if dice <= 72 then return "try_send", id end
  if dice <= 84 then return "try_recv" end
  if dice <= 99 or id < 50 then return "cancel", random(math.max(1, id - 20), id) end
  return "close"
end

local function compare(count, capacity, run_seed)
  local random = helper.random(run_seed)
  local model, real = Model.new(capacity), Real.new(capacity)
  for step = 1, count do
    local name, a, b = random_operation(random, step)
    if name == "cancel" and not real.tasks[a] then name, a = "try_recv", nil end
    local expected, actual = model[name](model, a, b), real[name](real, a, b)
    helper.settle()
    local expected_events, actual_events = step_events(model), step_events(real)
    if expected ~= actual or expected_events ~= actual_events
      or #model.buffer ~= real.ch:size() then
      error(("SEED=%d capacity %d step %d %s: expected %s [%s] %d, got %s [%s] %d"):format(
        run_seed, capacity, step, name, tostring(expected), expected_events, #model.buffer,
        tostring(actual), actual_events, real.ch:size()))
    end
    if model.closed and step % 100 == 0 then
      model, real = Model.new(capacity), Real.new(capacity)
    end
  end
  real:close()
end

describe("a channel compared with the model", function()
  for _, capacity in ipairs { 0, 1, 2, 7 } do
    it("does the same in 2500 operations, capacity " .. capacity, function()
      run(function() compare(2500, capacity, seed + capacity) end)
    end)
  end
end)

describe("values under random cancellation", function()
  for _, capacity in ipairs { 0, 1, 5 } do
    it("arrive exactly once or are given back, capacity " .. capacity, function()
      local random = helper.random(seed + 100 + capacity)
      local seen, returned = {}, 0
      run(function()
        local ch = rille.channel(capacity)
        local senders, receivers = {}, {}
        for id = 1, 3000 do
          senders[#senders + 1] = rille.root():task(function()
            local ok = pcall(ch.send, ch, id)
            if not ok then returned = returned + 1 end
          end)
          receivers[#receivers + 1] = rille.root():task(function()
            local value = ch:recv()
            seen[value] = (seen[value] or 0) + 1
          end)
          if random(3) == 1 then rille.yield() end
          local list = random(2) == 1 and senders or receivers
          local victim = list[random(math.max(1, #list - 3), #list)]
          if random(3) == 1 and victim:status() == "waiting" then victim:cancel() end
        end
        helper.settle()
        local left
        repeat
          left = ch:try_recv()
          if left then seen[left] = (seen[left] or 0) + 1 end
        until not left
        for _, task in ipairs(senders) do task:cancel() end
        for _, task in ipairs(receivers) do task:cancel() end
      end)
      local received = 0
      for value, count in pairs(seen) do
        assert.equal(1, count, "SEED=" .. seed .. " value " .. value)
        received = received + 1
      end
      assert.equal(3000, received + returned, "SEED=" .. seed)
    end)
  end
end)
