--[[
tracer.lua - a tracer that speaks OpenTelemetry.

    start_span --> sampler --> a span --finish--> exporter, at once
                                            '---> batches (tracer_batch.lua)
                                                  --> exporter

What it is made of, each in a file of its own: options from the environment,
samplers, contexts between programs, spans, batches, exporters; and for the one
that sends: the messages of OTLP, their two encodings, and HTTP.
]]
local rille, core = ...

local tracing = core.load "rille.tracing"
local environment = core.load "rille.tracer_environment"
local samplers = core.load "rille.tracer_sampler"
local contexts = core.load "rille.tracer_context"
local spans = core.load "rille.tracer_span"
local batches = core.load "rille.tracer_batch"
local exporters = core.load "rille.tracer_exporter"
core.load "rille.tracer_otlp"

local methods = {}

-- state: {o= (options), resource=, sampler=, limits=, propagators=, exporter=,
-- queue= (nil for an immediate exporter), ended=, started=, finished=, closed=}
local new, state_of, meta = core.class("tracer", methods, function(state)
  return ("%s (%s%s)"):format(state.o.service, type(state.o.exporter) == "string"
    and state.o.exporter or "custom exporter", state.closed and ", shut down" or "")
end)

----------------------------------------------------------------------------
-- Options

local kinds = {
  service = "string", resource = "table",
  exporter = "'otlp'|'memory'|'console'|'file'|'none'|function|table",
  sampler = samplers.names, sampler_arg = "share", propagators = "table",
  endpoint = "string", traces_endpoint = "string", protocol = "'http/protobuf'|'http/json'",
  headers = "table", timeout = "period",
  ca_file = "string", cert_file = "string", key_file = "string", path = "string",
  schedule_delay = "seconds", export_timeout = "period", grace = "seconds",
  max_queue = "workers", max_batch = "workers",
  max_attributes = "natural", max_events = "natural", max_links = "natural",
  max_event_attributes = "natural", max_link_attributes = "natural", max_value_length = "count",
}

local defaults = {
  service = "unknown_service:lua", exporter = "otlp", sampler = "parentbased_always_on",
  sampler_arg = 1, propagators = {"tracecontext", "baggage"},
  endpoint = "http://localhost:4318", protocol = "http/protobuf", timeout = 10,
  path = "traces.jsonl",
  schedule_delay = 5, export_timeout = 30, grace = 5, max_queue = 2048, max_batch = 512,
  max_attributes = 128, max_events = 128, max_links = 128, max_event_attributes = 128,
  max_link_attributes = 128, max_value_length = math.huge,
}

core.add_kind("share", "a number from 0 to 1", function(v)
  return type(v) == "number" and v >= 0 and v <= 1
end)

local read = core.options("tracer", 1, kinds)

local function refuse(message, ...)
  core.arg_error("tracer", 1, message:format(...))
end

local function check_url(o, name)
  if o[name] and not o[name]:find "^[hH][tT][tT][pP][sS]?://[^/%s]" then
    refuse("option '%s': a URL of http or https expected, got %s", name, core.shown(o[name]))
  end
end

-- What concerns several options, or their insides.
local function check_given(o)
  check_url(o, "endpoint")
  check_url(o, "traces_endpoint")
  if type(o.exporter) == "table" and type(o.exporter.export) ~= "function" then
    refuse "option 'exporter': a table with export expected"
  end
  if o.max_batch and o.max_queue and o.max_batch > o.max_queue then
    refuse "option 'max_batch': at most max_queue expected"
  end
  for _, name in ipairs(o.propagators or {}) do
    if name ~= "tracecontext" and name ~= "baggage" then
      refuse("option 'propagators': no such propagator %s", core.shown(name))
    end
  end
end

-- An endpoint for traces alone that the environment has is no answer to one in
-- code.
local function merge(given, env)
  local o = {}
  if given.endpoint then env.traces_endpoint = nil end
  for _, source in ipairs {defaults, env, given} do
    for key, value in pairs(source) do o[key] = value end
  end
  o.max_batch = math.min(o.max_batch, o.max_queue)
  if env.disabled then o.exporter, o.sampler = "none", "always_off" end
  return o
end

local function complainer(env)
  if env.log_level == "none" or env.log_level == "error" then return function() end end
  return function(text)
    if warn then warn("rille: tracer: " .. text) end
  end
end

-- The attributes of this program.
local function make_resource(o, given, env)
  local pid, host = core.identity()
  local resource = {
    ["telemetry.sdk.name"] = "rille", ["telemetry.sdk.language"] = "lua",
    ["telemetry.sdk.version"] = rille.version, ["process.pid"] = pid, ["host.name"] = host,
  }
  for _, source in ipairs {env.resource or {}, given.resource or {}} do
    for key, value in pairs(source) do resource[tostring(key)] = value end
  end
  o.service = given.service or env.service or resource["service.name"] or o.service
  resource["service.name"] = o.service
  return resource
end

----------------------------------------------------------------------------
-- Making

