-- What the specs of files, processes and signals share: runs on the real clock
-- that fail on whatever is left behind: tasks, handles, descriptors, children.
local rille = require "rille"
local helper = require "spec.helper"

local uv = rille.uv()

local sys = {}

local binary = os.getenv "RILLE_BINARY" or "build/rille"

--- The open descriptors but the first three, one a line: the number and what it is.
local function descriptors()
  local list = {}
  for name in uv.fs_scandir_next, uv.fs_scandir "/proc/self/fd" do
    local target = uv.fs_readlink("/proc/self/fd/" .. name)
    -- Not the one that this scan itself has open.
    if target and tonumber(name) > 2 and not target:find "^/proc/%d+/fd" then
      list[#list + 1] = name .. " " .. target
    end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

-- Our children: their numbers, and which are zombies.
local function children()
  local list, me = {}, tostring(math.tointeger(uv.os_getpid()))
  for name in uv.fs_scandir_next, uv.fs_scandir "/proc" do
    local file = name:find "^%d+$" and io.open("/proc/" .. name .. "/stat")
    local text = file and file:read "a"
    if file then file:close() end
    local state, parent = (text or ""):match "%) (%a) (%d+)"
    if parent == me then list[#list + 1] = name .. (state == "Z" and " zombie" or "") end
  end
  return table.concat(list, "\n")
end

sys.descriptors = descriptors

local function handles()
  return #rille.testing.leaks()
end

-- What libuv opens once and keeps: its threads' and inotify's descriptors.
rille.run(function()
  rille.fs.stat "."
  rille.fs.watch("."):close()
  rille.signal("usr2"):close()
  rille.process.run {"true"}
end)

--- What this process has of the system: descriptors, children, handles.
function sys.resources()
  return {descriptors(), children(), handles()}
end

--- Calls look() until it returns nil: nothing is wrong any more. A thread that is
-- done takes its time to close what it has open, more on a busy machine; what is
-- wrong for ten seconds is returned.
function sys.in_the_end(look)
  local wrong = look()
  for _ = 1, 10000 do
    if not wrong then break end
    if rille.current() then rille.sleep(0.001) else rille.run(rille.sleep, 0.001) end
    wrong = look()
  end
  return wrong
end

local function difference(what, before, now)
  return before ~= now and ("%s left behind: before\n%s\nafter\n%s"):format(what, before, now)
    or nil
end

--- Lets libuv close what is closing, then compares. Returns what is wrong, or
-- nil. Only outside a run.
function sys.compare(before)
  rille.run(function() rille.yield() end) -- libuv closes handles in its next turn
  return difference("handles", before[3], handles())
    or sys.in_the_end(function()
      return difference("descriptors", before[1], descriptors())
        or difference("children", before[2], children())
    end)
end

--- Calls fn(seconds) with a time that is short, and, where the machine was too slow
-- for that and it has failed, with longer ones. What holds, holds for one of them;
-- what is broken fails with the longest. `first` is the shortest (0.005).
function sys.patiently(fn, first)
  first = first or 0.005
  for _, times in ipairs {1, 10, 100} do
    if pcall(fn, first * times) then return end
  end
  fn(first * 1000)
end

local function finish(before, ok, ...)
  if not ok then error((...), 0) end
  local wrong = sys.compare(before)
  if wrong then error(wrong, 0) end
  return ...
end

--- Runs fn(dir), as a task, in a fresh directory; on the real clock unless `opts`
-- says otherwise.
function sys.run(opts, fn)
  if not fn then opts, fn = {clock = "real"}, opts end
  local before = sys.resources()
  return finish(before, pcall(helper.run, opts, function()
    local dir <close> = assert(rille.fs.temp_dir())
    return fn(dir:path())
  end))
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs `script` by the binary, after the shell commands `before`, with `input`.
-- Returns what it has written (both streams) and its status, 128 and the signal
-- if one has ended it.
function sys.script(script, before, input)
  local path, data = os.tmpname(), os.tmpname()
  for name, text in pairs {[path] = script, [data] = input or ""} do
    local file <close> = assert(io.open(name, "w"))
    file:write(text)
  end
  local command = ("%s exec %s %s <%s 2>&1"):format(before and before .. ";" or "",
    quote(binary), path, data)
  local pipe <close> = assert(io.popen("sh -c " .. quote(command)))
  local output = pipe:read "a"
  local _, how, status = pipe:close()
  os.remove(path)
  os.remove(data)
  return output, how == "exit" and status or 128 + status
end

--- Runs a shell command with $RILLE, the binary, and $DIR, a directory that is
-- removed afterwards. Returns its output.
function sys.shell(command)
  local dir = assert(uv.fs_mkdtemp(uv.os_tmpdir() .. "/rille-XXXXXX"))
  local pipe <close> = assert(io.popen(("DIR=%s RILLE=%s sh -c %s; rm -r %s"):format(quote(dir),
    quote(binary), quote(command), quote(dir))))
  return pipe:read "a"
end

--- Waits until `path` is there.
function sys.await_file(path)
  while not rille.fs.exists(path) do rille.sleep(0.002) end
end

--- Whether there is such a process, not counting a zombie.
function sys.lives(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read "a" or ""
  if file then file:close() end
  local state = text:match "%) (%a)"
  return state ~= nil and state ~= "Z"
end

return sys
