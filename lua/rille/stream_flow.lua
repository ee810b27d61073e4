--[[
stream_flow.lua - a stream while it runs.

A stream is only a plan. It runs as a flow: its parts are wired, one operator
after the other, into a chain of pulls, and what has to be undone is noted.

    part = {open = function(flow) -> pull, direct =, again =}
    pull() -> the next value; nil at the end; raises when the stream fails

Wiring neither waits nor pulls nor starts a task. A pull that has given nil or
raised is not called again. Closing a flow undoes what was noted on it, last
noted first, so what is downstream before what is upstream; always in a
<close> handler, where what waits is out of reach of cancellation.

    idle --> busy --> idle ...     between two values, and during a pull
               |  raised, or at the end
               '--> closed  <-- left early, or with its scope

Whoever pulls may be one task only. An operator that must wait for its input
and for the time at once, or for several inputs, uses feeds: what feeds is
pulled by a task of its own, when it is asked to, unless it is a channel or the
like, which select can wait for itself.
]]
local rille, core = ...

local M = {}

local Flow = {}
Flow.__index = Flow

-- Ready at once: its wait only checks for cancellation and, after many calls
-- that did not wait, gives up a turn.
local point = rille.selector({}, {default = true})

--- What need not wait calls pass(point) first.
M.point, M.pass = point, point.wait

--- Raises `err` if a function that returned these two values has failed.
function M.check_result(value, err)
  if core.failed(true, value, err) then error(err, 0) end
end

--- What a receive gave: a value, nil at the end, or it raises.
function M.received(value, err)
  if value == nil and err ~= nil then M.check_result(nil, err) end
  return value
end

-- Undoing ------------------------------------------------------------------

-- Every undoing runs; the first failure is returned in a list.
local function undo(flow)
  local failure
  while flow[1] do
    local fn = table.remove(flow)
    local ok, err = xpcall(fn, core.note_traceback)
    if not ok and not failure then failure = {err} end
  end
  return failure
end

-- Between two values this does nothing, so that it can guard every pull. An
-- error that is on its way goes before one of the undoing.
function Flow.__close(flow)
  if flow.state == "idle" then return end
  local raising = flow.state == "busy"
  flow.state = "closed"
  local failure = undo(flow)
  if failure and not raising then error(failure[1], 0) end
end

