--[[
signal.lua - signals as values that can be waited for.

A signal that comes twice before anybody has looked is one, as in the system.
Names are those of the system in small letters, with or without "sig".
]]
local rille, core = ...

core.load "rille.uv"

local uv = rille.uv()

-- Second names of the same numbers.
local ALIASES = {sigiot = true, sigpoll = true, sigcld = true, sigunused = true}

-- Which cannot be waited for: two by the system's will, the others because
-- they tell of a broken program, or libuv has them.
local REFUSED = {
  sigkill = true, sigstop = true, sigsegv = true, sigbus = true, sigfpe = true, sigill = true,
}

local numbers, names = {}, {}

for name, number in pairs(uv.constants) do
  name = name:lower()
  if name:match "^sig%l" then
    numbers[name] = number
    if not ALIASES[name] then names[number] = name end
  end
end

--- The name of a signal's number.
function core.signal_name(number)
  return names[number] or "signal " .. number
end

--- The number of a signal's name, and the name as it is written here; raises
-- an argument error where there is none.
function core.check_signal(name, caller, argument)
  core.check(name, "string", caller, argument)
  local full = name:lower()
  if not numbers[full] then full = "sig" .. full end
  if numbers[full] then return numbers[full], full end
  local known = {}
  for known_name in pairs(numbers) do known[#known + 1] = known_name end
  table.sort(known)
  local hint = core.nearest(name:lower(), known)
  core.arg_error(caller, argument, ("no signal '%s'%s"):format(name,
    hint and ("; did you mean '%s'?"):format(hint) or ""))
end

local watched = {} -- number -> how many watch it

-- With the last of them libuv gives a signal its default action; the binary
-- has its own for some.
local function give_back(handle, number)
  if not handle:is_closing() then handle:close() end
  watched[number] = watched[number] - 1
  local restore = package.loaded["rille.interrupt.restore"]
  if watched[number] == 0 and restore then restore(number) end
end

--- Watches a signal, instead of what it would do. Never suspends.
-- @function signal
-- @tparam string name "sighup", "SIGUSR1", "usr2"
-- @return an inlet that gives the name each time: `recv`, `for`, a source of a
-- select; `close` and `<close>` give the signal back
-- @raise an argument error for a name that is none, or that nobody can watch
-- @usage local reload <close> = rille.signal "sighup"
-- for _ in reload do read_configuration() end
function rille.signal(name)
  local number, full = core.check_signal(name, "signal", 1)
  if REFUSED[full] then
    core.arg_error("signal", 1, ("'%s' cannot be watched"):format(full))
  end
  local handle, weak = uv.new_signal(), setmetatable({}, {__mode = "v"})
  local ok, err = handle:start(number, function()
    if weak[1] then core.inlet_put(weak[1], full) end
  end)
  if not ok then
    handle:close()
    error(core.io_error(err, full), 0)
  end
  handle:unref()
  local inlet = core.inlet("signal: " .. full, 1, "drop_newest", function()
    give_back(handle, number)
  end)
  watched[number] = (watched[number] or 0) + 1
  weak[1] = inlet
  return inlet
end

return rille.signal
