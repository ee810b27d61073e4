-- tail -f: follows a file that grows, through cuts and replacements, and streams
-- its lines into a pipeline of tasks.
--
--   rille scripts/examples/tail.lua FILE    follows FILE until Ctrl-C
--   rille scripts/examples/tail.lua         a demonstration
--
--   file --follow--> lines --parse--> records --count--> what is printed
local rille = require "rille"
local fs = rille.fs

-- Opens `path` if what has that name is not what is open already.
local function reopen(path, file)
  local stat = fs.stat(path)
  if not stat then return file end
  local now = file and file:stat()
  if now and now.ino == stat.ino and now.dev == stat.dev then return file end
  if file then file:close() end
  return fs.open(path)
end

-- Sends the complete lines that are there; the beginning of one is returned.
local function send_lines(file, rest, lines)
  if file:seek() > file:stat().size then file:seek "set" end -- it was cut
  local text = rest .. file:read "a"
  local from = 1
  for line, after in text:gmatch "([^\n]*)\n()" do
    lines:send(line)
    from = after
  end
  return text:sub(from)
end

-- The directory is watched, not the file: so one that comes later, or takes
-- another's place, is seen. What is there is read before the first wait.
local function follow(path, lines)
  local directory = path:match "^(.*)/[^/]*$" or "."
  local changes <close> = assert(fs.watch(directory))
  local file, rest = nil, ""
  local _ <close> = setmetatable({}, {__close = function() if file then file:close() end end})
  repeat
    if file then rest = send_lines(file, rest, lines) end
    local next_file = reopen(path, file)
    if next_file ~= file then file, rest = next_file, send_lines(next_file, "", lines) end
  until not changes:recv()
end

local function parse(lines, records)
  for line in lines do
    local level, text = line:match "^(%u+) (.*)$"
    if level then records:send {level = level, text = text} end
  end
end

-- Starts the pipeline; the records come out of a channel of the scope.
local function pipeline(s, path)
  local lines, records = s:channel(), s:channel()
  s:go({name = "follow", daemon = true}, follow, path, lines)
  s:go({name = "parse", daemon = true}, parse, lines, records)
  return records
end

local function demonstration()
  local dir <close> = assert(fs.temp_dir())
  local path = dir:path() .. "/app.log"
  rille.scope(function(s)
    local records = pipeline(s, path)
    local function write(flags, text)
      local log <close> = assert(fs.open(path, flags))
      assert(log:write(text))
    end
    local function show()
      local record = records:recv()
      print(record.level, record.text)
    end
    write("w", "INFO started\nnothing to parse\nWARN disk")
    show()
    write("a", " is nearly full\n")
    show()
    write("w", "INFO cut\n") -- shorter than what was read
    show()
    assert(fs.rename(path, path .. ".1")) -- rotated
    write("w", "ERROR in a new file\nINFO the last line\n")
    show()
    show()
  end)
  print "stopped"
end

if arg[1] then
  rille.scope(function(s)
    for record in pipeline(s, arg[1]) do print(record.level, record.text) end
  end)
else
  demonstration()
end

-- expect: INFO	started
-- expect: WARN	disk is nearly full
-- expect: INFO	cut
-- expect: ERROR	in a new file
-- expect: INFO	the last line
-- expect: stopped
