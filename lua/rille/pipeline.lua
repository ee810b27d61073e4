--[[
pipeline.lua - stages that hand values on through channels.

    input --> stage 1 --> channel --> stage 2 --> output

A flow is one run of such a thing. Its tasks live in a scope of its own, which
a daemon of the caller's innermost scope keeps open:

    caller's scope
      daemon: the flow
        scope
          a task for each worker of each stage
          a watcher for each output

So a stage that fails cancels the others, and the flow then closes the outputs
with its error. A channel is closed when the last task that writes to it has
ended; when somebody else closes an output, its watcher cancels the tasks that
work for it. fan_out and fan_in are flows too.
]]
local rille, core = ...

core.load "rille.class"
local feed, result = core.load "rille.feed", core.load "rille.outcome".result

-- What a worker of a stage does

local function work_plainly(stage)
  local fn, output = stage.fn, stage.output
  for value in stage.input do
    value = result(fn(value))
    if value ~= nil then output:send(value) end
  end
end

-- Workers of an ordered stage send in turn. A value whose turn has not come
-- waits at its place in the ring `turns`, which has one for each of the n
-- values at work: so none gets more than n ahead of a slower one.
local function wait_for_turn(stage, index)
  if stage.turn == index then return end
  local place = index % stage.workers + 1
  stage.waiting[place] = true
  stage.turns[place]:recv()
end

local function pass_turn(stage)
  stage.turn = stage.turn + 1
  local place = stage.turn % stage.workers + 1
  if stage.waiting[place] then
    stage.waiting[place] = nil
    stage.turns[place]:try_send(true)
  end
end

local function work_in_order(stage)
  local fn, output = stage.fn, stage.output
  for index, value in stage.take do
    value = result(fn(value))
    wait_for_turn(stage, index)
    if value ~= nil then output:send(value) end
    pass_turn(stage)
  end
end

local function work_on_stream(stage)
  result(stage.fn(stage.input, stage.output))
end

-- A stage of a flow: `spec` with its input and output.
local function make_stage(spec, input, output)
  local stage = {
    fn = spec.fn, workers = spec.workers, work = spec.work, input = input, output = output,
  }
  if spec.work == work_in_order then
    stage.take, stage.turn, stage.turns, stage.waiting = feed.take(input), 1, {}, {}
    for i = 1, spec.workers do stage.turns[i] = rille.channel() end
  elseif spec.work == work_plainly then
    stage.input = feed.items(input)
  end
  return stage
end

-- Running a flow: {name=, scope=, stages=, outputs=, writers = {output = tasks},
-- stopped = set of tasks that a watcher has cancelled, failure =}

-- What a task of a stage has raised. A cancellation of that task alone came
-- from the stage itself, which so has failed: the flow ends.
local function fail(flow, err)
  local expected = flow.stopped[rille.current()] or flow.scope:cancelled()
  if rille.is_cancellation(err) and not expected then
    flow.failure = err
    flow.scope:cancel(err)
  end
  error(err, 0)
end

-- A task of a stage. One that finds its output closed by others has nothing
-- left to do.
local function run_worker(flow, stage)
  local output = stage.output
  local ok, err = pcall(stage.work, stage)
  if not ok and not (output:is_closed() and rille.is_error(err, "closed")) then
    fail(flow, err)
  end
  flow.writers[output] = flow.writers[output] - 1
  if flow.writers[output] == 0 then output:close() end
end

local function watch(flow, output, tasks)
  output:wait_closed()
  for _, task in ipairs(tasks) do
    flow.stopped[task] = true
    task:cancel("the output was closed")
  end
end

local function start_stage(scope, flow, stage, name)
  local tasks = {}
  flow.writers[stage.output] = (flow.writers[stage.output] or 0) + stage.workers
  for i = 1, stage.workers do tasks[i] = scope:go({name = name}, run_worker, flow, stage) end
  return tasks
end

