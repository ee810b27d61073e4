-- n tasks that sleep for an hour, each until a time of its own, while a row
-- works beside them; returns a function that ends them.
local rille = require "rille"

local function sleep_long(i) rille.sleep(3600 + i * 1e-3) end

return function(n)
  local s = rille.current():scope()
  local tasks = {}
  for i = 1, n do tasks[i] = s:go(sleep_long, i) end
  rille.yield() -- they start
  return function()
    for i = 1, n do tasks[i]:cancel() end
  end
end
