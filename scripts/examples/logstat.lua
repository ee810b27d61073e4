#!/usr/bin/env rille
-- logstat: counts lines, bytes, words and levels of log files, many at a time.
--
--     rille logstat.lua [--top N] [--jobs N] [FILE or DIRECTORY...]
--
--   walk --paths--> readers --chunks--> parsers --> totals --> summary
--
-- The main task finds the files, some tasks read them in chunks, some parse
-- the chunks. Both channels are bounded, so however large the files are, only
-- a few chunks are in memory. Tasks are coroutines of one thread: the parsers
-- add to the totals without a lock, and libuv reads files meanwhile.
local rille = require "rille"
local uv = rille.uv()

local CHUNK = 64 * 1024 -- bytes per read
local LONGEST = 16 -- a word that goes on for more chunks than this is cut
local DEFAULT = "/var/log"

-- Words begin with a letter; bytes from 128 on are letters (UTF-8). The
-- frontier %f keeps "12ab" and "_ab" from being taken for the word "ab".
local WORD = "%f[%w_\128-\255][%a\128-\255][%w_\128-\255]*"
local WORD_BYTE = "^[%w_\128-\255]"

local LEVELS = { "FATAL", "CRITICAL", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG", "TRACE" }
local LEVEL_OF = { WARNING = "WARN", ERR = "ERROR", CRIT = "CRITICAL" }
for _, level in ipairs(LEVELS) do LEVEL_OF[level] = level end

local USAGE = [[
usage: rille logstat.lua [options] [FILE or DIRECTORY...]

Counts lines, bytes, words and levels of log files, each and in all. A
directory stands for the files below it. Without files: what can be read
under /var/log. Files with NUL bytes at their beginning are skipped.
A level counts wherever it stands as a word, in capitals or not; ERR, CRIT
and WARNING count as ERROR, CRITICAL and WARN.

  --top N    show the N most frequent words (default 10)
  --jobs N   use N tasks to read and N to parse (default 4)
  --help     show this text

Exit status: 0, or 1 if a file could not be read, or 2 for wrong usage.
]]

----------------------------------------------------------------------------
-- Files

-- Calls uv.fs_<name>(...) and waits for the result, or nil and a message. A
-- request that is running on libuv's thread pool cannot be stopped, so the
-- wait is shielded: who is cancelled meanwhile learns it at the next wait,
-- with the file descriptor already in hands that will close it.
local function fs(name, ...)
  local args, n = { ... }, select("#", ...)
  return rille.shield(rille.await, function(resolve)
    args[n + 1] = function(err, value)
      if err then resolve(nil, err:match("^[%w_]+: ([^:]+)") or err) else resolve(value or true) end
    end
    local request, why = uv["fs_" .. name](table.unpack(args, 1, n + 1))
    if not request then resolve(nil, why) end
  end)
end

local File = {}
File.__close = function(file) fs("close", file.fd) end

local function open(path)
  local fd, why = fs("open", path, "r", 0)
  if not fd then return nil, why end
  return setmetatable({ fd = fd }, File)
end

local function names_in(directory)
  local request, why = fs("scandir", directory)
  if not request then return nil, why end
  local names = {}
  for name in uv.fs_scandir_next, request do names[#names + 1] = name end
  table.sort(names)
  return names
end

----------------------------------------------------------------------------
-- Finding the files

local ON_TERMINAL = uv.guess_handle(2) == "tty"
local CLEAR_LINE = ON_TERMINAL and "\r\27[K" or ""

local function complain(path, why)
  io.stderr:write(CLEAR_LINE, "logstat: ", path, ": ", why, "\n")
end

-- One file's problem never stops the others. What was asked for by name is
-- complained about; what was only found under /var/log is just not counted.
local function fail(run, path, why)
  if run.by_default then
    run.unreadable = run.unreadable + 1
  else
    run.failed = true
    complain(path, why)
  end
end

-- Sends a record of each regular file at or below `path`; `stat` is "stat"
-- for what the user named and "lstat" below: links found there are left out.
local function walk(run, paths, path, stat)
  local info, why = fs(stat, path)
  if not info then return fail(run, path, why) end
  if info.type == "directory" then
    local names
    names, why = names_in(path)
    if not names then return fail(run, path, why) end
    for _, name in ipairs(names) do
      walk(run, paths, path:gsub("/*$", "/") .. name, "lstat")
    end
  elseif info.type == "file" then
    local totals = { path = path, lines = 0, bytes = 0, words = {} }
    run.size = run.size + info.size
    run.files[#run.files + 1] = totals
    paths:send(totals)
  elseif stat == "stat" then
    fail(run, path, "not a regular file")
  end
end

----------------------------------------------------------------------------
-- Reading and parsing

-- The position of the last byte of `text` that is no part of a word, or 0.
local function last_gap(text)
  local at = #text
  while at > 0 and text:find(WORD_BYTE, at) do at = at - 1 end
  return at
end

-- Sends the file's text in pieces that end between two words, so that each
-- can be parsed on its own: what follows the last gap goes with the next.
local function send_chunks(file, totals, chunks)
  local pieces, ends_line = {}, true
  repeat
    local data, why = fs("read", file.fd, CHUNK, totals.bytes)
    if not data then return nil, why end
    if totals.bytes == 0 and data:find("\0", 1, true) then
      totals.binary = true
      return true
    end
    totals.bytes = totals.bytes + #data
    if data ~= "" then ends_line = data:sub(-1) == "\n" end
    local gap = (data == "" or #pieces == LONGEST) and #data or last_gap(data)
    pieces[#pieces + 1] = gap > 0 and data:sub(1, gap) or data
    if gap > 0 or data == "" then
      chunks:send({ text = table.concat(pieces), totals = totals })
      pieces = { data:sub(gap + 1) }
    end
  until data == ""
  if not ends_line then totals.lines = totals.lines + 1 end
  return true
end

local function read_file(totals, chunks)
  local file <close>, why = open(totals.path)
  if not file then return nil, why end
  return send_chunks(file, totals, chunks)
end

local function reader(run, paths, chunks)
  for totals in paths do
    local ok, why = read_file(totals, chunks)
    if not ok then fail(run, totals.path, why) end
    totals.skip = totals.binary or not ok and totals.bytes == 0
    run.done = run.done + 1
  end
end

local function parse(text, totals)
  local words = totals.words
  for word in text:gmatch(WORD) do words[word] = (words[word] or 0) + 1 end
  local lines, at = 0, text:find("\n", 1, true)
  while at do
    lines, at = lines + 1, text:find("\n", at + 1, true)
  end
  totals.lines = totals.lines + lines
end

local function parser(chunks)
  for chunk in chunks do parse(chunk.text, chunk.totals) end
end

-- A daemon: it is cancelled when the others have ended, or with them.
local function progress(run)
  local _ <close> = setmetatable({}, { __close = function() io.stderr:write(CLEAR_LINE) end })
  for _ in rille.every(0.1) do
    local bytes = 0
    for _, totals in ipairs(run.files) do bytes = bytes + totals.bytes end
    io.stderr:write(CLEAR_LINE, ("%d files, %.1f of %.1f MB"):format(
      run.done, bytes / 1e6, run.size / 1e6))
  end
end

----------------------------------------------------------------------------
-- The summary

-- The `n` most frequent words; equally frequent ones in order of the alphabet.
local function top(words, n)
  local list = {}
  local function before(a, b)
    local x, y = words[a], words[b]
    return x > y or (x == y and a < b)
  end
  for word in pairs(words) do
    if #list < n or (n > 0 and before(word, list[n])) then
      local at = math.min(#list + 1, n)
      while at > 1 and before(word, list[at - 1]) do
        list[at] = list[at - 1]
        at = at - 1
      end
      list[at] = word
    end
  end
  return list
end

local function count_levels(totals)
  local levels = {}
  for word, count in pairs(totals.words) do
    local level = #word <= 8 and LEVEL_OF[word:upper()]
    if level then levels[level] = (levels[level] or 0) + count end
  end
  totals.levels = levels
end

local function sum(files)
  local all = { lines = 0, bytes = 0, words = {}, path = ("in all, %d files"):format(#files) }
  for _, totals in ipairs(files) do
    all.lines = all.lines + totals.lines
    all.bytes = all.bytes + totals.bytes
    for word, count in pairs(totals.words) do
      all.words[word] = (all.words[word] or 0) + count
    end
  end
  return all
end

-- Prints rows of cells with every column as wide as its widest cell: numbers
-- to the right, the last column, which is text, to the left.
local function print_table(rows)
  local width = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do width[i] = math.max(width[i] or 0, #tostring(cell)) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = i == #row and tostring(cell) or ("%" .. width[i] .. "s"):format(cell)
    end
    print(table.concat(cells, "  "))
  end
end

local function levels_of(list)
  local shown = {}
  for _, level in ipairs(LEVELS) do
    for _, totals in ipairs(list) do
      if totals.levels[level] then
        shown[#shown + 1] = level
        break
      end
    end
  end
  return shown
end

local function print_totals(list)
  local levels = levels_of(list)
  local rows = { { "lines", "bytes", table.unpack(levels) } }
  table.insert(rows[1], "file")
  for _, totals in ipairs(list) do
    local row = { totals.lines, totals.bytes }
    for _, level in ipairs(levels) do row[#row + 1] = totals.levels[level] or 0 end
    row[#row + 1] = totals.path
    rows[#rows + 1] = row
  end
  print_table(rows)
end

-- The words of one file on one line.
local function print_words_of(totals, n)
  local words = top(totals.words, n)
  for i, word in ipairs(words) do words[i] = word .. " " .. totals.words[word] end
  if words[1] then print(totals.path .. ": " .. table.concat(words, ", ")) end
end

local function print_words(all, n)
  local rows = {}
  for i, word in ipairs(top(all.words, n)) do rows[i] = { all.words[word], word } end
  if rows[1] then print("\ntop words") end
  print_table(rows)
end

local function print_summary(run, options)
  local list, binary = {}, 0
  for _, totals in ipairs(run.files) do
    if totals.binary then binary = binary + 1 end
    if not totals.skip then list[#list + 1] = totals end
  end
  if #list ~= 1 then list[#list + 1] = sum(list) end
  for _, totals in ipairs(list) do count_levels(totals) end
  print_totals(list)
  if #list > 1 and options.top > 0 then
    print("\ntop words of each file")
    for i = 1, #list - 1 do print_words_of(list[i], options.top) end
  end
  print_words(list[#list], options.top)
  if binary > 0 then print(("\nskipped, not text: %d"):format(binary)) end
  if run.unreadable > 0 then print(("\nskipped, not readable: %d"):format(run.unreadable)) end
end

----------------------------------------------------------------------------
-- The command

local function usage_error(...)
  io.stderr:write("logstat: ", string.format(...), " (--help shows the usage)\n")
  os.exit(2)
end

local LIMITS = { top = { 0, 1000000 }, jobs = { 1, 256 } }

local function whole_number(name, text)
  local n = math.tointeger(tonumber(text or ""))
  local low, high = table.unpack(LIMITS[name])
  if n and n >= low and n <= high then return n end
  usage_error("--%s needs a whole number from %d to %d, not '%s'", name, low, high, text or "")
end

-- Takes "--name value" and "--name=value"; "--" ends the options.
local function parse_arguments(args)
  local options, i = { top = 10, jobs = 4, paths = {} }, 0
  local paths = options.paths
  while i < #args do
    i = i + 1
    local name, value = args[i]:match("^%-%-(%a+)=?(.*)$")
    if args[i] == "--" then
      table.move(args, i + 1, #args, #paths + 1, paths)
      break
    elseif args[i] == "--help" or args[i] == "-h" then
      options.help = true
    elseif LIMITS[name] then
      if not args[i]:find("=", 1, true) then i, value = i + 1, args[i + 1] end
      options[name] = whole_number(name, value)
    elseif args[i]:find("^%-.") then
      usage_error("unknown option '%s'", args[i])
    else
      paths[#paths + 1] = args[i]
    end
  end
  return options
end

local function count(run, options)
  rille.scope({ name = "logstat" }, function(scope)
    local jobs = options.jobs
    local paths, chunks = scope:channel(), scope:channel(2 * jobs)
    if ON_TERMINAL then scope:go({ name = "progress", daemon = true }, progress, run) end
    for i = 1, jobs do scope:go({ name = "parser " .. i }, parser, chunks) end
    rille.scope({ name = "readers" }, function(readers)
      for i = 1, jobs do readers:go({ name = "reader " .. i }, reader, run, paths, chunks) end
      for _, path in ipairs(options.paths) do walk(run, paths, path, "stat") end
      paths:close()
    end)
    chunks:close()
  end)
end

local options = parse_arguments(arg)
if options.help then
  io.write(USAGE)
  return
end

local run = { files = {}, done = 0, size = 0, unreadable = 0 }
if #options.paths == 0 then
  options.paths, run.by_default = { DEFAULT }, true
end
count(run, options)
print_summary(run, options)
if run.failed then os.exit(1) end

-- args: --top 4 scripts/examples/data/app.log scripts/examples/data/empty.log
-- expect: lines  bytes  ERROR  WARN  INFO  DEBUG  file
-- expect:     9    503      1     2     5      1  scripts/examples/data/app.log
-- expect:     0      0      0     0     0      0  scripts/examples/data/empty.log
-- expect:     9    503      1     2     5      1  in all, 2 files
-- expect:
-- expect: top words of each file
-- expect: scripts/examples/data/app.log: from 5, request 5, INFO 4, ms 4
-- expect:
-- expect: top words
-- expect: 5  from
-- expect: 5  request
-- expect: 4  INFO
-- expect: 4  ms
