--[[
stream.lua - streams: values that come one after the other, on demand.

    source --> operator --> operator --> terminal, or a loop
           <-- pull --- <-- pull --- <--

The files of the part:

    stream_flow.lua     a stream while it runs: pulls, undoing, tasks, feeds
    stream_source.lua   what a stream can be made of
    stream_object.lua   the object: used once, iterated, closed
    stream_ops.lua      operators that take the values as they come
    stream_time.lua     operators with times
    stream_tasks.lua    operators with tasks, and with several sources
    stream.lua          the constructors and the terminals

What goes wrong in a stream raises inside it, stops at the consumer and is one
thing there: a loop raises it, a terminal returns nil and the error, as it was.
]]
local rille, core = ...

local flow = core.load "rille.stream_flow"
local source = core.load "rille.stream_source"
local object = core.load "rille.stream_object"
core.load "rille.stream_ops"
core.load "rille.stream_time"
core.load "rille.stream_tasks"

local methods, check, check_result = object.methods, core.check, flow.check_result

--- Makes a stream. Nothing is read before the stream is. Never suspends.
-- @function stream
-- @param source a channel, subscription or ticker; a list; an iterator, with
-- its state, control and closing value if it has them; a stream; an object with
-- a method `recv` or `read` that gives a value, nil at the end, or nil and an
-- error; an object with a method `open` that returns a source
-- @return the stream
-- @usage local total = rille.stream(orders):map(price):fold(add, 0)
function rille.stream(...)
  return object.new(source.part((...), "stream", 1, select(2, ...)))
end

--- The same; the stream is stopped and closed with the scope.
-- @function scope:stream
-- @param source as for `rille.stream`
-- @return the stream
-- @raise closed when the scope has ended
function core.scope_meta.__index.stream(s, ...)
  core.state(s)
  return object.new_in(s, source.part((...), "stream", 1, select(2, ...)))
end

-- Terminals ----------------------------------------------------------------

local function drain(run, loop, ...)
  run.state = "busy"
  local _ <close> = run
  run:start()
  local result = loop(run.pull, ...)
  run.state = "ended"
  return result
end

local function outcome(ok, result)
  if ok then return result end
  if rille.is_cancellation(result) then error(result, 0) end
  return nil, result
end

-- Runs the stream through loop(pull, ...), whose result is the terminal's.
local function consume(st, name, loop, ...)
  flow.pass(flow.point)
  local run = object.open(st, name)
  return outcome(xpcall(drain, core.note_traceback, run, loop, ...))
end

local function each(pull, fn)
  for value in pull do
    local result, err = fn(value)
    if err ~= nil then check_result(result, err) end
  end
  return true
end

--- Calls `fn` for every value. Suspends as the stream and `fn` do.
-- @function stream:each
-- @tparam function fn `fn(value)`; when it fails the stream does
-- @treturn boolean true; or nil and what the stream failed with
-- @raise cancelled
-- @usage rille.stream(lines):each(print)
function methods.each(st, fn)
  check(fn, "function", "each", 1)
  return consume(st, "each", each, fn)
end

local function collect(pull)
  local list, n = {}, 0
  for value in pull do
    n = n + 1
    list[n] = value
  end
  return list
end

--- Collects all values. Suspends as the stream does.
-- @function stream:collect
-- @treturn table a list; or nil and what the stream failed with
-- @raise cancelled
function methods.collect(st)
  return consume(st, "collect", collect)
end

local function first(pull) return pull() end

--- The first value; the stream is closed then. Suspends as the stream does.
-- @function stream:first
-- @return the value, nil if there is none; or nil and what the stream failed
-- with
-- @raise cancelled
function methods.first(st)
  return consume(st, "first", first)
end

local function count(pull)
  local n = 0
  for _ in pull do n = n + 1 end
  return n
end

--- Counts the values. Suspends as the stream does.
-- @function stream:count
-- @treturn integer their number; or nil and what the stream failed with
-- @raise cancelled
function methods.count(st)
  return consume(st, "count", count)
end

local function fold(pull, fn, result)
  if result == nil then result = pull() end
  if result == nil then return nil end
  for value in pull do
    local err
    result, err = fn(result, value)
    if err ~= nil then check_result(result, err) end
  end
  return result
end

--- Makes one value of all. Suspends as the stream and `fn` do.
-- @function stream:fold
-- @tparam function fn `fn(result, value)` returns the next result
-- @param[opt] initial the first result; without it that is the first value
-- @return the last result; or nil and what the stream failed with
-- @raise cancelled
-- @usage local sum = numbers:fold(function(a, b) return a + b end, 0)
function methods.fold(st, fn, initial)
  check(fn, "function", "fold", 1)
  return consume(st, "fold", fold, fn, initial)
end

local function move(pull, channel)
  for value in pull do channel:send(value) end
end

-- The task of to_channel. What the channel can no longer tell is the scope's.
local function pump(run, channel)
  run.state = "busy"
  local _ <close> = run
  local ok, err = flow.attempt(move, run.pull, channel)
  if not ok and channel:is_closed() and not rille.is_error(err, "closed") then error(err, 0) end
  if not ok and err == nil then err = core.error("invalid", "the stream failed with nil") end
  channel:close(not ok and err or nil)
  run.state = "ended"
end

--- Sends the values into a channel, from a daemon task of the innermost scope,
-- or of the stream's own. The channel is closed at the end, with the error if
-- the stream fails. Closing it stops the stream. Never suspends.
-- @function stream:to_channel
-- @tparam[opt=0] number capacity of the channel
-- @return the channel
-- @raise cancelled
function methods.to_channel(st, capacity)
  if capacity ~= nil then check(capacity, "count", "to_channel", 1) end
  local channel = rille.channel(capacity)
  local run = object.open(st, "to_channel")
  run:defer(function()
    channel:close(core.error("cancelled", "the stream was stopped before its end"))
  end)
  run:start()
  run:keep()
  run.scope:go({name = "stream to_channel", daemon = true}, pump, run, channel)
  return channel
end
