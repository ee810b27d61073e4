-- Log analytics with streams: several logs, merged, parsed, and written to a
-- store in batches by size and by time.
--
-- The files are replayed at the pace at which they were written, on the virtual
-- clock, so that this takes no time. A batch goes to the store when it has four
-- records, or two seconds after its first record. Nothing is read before the
-- store asks for it, and when the store is slow the files wait.
local rille = require "rille"

local FILES = { "scripts/examples/data/app.log", "scripts/examples/data/worker.log" }
local LEVELS = { ERROR = "ERROR", WARN = "WARN", WARNING = "WARN", INFO = "INFO" }
local BATCH, PATIENCE = 4, 2 -- records, seconds

-- A record, or nil for a line that is not of interest, which drops it.
local function parse(line)
  local h, m, s, word, text = line:match "T(%d+):(%d+):(%d+) (%a+):?%s+(.*)"
  local level = word and LEVELS[word:upper()]
  if not level then return nil end
  return { time = h * 3600 + m * 60 + s - 36000, level = level, text = text }
end

-- The records of a file, each when its time has come. That the file cannot be
-- opened is a failure of the stream, when it is read.
local function replay(path)
  local file = { open = function() return io.open(path) end }
  return rille.stream(file):map(parse):tap(function(record) rille.sleep_until(record.time) end)
end

-- Takes a while to write a batch.
local function store(batch)
  rille.sleep(0.25)
  local counts = {}
  for _, record in ipairs(batch) do
    counts[record.level] = (counts[record.level] or 0) + 1
  end
  local parts = {}
  for _, level in ipairs { "ERROR", "WARN", "INFO" } do
    if counts[level] then parts[#parts + 1] = counts[level] .. " " .. level end
  end
  return ("at %5.2f s: %d records (%s)"):format(rille.now(), #batch, table.concat(parts, ", "))
end

print("-- batches, written by two workers")
print(replay(FILES[1]):merge(replay(FILES[2])):batch(BATCH, PATIENCE):map_parallel(2, store)
  :each(print))

print("-- the first two problems; the rest of the files is not read")
replay(FILES[1]):merge(replay(FILES[2]))
  :filter(function(record) return record.level == "ERROR" end)
  :take(2)
  :each(function(record) print(record.text) end)

print("-- three seconds in a row with the most records")
local per_second = {}
for second = 1, 21 do per_second[second] = 0 end
replay(FILES[1]):concat(replay(FILES[2])):each(function(record)
  per_second[record.time + 1] = per_second[record.time + 1] + 1
end)
local most, from, second = 0, nil, -1
for window in rille.stream(per_second):window(3):iter() do
  local sum = window[1] + window[2] + window[3]
  second = second + 1
  if sum > most then most, from = sum, second end
end
print(("%d records, from second %d on"):format(most, from))

print("-- a file that is not there")
print(replay("scripts/examples/data/nothing.log"):count())
print(replay("scripts/examples/data/nothing.log")
  :catch(function() return replay("scripts/examples/data/worker.log") end):count())

-- options: --virtual
-- expect: -- batches, written by two workers
-- expect: at  2.25 s: 3 records (3 INFO)
-- expect: at  3.25 s: 4 records (1 ERROR, 1 WARN, 2 INFO)
-- expect: at  5.25 s: 1 records (1 INFO)
-- expect: at  7.25 s: 2 records (1 WARN, 1 INFO)
-- expect: at  9.25 s: 1 records (1 INFO)
-- expect: at 14.25 s: 1 records (1 WARN)
-- expect: at 20.25 s: 1 records (1 ERROR)
-- expect: true
-- expect: -- the first two problems; the rest of the files is not read
-- expect: request 3 from carol failed: disk full
-- expect: job 2 failed: disk full
-- expect: -- three seconds in a row with the most records
-- expect: 7 records, from second 1 on
-- expect: -- a file that is not there
-- expect: nil	scripts/examples/data/nothing.log: No such file or directory
-- expect: 5
