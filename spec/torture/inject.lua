-- Injection at every suspension point.
--
-- An injector runs beside a scenario and is in the ready queue all the time,
-- so between any two of its steps every other task runs once at the most: it
-- sees each task at each of its suspension points. While nothing is ready it
-- lets an eighth of a second pass; so the times in scenarios are multiples of
-- that. First the points are counted, then each of them is hit, in a run of
-- its own, for each task that is there.
--
-- Scenarios of files, sockets and processes run on the real clock. There the
-- steps at which nothing is ready are too many to be points: one is if a task
-- stands elsewhere than at the step before.
local rille = require "rille"
local helper = require "spec.helper"

local inject = {}

-- The scenarios that run on the real clock; each with a function that tells
-- what there is before it runs, the tracker's `before`.
inject.real = {}

local ended = { done = true, failed = true, cancelled = true }

-- What a scenario is given: t() opens a value for `<close>` on the stack of
-- the running coroutine, which must be unwound in reverse; t(fn) calls fn
-- when that is closed; t.deferred(s) does the same with s:defer. What
-- t.after(fn) has given is called after the run, and returns what is wrong;
-- `raised` is whether an error was injected, which, unlike a cancellation, may
-- come between a call and the next instruction.
local function new_tracker()
  local stacks, self = {}, { opened = 0, closed = 0, coroutines = {}, checks = {} }
  local function push(_, fn)
    local co = coroutine.running()
    local stack = stacks[co] or {}
    stacks[co], self.opened = stack, self.opened + 1
    local id = self.opened
    stack[#stack + 1] = id
    local task = rille.current()
    if task and not self.coroutines[task] then self.coroutines[task] = co end
    return helper.closing(function()
      if stack[#stack] ~= id then self.fault = "not closed in order" end
      stack[#stack] = nil
      self.closed = self.closed + 1
      if fn then fn() end
    end)
  end
  function self.deferred(s)
    local value = push(nil)
    s:defer(function() getmetatable(value).__close(value) end)
  end
  function self.after(fn) self.checks[#self.checks + 1] = fn end
  return setmetatable(self, { __call = push })
end

-- The tasks that are parked or ready, but for the one that runs.
local function others()
  local tasks, ready = {}, false
  for _, leak in ipairs(rille.testing.leaks()) do
    local status = leak.kind == "task" and leak.object:status()
    if status == "ready" or status == "waiting" then tasks[#tasks + 1] = leak.object end
    ready = ready or status == "ready"
  end
  return tasks, ready
end

-- Where the tasks stand.
local function places(tasks)
  local list = {}
  for i, task in ipairs(tasks) do list[i] = task:traceback() end
  return table.concat(list, "\n")
end

-- One step of the injector: whether what comes is a point. `idle` counts the
-- steps in a row at which nothing was ready.
local function step(state, real)
  if state.ready then
    rille.yield()
  elseif real then
    rille.sleep(state.idle < 50 and 0 or 0.0005)
  else
    rille.sleep(0.125)
  end
  state.tasks, state.ready = others()
  state.idle = state.ready and 0 or state.idle + 1
  if not real or state.ready then return true end
  local before = state.places
  state.places = places(state.tasks)
  return state.places ~= before
end

-- Walks to the point `at`, then does act(task); notes how many tasks there
-- were at each point. What is left waiting for a task that is gone would wait
-- for ever, rightly: after a while the root is cancelled.
local function injector(main, at, which, act, seen)
  local n, steps, state = 0, 0, { idle = 0 }
  local is_point = true
  state.tasks, state.ready = others()
  while not ended[main:status()] do
    if is_point then
      n = n + 1
      seen[n] = #state.tasks
      if n == at and state.tasks[which] then
        seen.hit = state.tasks[which]
        act(seen.hit, main)
        state.tasks, state.ready = others()
      end
    end
    if seen.hit then steps = steps + 1 end
    if steps == (seen.patience or 200) then
      seen.rescued = true
      rille.root():cancel "rescued"
    end
    if n > at + 2000 or steps > 400000 then error("the scenario does not end") end
    is_point = step(state, seen.real)
  end
end

-- What is wrong after a run, or nil.
local function fault_of(tracker, before)
  if tracker.fault then return tracker.fault end
  if tracker.opened ~= tracker.closed then
    return ("%d of %d were not closed"):format(tracker.opened - tracker.closed, tracker.opened)
  end
  if tracker.real then rille.run(rille.yield) end -- libuv closes handles in its next turn
  local leaks = rille.testing.leaks()
  if #leaks ~= before then
    return "something is left alive: " .. (leaks[1] and leaks[1].kind .. " " .. leaks[1].name or "")
  end
  for _, check in ipairs(tracker.checks) do
    local bad = check(inject.raised)
    if bad then return bad end
  end
end

-- Runs the scenario with act(task) at point `at` for the task `which`. On the
-- real clock that is a task of the scenario's own: those that end a process for
-- it are in nobody's reach. Returns what was seen and what was raised.
function inject.attempt(scenario, at, which, act, patience)
  local real = inject.real[scenario]
  local tracker, seen = new_tracker(), { real = real, patience = real and (patience or 600) }
  local before = #rille.testing.leaks()
  tracker.real, inject.raised = real, false
  if real then tracker.before = real() end
  local opts = { timeout = 3600, clock = real and "real" or "virtual" }
  local ok, err = pcall(helper.run, opts, function()
    local main = rille.root():task(function() scenario(tracker) end)
    rille.root():go({ daemon = true, name = "injector" }, injector, main, at, which,
      function(task, root)
        local co = tracker.coroutines[task]
        if co or not real then act(task, co, root) end
      end, seen)
    local _, failure = main:await()
    if main:status() == "failed" or failure ~= nil then error(failure, 0) end
  end)
  for _, co in pairs(tracker.coroutines) do debug.sethook(co) end
  local fault = fault_of(tracker, before)
  if fault then error(fault, 0) end
  return seen, ok, err
end

-- Counts the points: the list of how many tasks there are at each.
function inject.points(scenario)
  local seen, ok, err = inject.attempt(scenario, 0, 0, function() end)
  if not ok then error(err, 0) end
  return seen
end

-- Does `act` at every point for every task; with `limit`, at so many of them,
-- chosen by `random`. check(ok, err, seen) judges; `patience` is the injector's on
-- the real clock. Returns how many runs.
function inject.everywhere(scenario, act, check, limit, random, patience)
  local list = {}
  for at, tasks in ipairs(inject.points(scenario)) do
    for which = 1, tasks do list[#list + 1] = { at, which } end
  end
  local all = #list
  while limit and #list > limit do table.remove(list, random(#list)) end
  for _, point in ipairs(list) do
    local ran, seen, ok, err = pcall(inject.attempt, scenario, point[1], point[2], act, patience)
    local bad = not ran and seen or check(ok, err, seen)
    if bad then
      error(("at point %d, task %d of %d: %s"):format(point[1], point[2], all,
        tostring(bad)), 0)
    end
  end
  return #list, all
end

-- What error injection raises, of every awkward type.
inject.values = table.pack("text", nil, false, 0 / 0, { "table" }, coroutine.create(print),
  ("x"):rep(1 << 20), setmetatable({}, { __tostring = function() error("no text") end }), inject)

-- Lets `value` be raised where `co` stands: before the next instruction of the
-- scenario's, not of the engine's own Lua code or of the harness.
function inject.raise(co, value)
  debug.sethook(co, function()
    local source = debug.getinfo(2, "S").source
    if source:match "^@rille%." or source:match "inject.lua" or source:match "helper.lua" then
      return
    end
    debug.sethook(co)
    inject.raised = true
    error(value, 0)
  end, "", 1)
end

return inject
