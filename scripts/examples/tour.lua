-- A tour of rille: every idea in one script. Run it with `rille tour.lua`.
--
-- In the binary the script itself is a task, so it may wait at its top level.
-- (With stock lua5.4, put the same code into `rille.run(function() ... end)`.)
local rille = require "rille"

-- A value whose only purpose is to say when its block is left.
local function on_exit(fn) return setmetatable({}, { __close = fn }) end

print("-- tasks live in scopes; leaving a scope waits for its tasks")
rille.scope(function(scope)
  scope:go(function() rille.sleep(0.02) print("second") end)
  scope:go(function() rille.sleep(0.01) print("first") end)
  print("both started")
end)
print("both ended")

print("-- a failure stops the siblings, then it is raised")
local ok, err = pcall(rille.scope, function(scope)
  scope:go(function()
    local _ <close> = on_exit(function() print("sibling stopped") end)
    rille.sleep(60)
  end)
  scope:go(function() error("disk full", 0) end)
end)
print(ok, err)

print("-- a task is a value: await returns its results, or nil and the error")
rille.scope(function(scope)
  local answer = scope:task(function() return 6 * 7 end)
  local failure = scope:task(function() error("no such planet", 0) end)
  print(answer:await())
  print(failure:await())
end)

print("-- a channel hands values from task to task, and is iterated until closed")
rille.scope(function(scope)
  local channel = rille.channel() -- no buffer: send waits for the receiver
  scope:go(function()
    for i = 1, 3 do channel:send(i) end
    channel:close()
  end)
  for i in channel do print("received", i) end
  print(select(2, channel:recv()).kind)
end)

print("-- a buffered channel takes values before anybody asks for them")
local buffered = rille.channel(2)
buffered:send("a")
buffered:send("b")
print(#buffered, select(2, buffered:try_send("c")).kind)

print("-- select waits for the first of many things")
local quiet = rille.channel()
print(rille.select { { quiet }, { buffered, function(v) return "got " .. v end } })
print(rille.select { { quiet }, { rille.after(0.01), function() return "time is up" end } })
print(select(2, rille.select({ { quiet } }, { timeout = 0.01 })).kind)

print("-- a deadline bounds everything inside it")
local result
result, err = rille.timeout(0.01, function()
  quiet:recv()
  return "never"
end)
print(result, err.kind)

print("-- cancelled tasks clean up, their cleanup may wait, the scope waits for it")
rille.scope(function(scope)
  local worker = scope:go(function()
    local _ <close> = on_exit(function() rille.sleep(0.01) print("cleaned up") end)
    quiet:recv()
  end)
  scope:defer(print, "deferred first, runs last")
  scope:defer(print, "deferred last, runs first")
  rille.sleep(0)
  worker:cancel("not needed")
  print(worker:await() == nil, worker:status())
end)

print("-- a scope that is cancelled returns nil and why; a shield stands it out")
result, err = rille.scope(function(scope)
  scope:cancel("enough")
  rille.shield(function() rille.sleep(0.01) print("saved") end)
  quiet:recv() -- every wait outside the shield raises the cancellation
end)
print(result, err.kind, err.reason)

print("-- a ticker ticks until it is stopped")
do
  local ticks, ticker <close> = 0, rille.every(0.01)
  for _ in ticker do -- gives the number of the tick; late ones are passed over
    ticks = ticks + 1
    print("tick", ticks)
    if ticks == 2 then break end
  end
end

print("-- a generator inside a task may wait, too")
for word in rille.coroutine.wrap(function()
  for _, word in ipairs { "slow", "but", "steady" } do
    rille.sleep(0.005)
    rille.coroutine.yield(word)
  end
end) do print(word) end

print("-- any operation with a callback can be awaited, luv's for one")
local has_luv, uv = pcall(rille.uv)
print(rille.await(function(resolve)
  if not has_luv then return resolve("called back") end
  local timer = uv.new_timer()
  timer:start(10, 0, function() timer:close() resolve("called back") end)
  return function() timer:close() end -- runs if the wait is cancelled
end))

print("-- and dump shows who waits for what")
rille.scope({ name = "observatory" }, function(scope)
  local watcher <close> = scope:go({ name = "watcher" }, function() quiet:recv() end)
  rille.sleep(0)
  print(watcher:status(), rille.dump():match("observatory"), rille.dump():match("watcher"))
end)

-- options: --virtual
-- expect: -- tasks live in scopes; leaving a scope waits for its tasks
-- expect: both started
-- expect: first
-- expect: second
-- expect: both ended
-- expect: -- a failure stops the siblings, then it is raised
-- expect: sibling stopped
-- expect: false	disk full
-- expect: -- a task is a value: await returns its results, or nil and the error
-- expect: 42
-- expect: nil	no such planet
-- expect: -- a channel hands values from task to task, and is iterated until closed
-- expect: received	1
-- expect: received	2
-- expect: received	3
-- expect: closed
-- expect: -- a buffered channel takes values before anybody asks for them
-- expect: 2	full
-- expect: -- select waits for the first of many things
-- expect: 2	got a
-- expect: 2	time is up
-- expect: timeout
-- expect: -- a deadline bounds everything inside it
-- expect: nil	timeout
-- expect: -- cancelled tasks clean up, their cleanup may wait, the scope waits for it
-- expect: cleaned up
-- expect: true	cancelled
-- expect: deferred last, runs first
-- expect: deferred first, runs last
-- expect: -- a scope that is cancelled returns nil and why; a shield stands it out
-- expect: saved
-- expect: nil	cancelled	enough
-- expect: -- a ticker ticks until it is stopped
-- expect: tick	1
-- expect: tick	2
-- expect: -- a generator inside a task may wait, too
-- expect: slow
-- expect: but
-- expect: steady
-- expect: -- any operation with a callback can be awaited, luv's for one
-- expect: called back
-- expect: -- and dump shows who waits for what
-- expect: waiting	observatory	watcher
