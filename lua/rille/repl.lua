--[[
repl.lua - the read-eval-print loop of the binary.

    main task:   prompt --> line --> s:task(line) --> await, print --> prompt
    session s:                       the line, and what it has started

Every line is a task of one scope, the session, so a line may wait and the
tasks it starts go on after it, also while the prompt waits: the input is
watched by the engine's own loop. Ctrl-C cancels the line that is running, or
clears the line that is being typed. Ctrl-D cancels the session.

Reading itself is core/input.c, which only the binary has.
--]]

local rille, core = ...

local M = {}

local plain_print = print

--- What an error value says, whatever it is.
local function describe(err)
  local ok, text = pcall(tostring, err)
  return ok and text or ("(error object is a %s value)"):format(type(err))
end

--- Message handler of a line: the traceback ends where the line begins. It is
-- that of where the error was raised first.
-- A cancellation passes as it is and costs no traceback.
local function explain(err)
  if rille.is_error(err, "cancelled") then
    return err
  end
  core.note_traceback(err)
  local trace, text = core.noted()
  text = trace and describe(err) .. "\n" .. trace or text or describe(err)
  return (text:gsub("\n\t%[C%]: in %?$", ""))
end

local function report(session, text)
  session.input:hide()
  io.stderr:write(text, "\n")
  session.input:show()
end

--- Writes the failures of background tasks that were not yet written.
local function report_failures(session)
  local errors = session.scope:errors()
  while session.reported < #errors do
    session.reported = session.reported + 1
    report(session, "task failed: " .. describe(errors[session.reported]))
  end
end

--- Once per turn of the loop. Returns whether there are tasks to watch.
local function watch_tasks(session)
  report_failures(session)
  return session.scope:active() > 0
end

--- Waits for a line. Returns it; nil at the end of the input; false after
-- Ctrl-C.
local function read_line(session, prompt)
  if core.end_stdin_read then core.end_stdin_read() end
  return rille.await(function(resolve)
    session.resolve = resolve
    core.prompting = true
    session.input:read(prompt, function(line)
      session.resolve = nil
      core.prompting = false
      resolve(line)
    end)
    return function()
      session.resolve = nil
      core.prompting = false
      session.input:stop()
    end
  end)
end

--- Ctrl-C, called by the loop.
local function interrupt(session)
  if session.running then
    session.running:cancel("interrupted")
  elseif session.resolve then
    local resolve = session.resolve
    session.resolve = nil
    core.prompting = false
    session.input:stop()
    io.stdout:write("\n")
    resolve(false)
  end
end

local function prompt_text(name, default)
  local value = _G[name]
  return value == nil and default or describe(value)
end

local function is_incomplete(message)
  return message:sub(-5) == "<eof>"
end

--- Compiles a line, as an expression if it is one; reads on while it is not
-- complete. Returns the function, or nil and the message; false after Ctrl-C.
local function compile(session, line)
  local chunk = load("return " .. line:gsub("^=", ""), "=stdin")
  while not chunk do
    local message
    chunk, message = load(line, "=stdin")
    if chunk or not is_incomplete(message) then
      return chunk, message
    end
    local more = read_line(session, prompt_text("_PROMPT2", ">> "))
    if not more then
      return more, message
    end
    session.input:remember(more)
    line = line .. "\n" .. more
  end
  return chunk
end

local function show(session, results)
  if results.n == 1 then
    return
  end
  local ok, err = pcall(print, table.unpack(results, 2, results.n))
  if not ok then
    report(session, ("error calling 'print' (%s)"):format(describe(err)))
  end
end

--- Runs a compiled line as a task of the session and prints what it returns.
-- The results travel in a table: a line that returns nil and a message has
-- not failed.
local function run_line(session, chunk)
  session.lines = session.lines + 1
  session.running = session.scope:task(function()
    return table.pack(xpcall(chunk, explain))
  end, { name = "line " .. session.lines })
  local results, err = session.running:await()
  session.running = nil
  if not results then
    report(session, describe(err))
  elseif not results[1] then
    report(session, describe(results[2]))
  else
    show(session, results)
  end
end

--- Reads, runs and prints one line. Returns false at the end of the input.
local function step(session)
  local line = read_line(session, prompt_text("_PROMPT", "> "))
  if not line then
    return line ~= nil
  end
  if line:find("%S") then
    session.input:remember(line)
  end
  local chunk, message = compile(session, line)
  if chunk then
    run_line(session, chunk)
  elseif chunk == nil then
    report(session, message)
  end
  return true
end

--- The body of the session scope.
local function converse(session, scope)
  session.scope = scope
  _G.scope = scope
  while step(session) do
    report_failures(session)
  end
  scope:cancel("end of the session")
end

--- Where the lines typed are kept: RILLE_HISTORY, or a file at home; nil if
-- that is set to nothing.
local function history_path()
  local path = os.getenv "RILLE_HISTORY"
  if path == nil and os.getenv "HOME" then
    path = os.getenv "HOME" .. "/.rille_history"
  end
  return path ~= "" and path or nil
end

--- A print that makes room for its output while a prompt is shown.
local function session_print(session)
  return function(...)
    session.input:hide()
    plain_print(...)
    session.input:show()
  end
end

--- The functions that come from the binary alone.
local function open_session()
  local input = require "rille.input"
  local session = { lines = 0, reported = 0 }
  session.input = input.open(function()
    return session.scope and watch_tasks(session)
  end)
  input.on_interrupt(function()
    interrupt(session)
  end)
  return session
end

local function close_session(session, history)
  require("rille.input").on_interrupt(nil)
  if history then
    session.input:save(history)
  end
  session.input:close()
  _G.print = plain_print
end

--- Reads and runs lines until the end of the input.
-- Called as a task, by the binary; suspends. Sets the globals `rille` and
-- `scope`, the session's scope.
-- Failures of the session's tasks were written when they happened, so they
-- are not raised again.
-- @usage require("rille.repl").run()
function M.run()
  local session, history = open_session(), history_path()
  if history then
    session.input:load(history)
  end
  _G.rille = rille
  _G.print = session_print(session)
  local ok, err = pcall(rille.scope, { name = "session", on_error = "continue" },
    function(scope)
      return converse(session, scope)
    end)
  report_failures(session)
  close_session(session, history)
  if not ok and rille.is_cancellation(err) then
    error(err, 0)
  end
end

return M
