--[[
tracing.lua - spans of scopes and tasks, for whatever tracer there is.

A tracer is anything with start_span(name, opts); nothing more is known of it
here. A scope is given one, and hands it down; where there is one a scope has a
span while it is open, and a task from its start to its end.

    scope opened      M.open              by layers.lua, for the C part
    scope left        core.trace_left     by scope.lua
    task started      core.trace_task     by core/bind/trace.c
    task ended        core.trace_end      likewise
    event             core.trace_event    by whoever has one to tell

The current span of a task is kept as a record beside it: that of its innermost
block scope, or else its own. What is opened or started meanwhile has it as its
parent.

A tracer is called where the engine is in the middle of something: it cannot
wait there, what it raises is a warning, once, and what it starts is not traced.
]]
local rille, core = ...

local M = {}

-- task -> the record of its current span; task -> that of its own
local current = setmetatable({}, {__mode = "k"})
local own = setmetatable({}, {__mode = "k"})

----------------------------------------------------------------------------
-- Options

core.add_kind("tracer", "a tracer: a table with start_span", function(v)
  return type(v) == "table" and type(v.start_span) == "function"
end)

local read = core.options("scope", 1, {tracer = "tracer|off", otel = "table"})

local read_otel = core.options("scope", 1, {
  name = "string",
  attributes = "table",
  kind = "'internal'|'server'|'client'|'producer'|'consumer'",
  parent = "any",
})

--- Checks the option `otel` of a function.
function M.check_otel(name, argument, otel)
  return core.read_option(name, argument, "otel", read_otel, otel)
end

--- Checks the options of a scope that are for its span.
function M.read_options(opts)
  local o = read {tracer = opts.tracer, otel = opts.otel}
  if o.otel then o.otel = M.check_otel("scope", 1, o.otel) end
  return o
end

----------------------------------------------------------------------------
-- Calling a tracer

local busy = false -- a tracer is being called: nothing is traced
local done, result
local warned = setmetatable({}, {__mode = "k"})

local function protected(fn, ...)
  done, result = pcall(fn, ...)
end

local function invoke(object, method, ...)
  return object[method](object, ...)
end

local function text_of(err)
  local ok, text = pcall(tostring, err)
  return ok and text or type(err)
end

-- Runs fn(...), which cannot wait in here; returns whether it ended well, and
-- its result.
local function run_quietly(fn, ...)
  local was = busy
  busy, done, result = true, false, nil
  core.hook("tracer", protected, fn, ...)
  busy = was
  return done, result
end

-- object:method(...) of a tracer or a span of its.
local function call(tracer, object, method, ...)
  local ok, value = run_quietly(invoke, object, method, ...)
  if ok then return value end
  if warned[tracer] then return nil end
  warned[tracer] = true
  if warn then warn(("rille: a tracer raised: %s"):format(text_of(value))) end
end

--- Whether it is the engine that calls a tracer now.
function M.is_busy() return busy end

--- For tracers: fn(...), which starts tasks that are to have no spans. It cannot
-- wait.
function core.untraced(fn, ...)
  local ok, value = run_quietly(fn, ...)
  if not ok then error(value, 0) end
  return value
end

----------------------------------------------------------------------------
-- Spans

-- The span of a record with the attributes that say how it has ended.
local function finish(record, attributes)
  local span, tracer = record.span, record.tracer
  for name, value in pairs(attributes) do
    call(tracer, span, "set_attribute", name, value)
  end
  call(tracer, span, "finish")
end

local function fail(record, err)
  call(record.tracer, record.span, "set_status", "error", text_of(err))
  call(record.tracer, record.span, "set_attribute", "error.type",
    rille.is_error(err) and err.kind or "_OTHER")
end

-- Milliseconds since the record was made.
local function duration(record)
  return (core.instant() - record.began) / 1000000
end

-- Makes the span of a record; `outer` is that of the span around it, or nil.
local function start(record, outer, name, otel, attributes)
  local parent = otel and otel.parent
  if parent == nil and outer and outer.tracer == record.tracer then parent = outer.span end
  for key, value in pairs(otel and otel.attributes or {}) do attributes[key] = value end
  record.began = core.instant()
  record.span = call(record.tracer, record.tracer, "start_span", otel and otel.name or name, {
    parent = parent,
    attributes = attributes,
    kind = otel and otel.kind or "internal",
    start_time = record.began / 1000000000,
  })
