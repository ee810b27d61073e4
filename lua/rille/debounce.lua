--[[
debounce.lua - of many calls, a few: debounce and throttle.

    debounce   calls  | ||  |         throttle   calls  |||||||||
               runs             |                runs   |   |   |

One call at a time may wait for its time, in its own task: a later one takes
its place, and it returns at once, superseded. When its time comes it runs the
function itself. There is no task and no timer of our own: if the call that
waits is cancelled, none is left that waits.
]]
local rille, core = ...

core.load "rille.common"

-- The place of the call that waits: {gate=, due=, taken=}, `taken` a channel
-- that is closed when a later call takes it. A gate has a `place` or none, the
-- time at which the `next` run may be, and the `interval` after a run.
local Place = {}

function Place.__close(place)
  if place.gate.place == place then place.gate.place = nil end
end

local function supersede(message)
  return nil, core.error("superseded", message)
end

-- The call that waits, if its time has come, counts as run, though its task
-- may be yet to do so.
local function let_due_run(gate)
  local place = gate.place
  if place and core.reached(place.due) then
    gate.place, gate.next = nil, place.due + gate.interval
  end
end

-- Whether no call stands for one that comes now.
local function is_free(gate)
  let_due_run(gate)
  return gate.next == nil or core.reached(gate.next)
end

-- Waits until gate.next, then runs `fn`; unless a later call comes.
local function run_later(gate, fn, ...)
  if gate.place then gate.place.taken:close() end
  do
    local place <close> = setmetatable({gate = gate, due = gate.next, taken = rille.channel()},
      Place)
    gate.place = place
    local index = rille.select({{place.taken}}, {timeout = place.due - rille.now()})
    if index then return supersede "a later call has taken its place" end
    if gate.place == place then gate.next = place.due + gate.interval end
  end
  return fn(...)
end

-- Checks arguments and options of both.
local function check(read, name, fn, opts)
  core.check_function(fn, name, 1)
  local o = read(opts)
  if not (o.leading or o.trailing) then
    core.arg_error(name, 2, "'leading' and 'trailing' are both false: nothing would ever run")
  end
  return o
end

local read_debounce = core.options("debounce", 2, {
  wait = {"seconds", 0.3},
  leading = {"boolean", false},
  trailing = {"boolean", true},
})

--- Makes a function that runs `fn` once calls have stopped coming: of a burst,
-- calls less than `wait` apart, the last one runs it, `wait` after its call, in
-- its own task; the others return at once. If the last one is cancelled, none
-- runs it. Making one never suspends; calling it does.
-- @function debounce
-- @tparam function fn
-- @tparam[opt] table opts `wait` (seconds, 0.3); `leading` (false): the first
-- call of a burst runs `fn` at once; `trailing` (true): the last one runs it
-- @treturn function returns the results of `fn`, raises what it raises; nil
-- and an error of kind `superseded` where another call's run stands for it
-- @usage local save = rille.debounce(write_file, {wait = 1})
function rille.debounce(fn, opts)
  local o = check(read_debounce, "debounce", fn, opts)
  local gate = {interval = 0}
  return function(...)
    core.checkpoint()
    local first = is_free(gate)
    gate.next = rille.now() + o.wait
    if first and o.leading then return fn(...) end
    if o.trailing then return run_later(gate, fn, ...) end
    return supersede "the first call of the burst stands for it"
  end
end

local read_throttle = core.options("throttle", 2, {
  interval = {"seconds", 0.3},
  leading = {"boolean", true},
  trailing = {"boolean", false},
})

--- Makes a function that runs `fn` at most once per `interval`: a call at the
-- right time runs it, in its own task; one that comes too early returns at
-- once. With `trailing` the last of those waits and runs it at the end of the
-- interval; if it is cancelled, none does. Making one never suspends; calling
-- it does with `trailing`, and as `fn` does.
-- @function throttle
-- @tparam function fn
-- @tparam[opt] table opts `interval` (seconds, 0.3); `leading` (true): the first
-- call runs `fn` at once; `trailing` (false): the last call of an interval runs
-- it at the end
-- @treturn function returns the results of `fn`, raises what it raises; nil
-- and an error of kind `superseded` where another call's run stands for it
-- @usage local report = rille.throttle(print_progress, {interval = 1})
function rille.throttle(fn, opts)
  local o = check(read_throttle, "throttle", fn, opts)
  local gate = {interval = o.interval}
  return function(...)
    core.checkpoint()
    if is_free(gate) then
      gate.next = rille.now() + o.interval
      if o.leading then return fn(...) end
    end
    if o.trailing then return run_later(gate, fn, ...) end
    return supersede "a call within the interval stands for it"
  end
end
