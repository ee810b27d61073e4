-- Values handed from task to task. A row works with b.tasks tasks, in pairs of
-- a sender and a receiver with channels of their own.
local rille = require "rille"
local sum = require "harness".sum

local rows = {}

-- Starts `sender` and `receiver` for each pair; returns the total of what the
-- receivers returned and what it ought to be.
local function in_pairs(b, sender, receiver, capacity)
  local pairs_of_tasks = b.tasks // 2
  local each, total = b:share(pairs_of_tasks), 0
  rille.scope(function(s)
    for _ = 1, pairs_of_tasks do
      local there, back = rille.channel(capacity), rille.channel(0)
      s:go(function()
        b:meet()
        sender(there, each, back)
        b:part()
      end)
      s:go(function()
        b:meet()
        local got = receiver(there, back)
        total = total + got
        b:part()
      end)
    end
  end)
  return total, pairs_of_tasks * sum(each)
end

local function send_all(ch, each)
  for i = 1, each do ch:send(i) end
  ch:close()
end

local function receive_all(ch)
  local total = 0
  for v in ch do total = total + v end
  return total
end

-- One operation is a value there and back.
function rows.pingpong(b)
  return in_pairs(b, function(there, each, back)
    for i = 1, each do
      there:send(i)
      assert(back:recv() == i)
    end
    there:close()
  end, function(there, back)
    local total = 0
    for v in there do
      total = total + v
      back:send(v)
    end
    return total
  end, 0)
end

function rows.stream(b) return in_pairs(b, send_all, receive_all, 0) end

function rows.buffered(b) return in_pairs(b, send_all, receive_all, 100) end

local function receive_many(ch)
  local total = 0
  local list = ch:recv_many(100)
  while list do
    for i = 1, #list do total = total + list[i] end
    list = ch:recv_many(100)
  end
  return total
end

-- The sender sends one by one, the receiver takes what is there.
function rows.recv_many(b) return in_pairs(b, send_all, receive_many, 100) end

-- Both sides work in batches of 100. The list is the sender's to use again.
function rows.batched(b)
  return in_pairs(b, function(ch, each)
    local list, n = {}, 0
    for i = 1, each do
      n = n + 1
      list[n] = i
      if n == 100 then
        ch:send_many(list)
        n = 0
      end
    end
    ch:send_many(table.move(list, 1, n, 1, {}))
    ch:close()
  end, receive_many, 100)
end

-- Four senders and four receivers on one unbuffered channel; b.tasks / 8 such.
function rows.mpmc(b)
  local groups = b.tasks // 8
  local each, total = b:share(4 * groups), 0
  b.tasks = 8 * groups
  rille.scope(function(s)
    for _ = 1, groups do
      local ch, senders = rille.channel(), 4
      for _ = 1, 4 do
        s:go(function()
          b:meet()
          for i = 1, each do ch:send(i) end
          senders = senders - 1
          if senders == 0 then ch:close() end
          b:part()
        end)
        s:go(function()
          b:meet()
          local got = receive_all(ch)
          total = total + got
          b:part()
        end)
      end
    end
  end)
  return total, 4 * groups * sum(each)
end

return rows
