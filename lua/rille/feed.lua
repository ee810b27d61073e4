--[[
feed.lua - what a pattern takes its items from: a list, a channel, an iterator.

    local take, count = feed(input, "map", 1)
    for index, item in take do ... end

Several tasks may take from one feed. Items are numbered in the order in which
they come. A list needs no care for that; anything else is called, as a `for`
would, and the call may wait: so one task at a time calls, whose turn it is,
and a generator is never entered twice. Nothing is taken ahead of need.

`count` is the number of items, of a list: its `n`, if it has one, or `#`.
]]
local rille, core = ...

local function length(list)
  return math.type(list.n) == "integer" and list.n or #list
end

local function from_list(list)
  local count, taken = length(list), 0
  return function()
    core.checkpoint()
    if taken == count then return nil end
    taken = taken + 1
    return taken, list[taken]
  end, count
end

-- Whoever has received the turn calls; it is closed after the last item.
local function from_calls(call)
  local turn, taken = rille.channel(1), 0
  turn:try_send(true)
  return function()
    if not turn:recv() then return nil end
    local ok, item = pcall(call)
    if ok and item == nil then
      turn:close()
      return nil
    end
    turn:try_send(true)
    if not ok then error(item, 0) end
    taken = taken + 1
    return taken, item
  end
end

local function is_called(input)
  if type(input) == "function" then return true end
  local meta = debug.getmetatable(input)
  return meta ~= nil and meta.__call ~= nil
end

local feed = {length = length, from_list = from_list}

--- A feed of any input: see the head of this file. Taking suspends as the
-- input does, and while another task takes.
-- take(input, name of the function, argument's number)
function feed.take(input, name, argument)
  if is_called(input) then return from_calls(input) end
  if type(input) == "table" then return from_list(input) end
  core.arg_error(name, argument, "a list, a channel or an iterator expected, got " .. type(input))
end

--- The same as an iterator of the items alone: a channel stays what it is.
function feed.items(input, name, argument)
  if type(input) == "userdata" and is_called(input) then return input end
  local take = feed.take(input, name, argument)
  return function()
    local _, item = take()
    return item
  end
end

return feed
