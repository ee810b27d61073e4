--[[
flight.lua - one run that several callers share.

What once, singleflight and cache have in common. Of the callers that come for
one key, the first leads: it runs its function in its own task. Those that come
meanwhile follow: they wait on the flight's channel.

    lead --> landed      the outcome is everybody's: the channel is closed
         \-> cancelled   the seat goes, through the channel, to the follower
                         that has waited longest; it runs its own function.
                         Without one the flight is over

No task is started: nothing outlives its caller, and a run always stands in
the scope, and under the deadline, of somebody who waits for it.
]]
local rille, core = ...

core.load "rille.common"

core.add_kind("key", "a key other than nil and NaN", function(v) return v ~= nil and v == v end)

function core.check_key(key, name)
  if key == nil or key ~= key then core.check(key, "key", name, 1) end
end

local REENTERED = "%s: asked by the function that it runs, which would wait for itself"

local Flight = {}

-- Takes a flight off the list, unless it was forgotten before.
local function strike(flight)
  local flights = flight.group.flights
  local listed = flights[flight.key] == flight
  if listed then flights[flight.key] = nil end
  return listed
end

-- The leader leaves. If that is without an outcome it was cancelled, or its
-- coroutine closed for good.
function Flight.__close(flight)
  if not flight.leader then return end
  flight.leader = false
  local handed_over = flight.waiting and flight.waiting:try_send(true)
  if not handed_over then strike(flight) end
end

-- The outcome is known: gives it to all.
local function share(flight, good, ...)
  local outcome = table.pack(...)
  if strike(flight) and flight.group.keep then
    outcome = flight.group.keep(flight.key, good, outcome) or outcome
  end
  flight.outcome, flight.leader = outcome, false
  if flight.waiting then flight.waiting:close() end
  return table.unpack(outcome, 1, outcome.n)
end

local function land(flight, ...)
  local good, err = core.outcome(...)
  if good then return share(flight, true, select(2, ...)) end
  return share(flight, false, nil, core.told(err))
end

local function lead(flight, fn, ...)
  local _ <close> = flight
  local group = flight.group
  flight.leader, flight.block = rille.current(), core.innermost()
  if not flight.listed then
    flight.listed = true
    group.flights[flight.key] = flight
  end
  group.runs = group.runs + 1
  return land(flight, pcall(fn, ...))
end

local function follow(flight, fn, ...)
  local group = flight.group
  if flight.leader and core.holds_up(flight.leader, flight.block) then
    error(core.error("deadlock", REENTERED:format(group.name)), 0)
  end
  flight.waiting = flight.waiting or rille.channel()
  if flight.waiting:recv() then return lead(flight, fn, ...) end
  group.shared = group.shared + 1
  local outcome = flight.outcome
  return table.unpack(outcome, 1, outcome.n)
end

--- Makes a group of flights, one for each key at a time.
-- `keep(key, good, outcome)` is told of each outcome, a packed list, that is
-- not one of a forgotten flight, and may return another in its place.
function core.flights(name, keep)
  return {name = name, keep = keep, flights = {}, runs = 0, shared = 0}
end

--- The results of fn(...), or nil and its error: from the flight for `key`, if
-- there is one, else from a new one. Suspends.
function core.fly(group, key, fn, ...)
  local flight = group.flights[key]
  if flight then return follow(flight, fn, ...) end
  flight = setmetatable({group = group, key = key, leader = false}, Flight)
  return lead(flight, fn, ...)
end

--- How many flights a group has.
function core.count_flights(group)
  local count = 0
  for _ in pairs(group.flights) do count = count + 1 end
  return count
end
