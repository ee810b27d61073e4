--[[
process.lua - programs: run one to its end, or start one and talk to it.

A program is a list: its name, which is looked up in PATH, and its arguments,
each passed on as it is. There is no shell in between unless one is asked for.
]]
local rille, core = ...

core.load "rille.process_child"
local buffers = core.load "rille.byte_buffer"

local process, methods = {}, {}

local function describe(child)
  if child.signal then return "ended by " .. child.signal end
  return child.status and "ended with status " .. child.status or "running"
end

local new, state_of, meta = core.class("process", methods, function(child)
  return ("%s (pid %d, %s)"):format(child.name, child.pid, describe(child))
end)

-- Options of both; the default of `grace` is that of scopes.
local function options(name, more)
  local all = {
    cwd = "string", env = "table", clear_env = {"boolean", false}, shell = {"boolean", false},
    group = {"boolean", false}, grace = {"seconds", 5},
  }
  for key, kind in pairs(more) do all[key] = kind end
  return core.options(name, 2, all)
end

local read_spawn = options("spawn", {
  stdin = {"'pipe'|'inherit'|'null'", "pipe"}, stdout = {"'pipe'|'inherit'|'null'", "pipe"},
  stderr = {"'pipe'|'inherit'|'merge'|'null'", "inherit"},
})

local read_run = options("run", {
  stdin = "string|table", stdout = {"'capture'|'inherit'|'null'", "capture"},
  stderr = {"'capture'|'inherit'|'merge'|'null'", "capture"},
  max_output = {"count", 10 * 1024 * 1024}, check = {"boolean", false},
})

local function check_text(value, name, argument, what)
  if type(value) ~= "string" then
    core.arg_error(name, argument, ("%s must be a string, got %s"):format(what, type(value)))
  end
  if value:find("\0", 1, true) then
    core.arg_error(name, argument, ("%s has a zero byte in it"):format(what))
  end
end

