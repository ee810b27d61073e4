--[[
targets.lua - the ratios that rille is held to.

A target compares rille's median with a peer's of the same rounds: `most` or
`least` is the ratio allowed, `over` by how much it may be more. `alloc` is
absolute, bytes of heap a call.
]]
local targets = {}

local list = {
  {row = "pingpong", peer = "go", most = 1.2},
  {row = "stream", peer = "go", most = 1.2},
  {row = "buffered", peer = "go", most = 2},
  {row = "recv_many", peer = "go", most = 0.7},
  {row = "spawn", peer = "go", most = 1},
  {row = "select2", peer = "go", most = 1.2},
  {row = "select8", peer = "go", most = 0.8},
  {row = "yield", peer = "floor", most = 1.4},
  {row = "parked", metric = "bytes", peer = "floor", most = 1.35},
  {row = "sleepers", metric = "wall", peer = "go", most = 1},
  {row = "sleepers", metric = "peak", peer = "go", most = 1},
  {row = "echo64", metric = "rate", peer = "luv", least = 0.85},
  {row = "echo1000", metric = "rate", peer = "luv", least = 0.85},
  {row = "http", metric = "rate", peer = "node", least = 1},
  {row = "idle", metric = "bytes", peer = "luv", over = 6000}, -- 60 MB for 10^4
  {row = "semaphore_call", peer = "floor", most = 2.5},
  {row = "breaker_call", peer = "floor", most = 2.5},
  {row = "limiter_call", peer = "floor", most = 2.5},
  {row = "semaphore_call", metric = "alloc", most = 0.5},
  {row = "breaker_call", metric = "alloc", most = 0.5},
  {row = "limiter_call", metric = "alloc", most = 0.5},
}

-- rille is to be ahead of these in every row; by how much, no matter.
local behind = {tarantool = true, cqueues = true, luv = true}

-- The target of `row`, `metric` against `peer`, or nil.
function targets.of(row, metric, peer)
  for _, target in ipairs(list) do
    if target.row == row.id and (target.metric or "time") == metric.key
      and target.peer == peer then
      return target
    end
  end
  if not behind[peer] or metric.minor then return nil end
  return {[metric.more and "least" or "most"] = 1, peer = peer, general = true}
end

-- The bytes that a call of `row` may allocate, or nil.
function targets.alloc(row)
  for _, target in ipairs(list) do
    if target.row == row.id and target.metric == "alloc" then return target.most end
  end
  return nil
end

-- From 10 tasks to the most, the cost of an operation grows at most so much. What
-- is judged is the operation beside tasks that sleep: the work is the same then,
-- and only the number of tasks differs. Where all of them work, each in turn, the
-- memory that an operation comes back to grows with them, past every cache, and
-- the table shows what that costs: rille, bare coroutines and goroutines alike.
targets.growth = 2
targets.judged = "beside"

function targets.met(target, ratio)
  if target.most then return ratio <= target.most end
  return ratio >= target.least
end

return targets
