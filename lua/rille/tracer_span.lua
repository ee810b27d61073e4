--[[
tracer_span.lua - spans: what is kept of them, and their methods.

A span that is kept has a record, a plain table, which goes to the exporter when
the span is finished:

    name kind trace_id span_id parent_span_id trace_state flags remote_parent
    start_ns end_ns duration attributes events links status
    dropped_attributes dropped_events dropped_links

One that is not kept has a context only, for those who ask for it.
]]
local rille, core = ...

core.load "rille.class"

local M = {}

local kinds = {internal = true, server = true, client = true, producer = true, consumer = true}
local codes = {unset = true, ok = true, error = true}

local methods = {}

-- state: {context=, tracer=, record= (nil: not kept), epoch=, ended=, exact=}
local new, state_of, meta = core.class("span", methods, function(state)
  return ("%s (%s)"):format(state.name, state.ended and "finished"
    or state.record and "recording" or "not sampled")
end)

--- The state of a span of ours, or nil.
function M.state(value)
  local ok, state = pcall(state_of, value, "")
  return ok and state or nil
end

----------------------------------------------------------------------------
-- Values

local function text_of(value)
  local ok, text = pcall(tostring, value)
  return ok and text or type(value)
end

-- At most `most` characters, where they are told apart.
local function cut(text, most)
  if #text <= most then return text end
  local stop = utf8.len(text) and utf8.offset(text, most + 1) or most + 1
  return stop and text:sub(1, stop - 1) or text
end