-- The list of a program and its arguments: a copy.
local function check_args(args, o, name)
  if o.shell then
    check_text(args, name, 1, "a command for the shell")
    return {"/bin/sh", "-c", args}
  end
  if type(args) == "string" then
    core.arg_error(name, 1, "a list {program, argument, ...} expected, got a string; "
      .. "a command for the shell needs shell = true")
  end
  core.check(args, "table", name, 1)
  if #args == 0 then core.arg_error(name, 1, "the list has no program") end
  for i, arg in ipairs(args) do
    check_text(arg, name, 1, i == 1 and "the program" or "argument " .. i - 1)
  end
  return table.move(args, 1, #args, 1, {})
end

local function check_env(o, name)
  for key, value in pairs(o.env or {}) do
    check_text(key, name, 2, "a name in option 'env'")
    if key == "" or key:find "=" then core.arg_error(name, 2, "option 'env': a bad name") end
    if value ~= false then check_text(value, name, 2, ("'%s' in option 'env'"):format(key)) end
  end
  if o.cwd then check_text(o.cwd, name, 2, "option 'cwd'") end
end

local function result_of(child)
  return {status = child.status, signal = child.signal}
end

--- Starts a program. Never suspends. It belongs to the innermost scope: when
-- that ends the program is ended.
-- @function process.spawn
-- @tparam table args a list: the program, and its arguments
-- @tparam[opt] table opts `stdin`, `stdout` ("pipe", "inherit", "null"),
-- `stderr` ("inherit", "pipe", "merge": into stdout, "null"), `cwd`, `env`
-- (name = value; false takes one away), `clear_env` (false), `shell` (false:
-- `args` is one string), `group` (false: signals go to all that it has
-- started), `grace` (seconds between TERM and KILL; 5)
-- @return the process; nil and an error of kind `io` when it cannot be started
-- @usage local p <close> = assert(rille.process.spawn({"sort"}))
function process.spawn(args, opts)
  local o = read_spawn(opts)
  args = check_args(args, o, "spawn")
  check_env(o, "spawn")
  local child, err = core.start_child(args, o)
  if not child then return nil, err end
  return new(child)
end

--- @function process:pid
-- @treturn integer
function methods.pid(p) return state_of(p, "pid").pid end

--- @function process:stdin
-- @return the stream that the program reads; nil unless it is a pipe
function methods.stdin(p) return state_of(p, "stdin").streams.stdin end

--- @function process:stdout
-- @return the stream that the program writes; nil unless it is a pipe
function methods.stdout(p) return state_of(p, "stdout").streams.stdout end

--- @function process:stderr
-- @return the stream of its errors; nil unless it is a pipe
function methods.stderr(p) return state_of(p, "stderr").streams.stderr end

--- Waits for its end. Suspends. Any number of tasks may wait.
-- @function process:wait
-- @treturn table `status`, a number, or `signal`, the name of what has ended it
-- @raise cancelled: the program goes on
function methods.wait(p)
  local child = state_of(p, "wait")
  child.exited:recv()
  return result_of(child)
end

--- A channel that is closed when the program has ended: for select.
-- @function process:exited
-- @return the channel
function methods.exited(p) return core.told_of_end(state_of(p, "exited")) end

--- Sends a signal. Never suspends.
-- @function process:kill
-- @tparam[opt="sigterm"] string name as for `rille.signal`
-- @treturn boolean true; nil and an error of kind `closed` when it has ended
function methods.kill(p, name)
  local child = state_of(p, "kill")
  local number = core.check_signal(name or "sigterm", "kill", 1)
  if core.signal_child(child, number) then return true end
  return nil, core.error("closed", ("%s has ended"):format(child.name))
end

--- Ends it: TERM, then KILL after the grace; waits for its end; closes its
-- streams. Also in a task that is cancelled. Suspends while it runs;
-- idempotent. `<close>` does so too.
-- @function process:close
-- @treturn table as `wait`
function methods.close(p)
  local child = state_of(p, "close")
  core.end_child(child)
  return result_of(child)
end

function meta.__close(p) methods.close(p) end

-- Running to the end

local function too_large(child, max)
  return core.error("too_large", ("%s has written more than %d bytes"):format(child.name, max))
end

-- Reads one output to its end. What goes wrong closes the streams, so that the
-- other one ends, too.
local function collect(run, name)
  local stream, parts = run.child.streams[name], {}
  local data, err = stream:read()
  while data and run.left >= #data do
    run.left = run.left - #data
    parts[#parts + 1] = data
    data, err = stream:read()
  end
  if data then err = too_large(run.child, run.max) end
  run[name] = table.concat(parts)
  if not rille.is_error(err, "closed") and not run.err then
    run.err = err
    for _, other in pairs(run.child.streams) do other:close() end
  end
end

-- A program need not read its input: that is no failure of ours.
local function feed(stream, data)
  stream:write(data)
  stream:close()
end

local function exit_error(result, name)
  local how = result.signal and "ended by " .. result.signal
    or "ended with status " .. result.status
  local first = result.stderr and result.stderr:match "[^\n]+"
  return core.error("exit", ("%s %s%s"):format(name, how, first and ": " .. first or ""), result)
end

-- Both outputs are read and the input is written at the same time.
local function talk(s, run, data)
  local streams, readers = run.child.streams, {}
  if streams.stdout then readers[1] = s:task(function() collect(run, "stdout") end) end
  if streams.stderr then
    readers[#readers + 1] = s:task(function() collect(run, "stderr") end)
  end
  if data then s:go(feed, streams.stdin, data) end
  for _, reader in ipairs(readers) do reader:await() end
end

-- Closed for ever: receiving is a look at whether the task is cancelled.
local checkpoint = rille.channel()
checkpoint:close()

local function run_in(s, args, o, data)
  checkpoint:recv()
  local child, err = core.start_child(args, o)
  if not child then return nil, err end
  local _ <close> = setmetatable({}, {__close = function() core.end_child(child) end})
  local run = {child = child, max = o.max_output, left = o.max_output}
  talk(s, run, data)
  if run.err then return nil, run.err end
  child.exited:recv()
  local result = result_of(child)
  result.stdout, result.stderr = run.stdout, run.stderr
  if o.check and result.status ~= 0 then return nil, exit_error(result, o.name) end
  return result
end

local function as_pipe(kind)
  return kind == "capture" and "pipe" or kind
end

--- Runs a program to its end. Suspends until it has ended and its outputs are
-- closed. If the task is cancelled, so is the program: TERM, then KILL after
-- the grace; it is always waited for.
-- @function process.run
-- @tparam table args a list: the program, and its arguments
-- @tparam[opt] table opts `stdin` (a string, or a list of strings; else there
-- is nothing to read), `stdout` ("capture", "inherit", "null"), `stderr`
-- ("capture", "inherit", "merge": into stdout, "null"), `max_output` (bytes of
-- both, 10 MB), `check` (false: a status other than 0 is a failure), and
-- `cwd`, `env`, `clear_env`, `shell`, `group`, `grace` as of `spawn`
-- @treturn table `status`, a number, or `signal`, a name; `stdout` and
-- `stderr` where they were captured. Or nil and an error: `io` when it cannot
-- be started; `too_large`, and the program is ended; with `check`, `exit`,
-- which has the result's fields
-- @raise cancelled
-- @usage local log = assert(process.run({"git", "log", "-1"}, {check = true})).stdout
function process.run(args, opts)
  local o = read_run(opts)
  args = check_args(args, o, "run")
  check_env(o, "run")
  local data = o.stdin
  if data then buffers.check_data(data, "run", 2) end
  o.name = args[1]
  o.stdin = data and "pipe" or "null"
  o.stdout, o.stderr = as_pipe(o.stdout), as_pipe(o.stderr)
  return rille.scope({name = "run " .. o.name}, function(s) return run_in(s, args, o, data) end)
end

rille.process = process

return process
