-- Counts the words of every text below a directory, a few files at a time.
--
--     rille wordcount.lua [DIRECTORY]
--
-- map calls count_file for each path, never for more than JOBS at once, and
-- gives the results in the order of the paths, whichever came first. The paths
-- come from a generator that walks the tree while files are being read. If one
-- file cannot be read, the others are cancelled, and that error is returned.
local rille = require "rille"
local uv = rille.uv()

local JOBS = 3
local root = arg[1] or arg[0]:gsub("[^/]*$", "data/library")

-- Calls uv.fs_<name>(...) and waits for the result, or nil and a message. What
-- runs on libuv's threads cannot be stopped, so the wait is shielded.
local function fs(name, ...)
  local args = { ... }
  return rille.shield(rille.await, function(resolve)
    args[#args + 1] = function(err, value) resolve(not err and (value or true) or nil, err) end
    uv["fs_" .. name](table.unpack(args))
  end)
end

-- The names in a directory, in order, with their types.
local function list(directory)
  local entries = {}
  local request = assert(fs("scandir", directory))
  for name, kind in uv.fs_scandir_next, request do
    entries[#entries + 1] = { name = name, kind = kind }
  end
  table.sort(entries, function(a, b) return a.name < b.name end)
  return entries
end

-- An iterator of the files below a directory.
local function files(directory)
  local function walk(path)
    for _, entry in ipairs(list(path)) do
      local below = path .. "/" .. entry.name
      if entry.kind == "directory" then walk(below) else rille.coroutine.yield(below) end
    end
  end
  return rille.coroutine.wrap(function() walk(directory) end)
end

local File = { __close = function(file) fs("close", file.fd) end }

local function read(path)
  local fd, err = fs("open", path, "r", 0)
  if not fd then return nil, err end
  local file <close> = setmetatable({ fd = fd }, File)
  local size = assert(fs("fstat", file.fd)).size
  return size == 0 and "" or fs("read", file.fd, size, 0)
end

local reading, most = 0, 0

local function count_file(path)
  reading = reading + 1
  most = math.max(most, reading)
  local text, err = read(path)
  reading = reading - 1
  if not text then return nil, err end
  local words, count = {}, 0
  for word in text:lower():gmatch "%a+" do
    words[word] = (words[word] or 0) + 1
    count = count + 1
  end
  return { path = path:sub(#root + 2), words = words, count = count }
end

local function count_tree(scope)
  return scope:map(files(root), count_file, { concurrency = JOBS })
end

local counted, err = rille.scope({ name = "wordcount" }, count_tree)
if not counted then error(err, 0) end

local words, total = {}, 0
for _, file in ipairs(counted) do
  print(("%4d  %s"):format(file.count, file.path))
  total = total + file.count
  for word, count in pairs(file.words) do words[word] = (words[word] or 0) + count end
end
print(("%4d  in %d files"):format(total, counted.n))

local top = {}
for word in pairs(words) do top[#top + 1] = word end
table.sort(top, function(a, b)
  return words[a] > words[b] or (words[a] == words[b] and a < b)
end)
for i = 1, 5 do print(("%4d  %s"):format(words[top[i]], top[i])) end
print("never more than " .. JOBS .. " files at a time: " .. tostring(most <= JOBS))

counted, err = rille.scope(function(scope)
  return scope:map({ root .. "/earth/rivers.txt", root .. "/lost.txt" }, count_file)
end)
print("with a file that is not there:", counted, err:match "^%u+")

-- expect:    0  earth/empty.txt
-- expect:   40  earth/rivers.txt
-- expect:   49  moon/rilles.txt
-- expect:   13  moon/seas/serenity.txt
-- expect:   21  moon/seas/tranquility.txt
-- expect:  123  in 5 files
-- expect:   13  the
-- expect:   10  is
-- expect:    9  a
-- expect:    5  and
-- expect:    5  river
-- expect: never more than 3 files at a time: true
-- expect: with a file that is not there:	nil	ENOENT
