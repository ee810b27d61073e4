-- Very many tasks that wait: how long until all have slept, what each holds.
local rille = require "rille"
local resident = require "harness".resident

local rows = {}

-- b.ops tasks sleep, for 10 us for each that there is, so that all sleep at the
-- same time; the time from the first start to the last end, and the peak of
-- memory.
function rows.sleepers(b)
  local woken, seconds = 0, b.ops * 1e-5
  local function body()
    rille.sleep(seconds)
    woken = woken + 1
  end
  rille.scope(function(s)
    for _ = 1, b.ops do s:go(body) end
  end)
  return woken, b.ops
end

-- b.ops tasks wait for a value of one channel: resident bytes for each.
function rows.parked(b)
  local gate, before, woken = rille.channel(), resident(), 0
  local function body()
    gate:recv()
    woken = woken + 1
  end
  rille.scope(function(s)
    for _ = 1, b.ops do s:go(body) end
    rille.yield() -- they start
    b.bytes = (resident() - before) / b.ops
    gate:close()
  end)
  return woken, b.ops
end

return rows