--- Notes what is to be undone.
function Flow:defer(fn)
  self[#self + 1] = fn
end

--- Closes the flow. `raising`: an error is on its way, so none is raised here.
function Flow:close(raising)
  if self[1] == nil then
    self.state = "closed"
    return
  end
  self.state = raising and "busy" or "ended"
  local _ <close> = self
end

--- A flow inside this one, for a part that is opened while the stream runs.
-- After it was closed another part may be opened in it.
function Flow:branch()
  local branch = setmetatable({top = self.top}, Flow)
  self:defer(function() branch:close() end)
  return branch
end

-- Where it runs ------------------------------------------------------------

local function parent_of(s) return s:parent() end

--- The innermost scope of the running task.
function M.innermost()
  return rille.scope(parent_of) or core.innermost_scope "stream"
end

local function is_inside(inner, outer)
  while inner and inner ~= outer do inner = inner:parent() end
  return inner ~= nil
end

-- scope -> {last = n, [1..n] = function}: what is closed with the scope
local kept = setmetatable({}, {__mode = "k"})

local function close_kept(scope)
  local list, closing = kept[scope], {}
  kept[scope] = nil -- what is kept from now on is closed after these
  for i = 1, list.last do closing[#closing + 1] = list[i] end
  local failure = undo(closing)
  if failure then error(failure[1], 0) end
end

--- Has `close()` called at the end of `scope`, last kept first. Returns a
-- function that forgets it.
function M.keep(scope, close)
  local list = kept[scope]
  if not list then
    scope:defer(close_kept, scope)
    list = {last = 0}
    kept[scope] = list
  end
  local place = list.last + 1
  list.last, list[place] = place, close
  return function()
    if list[place] ~= close then return end -- forgotten; the place may be another's
    list[place] = nil
    while list.last > 0 and not list[list.last] do list.last = list.last - 1 end
  end
end

--- Closes the flow at the end of its scope, unless it has been closed by then.
-- A reader elsewhere who is at it closes it when he has his value.
function Flow:cut()
  if self.state == "closed" and not self[1] then return end -- a branch may be open again
  self.was_cut = true
  if self.state ~= "busy" then self:close() end
end

--- Raises if it was cut.
function Flow:check_cut()
  if not self.was_cut then return end
  error(core.error("closed", "the stream was closed at the end of its scope"), 0)
end

--- Has that done.
function Flow:keep()
  self:defer(M.keep(self.scope, function() self:cut() end))
end

--- Finds the flow's scope when the first value is asked for. Who reads the
-- stream of a scope that he is not in is stopped with that scope all the same.
function Flow:start()
  local innermost, scope = M.innermost(), self.scope
  self.scope = scope or innermost
  if scope and not is_inside(innermost, scope) then
    local pull = self.pull
    self.pull = function()
      self:check_cut()
      return (rille.scope({parent = scope}, pull))
    end
  end
end

--- Wires `part` into a new flow, for the consumer.
function M.open(part)
  local flow = setmetatable({scope = part.scope, state = "new"}, Flow)
  flow.top = flow
  flow.pull = part.open(flow)
  return flow
end

-- Tasks --------------------------------------------------------------------

local function join(task)
  local _ <close> = task
end

local function stop(tasks)
  for _, task in ipairs(tasks) do task:cancel() end
  for _, task in ipairs(tasks) do join(task) end
end

--- Starts daemons of the stream's scope that end with the flow: a function
-- start(fn, ...). The second result is the crew: {top = flow, stopped =}.
function Flow:crew(name)
  local tasks, opts = {}, {name = "stream " .. name, daemon = true}
  local crew = {top = self.top, stopped = false}
  self:defer(function()
    crew.stopped = true
    stop(tasks)
  end)
  return function(fn, ...)
    tasks[#tasks + 1] = self.top.scope:go(opts, fn, ...)
  end, crew
end

--- Calls fn(...) for the consumer. Returns true and its result, or false and the
-- error, which is then the consumer's to raise.
function M.attempt(fn, ...)
  local ok, result = xpcall(fn, core.note_traceback, ...)
  if not ok and rille.is_cancellation(result) then error(result, 0) end
  return ok, result
end

--- The same in a task of a crew. A cancellation of that task alone came from
-- what it has called, which so has failed; but the task can wait no more.
function M.attempt_in(crew, fn, ...)
  local ok, result = xpcall(fn, core.note_traceback, ...)
  local expected = crew.stopped or crew.top.scope:cancelled()
  if not ok and expected and rille.is_cancellation(result) then error(result, 0) end
  return ok, result
end

-- Feeds --------------------------------------------------------------------

local Feed = {}
Feed.__index = Feed

local function answer(feed)
  for _ in feed.asks do
    local value = feed.pull()
    if value == nil then return end
    feed.answers:send(value)
  end
end

local function serve(feed)
  local ok, err = M.attempt_in(feed.crew, answer, feed)
  feed.failure = not ok and {err} or nil
  feed.answers:close()
end

--- Makes `part` something that select can wait for: `feed.source`. Nothing is
-- pulled before it is asked for.
function Flow:feed(part, name)
  local feed = setmetatable({pull = part.open(self), source = part.direct}, Feed)
  if not feed.source then
    feed.asks, feed.answers = rille.channel(1), rille.channel(1)
    feed.source = feed.answers
    feed.start, feed.crew = self:crew(name)
  end
  return feed
end

--- Asks for a value, if none was asked for that has not come.
function Feed:ask()
  if not self.asks or self.asked then return end
  if self.start then
    self.start(serve, self)
    self.start = nil
  end
  self.asked = self.asks:try_send(true)
end

--- What the source gave to select: the value, nil at the end, or it raises.
function Feed:take(value, err)
  if not self.asks then return M.received(value, err) end
  self.asked = false
  if value == nil and self.failure then error(self.failure[1], 0) end
  return value
end

--- Waits for the next value, at most for `seconds`. Returns true and the
-- value, nil at the end; false when the time is up.
function Feed:next(seconds)
  self.selector = self.selector or rille.selector{{self.source}}
  self:ask()
  local fired, value, err = self.selector:wait(seconds)
  if not fired then return false end
  return true, self:take(value, err)
end

return M
