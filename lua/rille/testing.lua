--[[
testing.lua - the test kit for programs that use rille.

Time is the virtual clock's, and every random choice follows from a seed: so a
test is fast, and what failed once can be made to fail again.

    rille.testing.run(fn)            one run; nothing may be left behind
    rille.testing.explore(fn)        the same under many schedules
    rille.testing.replay(seed, fn)   the schedule that failed, once more
--]]
local rille, core = ...

local M = {}

--- What is still alive: every task but the running one, every scope but those
-- that it is in, and every open libuv handle, but for those that were told not
-- to keep the program alive (unref). Never suspends.
-- @function testing.leaks
-- @treturn table a list of `{kind=, name=, object=}`; kind is "task", "scope"
-- or "handle", which has no object
-- @usage assert(#rille.testing.leaks() == 0)
function M.leaks()
  return core.live()
end

--- Suspends until every other task waits: what they could do without time or
-- input is done.
-- @function testing.wait_all_blocked
-- @raise cancelled
-- @usage s:go(consumer) testing.wait_all_blocked() assert(seen == 1)
function M.wait_all_blocked()
  return core.wait_all_blocked()
end

local function describe_leaks(leaks)
  local names = {}
  for i, leak in ipairs(leaks) do names[i] = leak.kind .. " " .. leak.name end
  return table.concat(names, ", ")
end

-- Passes the results of a run on, unless it left something behind.
local function check_leaks(before, ...)
  local leaks = M.leaks()
  if #leaks > before then
    error(core.error("invalid", "left behind: " .. describe_leaks(leaks), {leaks = leaks}), 0)
  end
  return ...
end

local read_run = core.options("testing.run", 1, {
  seed = {"number", 1}, schedule = {"'fifo'|'random'", "fifo"}, timeout = "seconds",
})

--- Runs `fn` as `rille.run` does, on the virtual clock, and fails if a task, a
-- scope or a handle is left. Only outside a task.
-- @function testing.run
-- @tparam[opt] table opts `seed` (1), `schedule` ("fifo" or "random"),
-- `timeout` (virtual seconds)
-- @tparam function fn
-- @param ... its arguments
-- @return what `fn` returns
-- @raise what `fn` raises; an error when something is left behind
-- @usage testing.run(function() assert(rille.timeout(1, work)) end)
function M.run(opts, fn, ...)
  if type(opts) == "function" then return M.run({}, opts, fn, ...) end
  local o = read_run(opts)
  core.check(fn, "function", "testing.run", 2)
  o.clock = "virtual"
  return check_leaks(#M.leaks(), rille.run(o, fn, ...))
end

-- Runs `fn` under one schedule. Returns true, or nil, the error and the dump
-- from the moment of the failure.
local function try_schedule(seed, fn)
  core.failure_dump = nil
  local function note(err)
    core.failure_dump = core.failure_dump or rille.dump()
    return core.note_traceback(err)
  end
  local function body()
    local ok, err = xpcall(fn, note)
    if not ok then error(err, 0) end
  end
  local ok, err = pcall(M.run, {seed = seed, schedule = "random"}, body)
  local dump = core.failure_dump
  core.failure_dump = nil
  if ok then return true end
  return nil, err, dump
end

local function failure(seed, err, dump)
  local ok, text = pcall(tostring, err)
  local message = ("seed %d failed (testing.replay(%d, fn) runs it again): %s%s"):format(seed, seed,
    ok and text or type(err), dump and "\nwhen it failed:\n" .. dump or "")
  return core.error("failed", message, {seed = seed, cause = err, dump = dump})
end

local read_explore = core.options("testing.explore", 2, {
  seeds = {"size", 100}, first = {"number", 1}, budget = {"seconds", math.huge},
})

--- Runs `fn` again and again, each time on the virtual clock under another
-- random schedule: which ready task goes first, what select chooses, which
-- call that need not wait gives up its turn. A failure is an error, something
-- left behind, or a deadlock. Only outside a task.
-- @function testing.explore
-- @tparam function fn
-- @tparam[opt] table opts `seeds` (how many, 100), `first` (the first seed, 1),
-- `budget` (seconds of processor time after which no other seed is begun)
-- @treturn integer how many seeds were run; or nil and an error of kind
-- `failed` with `seed`, `cause` and `dump`
-- @usage assert(rille.testing.explore(transfer_money, {seeds = 1000}))
function M.explore(fn, opts)
  core.check(fn, "function", "testing.explore", 1)
  local o = read_explore(opts)
  local began, runs = os.clock(), 0
  while runs < o.seeds and os.clock() - began < o.budget do
    local ok, err, dump = try_schedule(o.first + runs, fn)
    if not ok then return nil, failure(o.first + runs, err, dump) end
    runs = runs + 1
  end
  return runs
end

--- Runs `fn` once more under the schedule of a seed. Only outside a task.
-- @function testing.replay
-- @tparam integer seed as `explore` has named it
-- @tparam function fn
-- @return what `fn` returns
-- @raise what failed
-- @usage rille.testing.replay(17, transfer_money)
function M.replay(seed, fn)
  core.check(seed, "number", "testing.replay", 1)
  core.check(fn, "function", "testing.replay", 2)
  return M.run({seed = seed, schedule = "random"}, fn)
end

rille.testing = M
return M