end

-- The record of `s` or of the nearest scope that `s` inherits from, or nil.
local function nearest(s)
  while s do
    local record = core.has_info(s) and core.info(s).span
    if record then return record end
    s = core.inherited(s)
  end
end

----------------------------------------------------------------------------
-- Scopes

--- Scope `s` is open, with options, those of them that were read here, or none.
-- Whether what is in it is traced.
function M.open(s, given, opts)
  local tracer, above = given and given.tracer, nearest(core.inherited(s))
  if tracer == nil then tracer = above and above.tracer end
  if tracer == nil then return false end
  local task, info = rille.current(), core.info(s)
  local record = {tracer = tracer, task = task, outer = current[task], tasks = 0}
  info.span = record
  if not tracer then
    current[task] = nil
    return false
  end
  core.tracing()
  if busy then return true end
  start(record, record.outer, info.name or "scope", given and given.otel,
    {["scope.timeout"] = opts and opts.timeout})
  if record.span then current[task] = record end
  return true
end

-- What a scope that has ended tells of itself.
local function scope_attributes(s, record)
  local cancelled, reason = s:cancelled()
  return {
    ["scope.duration_ms"] = duration(record),
    ["scope.errors"] = s:errors().n,
    ["scope.tasks"] = record.tasks,
    ["scope.cancelled"] = cancelled,
    ["scope.cancel_reason"] = cancelled and reason ~= nil and text_of(reason) or nil,
  }
end

--- Scope `s` has been left: these are the values of a protected core.finish,
-- which are passed on.
function core.trace_left(s, record, ok, stands, err)
  current[record.task] = record.outer
  if not ok then stands, err = nil, stands end
  if record.span then
    local attributes = scope_attributes(s, record)
    if ok and not stands and err.kind == "cancelled" or not ok and rille.is_cancellation(err) then
      attributes.cancelled = true
    elseif not stands then
      fail(record, err)
    end
    finish(record, attributes)
  end
  if not ok then error(err, 0) end
  return stands, err
end

----------------------------------------------------------------------------
-- Tasks

--- For the C part: a task has been started in scope `s`, with these options or
-- nil; it runs `fn`, and was started at `line` of `file`.
function core.trace_task(task, s, opts, fn, line, file)
  local above = nearest(s)
  if busy or not (above and above.tracer) then return end
  above.tasks = above.tasks + 1
  local starter = rille.current()
  local outer = starter and current[starter] or above
  local record = {tracer = above.tracer, retries = 0}
  start(record, outer, "scope.task", opts and opts.otel, {
    ["task.name"] = task:name(),
    ["task.index"] = above.tasks,
    ["task.timeout"] = opts and opts.timeout or nil,
    ["code.function.name"] = fn,
    ["code.file.path"] = file,
    ["code.line.number"] = file and line,
  })
  if record.span then current[task], own[task] = record, record end
end

--- For the C part: that task has ended: "done", "failed" or "cancelled".
function core.trace_end(task, status, err)
  local record = own[task]
  if not record then return end
  current[task], own[task] = nil, nil
  local attributes = {["task.duration_ms"] = duration(record)}
  if record.retries > 0 then attributes["task.retry_attempts"] = record.retries end
  if status == "failed" then
    fail(record, err)
    attributes["task.error_reason"] = text_of(err)
  elseif status == "cancelled" then
    attributes.cancelled = true
  end
  finish(record, attributes)
end

----------------------------------------------------------------------------
-- Events

--- Something has happened in the running task: an event of its current span.
-- The attributes are a table; or one key and its value; or nil.
function core.trace_event(event, key, value)
  local task = rille.current()
  local record = task and current[task]
  if busy or not record then return end
  if event == "retry.scheduled" and own[task] then
    own[task].retries = own[task].retries + 1
  end
  local attributes = key
  if type(key) == "string" then attributes = {[key] = value} end
  call(record.tracer, record.span, "add_event", event, attributes)
end

--- The current span: of the innermost scope that the running task has opened,
-- or of the task. Never suspends.
-- @function span
-- @return the span as its tracer has made it; nil where nothing is traced, and
-- outside a task
-- @usage local span = rille.span()
-- if span then span:set_attribute("user.id", id) end
function rille.span()
  local task = rille.current()
  local record = task and current[task]
  return record and record.span
end

return M
