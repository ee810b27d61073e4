-- Work whose cost must grow as the number of its things does, by name; and a
-- program: `lua5.4 spec/growth.lua NAME N` does it, in a process whose
-- instructions helper.check_linear counts. Seconds would tell of the machine.
local rille = require "rille"

local growth = {}

-- n tasks wait by wait(ch), then wake(s, ch) ends all.
local function waking(wait, wake)
  return function(n)
    local ch = rille.channel()
    rille.scope(function(s)
      for _ = 1, n do s:go(wait, ch) end
      rille.sleep(1)
      wake(s, ch)
    end)
  end
end

local function recv(ch) ch:recv() end
local function sleep() rille.sleep(1e6) end
local function cancel(s) s:cancel() end
local function close(_, ch) ch:close() end

growth["receivers cancelled"] = waking(recv, cancel)
growth["sleepers cancelled"] = waking(sleep, cancel)
growth["receivers of a channel that is closed"] = waking(recv, close)

growth["tasks cancelled one by one, the last first"] = function(n)
  rille.scope(function(s)
    local tasks, ch = {}, rille.channel()
    for i = 1, n do tasks[i] = s:go(recv, ch) end
    rille.sleep(1)
    for i = n, 1, -1 do tasks[i]:cancel() end
  end)
end

growth["tasks of an engine that is closed"] = function(n)
  rille.root():go({ daemon = true }, function()
    rille.scope(function(s)
      for _ = 1, n do s:go(sleep) end
    end)
  end)
  rille.sleep(1)
  os.exit(0, true)
end

-- Calls fn(outermost) inside n scopes, each in the last.
local function nest(n, fn, outermost)
  local s <close> = rille.scope()
  if n > 1 then
    local result = nest(n - 1, fn, outermost or s) -- no tail call: `s` is closed
    return result
  end
  return fn(outermost or s)
end

growth["scopes of one task"] = function(n)
  nest(n, function() end)
end

growth["scopes of one task, cancelled"] = function(n)
  pcall(nest, n, function(outermost)
    outermost:cancel()
    rille.sleep(1)
  end)
end

-- Runs fn(n) in a task that is cancelled when it waits.
local function cancelled(fn)
  return function(n)
    rille.scope(function(s)
      s:go(fn, n)
      rille.yield()
      s:cancel()
    end)
  end
end

local function recur(n)
  if n == 0 then rille.sleep(math.huge) end
  local result = recur(n - 1)
  return result
end

growth["a recursion of functions, cancelled"] = cancelled(recur)
growth["a recursion of scopes, cancelled"] = cancelled(function(n) nest(n, sleep) end)

-- A task in a scope of a task in a scope ..., n deep; fn() runs in the last.
local function descend(n, fn)
  rille.scope(function(s)
    if n == 1 then
      fn()
    else
      s:go(descend, n - 1, fn)
    end
    sleep()
  end)
end

growth["tasks in one another, cancelled"] = function(n)
  rille.timeout(1, descend, n, sleep)
end

growth["tasks in one another, failed"] = function(n)
  pcall(descend, n, function() error {} end)
end

growth["tasks in one another, failed by an engine error"] = function(n)
  local ch = rille.channel()
  ch:close()
  local _, closed = ch:try_recv()
  pcall(descend, n, function() error(closed) end)
end

local name, n = ...
collectgarbage "stop" -- where it stood would be seen in the count
rille.run({ clock = "virtual", seed = 1 }, assert(growth[name], name), math.tointeger(tonumber(n)))
