-- To cancel a task that waits deep in a recursion took time with the square of the
-- depth: 40 000 calls, 2.7 s; as many scopes in one another, 8.5 s.
local rille = require "rille"
local helper = require "spec.helper"

local function recur(n)
  if n == 0 then rille.sleep(math.huge) end
  local result = recur(n - 1)
  return result
end

local function nest(n)
  local _ <close> = rille.scope()
  if n == 0 then rille.sleep(math.huge) end
  local result = nest(n - 1)
  return result
end

-- The least processor time of three cancellations.
local function least(fn, n)
  local best = math.huge
  for _ = 1, 3 do
    local began
    collectgarbage()
    helper.run(function()
      rille.scope(function(s)
        s:go(fn, n)
        rille.yield()
        began = os.clock()
        s:cancel()
      end)
    end)
    best = math.min(best, os.clock() - began)
  end
  return best
end

local function check_linear(fn)
  local ratio
  for _ = 1, 3 do
    ratio = least(fn, 40000) / least(fn, 10000)
    if ratio < 9 then return end -- 4 where each takes as long as before
  end
  error(("four times as many take %.1f times as long"):format(ratio))
end

describe("a task that is cancelled deep in a recursion", function()
  it("of functions ends in time that grows as they do", function() check_linear(recur) end)
  it("of scopes ends in time that grows as they do", function() check_linear(nest) end)
end)
