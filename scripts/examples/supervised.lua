-- A supervised worker: it crashes, is started again after a moment, and goes on
-- where it was. When it crashes too often in too short a time, the supervisor
-- gives up.
local rille = require "rille"

-- The jobs outlive the crashes, since they are not the worker's.
local jobs = rille.channel(10)
jobs:send_many { "mow", "sow", "BURN", "rake", "BURN", "reap" }
jobs:close()

-- Each run has a scope: what the worker has started ends with the run.
local function worker(scope)
  print "  worker starts"
  scope:go({ name = "heartbeat", daemon = true }, function()
    local _ <close> = setmetatable({}, { __close = function() print "  heartbeat stops" end })
    rille.sleep(60)
  end)
  rille.yield()
  for job in jobs do
    if job == "BURN" then error("the barn is on fire", 0) end
    print("  done: " .. job)
  end
  return "all jobs are done"
end

local function tell(err, n, delay)
  print(("restart %d in %g s: %s"):format(n, delay, err))
end

print "-- a worker that crashes twice"
print(rille.supervise(worker, {
  max_restarts = 3, period = 10,
  backoff = { initial = 0.01, factor = 2, jitter = "none" },
  on_restart = tell,
}))

print "-- a worker that cannot work"
print(rille.supervise(function() error("no tools", 0) end, {
  max_restarts = 2, period = 10,
  backoff = { initial = 0.01, factor = 2, jitter = "none" },
  on_restart = tell,
}))

print "-- a supervisor that is told to stop"
local _, err = rille.timeout(0.01, rille.supervise, function()
  local _ <close> = setmetatable({}, { __close = function() print "the worker cleans up" end })
  rille.sleep(60)
end)
print(err.kind)

-- options: --virtual
-- expect: -- a worker that crashes twice
-- expect:   worker starts
-- expect:   done: mow
-- expect:   done: sow
-- expect:   heartbeat stops
-- expect: restart 1 in 0.01 s: the barn is on fire
-- expect:   worker starts
-- expect:   done: rake
-- expect:   heartbeat stops
-- expect: restart 2 in 0.02 s: the barn is on fire
-- expect:   worker starts
-- expect:   done: reap
-- expect:   heartbeat stops
-- expect: all jobs are done
-- expect: -- a worker that cannot work
-- expect: restart 1 in 0.01 s: no tools
-- expect: restart 2 in 0.02 s: no tools
-- expect: nil	no tools
-- expect: -- a supervisor that is told to stop
-- expect: the worker cleans up
-- expect: timeout
