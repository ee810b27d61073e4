-- A pipeline over the lines of a log: parse, look up, total; and what happens
-- when a stage fails or when nobody wants the rest.
--
--   lines --> parse --> look up (4 at a time, in order) --> totals
--
-- Every stage runs as its own task and works on one line while the next stage
-- works on the one before. Channels between them keep the fast from running
-- ahead of the slow.
local rille = require "rille"

local log_path = arg[0]:gsub("[^/]*$", "data/app.log")

-- A line of the log, or nil, which drops it.
local function parse(line)
  local level, number, user, rest = line:match "^%S+ (%a+)%s+request (%d+) from (%a+) (.*)$"
  if not level then return nil end
  return { level = level:upper(), number = tonumber(number), user = user,
    took = tonumber(rest:match "took (%d+) ms") }
end

-- A service that knows the users; the first answer takes longest.
local NAMES = { alice = "Alice A.", bob = "Bob B.", carol = "Carol C." }

local function look_up(request)
  rille.sleep(0.01 / request.number)
  request.name = NAMES[request.user] or error("no such user: " .. request.user, 0)
  return request
end

local requests = rille.pipeline(parse, { look_up, workers = 4, ordered = true })

print "-- all of it, in order"
for request in requests(io.lines(log_path)) do
  print(request.number, request.name, request.took and request.took .. " ms" or "failed")
end

print "-- a stage that fails closes the output with its error and stops the others"
local stopped = setmetatable({}, { __close = function() print "the source was stopped" end })

local source = { stream = function(_, output)
  local _ <close> = stopped
  for i, user in ipairs { "alice", "bob", "mallory", "carol" } do
    output:send { number = i, user = user }
  end
  rille.sleep(60)
end }

local output = rille.pipeline(source, look_up)(rille.channel())
print(output:recv().name)
print(output:recv().name)
print(output:recv())

print "-- a consumer that stops early stops the stages"
do
  local first <close> = rille.pipeline(source, look_up)(rille.channel())
  print(first:recv().name)
end
repeat rille.yield() until rille.root():active() == 0
print "no task is left"

-- expect: -- all of it, in order
-- expect: 1	Alice A.	12 ms
-- expect: 2	Bob B.	900 ms
-- expect: 3	Carol C.	failed
-- expect: 4	Alice A.	9 ms
-- expect: -- a stage that fails closes the output with its error and stops the others
-- expect: Alice A.
-- expect: Bob B.
-- expect: the source was stopped
-- expect: nil	no such user: mallory
-- expect: -- a consumer that stops early stops the stages
-- expect: Alice A.
-- expect: the source was stopped
-- expect: no task is left
