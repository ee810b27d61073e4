--[[
stream_object.lua - the stream object: made once, used once.

    unused --> used        by an operator: the stream it makes has its part
       |-----> open --> closed        iterated, or consumed by a terminal
       '-------------> closed

An operator is derive(st, name, wire), where wire(flow, part) opens the part of
`st` and returns a pull.
]]
local _, core = ...

local flow = core.load "rille.stream_flow"
local source = core.load "rille.stream_source"

core.load "rille.class"

local M = {methods = {}}

local meta = {__index = M.methods, __newindex = core.refuse_fields "rille.stream",
  __name = "rille.stream", __metatable = "rille.stream"}

-- The key of a stream's only field, its part.
local PART = {}

local function is_stream(object)
  return type(object) == "table" and rawget(object, PART) ~= nil
end

local function misuse(message, ...)
  return core.misuse(message:format(...))
end

local function part_of(st, name)
  if is_stream(st) then return rawget(st, PART) end
  return misuse("calling '%s' on bad self (a stream expected, got %s)", name, core.shown(st))
end

--- Raises unless `st` is a stream: it was called as method `name`.
M.check_self = part_of

--- Makes a stream of a part, which then is the stream's.
function M.new(part)
  part.state = "unused"
  return setmetatable({[PART] = part}, meta)
end

-- Whoever gets the part has it alone.
local function take(st, name)
  local part = part_of(st, name)
  if part.state == "closed" and not part.user then
    error(core.error("closed", "the stream is closed"), 0)
  elseif part.state ~= "unused" then
    misuse("this stream has been read already, by '%s'; a stream can be read once", part.user)
  end
  part.state, part.user = "used", name
  return part
end

-- A stream as a source: another part that opens the same.
function source.take_over(object, name)
  if not is_stream(object) then return nil end
  local part = take(object, name)
  part.next = {
    label = part.label, scope = part.scope, again = part.again, direct = part.direct,
    open = part.open,
  }
  return part.next
end

--- The part of any source, for the operator `name`; see stream_source.lua.
M.part = source.part

--- Makes the stream of an operator on `st` and perhaps `others`, parts too.
function M.derive(st, name, wire, others)
  local part = take(st, name)
  local derived = {
    label = part.label .. " > " .. name, scope = part.scope, again = part.again,
    open = function(run) return wire(run, part) end,
  }
  part.next = derived
  for _, other in ipairs(others or {}) do
    derived.again = derived.again and other.again
    other.next = derived
  end
  return M.new(derived)
end

--- The same for an operator that only works on pulls: operate(pull) -> pull.
function M.operator(st, name, operate)
  return M.derive(st, name, function(run, part) return operate(part.open(run)) end)
end

--- Raises unless the stream can be opened more than once.
function M.must_open_again(st, name)
  if part_of(st, name).again then return end
  misuse("'%s' needs a stream that can be opened again: of a list, or of an object with a method "
    .. "'open'; to try one step again, use rille.retry in it", name)
end

--- The parts of several sources, the arguments of the operator `name`.
function M.parts(name, ...)
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = source.part((select(i, ...)), name, i) end
  return parts
end

--- Makes a stream of a source's part that is closed with `scope`, also when
-- nobody ever reads it.
function M.new_in(scope, part)
  local open, opened = part.open, nil
  local forget = flow.keep(scope, function()
    local last = part
    while last.next do last = last.next end
    last.state = "closed"
    opened = opened or flow.open(last)
    opened:cut()
  end)
  part.scope = scope
  part.open = function(run)
    opened = run
    run:defer(forget)
    return open(run)
  end
  return M.new(part)
end

--- Opens the stream for its one consumer.
function M.open(st, name)
  local part = take(st, name)
  part.state = "open"
  part.flow = flow.open(part)
  return part.flow
end

-- Iterating ----------------------------------------------------------------

-- A pull out of turn; true if it is the first.
local function begin(run)
  if run.state == "busy" then
    misuse("a value is being read from this stream; give each task a stream of its own")
  end
  run:check_cut()
  if run.state == "new" then
    run:start()
    run:keep()
    return true
  end
  return false
end

local function step(run)
  if run.state ~= "idle" and not begin(run) then return nil end
  run.state = "busy"
  local _ <close> = run
  local value = run.pull()
  if run.was_cut then run:check_cut() end
  run.state = value == nil and "ended" or "idle"
  return value
end

-- `for v in st do`: the control value is nil where a loop begins.
function meta.__call(st, _, control)
  local part = st[PART]
  if control == nil or not part.flow then M.open(st, "for") end
  return step(part.flow)
end

local function leave(run, err)
  if run.state == "busy" then
    misuse("the stream cannot be closed while a value is being read from it")
  end
  if run.state ~= "closed" then run:close(err ~= nil) end
end

local closer = {__close = function(self, err) leave(self.run, err) end}

--- Iterates: `for v in st:iter() do`. The loop closes the stream, however it
-- is left. Each step suspends while there is no value.
-- @function stream:iter
-- @return what a generic `for` takes
-- @raise when the stream was read already; in the loop, what the stream failed
-- with
-- @usage for line in lines:iter() do if line == "" then break end end
function M.methods.iter(st)
  local run = M.open(st, "iter")
  return function() return step(run) end, nil, nil, setmetatable({run = run}, closer)
end

--- Closes the stream: its tasks are cancelled and joined, and what it was made
-- of is closed, unless that is a channel. Suspends while that takes time; a
-- second call does nothing. A stream that an operator has taken over is that
-- operator's to close.
-- @function stream:close
-- @raise while a value is being read
function M.methods.close(st)
  meta.__close(st)
end

function meta.__close(st, err)
  local part = part_of(st, "close")
  if part.state == "used" or part.state == "closed" then return end
  leave(part.flow or flow.open(part), err)
  part.state = "closed"
end

function meta.__tostring(st)
  local part = part_of(st, "tostring")
  local closed = part.flow and part.flow.state == "closed"
  return ("rille.stream: %s (%s)"):format(part.label, closed and "closed" or part.state)
end

return M
