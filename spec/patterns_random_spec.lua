-- The patterns under random cancellations, failures and times: nothing is
-- lost, nothing comes twice, no limit is exceeded, nothing is left. A failure
-- prints its seed; SEED=n runs that one, RUNS=n so many.
local rille = require "rille"
local helper = require "spec.helper"

local given = math.tointeger(tonumber(os.getenv "SEED"))
local RUNS = math.tointeger(tonumber(os.getenv "RUNS")) or 60

-- A generator of our own, so that a seed means the same everywhere.
local function generator(state)
  return function(low, high)
    if not high then low, high = 1, low end
    state = state * 6364136223846793005 + 1442695040888963407
    return low + (state >> 33) % (high - low + 1)
  end
end

local violation -- the first, wherever it was noticed

-- Raises, and is remembered whoever catches it.
local function violate(...)
  violation = violation or string.format(...)
  error(violation, 0)
end

-- Runs trial(random) under many seeds, or the one given.
local function under_seeds(trial)
  for seed = given or 1, given or RUNS do
    violation = nil
    local ok, err = pcall(helper.run, { seed = seed }, trial, generator(seed))
    if violation then ok, err = false, violation end
    if not ok then error(("SEED=%d: %s"):format(seed, tostring(err)), 0) end
  end
end

-- Counts who is inside, and fails beyond `most`.
local function gate(most)
  local inside = 0
  return function(fn, ...)
    inside = inside + 1
    if inside > most then violate("%d inside, at most %d", inside, most) end
    local _ <close> = helper.closing(function() inside = inside - 1 end)
    return fn(...)
  end
end

-- Sleeps, or not, or raises.
local function something(random)
  local dice = random(20)
  if dice == 1 then error "random failure" end
  if dice > 4 then rille.sleep(random(0, 8) / 4) end
end

local function check_sum(what, expected, ...)
  local sum = 0
  for _, count in ipairs { ... } do sum = sum + count end
  if sum ~= expected then
    violate("%s: %d expected, got %s", what, expected, table.concat({ ... }, " + "))
  end
end

-- Each key once in all of the lists, and no other.
local function check_each_once(count, ...)
  local seen = {}
  for _, list in ipairs { ... } do
    for _, value in ipairs(list) do
      if seen[value] then violate("%d came twice", value) end
      seen[value] = true
    end
  end
  for i = 1, count do
    if not seen[i] then violate("%d is lost", i) end
  end
end

