-- Scopes, deadlines, timers: what one task does.
local rille = require "rille"
local sum = require "harness".sum

local rows = {}

function rows.scope(b)
  local count = 0
  local function body() count = count + 1 end
  b:start()
  for _ = 1, b.ops do rille.scope(body) end
  b:stop()
  return count, b.ops
end

local function same(v) return v end

-- A deadline around a call that does not wait.
function rows.timeout(b)
  local total = 0
  b:start()
  for i = 1, b.ops do total = total + rille.timeout(60, same, i) end
  b:stop()
  return total, sum(b.ops)
end

-- A timer is made, armed and stopped.
function rows.timer(b)
  local count = 0
  b:start()
  for _ = 1, b.ops do
    rille.after(60):stop()
    count = count + 1
  end
  b:stop()
  return count, b.ops
end

-- b.ops sleeping tasks are cancelled with their scope, and joined.
function rows.cancel(b)
  local asleep, woken = 0, 0
  local function body()
    asleep = asleep + 1
    rille.sleep(3600)
    woken = woken + 1
  end
  local _, err = rille.scope(function(s)
    for _ = 1, b.ops do s:go(body) end
    rille.yield() -- they start
    b:start()
    s:cancel()
  end)
  b:stop()
  return rille.is_error(err, "cancelled") and asleep - woken, b.ops
end

return rows
