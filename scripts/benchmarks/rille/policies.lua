-- Calls that ask a policy first, and find nothing in the way; broadcast.
local rille = require "rille"
local harness = require "harness"

local rows = {}

local function same(v) return v end

-- make() gives an object whose `call` is measured.
local function calls_of(row, name, make)
  rows[row] = function(b)
    if not rille[name] then harness.skip(row, "this rille has no rille." .. name) end
    local object, total = make(), 0
    b:start()
    for i = 1, b.ops do total = total + object:call(same, i) end
    b:stop()
    return total, harness.sum(b.ops)
  end
end

calls_of("breaker_call", "breaker", function() return rille.breaker{} end)
calls_of("semaphore_call", "semaphore", function() return rille.semaphore(4) end)
calls_of("limiter_call", "limiter", function() return rille.limiter{rate = 1e9, burst = 1e9} end)

function rows.semaphore(b)
  if not rille.semaphore then harness.skip("semaphore", "this rille has no rille.semaphore") end
  local permits, count = rille.semaphore(4), 0
  b:start()
  for _ = 1, b.ops do
    permits:acquire()
    count = count + 1
    permits:release()
  end
  b:stop()
  return count, b.ops
end

-- One sender, k subscribers with a buffer of 16; an operation is a delivery.
local function broadcast_to(k, row)
  return function(b)
    if not rille.broadcast then harness.skip(row, "this rille has no rille.broadcast") end
    local each, total = b:share(k), 0
    local hub = rille.broadcast{buffer = 16}
    rille.scope(function(s)
      for _ = 1, k do
        local subscription = hub:subscribe()
        s:go(function()
          for v in subscription do total = total + v end
        end)
      end
      rille.yield() -- they start
      b:start()
      for i = 1, each do hub:send(i) end
      hub:close()
    end)
    b:stop()
    return total, k * harness.sum(each)
  end
end

rows.broadcast10 = broadcast_to(10, "broadcast10")
rows.broadcast1000 = broadcast_to(1000, "broadcast1000")

return rows