describe("map at random", function()
  it("starts each item at most once, in order, within its limits", function()
    under_seeds(function(random)
      local own, started, ended = random(5), {}, 0
      local enter = gate(own)
      local items = {}
      for i = 1, random(40) do items[i] = i end
      rille.timeout(random(30), function()
        rille.scope({ concurrency = random(2) == 1 and random(5) or nil }, function(s)
          s:map(random(2) == 1 and items or rille.coroutine.wrap(function()
            for i = 1, #items do
              if random(4) == 1 then rille.sleep(random(3) / 2) end
              rille.coroutine.yield(i)
            end
          end), function(item, index)
            if item ~= index or item ~= #started + 1 then violate "out of order" end
            started[item] = item
            local _ <close> = helper.closing(function() ended = ended + 1 end)
            enter(something, random)
          end, { concurrency = own, settle = random(2) == 1 })
          check_sum("tasks left", 0, s:active())
        end)
      end)
      check_sum("ended", #started, ended)
    end)
  end)
end)

describe("a worker pool at random", function()
  -- Submits jobs from several tasks, and cancels some of these.
  local function submit_all(s, pool, random, accepted)
    local job = 0
    for _ = 1, random(4) do
      local task = s:task(function()
        for _ = 1, 15 do
          job = job + 1
          local mine = job
          accepted[mine] = false
          accepted[mine] = pool:submit(mine)
          if random(3) == 1 then rille.sleep(random(4) / 4) end
        end
      end)
      s:go({ daemon = true }, function()
        rille.sleep(random(40) / 4)
        task:cancel()
      end)
      s:go(function() task:await() end)
    end
  end

  it("ends each job once: done, failed or returned", function()
    under_seeds(function(random)
      local accepted, done, failed, returned, enter = {}, {}, {}, {}, nil
      rille.scope(function(s)
        local workers = random(4)
        enter = gate(workers)
        local pool = rille.worker_pool { workers = workers, queue = random(0, 5),
          on_error = function(_, job) failed[#failed + 1] = job end,
          handler = function(job)
            enter(something, random)
            if random(15) == 1 then rille.current():cancel() rille.yield() end
            done[#done + 1] = job
          end }
        submit_all(s, pool, random, accepted)
        rille.sleep(random(60) / 4)
        returned = random(3) == 1 and pool:close() and {} or pool:shutdown(random(20) / 4)
        local stats = pool:stats()
        check_sum("submitted", stats.submitted, stats.processed, stats.errors, stats.returned)
        check_sum("processed", stats.processed, #done)
        check_sum("errors", stats.errors, #failed)
        check_sum("returned", stats.returned, #returned)
      end)
      local jobs, count = {}, 0
      for job, ok in pairs(accepted) do
        if ok then count = count + 1 jobs[job] = count end
      end
      for _, list in ipairs { done, failed, returned } do
        for i, job in ipairs(list) do list[i] = jobs[job] or violate("%d was refused", job) end
      end
      check_each_once(count, done, failed, returned)
    end)
  end)
end)

describe("a resource pool at random", function()
  it("lends each to one at a time, and destroys all it has made", function()
    under_seeds(function(random)
      local live, most, destroyed, made = 0, random(4), 0, 0
      rille.scope(function(s)
        local pool = rille.resource_pool { max = most,
          create = function()
            something(random)
            made, live = made + 1, live + 1
            if live > most then violate "too many" end
            return { enter = gate(1) }
          end,
          destroy = function()
            if random(2) == 1 then rille.sleep(0.25) end
            destroyed, live = destroyed + 1, live - 1
          end,
          validate = function() something(random) return random(5) > 1 end,
          idle_timeout = random(2) == 1 and random(3) or nil,
          max_lifetime = random(2) == 1 and random(9) or nil,
          acquire_timeout = random(2) == 1 and random(3) or nil }
        for _ = 1, random(30) do
          local task = s:task(function()
            rille.sleep(random(0, 20) / 4)
            return pool:with(function(resource)
              resource.enter(something, random)
              if random(8) == 1 then pool:discard(resource) end
            end)
          end)
          s:go(function()
            rille.sleep(random(0, 40) / 4)
            if random(3) == 1 then task:cancel() end
            local _, err = task:await()
            if type(err) == "string" and not err:find "random failure" then error(err, 0) end
          end)
        end
        rille.sleep(random(10))
        if random(4) == 1 then pool:close() end
      end)
      check_sum("made", made, destroyed, live)
      check_sum("live", 0, live)
    end)
  end)
end)

describe("a pipeline at random", function()
  it("gives each value once and in order, and takes little ahead", function()
    under_seeds(function(random)
      local taken, out, ahead = 0, {}, 1
      local stages = {}
      for i = 1, random(4) do
        local workers, buffer = random(3), random(0, 3)
        ahead = ahead + workers + buffer
        stages[i] = { function(value) something(random) return value end,
          workers = workers, ordered = true, buffer = buffer }
      end
      local total = random(40)
      -- A stage that fails when nobody listens any more fails the scope.
      local ok, err = pcall(rille.scope, function(s)
        local channel = rille.pipeline(table.unpack(stages))(function()
          if taken < total then taken = taken + 1 return taken end
        end)
        rille.timeout(random(40), function()
          for value in channel.recv, channel do
            out[#out + 1] = value
            if taken - #out > ahead then violate "too far ahead" end
            if random(3) == 1 then rille.sleep(random(4) / 4) end
            if random(30) == 1 then break end
          end
        end)
        channel:close()
        rille.sleep(1)
        check_sum("tasks left", 0, s:active())
      end)
      if not ok and not err:find "random failure" then error(err, 0) end
      for i, value in ipairs(out) do
        if value ~= i then violate "out of order" end
      end
    end)
  end)
end)

describe("fans at random", function()
  it("lose nothing and double nothing", function()
    under_seeds(function(random)
      local total, out = random(60), {}
      local items = {}
      for i = 1, total do items[i] = i end
      rille.scope(function()
        local merged = rille.fan_in(rille.fan_out(items, random(5), function(value)
          rille.sleep(random(0, 4) / 4)
          return value
        end, { buffer = random(0, 3) }))
        for value in merged do
          out[#out + 1] = value
          if random(4) == 1 then rille.sleep(0.25) end
        end
      end)
      check_each_once(total, out)
    end)
  end)
end)

describe("race and any at random", function()
  it("clean up after every loser", function()
    under_seeds(function(random)
      local open = 0
      local fns = {}
      for i = 1, random(8) do
        fns[i] = function()
          open = open + 1
          local _ <close> = helper.closing(function()
            if random(2) == 1 then rille.sleep(0.25) end
            open = open - 1
          end)
          something(random)
          return i
        end
      end
      rille.timeout(random(8) / 4, function()
        rille.scope(function(s)
          s[random(2) == 1 and "race" or "any"](s, fns)
          check_sum("open", 0, open)
        end)
      end)
      check_sum("open", 0, open)
    end)
  end)
end)
