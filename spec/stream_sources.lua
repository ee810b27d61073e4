-- Sources for the specs of streams.
local rille = require "rille"

local sources = {}

function sources.identity(value) return value end

--- Fails for the value 2, else returns it.
function sources.second_fails(value)
  if value == 2 then error("failed", 0) end
  return value
end

--- 1, 2, ... up to `last`, and a function that says how many were pulled.
function sources.counted(last)
  local pulled = 0
  return function()
    if pulled == last then return nil end
    pulled = pulled + 1
    return pulled
  end, function() return pulled end
end

--- A method that gives the values, one at each call, then nil and `err`.
function sources.giver(values, err)
  local i = 0
  return function()
    i = i + 1
    if values[i] == nil then return nil, err end
    return values[i]
  end
end

--- A source that notes what is done to it.
function sources.noted(log, values)
  local give = sources.giver(values)
  return {
    recv = function()
      local value = give()
      log(value or "end")
      return value
    end,
    close = function() log "close" end,
  }
end

--- A source of the values that then fails, and notes that it is closed.
function sources.failing(log, ...)
  return { recv = sources.giver({ ... }, "failed"), close = function() log "closed" end }
end

--- A channel on which value i is sent at the i-th time, and which is closed with
-- `err` after that, at the time `stop` if there is one.
function sources.at(times, err)
  local ch = rille.channel(100)
  rille.root():go(function()
    for i, time in ipairs(times) do
      rille.sleep_until(time)
      ch:send(i)
    end
    rille.sleep_until(times.stop or 0)
    ch:close(err)
  end)
  return ch
end

--- A channel on which the values are sent, one every `period` from `period` on.
function sources.every(period, values, err)
  local ch = rille.channel()
  rille.root():go(function()
    for _, value in ipairs(values) do
      rille.sleep(period)
      ch:send(value)
    end
    ch:close(err)
  end)
  return ch
end

return sources
