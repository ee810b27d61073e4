-- Nothing is lost and nothing is there twice: producers and consumers are
-- cancelled at random while values pass between them, under the plain and
-- under random schedules. What was sent is what was received, each once; what
-- was given back was not received.
local rille = require "rille"
local helper = require "spec.helper"
local ledgers = require "spec.torture.ledger"
local setting = require "spec.torture.setting"

local variants = {}
local crew, harass, transfer = ledgers.crew, ledgers.harass, ledgers.transfer

for _, capacity in ipairs { 0, 1, 2, 7, 100, math.huge } do
  variants["a channel of capacity " .. capacity] = transfer(function()
    local ch = rille.channel(capacity)
    return function(item) return ch:send(item) end,
      function() return ch:recv() end,
      function() ch:close() end
  end)
end

for _, capacity in ipairs { 0, 1, 7 } do
  variants["a channel under timeouts, capacity " .. capacity] = transfer(function(random)
    local ch = rille.channel(capacity)
    return function(item) return (rille.timeout(random(0, 3) / 10, ch.send, ch, item)) end,
      function() return rille.timeout(random(0, 3) / 10, ch.recv, ch) end,
      function() ch:close() end
  end)

  variants["selects both ways, capacity " .. capacity] = transfer(function(random)
    local a, b, never = rille.channel(capacity), rille.channel(), rille.channel()
    local function give(item)
      local i = rille.select({ { a, send = item }, { never }, { b, send = item } },
        { timeout = random(2) == 1 and random(0, 3) / 10 or nil })
      return i ~= nil
    end
    local function take()
      local i, value, err = rille.select({ { b }, { a }, { a } }, { timeout = random(0, 3) / 10 })
      if i then return value, value == nil and (a:is_closed() and a:size() == 0) and err or nil end
    end
    return give, take, function() a:close() b:close() end
  end)
end

variants["calls that do not wait"] = transfer(function(random)
  local ch = rille.channel(5)
  return function(item) rille.yield() return (ch:try_send(item)) end,
    function()
      if random(2) == 1 then rille.yield() end
      local value, err = ch:try_recv()
      if not value then rille.sleep(0) end
      return value, err
    end,
    function() ch:close() end
end)

for _, overflow in ipairs { "drop_oldest", "drop_newest", "error" } do
  variants["a channel that is " .. overflow] = transfer(function(_, ledger)
    local ch = rille.channel(2, { overflow = overflow,
      on_drop = function(item) ledger:receive(item) end })
    return function(item) return (ch:send(item)) end,
      function() return ch:recv() end,
      function() ch:close() end
  end)
end

-- Workers that may be cancelled with a job in hand, which they give back.
variants["workers"] = transfer(function(random, ledger)
  local jobs, results = rille.channel(3), rille.channel(1)
  rille.current():scope():go({ daemon = true }, function()
    for item in results do ledger:receive(item) end
  end)
  local function work()
    local job, err = jobs:recv()
    if not job then return nil, err end
    local given
    local _ <close> = helper.closing(function()
      if not given then ledger:receive(job) end
    end)
    rille.sleep(random(0, 2) / 10)
    given = results:send(job)
  end
  return function(item) return jobs:send(item) end, work, function() jobs:close() end
end)

-- Batches: of one that was cut off, a first part has been sent.
local function give_batches(ledger, random, ch, batches)
  for first in ledger.next_item, ledger do
    local batch = { first }
    for i = 2, random(5) do batch[i] = ledger:next_item() end
    batches[#batches + 1] = batch
    batch.sent = ch:send_many(batch)
    if random(6) == 1 then rille.sleep(0.1) end
  end
  return "done"
end

local function take_batches(ledger, random, ch)
  repeat
    local list, err = ch:recv_many(random(4))
    for _, item in ipairs(list or {}) do ledger:receive(item) end
    if random(6) == 1 then rille.sleep(0.1) end
  until err
  return "done"
end

local function check_batches(ledger, batches)
  for _, batch in ipairs(batches) do
    local ended = false
    for _, item in ipairs(batch) do
      assert(not (ended and ledger.received[item]), "a batch has a hole")
      ended = not ledger.received[item]
    end
    assert(not (ended and batch.sent), "a batch was not received")
  end
end

variants["batches"] = function(random, ledger)
  local ch, batches = rille.channel(2), {}
  rille.scope(function(s)
    local senders, sending = crew(s, function()
      return give_batches(ledger, random, ch, batches)
    end)
    local receivers, receiving = crew(s, function() return take_batches(ledger, random, ch) end)
    harass(ledger, random, function() receiving() return sending() end, senders, receivers)
    ch:close()
    while receiving() do rille.sleep(1) end
  end)
  check_batches(ledger, batches)
end

-- Each subscriber receives in order; a send that has succeeded has reached all.
local function check_broadcast(ledger, got, everybody)
  local has = {}
  for _, list in ipairs(got) do
    for _, item in ipairs(list) do has[item] = (has[item] or 0) + 1 end
  end
  for item in pairs(ledger.sent) do
    assert(has[item] == everybody, "not everybody got what was sent to all")
  end
  for _, count in pairs(has) do assert(count <= everybody, "received twice") end
end

variants["a broadcast"] = function(random, ledger)
  local b, got, subs = rille.broadcast(), { {}, {}, {} }, {}
  for i = 1, 3 do subs[i] = b:subscribe { buffer = i - 1 } end
  rille.scope(function(s)
    local senders, sending = crew(s, function()
      return ledger:produce(function(item) return b:send(item) == 3 end, random)
    end)
    local receivers, receiving = {}, {}
    for i = 1, 3 do
      receivers[i], receiving[i] = crew(s, function()
        for item in subs[i] do table.insert(got[i], item) end
        return "done"
      end)
    end
    local function busy()
      for i = 1, 3 do receiving[i]() end
      return sending()
    end
    harass(ledger, random, busy, senders, table.unpack(receivers))
    b:close()
    while receiving[1]() or receiving[2]() or receiving[3]() do rille.sleep(1) end
  end)
  check_broadcast(ledger, got, 3)
end

variants["permits"] = function(random, ledger)
  local sem, used = rille.semaphore(4), 0
  local function hold(item)
    local count = random(4)
    if random(4) == 1 then
      count = 1
      rille.select { { sem } }
    else
      sem:acquire(count)
    end
    used = used + count
    assert(used <= 4, "more permits are out than there are")
    local _ <close> = helper.closing(function()
      used = used - count
      sem:release(count)
    end)
    ledger:receive(item)
    ledger.sent[item] = true
    rille.sleep(random(0, 2) / 10)
  end
  rille.scope(function(s)
    local tasks, busy = crew(s, function()
      for item in ledger.next_item, ledger do hold(item) end
      return "done"
    end)
    harass(ledger, random, busy, tasks)
  end)
  assert(sem:available() == 4 and sem:waiting() == 0, "a permit was lost")
end

describe("nothing is lost or doubled by random cancellation in", function()
  for name, run in ledgers.runs(variants, setting.size(20000, 1000000)) do it(name, run) end
end)