-- Gives the state what takes finished spans.
local function connect(state, complain)
  local exporter, resource = state.exporter, state.resource
  if exporter.immediate then
    function state.ended(record)
      state.finished = state.finished + 1
      if not state.closed then exporter.export({record}, resource) end
    end
    return
  end
  state.queue = batches.new(state.o, function(list) return exporter.export(list, resource) end,
    complain, exporter.close)
  function state.ended(record)
    state.finished = state.finished + 1
    if not state.closed then batches.add(state.queue, record) end
  end
end

--- Makes a tracer: for the `tracer` of scopes, or to make spans with. What is not
-- given is taken from the environment (OTEL_SERVICE_NAME and so on), or is as
-- OpenTelemetry has it. Never suspends.
-- @function tracer
-- @tparam[opt] table opts `service`, `resource` (attributes), `exporter`
-- ("otlp", "memory", "console", "file", "none", a function(spans, resource), or a
-- table with `export`), `sampler`, `sampler_arg`, `endpoint`, `headers`,
-- `protocol`, `timeout` (seconds) and others: see docs/tracing.md
-- @return the tracer
-- @usage local t = rille.tracer{service = "shop"}
-- rille.scope({tracer = t}, main)
function rille.tracer(opts)
  local given = read(opts)
  check_given(given)
  local warnings = {}
  local env = environment.read(os.getenv, function(text) warnings[#warnings + 1] = text end)
  local complain, o = complainer(env), merge(given, env)
  for _, text in ipairs(warnings) do complain(text) end
  local state = {o = o, limits = o, started = 0, finished = 0, propagators = {}}
  for _, name in ipairs(o.propagators) do state.propagators[name] = true end
  state.resource = make_resource(o, given, env)
  state.sampler = samplers.make(o.sampler, o.sampler_arg)
  state.exporter = exporters.make(o, complain)
  connect(state, complain)
  return new(state)
end

----------------------------------------------------------------------------

--- Tracers.
-- @type tracer

-- The context that a new span is in, and how far the clock is from the
-- calendar's, if that is known; nil for a new trace. What is not given is the
-- current span, but for the engine, which knows.
local function parent_context(opts)
  local parent = opts.parent
  if parent == nil and not tracing.is_busy() then
    parent = rille.span()
    if not spans.state(parent) then return nil end
  end
  if not parent then return nil end
  local context, epoch = spans.context_of(parent)
  if context then return context, epoch end
  if type(parent) == "table" and parent.baggage then return nil, nil, parent.baggage end
  core.misuse(("start_span: 'parent' must be a span, a context or false, got %s")
    :format(core.shown(parent)))
end

-- The context of a new span: bit 0 of its flags is the sampler's, bit 1 says that
-- the trace id is random.
local function make_context(state, name, opts, parent, baggage)
  local context = {
    trace_id = parent and parent.trace_id or core.random_id(16), span_id = core.random_id(8),
    trace_state = parent and parent.trace_state, baggage = parent and parent.baggage or baggage,
  }
  local flags = parent and parent.trace_flags & 2 or 2
  local sampled = not state.closed and state.sampler(parent, context.trace_id,
    {name = name, kind = opts.kind or "internal", attributes = opts.attributes or {}})
  context.trace_flags = sampled and flags | 1 or flags
  return context
end

--- Starts a span. It is not the current one: that is for scopes, which have an
-- option `otel` for what their span is to say. Never suspends.
-- @function tracer:start_span
-- @tparam string name
-- @tparam[opt] table opts `parent`: a span, or what `extract` has given; false
-- for a new trace; without it, the current span. `attributes` (table), `kind`
-- ("internal", "server", "client", "producer", "consumer"), `links` (a list of
-- spans, contexts or `{context=, attributes=}`), `start_time` (a `rille.now()`
-- time in seconds)
-- @return the span, which is to be finished; `<close>` does it
-- @usage local span <close> = t:start_span("query", {kind = "client"})
function methods.start_span(tracer, name, opts)
  local state = state_of(tracer, "start_span")
  core.check(name, "string", "start_span", 1)
  if opts ~= nil then core.check(opts, "table", "start_span", 2) end
  opts = opts or {}
  spans.check_kind(opts.kind)
  local parent, epoch, baggage = parent_context(opts)
  local context = make_context(state, name, opts, parent, baggage)
  if context.trace_flags & 1 == 1 then state.started = state.started + 1 end
  return spans.new(state, name, context, parent, opts, epoch or core.epoch())
end

local function same(name) return name end

-- The context of `span`, by default the current one; {} if there is none.
local function context_for(span, method)
  if span == nil then span = rille.span() end
  if span == nil then return {} end
  local context = spans.context_of(span)
  if not context then
    core.arg_error(method, 2, ("a span or a context expected, got %s"):format(core.shown(span)))
  end
  return context
end

--- Puts what another program needs to go on with the trace into a table of
-- headers: `traceparent`, `tracestate`, `baggage`. Never suspends.
-- @function tracer:inject
-- @tparam table carrier a table, or headers of `rille.http`
-- @param[opt] span or a context; by default the current span
-- @return the carrier
-- @usage rille.http.get(url, {headers = t:inject {}})
function methods.inject(tracer, carrier, span)
  local state = state_of(tracer, "inject")
  core.check(carrier, "table", "inject", 1)
  return contexts.inject(context_for(span, "inject"), carrier, state.propagators, same)
end

--- The same for the environment of a child process: `TRACEPARENT` and so on.
-- Never suspends.
-- @function tracer:inject_env
-- @tparam[opt] table env what to begin with, nothing; it stays as it is
-- @param[opt] span or a context; by default the current span
-- @treturn table a copy, with the context in it
-- @usage rille.process.run({"make"}, {env = t:inject_env()})
function methods.inject_env(tracer, env, span)
  local state, copy = state_of(tracer, "inject_env"), {}
  if env ~= nil then core.check(env, "table", "inject_env", 1) end
  for key, value in pairs(env or {}) do copy[key] = value end
  return contexts.inject(context_for(span, "inject_env"), copy, state.propagators, string.upper)
end

--- What another program has injected, for the `parent` of a span. Never
-- suspends.
-- @function tracer:extract
-- @tparam table carrier headers or environment; names are found in any case
-- @treturn table a context; nil if there is none that is valid
-- @usage local parent = t:extract(req.headers)
-- rille.scope({otel = {name = "GET /", kind = "server", parent = parent}}, answer)
function methods.extract(tracer, carrier)
  local state = state_of(tracer, "extract")
  core.check(carrier, "table", "extract", 1)
  return contexts.extract(carrier, state.propagators)
end

----------------------------------------------------------------------------

-- Runs fn(...) in a task: a run of its own, outside of one.
local function in_task(fn, ...)
  if rille.current() then return fn(...) end
  return rille.run(fn, ...)
end

--- Exports what was finished before. Suspends; outside of a task it runs one.
-- @function tracer:force_flush
-- @tparam[opt] number timeout seconds
-- @treturn boolean true; or nil and an error of kind `timeout`. Spans that the
-- exporter refused are told of by `stats`
-- @raise cancelled
function methods.force_flush(tracer, timeout)
  local state = state_of(tracer, "force_flush")
  if timeout ~= nil then core.check_span(timeout, "force_flush", 1) end
  if not state.queue then return true end
  return in_task(batches.flush, state.queue, timeout)
end

-- Exports the rest, and lets go of the exporter.
local function close(state, timeout)
  local ok, err = true, nil
  if state.queue then
    ok, err = batches.flush(state.queue, timeout or state.o.export_timeout)
    batches.drop(state.queue)
  end
  if state.exporter.close then state.exporter.close() end
  if state.exporter.shutdown then state.exporter.shutdown() end
  return ok, err
end

--- Ends the tracer: exports what was finished, within `timeout`, and from then on
-- keeps no span. Suspends; outside of a task it runs one. A second call does
-- nothing.
-- @function tracer:shutdown
-- @tparam[opt] number timeout seconds; `export_timeout`
-- @treturn boolean true; or nil and an error of kind `timeout`: the rest is
-- dropped
-- @raise cancelled
function methods.shutdown(tracer, timeout)
  local state = state_of(tracer, "shutdown")
  if timeout ~= nil then core.check_span(timeout, "shutdown", 1) end
  if state.closed then return true end
  state.closed = true
  return in_task(close, state, timeout)
end

--- The spans that an exporter "memory" holds. Never suspends.
-- @function tracer:spans
-- @treturn table a list, in the order of their ends; see docs/tracing.md
-- @usage assert(t:spans()[1].name == "checkout")
function methods.spans(tracer)
  local state = state_of(tracer, "spans")
  local list = state.exporter.spans or core.misuse "tracer:spans is for the exporter 'memory'"
  return table.move(list, 1, #list, 1, {})
end

--- Forgets the spans that an exporter "memory" holds. Never suspends.
-- @function tracer:clear
function methods.clear(tracer)
  local list = state_of(tracer, "clear").exporter.spans
    or core.misuse "tracer:clear is for the exporter 'memory'"
  for i = #list, 1, -1 do list[i] = nil end
end

--- Never suspends.
-- @function tracer:stats
-- @treturn table spans that were kept: `started`, `live` (not finished),
-- `finished`; of those `queued`, `inflight`, `exported`, `failed` (the exporter
-- has refused them), `rejected` (the collector has), `dropped` (no room, or no
-- time at the end); `capacity` of the queue
function methods.stats(tracer)
  local state = state_of(tracer, "stats")
  local queue = state.queue
  return {
    started = state.started, finished = state.finished, live = state.started - state.finished,
    queued = queue and batches.count(queue) or 0, inflight = queue and queue.inflight or 0,
    exported = queue and queue.exported or state.finished,
    failed = queue and queue.failed or 0, dropped = queue and queue.dropped or 0,
    rejected = state.exporter.rejected and state.exporter.rejected() or 0,
    capacity = queue and queue.max_queue or 0,
  }
end

meta.__close = function(tracer) methods.shutdown(tracer) end