-- All tasks of a flow with one output work for that.
local function start_stages(scope, flow)
  local working = {}
  for _, output in ipairs(flow.outputs) do working[output] = {} end
  for i, stage in ipairs(flow.stages) do
    local list = working[stage.output] or working[flow.outputs[1]]
    for _, task in ipairs(start_stage(scope, flow, stage, "stage " .. i)) do
      list[#list + 1] = task
    end
  end
  for _, output in ipairs(flow.outputs) do
    scope:go({name = "watcher", daemon = true}, watch, flow, output, working[output])
  end
end

-- Closes the outputs with `err`; false if nobody can get it there.
local function close_all(outputs, err)
  local told = false
  for _, output in ipairs(outputs) do
    told = told or not output:is_closed()
    output:close(err)
  end
  return told
end

local function run_flow(flow)
  local ok, err = pcall(rille.scope, {name = flow.name}, function(scope)
    flow.scope = scope
    start_stages(scope, flow)
  end)
  if ok and not flow.failure then return end
  if ok then err = flow.failure end
  if err == nil then err = core.error("invalid", "a stage failed with nil for its error") end
  local told = close_all(flow.outputs, err)
  if rille.is_cancellation(err) or not told then error(err, 0) end
end

local function start_flow(scope, name, stages, outputs)
  scope:go({name = name, daemon = true}, run_flow,
    {name = name, stages = stages, outputs = outputs, writers = {}, stopped = {}})
end

-- Pipelines

local new_pipeline, specs_of, meta = core.class("pipeline", {}, function(specs)
  return #specs .. " stages"
end)

local stage_options = {
  workers = {"workers", 1},
  ordered = "boolean",
  buffer = {"count", 0},
}
local stream_options = {stream = "function", buffer = {"count", 0}}

-- {fn, workers = 2} -> fn, {workers = 2}
local function split(given)
  local opts = {}
  for key, value in next, given do
    if key ~= 1 then opts[key] = value end
  end
  return given[1], opts
end

-- The stage given as the argument `i` of rille.pipeline.
local function read_stage(given, i)
  if type(given) == "function" then given = {given} end
  core.check(given, "table", "pipeline", i)
  if given.stream ~= nil then
    local opts = core.options("pipeline", i, stream_options)(given)
    return {fn = opts.stream, workers = 1, work = work_on_stream, buffer = opts.buffer}
  end
  local fn, rest = split(given)
  local opts = core.options("pipeline", i, stage_options)(rest)
  if type(fn) ~= "function" then core.arg_error("pipeline", i, "the stage has no function") end
  local in_order = opts.ordered and opts.workers > 1
  return {
    fn = fn, workers = opts.workers, work = in_order and work_in_order or work_plainly,
    buffer = opts.buffer,
  }
end

local function identity(value) return value end

local copying = {fn = identity, workers = 1, work = work_plainly, buffer = 0}

-- Runs the pipeline on `input`: p(input).
function meta.__call(object, input)
  local specs = specs_of(object, "pipeline")
  local scope, stages = core.innermost_scope "pipeline", {}
  local function add(spec, from)
    local output = scope:channel(spec.buffer)
    stages[#stages + 1] = make_stage(spec, from, output)
    return output
  end
  if type(input) ~= "userdata" then feed.take(input, "pipeline", 1) end
  if specs[1].work == work_on_stream and type(input) ~= "userdata" then
    input = add(copying, input)
  end
  for _, spec in ipairs(specs) do input = add(spec, input) end
  start_flow(scope, "pipeline", stages, {input})
  return input
end

--- Makes a pipeline: `p(input)` sends the values of a channel, list or iterator
-- through its stages and returns a channel of what comes out. It never
-- suspends, and may be called again. The tasks are daemons of the innermost
-- scope: they stop when the output is closed, by whomever, or the scope is
-- left. A stage that fails closes the output with its error.
-- @function pipeline
-- @param stage a function of a value (nil drops it); or `{fn, workers = n,
-- ordered = true, buffer = n}`; or `{stream = fn, buffer = n}`, which calls
-- `fn(input, output)` with channels; or another pipeline
-- @param ... more stages
-- @return the pipeline
-- @usage for page in rille.pipeline({fetch, workers = 4}, parse)(urls) do ... end
function rille.pipeline(...)
  local specs, count = {}, select("#", ...)
  if count == 0 then core.arg_error("pipeline", 1, "at least one stage expected") end
  for i = 1, count do
    local given = select(i, ...)
    if debug.getmetatable(given) == meta then
      table.move(specs_of(given), 1, #specs_of(given), #specs + 1, specs)
    else
      specs[#specs + 1] = read_stage(given, i)
    end
  end
  return new_pipeline(specs)
end

-- Fans

local read_fan = core.options("fan_out", 4, {buffer = {"count", 0}})

--- Shares the values of an input out among `n` tasks, each with an output of
-- its own: whoever is free takes the next. Never suspends; the tasks are
-- daemons of the innermost scope. Closing an output stops its task; a failure
-- of `fn` stops all and closes every output with the error.
-- @function fan_out
-- @param input a channel, list or iterator
-- @tparam integer n from 1
-- @tparam[opt] function fn of a value, as a stage of a pipeline; without it
-- the values are passed on
-- @tparam[opt] table opts `buffer` (of each output; default 0)
-- @return n channels
-- @usage local merged = rille.fan_in(rille.fan_out(jobs, 4, solve))
function rille.fan_out(input, n, fn, opts)
  core.check(n, "workers", "fan_out", 2)
  if fn == nil then fn = identity end
  core.check(fn, "function", "fan_out", 3)
  local items, buffer = feed.items(input, "fan_out", 1), read_fan(opts).buffer
  local scope, stages, outputs = core.innermost_scope "fan_out", {}, {}
  for i = 1, n do
    outputs[i] = scope:channel(buffer)
    stages[i] = make_stage({fn = fn, workers = 1, work = work_plainly}, items, outputs[i])
  end
  start_flow(scope, "fan_out", stages, outputs)
  return table.unpack(outputs)
end

--- Merges channels, lists or iterators into one channel, which is closed when
-- all of them are; with an error, at once, when one of them is. Never
-- suspends; the tasks are daemons of the innermost scope, and stop when the
-- output is closed.
-- @function fan_in
-- @param ... the inputs
-- @return a channel
-- @usage for line in rille.fan_in(errors, output) do print(line) end
function rille.fan_in(...)
  local inputs = table.pack(...)
  if inputs.n == 0 then core.arg_error("fan_in", 1, "at least one channel expected") end
  for i = 1, inputs.n do inputs[i] = feed.items(inputs[i], "fan_in", i) end
  local scope = core.innermost_scope "fan_in"
  local output, stages = scope:channel(), {}
  for i, input in ipairs(inputs) do stages[i] = make_stage(copying, input, output) end
  start_flow(scope, "fan_in", stages, {output})
  return output
end
