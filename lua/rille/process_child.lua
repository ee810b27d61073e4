--[[
process_child.lua - starting, ending and reaping child processes.

    start --> running --exit callback--> ended: reaped, handle closed
                 |                         ^
              end_child: TERM, grace, KILL-/

A child belongs to the innermost scope of the task that started it: when that
scope ends, so does the child. Each scope has one set of children for that,
from which those that end go out.

The grace is measured by a timer of libuv's: a process takes real time even
where the engine's clock is virtual.
]]
local rille, core = ...

core.load "rille.signal"

local streams = core.load "rille.byte_stream"
local uv = rille.uv()

local running = {}                                -- children, by their handle
local sets = setmetatable({}, {__mode = "k"})     -- scope -> its set

-- Starting

-- The environment as luv has it: "NAME=value". With `clear` only what is told.
local function environment(env, clear)
  if not env and not clear then return nil end
  local all = clear and {} or uv.os_environ()
  for name, value in pairs(env or {}) do all[name] = value or nil end
  local list = {}
  for name, value in pairs(all) do list[#list + 1] = name .. "=" .. value end
  table.sort(list)
  return list
end

-- What a child's descriptor is made of, and the stream at our end. Descriptors
-- that are ours no longer once the child runs are added to `given`.
local function endpoint(kind, fd, name, given)
  if kind == "inherit" then return fd end
  if kind == "pipe" then
    local handle = uv.new_pipe(false)
    return handle, handle, name
  end
  local null, err = uv.fs_open("/dev/null", "r+", 0)
  if not null then return nil, err end
  given[#given + 1] = null
  return null
end

-- One pipe for both outputs: libuv would make two.
local function merged(given)
  local fds, err = uv.pipe({nonblock = true}, {nonblock = false})
  if not fds then return nil, err end
  given[#given + 1] = fds.write
  local handle = uv.new_pipe(false)
  handle:open(fds.read)
  return fds.write, handle
end

-- The three descriptors: a list for luv, and the handles at our ends; or nil,
-- error and handles.
local function make_stdio(o, given)
  local stdio, handles = {}, {}
  local kinds = {o.stdin, o.stdout, o.stderr}
  for i, kind in ipairs(kinds) do
    local merges = i > 1 and kinds[3] == "merge" and kinds[2] == "pipe"
    local handle
    if i == 3 and kind == "merge" then
      stdio[i] = stdio[2]
    elseif merges then
      stdio[i], handle = merged(given)
    else
      stdio[i], handle = endpoint(kind, i - 1, o.name, given)
    end
    if not stdio[i] then return nil, handle, handles end
    handles[i] = handle or nil
  end
  return stdio, nil, handles
end

local function close_all(given, handles)
  for _, fd in ipairs(given) do uv.fs_close(fd) end
  for _, handle in pairs(handles or {}) do handle:close() end
end

-- The child is over: it has been reaped.
local function ended(child, status, signal)
  running[child.handle] = nil
  child.handle:close()
  if child.set then child.set.children[child] = nil end
  if signal ~= 0 then
    child.signal = core.signal_name(signal)
  else
    child.status = status
  end
  child.exited:close()
  if child.told then child.told:close() end
end

--- A channel for the user that is closed when the child is over.
function core.told_of_end(child)
  if not child.told then
    child.told = rille.channel()
    if child.exited:is_closed() then child.told:close() end
  end
  return child.told
end

local function spawn(child, args, o, stdio)
  local handle, pid = uv.spawn(args[1], {
    args = table.move(args, 2, #args, 1, {}), stdio = stdio,
    env = environment(o.env, o.clear_env), cwd = o.cwd, detached = o.group,
  }, function(status, signal) ended(child, status, signal) end)
  if not handle then return nil, pid end
  child.handle, child.pid = handle, pid
  running[handle] = child
  return true
end

local function spawn_error(err, args, o)
  if o.cwd and not uv.fs_stat(o.cwd) then return core.io_error(err, o.cwd) end
  return core.io_error(err, args[1])
end

-- Ending

-- `to`: a process, or, negative, the group that it leads.
local function send(child, number)
  if child.group then return uv.kill(-child.pid, number) end
  return child.handle:kill(number)
end

--- Sends a signal; false if the child is over.
function core.signal_child(child, number)
  return running[child.handle] ~= nil and send(child, number) ~= nil
end

-- Waits for the end of the child; false after so many seconds.
local function wait_for(child, seconds)
  if seconds == math.huge then return child.exited:recv() == nil end
  local timer, late = uv.new_timer(), rille.channel()
  timer:start(math.min(math.ceil(seconds * 1000), 1 << 40), 0, function() late:close() end)
  local which = rille.select({{child.exited}, {late}}, {ordered = true})
  timer:close()
  return which == 1
end

local function close_streams(child)
  for _, stream in pairs(child.streams) do stream:close() end
end

local function terminate(child)
  if core.signal_child(child, uv.constants.SIGTERM) and not wait_for(child, child.grace) then
    core.signal_child(child, uv.constants.SIGKILL)
  end
  child.exited:recv()
  if child.group then uv.kill(-child.pid, uv.constants.SIGKILL) end
end

--- Ends a child: asks it to, waits, kills it, and reaps it. Also in a task that
-- is cancelled; suspends. Its streams are closed.
function core.end_child(child)
  if running[child.handle] then rille.shield(terminate, child) end
  close_streams(child)
end

local set_methods = {}

-- When the scope ends: all at once.
function set_methods.close(set)
  sets[set.scope] = nil
  rille.shield(function()
    rille.scope(function(s)
      for child in pairs(set.children) do s:go(core.end_child, child) end
    end)
  end)
end

-- The set of the scope in which the running task is.
local function set_of_scope()
  if not rille.current() then core.misuse "cannot start a process here: not inside a task" end
  local scope = core.innermost_scope "process"
  local set = sets[scope]
  if set then return set end
  set = setmetatable({scope = scope, children = {}}, {__index = set_methods})
  sets[scope] = core.own(scope, set)
  return set
end

local STREAMS = {"stdin", "stdout", "stderr"}

--- Starts a child: `args` and `o` have been checked. Never suspends.
-- Returns it, or nil and an error.
function core.start_child(args, o)
  local set = set_of_scope()
  local given = {}
  local stdio, err, handles = make_stdio(o, given)
  local child = {
    name = args[1], exited = rille.channel(), grace = o.grace, group = o.group, streams = {},
  }
  local ok = stdio ~= nil
  if ok then ok, err = spawn(child, args, o, stdio) end
  close_all(given, not ok and handles or nil)
  if not ok then return nil, spawn_error(err, args, o) end
  child.set, set.children[child] = set, true
  for i, handle in pairs(handles) do
    local name = ("%s of %s"):format(STREAMS[i], args[1])
    child.streams[STREAMS[i]] = streams.new(handle, name, rille.root(), true)
  end
  return child
end