-- A value as it can be sent: a string, a boolean, a number, or a list of those.
local function plain(value, most)
  local kind = type(value)
  if kind == "boolean" or kind == "number" then return value end
  if kind == "table" and getmetatable(value) == nil and (#value > 0 or next(value) == nil) then
    local list = {}
    for i, item in ipairs(value) do
      list[i] = plain(type(item) == "table" and text_of(item) or item, most)
    end
    return list
  end
  return cut(text_of(value), most)
end

-- Sets one of `map`, which holds `count`; returns how many it holds then.
local function set(map, count, key, value, most, length)
  if map[key] == nil then
    if count >= most then return count, true end
    count = count + 1
  end
  map[key] = plain(value, length)
  return count
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    if type(key) == "string" and key ~= "" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

-- A copy with at most so many attributes, and how many were dropped.
local function copy_attributes(given, most, length)
  local map, count, dropped = {}, 0, 0
  for _, key in ipairs(sorted_keys(given or {})) do
    local refused
    count, refused = set(map, count, key, given[key], most, length)
    if refused then dropped = dropped + 1 end
  end
  return map, count, dropped
end

----------------------------------------------------------------------------
-- Making

-- The engine's time `seconds`, by default now, in ns since 1970.
local function instant(state, seconds)
  return (seconds and math.floor(seconds * 1000000000 + 0.5) or core.instant()) + state.epoch
end

-- Adds one of `list`, a record's events or links, unless there are too many.
local function append(record, list, most, item)
  if #record[list] >= most then
    local counter = "dropped_" .. list
    record[counter] = record[counter] + 1
    return
  end
  table.insert(record[list], item)
end

local function add_link(state, context, attributes)
  local limits = state.tracer.limits
  local map, _, dropped = copy_attributes(attributes, limits.max_link_attributes,
    limits.max_value_length)
  append(state.record, "links", limits.max_links, {trace_id = context.trace_id,
    span_id = context.span_id, trace_state = context.trace_state, flags = context.trace_flags,
    remote = context.remote, attributes = map, dropped_attributes = dropped})
end

local function make_record(state, opts, parent)
  local context, limits = state.context, state.tracer.limits
  local record = {
    name = state.name, kind = opts.kind or "internal", trace_id = context.trace_id,
    span_id = context.span_id, parent_span_id = parent and parent.span_id,
    trace_state = context.trace_state, flags = context.trace_flags,
    remote_parent = parent and parent.remote or false, start_ns = instant(state, opts.start_time),
    events = {}, links = {}, status = {code = "unset"}, dropped_events = 0, dropped_links = 0,
  }
  record.attributes, state.count, record.dropped_attributes =
    copy_attributes(opts.attributes, limits.max_attributes, limits.max_value_length)
  return record
end

--- Makes a span of `tracer`, a state of tracer.lua, with this context and the
-- context of its parent; it is kept if that is sampled.
function M.new(tracer, name, context, parent, opts, epoch)
  local state = {tracer = tracer, name = name, context = context, epoch = epoch}
  if context.trace_flags & 1 == 1 then
    state.record = make_record(state, opts, parent)
    for _, link in ipairs(opts.links or {}) do
      local other = M.state(link) and {context = link} or link
      local target = M.context_of(other.context or other)
      if target then add_link(state, target, other.attributes) end
    end
  end
  return new(state)
end

--- The context of a span or of what extract has given; or nil.
function M.context_of(value)
  local state = M.state(value)
  if state then return state.context, state.epoch end
  if core.tracer_context.is_context(value) then
    value.trace_flags = value.trace_flags or 0
    return value
  end
end

--- Raises unless `kind` is one.
function M.check_kind(kind)
  if kind ~= nil and not kinds[kind] then
    core.misuse(("start_span: no such kind of span: %s"):format(core.shown(kind)))
  end
end

----------------------------------------------------------------------------

--- Spans.
-- @type span

local function check_key(key, method)
  if type(key) ~= "string" or key == "" then
    core.arg_error(method, 1, ("a name expected, got %s"):format(core.shown(key)))
  end
end

-- The record of a span that can be written to, or nil; and its state.
local function open_record(span, method)
  local state = state_of(span, method)
  return not state.ended and state.record or nil, state
end

--- Gives the span an attribute. Never suspends.
-- @function span:set_attribute
-- @tparam string key
-- @param value a string, number, boolean or a list of those; anything else is
-- turned into a string
-- @return the span
-- @usage rille.span():set_attribute("user.id", 7)
function methods.set_attribute(span, key, value)
  local record, state = open_record(span, "set_attribute")
  check_key(key, "set_attribute")
  if not record or value == nil then return span end
  local limits = state.tracer.limits
  local count, refused = set(record.attributes, state.count, key, value, limits.max_attributes,
    limits.max_value_length)
  state.count = count
  if refused then record.dropped_attributes = record.dropped_attributes + 1 end
  return span
end

--- Notes something that happens now. Never suspends.
-- @function span:add_event
-- @tparam string name
-- @tparam[opt] table attributes
-- @return the span
-- @usage span:add_event("cache.miss", {key = "user:7"})
function methods.add_event(span, name, attributes)
  local record, state = open_record(span, "add_event")
  check_key(name, "add_event")
  if attributes ~= nil then core.check(attributes, "table", "add_event", 2) end
  if not record then return span end
  local limits = state.tracer.limits
  local map, _, dropped = copy_attributes(attributes, limits.max_event_attributes,
    limits.max_value_length)
  append(record, "events", limits.max_events,
    {name = name, time_ns = instant(state), attributes = map, dropped_attributes = dropped})
  return span
end

--- Links the span to another one, which is not its parent. Never suspends.
-- @function span:add_link
-- @param other a span, or a context
-- @tparam[opt] table attributes
-- @return the span
function methods.add_link(span, other, attributes)
  local record, state = open_record(span, "add_link")
  local context = M.context_of(other)
  if not context then
    core.arg_error("add_link", 1, ("a span or a context expected, got %s")
      :format(core.shown(other)))
  end
  if record then add_link(state, context, attributes) end
  return span
end

--- Says how the span has ended. "ok" is final; "unset" changes nothing. Never
-- suspends.
-- @function span:set_status
-- @tparam string code "unset", "ok" or "error"
-- @tparam[opt] string message of an error
-- @return the span
function methods.set_status(span, code, message)
  local record = open_record(span, "set_status")
  if not codes[code] then
    core.arg_error("set_status", 1, ("'unset', 'ok' or 'error' expected, got %s")
      :format(core.shown(code)))
  end
  if not record or code == "unset" or record.status.code == "ok" then return span end
  record.status = {code = code, message = code == "error" and message ~= nil and text_of(message)
    or nil}
  return span
end

--- Gives the span another name. Never suspends.
-- @function span:set_name
-- @tparam string name
-- @return the span
function methods.set_name(span, name)
  local record, state = open_record(span, "set_name")
  check_key(name, "set_name")
  if record then record.name, state.name = name, name end
  return span
end

--- Ends the span: nothing can be added any more, and it goes to the exporter.
-- Never suspends; a second call does nothing. `<close>` does it, and sets the
-- status if an error passes.
-- @function span:finish
-- @tparam[opt] number end_time a `rille.now()` time in seconds; now
function methods.finish(span, end_time)
  local record, state = open_record(span, "finish")
  if end_time ~= nil then core.check(end_time, "number", "finish", 1) end
  if state.ended then return end
  state.ended = true
  if not record then return end
  state.record = nil
  record.end_ns = math.max(instant(state, end_time), record.start_ns)
  record.duration = (record.end_ns - record.start_ns) / 1000000000
  state.tracer.ended(record)
end

--- @function span:is_recording
-- @treturn boolean whether it is kept, and not yet finished
function methods.is_recording(span)
  return open_record(span, "is_recording") ~= nil
end

--- What another program needs to go on with the trace; see tracer:inject.
-- @function span:context
-- @treturn table `trace_id`, `span_id` (hexadecimal), `trace_flags` (1: sampled),
-- `trace_state`, `baggage`
function methods.context(span)
  local copy = {}
  for key, value in pairs(state_of(span, "context").context) do copy[key] = value end
  return copy
end

meta.__close = function(span, err)
  if err ~= nil and not rille.is_cancellation(err) then
    methods.set_status(span, "error", err)
    methods.set_attribute(span, "error.type", rille.is_error(err) and err.kind or "_OTHER")
  end
  methods.finish(span)
end

core.tracer_span = M
return M
