-- Injection at every suspension point.
--
-- An injector runs beside a scenario and is in the ready queue all the time,
-- so between any two of its steps every other task runs once at the most: it
-- sees each task at each of its suspension points. While nothing is ready it
-- lets an eighth of a second pass; so the times in scenarios are multiples of
-- that. First the points are counted, then each of them is hit, in a run of
-- its own, for each task that is there.
local rille = require "rille"
local helper = require "spec.helper"

local inject = {}

-- What a scenario is given: t() opens a value for `<close>` on the stack of
-- the running coroutine, which must be unwound in reverse; t(fn) calls fn
-- when that is closed; t.deferred(s) does the same with s:defer.
local function new_tracker()
  local stacks, self = {}, { opened = 0, closed = 0, coroutines = {} }
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

-- Walks to the point `at`, then does act(task); notes how many tasks there
-- were at each point. What is left waiting for a task that is gone would wait
-- for ever, rightly: after a while the root is cancelled.
local function injector(main, at, which, act, seen)
  local n = 0
  while main:status() ~= "done" and main:status() ~= "failed"
    and main:status() ~= "cancelled" do
    local tasks, ready = others()
    n = n + 1
    seen[n] = #tasks
    if n == at and tasks[which] then
      seen.hit = tasks[which]
      act(tasks[which], main)
    end
    if seen.hit and n == at + 200 then rille.root():cancel "rescued" end
    if n > at + 2000 then error("the scenario does not end") end
    if ready then rille.yield() else rille.sleep(0.125) end
  end
end

-- Runs the scenario with act(task) at point `at` for the task `which`.
-- Returns what was seen and what was raised.
function inject.attempt(scenario, at, which, act)
  local tracker, seen = new_tracker(), {}
  local before = #rille.testing.leaks()
  local ok, err = pcall(helper.run, { timeout = 3600 }, function()
    local main = rille.root():task(function() scenario(tracker) end)
    rille.root():go({ daemon = true, name = "injector" }, injector, main, at, which,
      function(task, root) act(task, tracker.coroutines[task], root) end, seen)
    local _, failure = main:await()
    if failure ~= nil then error(failure, 0) end
  end)
  for _, co in pairs(tracker.coroutines) do debug.sethook(co) end
  if tracker.fault then error(tracker.fault, 0) end
  if tracker.opened ~= tracker.closed then
    error(("%d of %d were not closed"):format(tracker.opened - tracker.closed, tracker.opened), 0)
  end
  if #rille.testing.leaks() ~= before then error("something is left alive", 0) end
  return seen, ok, err
end

-- Counts the points: the list of how many tasks there are at each.
function inject.points(scenario)
  local seen, ok, err = inject.attempt(scenario, 0, 0, function() end)
  if not ok then error(err, 0) end
  return seen
end

-- Does `act` at every point for every task; with `limit`, at so many of them,
-- chosen by `random`. check(ok, err, hit) judges. Returns how many runs.
function inject.everywhere(scenario, act, check, limit, random)
  local list = {}
  for at, tasks in ipairs(inject.points(scenario)) do
    for which = 1, tasks do list[#list + 1] = { at, which } end
  end
  local all = #list
  while limit and #list > limit do table.remove(list, random(#list)) end
  for _, point in ipairs(list) do
    local ran, seen, ok, err = pcall(inject.attempt, scenario, point[1], point[2], act)
    local bad = not ran and seen or check(ok, err, seen.hit)
    if bad then
      error(("at point %d, task %d of %d: %s"):format(point[1], point[2], all,
        tostring(bad)), 0)
    end
  end
  return #list, all
end

-- The value that error injection raises, of every awkward type.
inject.values = {
  "text", false, 0 / 0, { "table" }, coroutine.create(print), ("x"):rep(1 << 20),
  setmetatable({}, { __tostring = function() error("no text") end }), inject,
}

-- Lets `value` be raised where `co` stands: before the next instruction of the
-- scenario's, not of the engine's own Lua code or of the harness.
function inject.raise(co, value)
  debug.sethook(co, function()
    local source = debug.getinfo(2, "S").source
    if source:match "^@rille%." or source:match "inject.lua" or source:match "helper.lua" then
      return
    end
    debug.sethook(co)
    error(value, 0)
  end, "", 1)
end

return inject
