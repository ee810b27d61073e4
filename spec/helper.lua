-- What every spec needs: a run on the virtual clock that fails on whatever is
-- left behind, a collector for the order of events, and short forms for
-- "this raises".
local rille = require "rille"

local helper = {}

-- The dump of an engine in which nothing lives.
local empty = rille.dump()

local function describe_value(value)
  local ok, text = pcall(tostring, value)
  return ok and text or type(value)
end

local function finish(ok, ...)
  local left = rille.dump()
  if left ~= empty then
    local cause = ok and "" or "\nafter the error: " .. describe_value((...))
    error("left behind:\n" .. left .. cause, 0)
  end
  if not ok then
    error((...), 0)
  end
  return ...
end

--- Runs `fn` as rille.run does, on the virtual clock and with seed 1 unless
-- `opts` says otherwise, then fails if a task or scope is left.
function helper.run(opts, fn, ...)
  if type(opts) == "function" then
    return helper.run({}, opts, fn, ...)
  end
  local options = { clock = "virtual", seed = 1 }
  for key, value in pairs(opts) do
    options[key] = value
  end
  return finish(pcall(rille.run, options, fn, ...))
end

local collected = setmetatable({}, { __mode = "k" })

--- A collector: the function notes one event, its arguments joined by ":".
function helper.log()
  local events = {}
  local function log(...)
    local parts = table.pack(...)
    for i = 1, parts.n do
      local part = parts[i]
      parts[i] = math.type(part) == "float" and ("%g"):format(part) or tostring(part)
    end
    events[#events + 1] = table.concat(parts, ":")
  end
  collected[log] = events
  return log
end

--- The events that `log` has collected, in order, separated by spaces.
function helper.text(log)
  return table.concat(collected[log], " ")
end

--- How many events `log` has collected.
function helper.count(log)
  return #collected[log]
end

--- A value for `<close>` that calls `fn(err)`.
function helper.closing(fn)
  return setmetatable({}, { __close = function(_, err) fn(err) end })
end

--- Starts fn(...) as a task of the root scope whose failure is a value, and
-- lets it come to its first wait. Returns the task.
function helper.start(fn, ...)
  local args = table.pack(...)
  local task = rille.root():task(function() return fn(table.unpack(args, 1, args.n)) end)
  rille.yield()
  return task
end

--- A generator of whole numbers, called as math.random is. It is our own, so
-- that a seed means the same everywhere.
function helper.random(seed)
  local state = seed
  return function(low, high)
    if not high then low, high = 1, low end
    state = (state * 6364136223846793005 + 1442695040888963407)
    return low + (state >> 33) % (high - low + 1)
  end
end

--- Calls `fn`, which must raise; the error's text must match `pattern`.
-- Returns the error.
function helper.raises(fn, pattern)
  local ok, err = pcall(fn)
  if ok then
    error("expected an error" .. (pattern and " matching " .. pattern or ""), 2)
  end
  if pattern and not describe_value(err):find(pattern) then
    error("expected an error matching " .. pattern .. ", got " .. describe_value(err), 2)
  end
  return err
end

--- Calls `fn`, which must raise an engine error of `kind`. Returns it.
function helper.raises_kind(kind, fn)
  local err = helper.raises(fn)
  if not rille.is_error(err, kind) then
    error("expected an error of kind " .. kind .. ", got " .. describe_value(err), 2)
  end
  return err
end

--- Checks that the two values are `nil, err` with an engine error of `kind`.
-- Returns the error.
function helper.refused(kind, value, err)
  if value ~= nil or not rille.is_error(err, kind) then
    error(("expected nil, %s, got %s, %s"):format(kind, describe_value(value),
      describe_value(err)), 2)
  end
  return err
end

--- The values of a list alone, without its `n`.
function helper.list(list)
  return table.move(list, 1, #list, 1, {})
end

--- The engine's own functions, as its Lua parts get them.
function helper.core()
  for i = 1, math.huge do
    local name, value = debug.getupvalue(rille.timeout, i)
    if name == "core" then return value end
  end
end

--- Gives every ready task several turns.
function helper.settle()
  for _ = 1, 5 do
    rille.yield()
  end
end

--- The size of Lua's heap in KB, after a collection.
function helper.heap()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

--- Runs `code` in stock Lua, in a process of its own, after the shell has done
-- `before`, with `options` of lua5.4; returns its output (both streams) and its
-- status.
function helper.stock_lua(code, before, options)
  local path = os.tmpname()
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(code)
  end
  local pipe = assert(io.popen(("%s exec lua5.4 %s %s 2>&1 </dev/null"):format(before or "",
    options or "", path)))
  local output = pipe:read "a"
  local _, how, status = pipe:close()
  os.remove(path)
  return output, how == "exit" and status or how .. " " .. status
end

--- Runs `code` as the main task of a process of its own, with warnings on;
-- returns its output, then its warnings.
function helper.warnings(code)
  return (helper.stock_lua("io.stdout:setvbuf 'no' local rille = require 'rille'\n"
    .. "rille.run({clock = 'virtual', seed = 1}, function()\n" .. code .. "\nend)", nil, "-W"))
end

--- Code that imports the module where no luv is to be found.
helper.without_luv = [[
  local paths = {}
  for path in package.cpath:gmatch("[^;]+") do
    local luv = io.open((path:gsub("?", "luv")))
    if luv then luv:close() else paths[#paths + 1] = path end
  end
  package.cpath = table.concat(paths, ";")
  local rille = require "rille"
]]

-- The instructions that stock Lua takes for n of the work `name`.
local function instructions(name, n)
  local pipe = assert(io.popen(("valgrind --tool=callgrind --callgrind-out-file=/dev/null "
    .. "lua5.4 spec/growth.lua '%s' %d 2>&1 </dev/null"):format(name, n)))
  local output = pipe:read "a"
  local ok = pipe:close()
  return tonumber(ok and output:match "Collected : (%d+)") or error(output, 0)
end

--- Why instructions can't be counted here, or nil.
helper.uncounted = (os.getenv "LD_PRELOAD" or "") ~= "" and "a sanitizer's runtime is loaded"
  or not os.execute "command -v valgrind >/dev/null" and "valgrind is not installed" or nil

--- Fails unless what takes the work `name` of spec/growth.lua grows as n does:
-- 2 n more must take about twice what n more take. Returns how many times.
function helper.check_linear(name, n)
  local one, two, four = instructions(name, n), instructions(name, 2 * n), instructions(name, 4 * n)
  local ratio = (four - two) / (two - one)
  if ratio > 2.25 then
    error(("%s: %d, %d and %d take %d, %d and %d instructions"):format(name, n, 2 * n, 4 * n, one,
      two, four), 2)
  end
  return ratio
end

--- Finds where `text` stands in the file `name`: "name:line".
function helper.where(level)
  local info = debug.getinfo((level or 1) + 1, "Sl")
  return info.short_src:match("[^/]+$") .. ":" .. info.currentline
end

--- How much the heap grows, in KB, in 10000 calls of `fn` after the first 100.
function helper.garbage(fn)
  for _ = 1, 100 do fn() end
  collectgarbage()
  collectgarbage "stop"
  fn() -- a collection frees what the next call needs again: stack frames
  local before = collectgarbage "count"
  for _ = 1, 10000 do fn() end
  local grown = collectgarbage "count" - before
  collectgarbage "restart"
  return grown
end

return helper
