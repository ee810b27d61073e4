-- Tasks that run, end, give way, and generators in them.
local rille = require "rille"

local rows = {}

-- b.tasks tasks yield in turn.
function rows.yield(b)
  local each, count = b:share(b.tasks), 0
  rille.scope(function(s)
    for _ = 1, b.tasks do
      s:go(function()
        b:meet()
        for _ = 1, each do rille.yield() end
        count = count + each
        b:part()
      end)
    end
  end)
  return count, b.ops
end

-- b.tasks tasks are started, then all of them awaited; again and again.
function rows.spawn(b)
  local rounds, ended, list = b:share(b.tasks), 0, {}
  local s = rille.current():scope()
  local function body() ended = ended + 1 end
  b:start()
  if b.tasks == 1 then
    for _ = 1, rounds do s:task(body):await() end
    return ended, b.ops
  end
  for _ = 1, rounds do
    for i = 1, b.tasks do list[i] = s:task(body) end
    for i = 1, b.tasks do list[i]:await() end
  end
  return ended, b.ops
end

-- One task consumes a generator.
function rows.generator(b)
  local last = 0
  b:start()
  local values = coroutine.wrap(function()
    for i = 1, b.ops do coroutine.yield(i) end
  end)
  for i in values do last = i end
  b:stop()
  return last, b.ops
end

return rows
