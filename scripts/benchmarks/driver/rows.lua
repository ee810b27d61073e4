--[[
rows.lua - what is measured: the list of the rows.

    id       the name that the programs know
    title    what one operation is
    kind     how a result is read: see metrics.lua. "time" without it
    ops      operations in a full run; a tenth of that with --quick
    least    operations that it makes sense with, 10 for each task without it
    tasks    tasks that take part, 1 without it
    peers    who can do it, besides rille. go2 is Go with GOMAXPROCS=2; floor
             is bare Lua, see ../floor/bare.lua
    at       peers that do fewer operations, because more are beyond them
    growth   the row is measured at 10 to 10^6 tasks as well, as
             growth_beside_ID, the tasks of the row doing the work and the others
             asleep; with "both" also as growth_together_ID, all of them doing
             it. (The rows without it name their number of tasks themselves.)
]]

local everybody = "go go2 floor tarantool cqueues luv node"
local with_channels = "go go2 tarantool cqueues node"

local rows = {
  {id = "yield", title = "yield and be resumed, 10 tasks in turn", ops = 2e6, tasks = 10,
    peers = everybody, growth = "both"},
  {id = "spawn", title = "start a task, run it, join it", ops = 5e5,
    peers = "go go2 floor tarantool cqueues copas node", growth = "both"},
  {id = "pingpong", title = "unbuffered channels: a value there and back", ops = 5e5, tasks = 2,
    peers = "go go2 floor tarantool cqueues node", growth = "both"},
  {id = "stream", title = "unbuffered channel: a value from task to task", ops = 1e6, tasks = 2,
    peers = with_channels, growth = "both"},
  {id = "buffered", title = "channel of 100: a value from task to task", ops = 2e6, tasks = 2,
    peers = with_channels .. " floor", growth = "both"},
  {id = "recv_many", title = "channel of 100: sent singly, received in batches (Go: singly)",
    ops = 2e6, tasks = 2, peers = "go go2 floor", growth = "both"},
  {id = "batched", title = "channel of 100: batches of 100 both ways (Go: singly)",
    ops = 2e6, tasks = 2, peers = "go go2", growth = "both"},
  {id = "select2", title = "select over 2 channels, each with a sender", ops = 5e5, tasks = 3,
    peers = "go go2 cqueues node", growth = "both"},
  {id = "select2_list", title = "the same, the list of cases built for each call", ops = 5e5,
    tasks = 3, peers = "go go2", growth = "both"},
  {id = "select8", title = "select over 8 channels, each with a sender", ops = 5e5, tasks = 9,
    peers = "go go2 cqueues node", growth = "both"},
  {id = "select64", title = "select over 64 channels, each with a sender", ops = 128000, tasks = 65,
    peers = "go go2 cqueues node"},
  {id = "mpmc", title = "unbuffered channel, 4 senders and 4 receivers: a value", ops = 5e5,
    tasks = 8, peers = with_channels, growth = "both"},
  {id = "timer", title = "a timer: make, arm, stop", ops = 5e5, peers = "go go2 luv node",
    growth = "beside"},
  {id = "scope", title = "a scope: open, leave", ops = 3e5, peers = "go go2", growth = "beside"},
  {id = "timeout", title = "a deadline around a call that does not wait", ops = 3e5,
    peers = "go go2 node", growth = "beside"},
  {id = "cancel", title = "cancel and join a sleeping task, of 10^5", ops = 1e5,
    -- Tarantool: each fiber takes two of the kernel's 65530 mappings. Node: the
    -- time to abort grows with the square of the number.
    peers = "go go2 tarantool node", at = {tarantool = 1e4, node = 1e4}},
  {id = "broadcast10", title = "broadcast to 10: a value delivered", ops = 1e6, least = 100,
    peers = "go go2 tarantool cqueues node", growth = "beside"},
  {id = "broadcast1000", title = "broadcast to 1000: a value delivered", ops = 1e6, least = 1e4,
    peers = "go go2 tarantool cqueues node", growth = "beside"},
  {id = "semaphore", title = "an idle semaphore: acquire, release", ops = 1e6,
    peers = "go go2 tarantool cqueues node", growth = "beside"},
  {id = "semaphore_call", title = "call through an idle semaphore (floor: pcall)", ops = 1e6,
    peers = "floor", growth = "beside"},
  {id = "breaker_call", title = "call through a closed breaker (floor: pcall)", ops = 1e6,
    peers = "floor", growth = "beside"},
  {id = "limiter_call", title = "call through a limiter with tokens (floor: pcall)", ops = 1e6,
    peers = "floor", growth = "beside"},
  {id = "generator", title = "a generator inside a task: a value", ops = 1e6,
    peers = "go go2 floor tarantool cqueues node", growth = "beside"},
  {id = "sleepers", title = "10^6 tasks sleep for ten seconds (floor: luv's timers)", ops = 1e6,
    kind = "many", peers = "go go2 floor cqueues luv node"},
  {id = "parked", title = "a parked task, of 10^6", ops = 1e6, kind = "memory",
    peers = "go floor tarantool cqueues luv node", at = {tarantool = 1e4}},
  {id = "echo64", title = "TCP echo of 64 bytes over 64 connections", ops = 2e5, kind = "echo",
    connections = 64, peers = "go luv node tarantool cqueues copas"},
  {id = "echo1000", title = "TCP echo of 64 bytes over 1000 connections", ops = 2e5, kind = "echo",
    connections = 1000, peers = "go luv node tarantool cqueues copas"},
  {id = "http", title = "HTTP: a text of 6 bytes over 64 connections", ops = 2e5, kind = "http",
    connections = 64, peers = "go node"},
  {id = "idle", title = "an idle TCP connection, of 10^4", ops = 1e4, kind = "idle",
    peers = "go luv node tarantool cqueues"},
  {id = "start", title = "start, run nothing, end (-e ''; the floor is lua5.4)", ops = 100,
    kind = "start", peers = "floor node"},
}

-- "a b" -> {a = true, b = true}
local function set(text)
  local names = {}
  for name in text:gmatch "%S+" do names[name] = true end
  return names
end

-- The row that measures `row` at growing numbers of tasks. The floor has no
-- tasks that sleep.
local function growing(row, how)
  return {
    id = "growth_" .. how .. "_" .. row.id, row = row.id, ops = row.ops, tasks = row.tasks,
    title = row.title .. ", " .. how, growth = how, kind = "growth", least = row.least, at = {},
    peers = {go = row.peers.go, floor = how == "together" and row.id == "yield"},
  }
end

for i = 1, #rows do
  local row = rows[i]
  row.peers, row.tasks = set(row.peers), row.tasks or 1
  row.kind, row.at = row.kind or "time", row.at or {}
  row.least = row.least or 10 * row.tasks
  if row.growth then rows[#rows + 1] = growing(row, "beside") end
  if row.growth == "both" then rows[#rows + 1] = growing(row, "together") end
end

return rows
