-- Random calls on a broadcast, compared with a naive one that has no engine.
local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

local seed = math.tointeger(tonumber(os.getenv("SEED"))) or 20260102

local function remove(list, item)
  for i, other in ipairs(list) do
    if other == item then return table.remove(list, i) end
  end
end

-- A broadcast as lists: of subscriptions {buffer, receivers, senders}; who
-- waits is {id, ...}, in the lists of all that it waits for.
local Model = {}
Model.__index = Model

function Model.new()
  return setmetatable({ list = {}, subs = {}, waiting = {}, events = {} }, Model)
end

function Model:note(...) self.events[#self.events + 1] = table.concat({ ... }, ":") end

function Model:forget(waiter)
  self.waiting[waiter.id] = nil
  for _, sub in pairs(self.subs) do
    remove(sub.receivers, waiter)
    remove(sub.senders, waiter)
  end
end

function Model:subscribe(name, capacity, policy)
  local sub = { name = name, capacity = capacity, policy = policy, buffer = {}, receivers = {},
    senders = {}, dropped = 0 }
  self.subs[name] = sub
  self.list[#self.list + 1] = sub
end

function Model:finish(send)
  self.waiting[send.id] = nil
  if self.closed and send.missed then
    self:note(send.id, "closed")
  elseif #send.full > 0 then
    self:note(send.id, "full", table.concat(send.full, ","), send.reached)
  else
    self:note(send.id, "sent", send.reached)
  end
end

function Model:settle(send, taken)
  send.pending = send.pending - 1
  if taken then send.reached = send.reached + 1 else send.missed = true end
  if send.pending == 0 then self:finish(send) end
end

-- A send that finds the buffer of `sub` full.
local function overflow(sub, send)
  if sub.policy == "block" then
    sub.senders[#sub.senders + 1] = send
    send.pending = send.pending + 1
    return
  end
  sub.dropped = sub.dropped + 1
  if sub.policy == "drop_oldest" then
    table.remove(sub.buffer, 1)
    sub.buffer[#sub.buffer + 1] = send.value
    send.reached = send.reached + 1
  elseif sub.policy == "error" then
    send.full[#send.full + 1] = sub.name
  end
end

function Model:send(id, value)
  local send = { id = id, value = value, pending = 0, reached = 0, full = {}, missed = self.closed }
  for _, sub in ipairs(self.list) do
    if #sub.receivers > 0 then
      local receiver = sub.receivers[1]
      self:forget(receiver)
      self:note(receiver.id, "got", value)
      send.reached = send.reached + 1
    elseif #sub.buffer < sub.capacity then
      sub.buffer[#sub.buffer + 1] = value
      send.reached = send.reached + 1
    else
      overflow(sub, send)
    end
  end
  self.waiting[id] = send
  if send.pending == 0 then self:finish(send) end
end

function Model:recv(id, names)
  for _, name in ipairs(names) do
    local sub = self.subs[name]
    local value = table.remove(sub.buffer, 1)
    local send = table.remove(sub.senders, 1)
    if send then
      if value then sub.buffer[#sub.buffer + 1] = send.value end
      self:settle(send, true)
    end
    value = value or send and send.value
    if value then return self:note(id, "got", value) end
    if sub.closed then return self:note(id, "closed") end
  end
  self.waiting[id] = { id = id }
  for _, name in ipairs(names) do
    table.insert(self.subs[name].receivers, self.waiting[id])
  end
end

function Model:leave(name)
  local sub = self.subs[name]
  if sub.closed then return end
  sub.closed = true
  remove(self.list, sub)
  while #sub.receivers > 0 do
    self:note(sub.receivers[1].id, "closed")
    self:forget(sub.receivers[1])
  end
  while #sub.senders > 0 do self:settle(table.remove(sub.senders, 1), false) end
end

function Model:close()
  self.closed = true
  while #self.list > 0 do self:leave(self.list[1].name) end
end

function Model:cancel(id)
  if not self.waiting[id] then return end
  self:forget(self.waiting[id])
  self:note(id, "cancelled")
end

-- The same on the engine.
local Real = {}
Real.__index = Real

function Real.new()
  return setmetatable({ b = rille.broadcast(), subs = {}, tasks = {}, events = {} }, Real)
end

Real.note = Model.note

function Real:start(id, fn)
  self.tasks[id] = rille.root():go(function()
    local ok, what, err = pcall(fn)
    if not ok then self:note(id, what.kind) error(what, 0) end
    if what == nil and err.subscribers then
      self:note(id, "full", table.concat(err.subscribers, ","), err.reached)
    else
      self:note(id, what or err.kind)
    end
  end)
end

function Real:subscribe(name, capacity, policy)
  self.subs[name] = self.b:subscribe(name, { buffer = capacity, overflow = policy })
end

function Real:send(id, value)
  self:start(id, function()
    local ok, reached, err = pcall(self.b.send, self.b, value)
    if not ok and rille.is_error(reached, "closed") then return nil, reached end
    if not ok then error(reached, 0) end
    return reached and "sent:" .. reached, err
  end)
end

function Real:recv(id, names)
  self:start(id, function()
    local cases = {}
    for i, name in ipairs(names) do cases[i] = { self.subs[name] } end
    local _, value, err = rille.select(cases, { ordered = true })
    return value and "got:" .. value, err
  end)
end

function Real:leave(name) self.subs[name]:close() end

function Real:close() self.b:close() end

function Real:cancel(id) self.tasks[id]:cancel() end

local policies = { "block", "block", "drop_oldest", "drop_newest", "error" }

local function random_call(random, id, names)
  local dice = random(100)
  local name = names[random(math.max(1, #names))]
  if #names < 3 or dice <= 4 then
    local policy = policies[random(#policies)]
    names[#names + 1] = "s" .. id
    return "subscribe", "s" .. id, random(policy == "block" and 0 or 1, 3), policy
  end
  if dice <= 30 then return "send", id, id end
  if dice <= 60 then return "recv", id, { name } end
  if dice <= 75 then
    local other = names[random(#names)]
    return "recv", id, other ~= name and { name, other } or { name }
  end
  if dice <= 96 then return "cancel", random(math.max(1, id - 20), id) end
  if dice <= 99 then return "leave", name end
  return "close"
end

local function text(events)
  table.sort(events)
  return table.concat(events, " ")
end

local function state(model, real)
  local expected, actual = {}, {}
  for name, sub in pairs(model.subs) do
    local stats = real.subs[name]:stats()
    expected[#expected + 1] = table.concat({ name, #sub.buffer, #sub.senders, sub.dropped }, ":")
    actual[#actual + 1] = table.concat({ name, stats.size, stats.senders, stats.dropped }, ":")
  end
  return text(expected), text(actual)
end

-- One broadcast, until it is closed or `count` calls are made.
local function compare(random, count)
  local model, real, names = Model.new(), Real.new(), {}
  for id = 1, count do
    local name, a, b, c = random_call(random, id, names)
    if name ~= "cancel" or real.tasks[a] then
      model[name](model, a, b, c)
      real[name](real, a, b, c)
      helper.settle()
    end
    local expected, actual = state(model, real)
    assert.equal(text(model.events) .. " | " .. expected, text(real.events) .. " | " .. actual,
      ("SEED=%d, call %d: %s %s"):format(seed, id, name, tostring(a)))
    model.events, real.events = {}, {}
    if model.closed then break end
  end
  for _, task in pairs(real.tasks) do task:cancel() end
end

describe("a broadcast compared with the model", function()
  it("does the same in many short lives", function()
    run(function()
      local random = helper.random(seed)
      for _ = 1, 60 do compare(random, 100) end
    end)
  end)
end)

-- Receives until closed, with pauses and with timeouts that cut a wait short.
local function receive(sub, random, list)
  repeat
    local value, err = rille.timeout(random(0, 20) / 10, sub.recv, sub)
    list[#list + 1] = value
    if random(3) == 1 then rille.sleep(random(0, 5) / 10) end
  until rille.is_error(err, "closed")
end

describe("values under random cancellation", function()
  it("come in one order, once, and to everybody if send says so", function()
    local random, reached = helper.random(seed + 1), 0
    local got, senders = { {}, {}, {} }, {}
    run(function()
      local b = rille.broadcast()
      for i, list in ipairs(got) do
        rille.root():go(receive, b:subscribe { buffer = i - 1 }, random, list)
      end
      for id = 1, 2000 do
        senders[id] = rille.root():task(function() return b:send(id) == 3 end)
        rille.sleep(random(0, 3) / 10)
        if random(4) == 1 then senders[random(math.max(1, id - 3), id)]:cancel() end
      end
      rille.sleep(1000)
      b:close()
    end)
    local has = {}
    for i, list in ipairs(got) do
      for n, id in ipairs(list) do
        assert.is_true(n == 1 or list[n - 1] < id, "SEED=" .. seed)
        has[id] = (has[id] or 0) + 1
      end
      assert.is_true(#got[i] > 500, "SEED=" .. seed)
    end
    run(function()
      for id, sender in ipairs(senders) do
        if sender:await() then
          reached = reached + 1
          assert.equal(3, has[id], "SEED=" .. seed)
        end
      end
    end)
    assert.is_true(reached > 500, "SEED=" .. seed)
  end)
end)
