--[[
parallel.lua - many functions at once, awaited together.

    parallel, map   all of them: their results, or the first failure
    race            the first that ends
    any             the first that succeeds

All four are a crew (crew.lua) that works off a feed (feed.lua); they differ in
what they do when one call has ended, and that is the `work` given to the crew.
]]
local _, core = ...

core.load "rille.common"

local feed, run_crew = core.load "rille.feed", core.load "rille.crew"
local outcome = core.load "rille.outcome"

local methods = core.scope_meta.__index

local function keep(crew, index, result)
  crew.results[index] = result
  crew.done = crew.done + 1
  crew.results.n = crew.done
  if crew.on_progress then crew.on_progress(crew.done, crew.total) end
end

local function work_strictly(crew, index, item)
  keep(crew, index, outcome.result(crew.call(item, index, crew.scope)))
end

local function work_settling(crew, index, item)
  keep(crew, index, outcome.record(outcome.attempt(crew.call, item, index, crew.scope)))
end

-- All the calls, in order: `call(item, index, scope)`.
local function gather(s, name, opts, call, take, total)
  local crew = run_crew{
    scope = s, name = name, take = take, limit = math.min(opts.concurrency, total or math.huge),
    work = opts.settle and work_settling or work_strictly,
    call = call, on_progress = opts.on_progress, total = total, done = 0, results = {n = 0},
  }
  if crew.outcome then return table.unpack(crew.outcome, 1, crew.outcome.n) end
  return crew.results
end

local gather_options = {
  concurrency = {"size", math.huge},
  settle = "boolean",
  on_progress = "function",
}
local read_parallel = core.options("parallel", 2, gather_options)
local read_map = core.options("map", 3, gather_options)

local function check_functions(fns, name)
  core.check(fns, "table", name, 1)
  for i = 1, feed.length(fns) do
    if type(fns[i]) ~= "function" then
      core.arg_error(name, 1, ("a list of functions expected, got %s at %d")
        :format(type(fns[i]), i))
    end
  end
end

local function call_function(fn, _, s) return fn(s) end

--- Runs functions concurrently, as tasks of the scope and under its
-- concurrency, and waits for all of them. The first failure cancels the
-- others, which are joined. Suspends.
-- @function scope:parallel
-- @tparam table fns a list of functions, each called with the scope
-- @tparam[opt] table opts `concurrency` (how many at a time; can only lower
-- the scope's), `settle` (boolean: nothing is cancelled),
-- `on_progress(done, total)` (called after each)
-- @treturn table the first result of each, in order, and `n`; with `settle` a
-- list of `{ok=, value=, err=}`; nil and the first failure
-- @raise cancelled
-- @usage local pages, err = s:parallel({fetch_a, fetch_b}, {concurrency = 4})
function methods.parallel(s, fns, opts)
  core.state(s)
  check_functions(fns, "parallel")
  return gather(s, "parallel", read_parallel(opts), call_function, feed.from_list(fns))
end

local function call_mapped(fn)
  return function(item, index, s) return fn(item, index, s) end
end

--- Calls a function for every item, concurrently: as `parallel`. A channel or
-- iterator is asked for an item when there is a task for it. Suspends.
-- @function scope:map
-- @param list a list, a channel, or an iterator (a function that returns nil
-- at the end)
-- @tparam function fn is called with the item, its index and the scope
-- @tparam[opt] table opts as for `parallel`; the `total` of `on_progress` is
-- nil where it is not known
-- @treturn table as `parallel`; nil and the first failure
-- @raise cancelled
-- @usage local sizes = s:map(paths, file_size, {concurrency = 8})
function methods.map(s, list, fn, opts)
  core.state(s)
  local take, count = feed.take(list, "map", 1)
  core.check(fn, "function", "map", 2)
  return gather(s, "map", read_map(opts), call_mapped(fn), take, count)
end

local FASTER = "another was faster" -- why a loser is cancelled

-- `any` is patient: it goes on after a failure.
local function work_contest(crew, index, fn)
  local ended = table.pack(outcome.attempt(fn, crew.scope))
  local record = outcome.record(table.unpack(ended, 1, ended.n))
  if record.ok then
    crew:stop(FASTER, table.unpack(ended, 2, ended.n))
  elseif crew.patient then
    crew.errors[index] = record.err
  else
    crew:stop(FASTER, nil, core.told(record.err))
  end
end

local function contest(s, name, fns, patient)
  local take, count = feed.from_list(fns)
  return run_crew{
    scope = s, name = name, take = take, limit = count, work = work_contest,
    patient = patient, errors = {n = count},
  }
end

--- Runs functions concurrently until the first has ended, be it with a
-- failure. The others are cancelled and joined. Suspends.
-- @function scope:race
-- @tparam table fns a list of at least one function, each called with the
-- scope
-- @return the results of the first; or nil and its error
-- @raise cancelled
-- @usage local answer, err = s:race{ask_near, ask_far}
function methods.race(s, fns)
  core.state(s)
  check_functions(fns, "race")
  if feed.length(fns) == 0 then core.arg_error("race", 1, "at least one function expected") end
  local won = contest(s, "race", fns, false).outcome
  return table.unpack(won, 1, won.n)
end

local function all_failed(errors)
  local message = ("all %d functions failed"):format(errors.n)
  return core.error("all_failed", message, {errors = errors})
end

--- Runs functions concurrently until the first has succeeded. The others are
-- cancelled and joined. Suspends.
-- @function scope:any
-- @tparam table fns a list of functions, each called with the scope
-- @return the results of the first that did not fail; nil and an error of kind
-- `all_failed`, whose `errors` are in the order of the functions
-- @raise cancelled
-- @usage local answer, err = s:any{ask_one_mirror, ask_another}
function methods.any(s, fns)
  core.state(s)
  check_functions(fns, "any")
  local crew = contest(s, "any", fns, true)
  if crew.outcome then return table.unpack(crew.outcome, 1, crew.outcome.n) end
  return nil, all_failed(crew.errors)
end
