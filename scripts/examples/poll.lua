-- Watching a file that others change: polling that can be stopped and started.
--
-- A poll calls a function again and again. What the function returns goes to
-- one callback, what goes wrong to another, and both may wait: here for the
-- main task to take the news from a channel.
local rille = require "rille"

local path = os.tmpname()

local function write(text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- Fails by Lua's own convention, with nil and a message.
local function read()
  local file <close> = io.open(path)
  if not file then return nil, "the file is gone" end
  return file:read("a")
end

local news = rille.channel()
local last

-- Passes on what is new.
local function tell(value)
  if value ~= last then
    last = value
    news:send(value)
  end
end

write("one")

rille.scope(function(scope)
  local watcher = scope:poll(read, tell, {
    name = "watcher",
    interval = 0.002, -- seconds between the end of one round and the next
    timeout = 1,      -- for one call of read
    jitter = 0.2,     -- a fifth more or less, so that many do not beat in step
    on_error = tell,  -- without it the first failure would be the scope's
  })

  print("-- every change is told once")
  print(news:recv())
  write("two")
  print(news:recv())

  print("-- stopped: the file changes, and nobody tells")
  watcher:stop()
  write("three")
  rille.sleep(0.02)
  print(select(2, news:try_recv()).kind, watcher:status().running)

  print("-- started again: at once")
  watcher:start()
  print(news:recv(), watcher:status().running)

  print("-- a failure is told, too, and polling goes on")
  os.remove(path)
  print(news:recv())
  write("four")
  print(news:recv())

  local status = watcher:status()
  print(status.error_count >= 1, status.poll_count > status.error_count, status.last_error)
end) -- the poll is a daemon: it ends with the scope, which does not wait for it
os.remove(path)

print("-- too many failures in a row are the scope's failure")
local attempts = 0
print(pcall(rille.scope, function(scope)
  scope:poll(function()
    attempts = attempts + 1
    error("no answer " .. attempts, 0)
  end, nil, { interval = 0.001, max_errors = 3 })
  rille.sleep(60)
end))

-- expect: -- every change is told once
-- expect: one
-- expect: two
-- expect: -- stopped: the file changes, and nobody tells
-- expect: empty	false
-- expect: -- started again: at once
-- expect: three	true
-- expect: -- a failure is told, too, and polling goes on
-- expect: the file is gone
-- expect: four
-- expect: true	true	the file is gone
-- expect: -- too many failures in a row are the scope's failure
-- expect: false	no answer 3
