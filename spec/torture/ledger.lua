-- What the conservation specs share: ledgers of items, tasks that are cancelled
-- at random and started anew, and the running of variants.
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"

local M = {}

local seed = setting.seed(20260104)

-- What has become of each item.
local Ledger = {}
Ledger.__index = Ledger

function M.new(count)
  return setmetatable({ count = count, last = 0, sent = {}, back = 0, received = {},
    received_count = 0, cancels = 0 }, Ledger)
end

function Ledger:next_item()
  if self.last == self.count then return nil end
  self.last = self.last + 1
  return self.last
end

function Ledger:receive(item)
  if self.received[item] then error("received twice: " .. item, 0) end
  self.received[item] = true
  self.received_count = self.received_count + 1
end

-- Calls give(item), which returns true once it is sent, for item after item.
function Ledger:produce(give, random)
  for item in self.next_item, self do
    local ok, sent = pcall(give, item)
    if ok and sent then self.sent[item] = true else self.back = self.back + 1 end
    if not ok then error(sent, 0) end
    if random(6) == 1 then rille.sleep(random(0, 2) / 10) end
  end
  return "done"
end

-- Calls take(), which returns an item, nothing, or nil and why not.
function Ledger:consume(take, random)
  repeat
    local item, err = take()
    if item then self:receive(item) end
    if random(6) == 1 then rille.sleep(random(0, 2) / 10) end
  until rille.is_error(err, "closed")
  return "done"
end

function Ledger:check()
  local sent = 0
  for item in pairs(self.sent) do
    sent = sent + 1
    if not self.received[item] then error("sent and not received: " .. item, 0) end
  end
  if sent ~= self.received_count then
    error(("%d sent, %d received"):format(sent, self.received_count), 0)
  end
  assert(sent + self.back == self.count, "not every item is accounted for")
  assert(self.cancels > self.count / 50, "hardly anything was cancelled")
  assert(sent > self.count / 4, "hardly anything was sent")
end

-- Three tasks that do fn() again and again until it says "done"; random ones
-- are cancelled, and started anew.
function M.crew(s, fn)
  local tasks = {}
  local function start(i) tasks[i] = s:task(fn) end
  local function busy()
    local alive = false
    for i = 1, 3 do
      local status = tasks[i]:status()
      if status == "cancelled" then start(i) end
      if status == "failed" then error(select(2, tasks[i]:await()), 0) end
      alive = alive or tasks[i]:status() ~= "done"
    end
    return alive
  end
  for i = 1, 3 do start(i) end
  return tasks, busy
end

-- Cancels members of the crews until the first one is done.
function M.harass(ledger, random, busy, ...)
  local crews = { ... }
  while busy() do
    local tasks = crews[random(#crews)]
    tasks[random(3)]:cancel()
    ledger.cancels = ledger.cancels + 1
    if random(3) == 1 then rille.yield() else rille.sleep(random(0, 3) / 10) end
  end
end

-- A variant: fn(random, ledger) makes give, take, finish, which ends the
-- intake.
function M.transfer(make)
  return function(random, ledger)
    local give, take, finish = make(random, ledger)
    rille.scope(function(s)
      local senders, sending = M.crew(s, function() return ledger:produce(give, random) end)
      local receivers, receiving = M.crew(s, function() return ledger:consume(take, random) end)
      M.harass(ledger, random, function() receiving() return sending() end, senders, receivers)
      finish()
      while receiving() do rille.sleep(1) end
    end)
    ledger:check()
  end
end

local function try(name, variant, schedule, number, share)
  local ledger = M.new(share)
  local random = helper.random(seed + number)
  local ok, err = pcall(helper.run, { seed = seed + number, schedule = schedule }, variant, random,
    ledger)
  if not ok then error(("SEED=%d, %s schedule: %s"):format(seed, schedule, tostring(err)), 0) end
  setting.note("conservation: %s, %s schedule: %d items, %d given back, %d cancellations", name,
    schedule, share, ledger.back, ledger.cancels)
end

--- Iterates over the names of the variants, each fn(random, ledger), and
-- functions that run them: `total` items among all.
function M.runs(variants, total)
  local names = {}
  for name in pairs(variants) do names[#names + 1] = name end
  table.sort(names)
  local share, number = total // (#names * 2), 0
  return function()
    number = number + 1
    local n, name = number, names[number]
    return name, function()
      try(name, variants[name], "fifo", n, share)
      try(name, variants[name], "random", n + 1000, share)
    end
  end
end

return M
