-- A seed decides everything: the log of a run is the same again, in any build
-- (its hashes are kept below: a build that differs fails), under either
-- schedule; and among what is ready, a select chooses evenly.
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"

local seeds = setting.size(20, 1000)
local first = setting.seed(1)

-- Channels, selects and what interrupts them.
local function exchange(log)
  local a, b = rille.channel(), rille.channel(2)
  local ticker = rille.every(0.7)
  rille.timeout(9, function()
    rille.scope(function(s)
      for i = 1, 3 do
        s:go(function()
          for n = 1, 40 do
            local k = rille.select({ { a, send = n }, { b, send = -n } }, { timeout = 0.3 * i })
            log("give", i, k)
            if n % (3 + i) == 0 then rille.sleep(0.2) end
          end
        end)
        s:go(function()
          for _ = 1, 40 do
            local k, value = rille.select { { a }, { b }, { b }, { ticker }, { rille.after(1) } }
            log("take", i, k, value)
          end
        end)
      end
    end)
  end)
end

-- Policies, whose jitter is random.
local function policies(log)
  local breaker = rille.breaker { failure_threshold = 2, reset_timeout = 1 }
  local limiter = rille.limiter { rate = 5, burst = 2 }
  local sem, b = rille.semaphore(2), rille.broadcast()
  local sub, calls = b:subscribe { buffer = 1, overflow = "drop_oldest" }, 0
  rille.scope(function(s)
    s:go({ daemon = true }, function() for v in sub do log("heard", v) rille.sleep(0.5) end end)
    for i = 1, 4 do
      s:go(function()
        local opts = { max_retries = 4, backoff = { jitter = "full" } }
        local value, err = rille.retry(opts, function()
          return breaker:call(function()
            limiter:acquire()
            calls = calls + 1
            b:send(calls)
            if calls % 3 ~= 0 then error("no", 0) end
            return calls
          end)
        end)
        log("retried", i, value, type(err) == "table" and err.kind or err)
        log("hedged", i, rille.hedge({ delay = 0.1, max = 3 }, function()
          sem:acquire()
          local _ <close> = sem
          rille.sleep(0.05 * (calls % 7))
          return calls
        end))
      end)
    end
  end)
end

-- Cancellations in the middle of things.
local function storms(log)
  local ch, tasks = rille.channel(1), {}
  rille.scope(function(s)
    for i = 1, 12 do
      tasks[i] = s:task(function()
        for n = 1, 10 do
          local k, v = rille.select { { ch, send = i * 100 + n }, { ch } }
          log(i, k, v)
          rille.yield()
        end
        return i
      end)
    end
    for i = 1, 12, 2 do
      rille.select({ { ch }, { tasks[i] } }, { timeout = 0.1 })
      tasks[i]:cancel()
    end
    rille.sleep(1)
    for i = 1, 12 do log("end", i, tasks[i]:status()) end
    s:cancel()
  end)
end

-- The hash of the log of a run.
local function hash_of(seed, schedule)
  local add, value = setting.hash(), nil
  helper.run({ seed = seed, schedule = schedule }, function()
    local function log(...)
      local parts = table.pack(...)
      for i = 1, parts.n do
        local part = parts[i]
        parts[i] = math.type(part) == "float" and ("%.9g"):format(part) or tostring(part)
      end
      value = add(("%.9f %s\n"):format(rille.now(), table.concat(parts, " ")))
    end
    exchange(log)
    policies(log)
    storms(log)
  end)
  return ("%016x"):format(value)
end

-- What every build must come to. A change of the schedule, of the random
-- generator or of a policy changes them, and is to be told in CHANGELOG.md.
local expected = {
  fifo = {
    "96f4f470ea483bde", "c75591cd28b37169", "294c4e8e7f547dd3", "70401254903b59de",
    "2c50c21f49e9b4ac", "0f2765893291a0fe", "7c5f92dd85a703d5", "9809390c1eeb4503",
  },
  random = {
    "88b88699855a8c98", "544056b8653b664f", "b03d32da5b5303da", "b2ce6e02a3f249d6",
    "9d00c37129d0b788", "28fa5891709632ce", "86229adbb53e3d1f", "8d1d8287a5d647b0",
  },
}

describe("a seed", function()
  for _, schedule in ipairs { "fifo", "random" } do
    it("makes the same log again, schedule " .. schedule, function()
      local began, distinct, count = os.clock(), {}, 0
      for seed = first, first + seeds - 1 do
        local hash = hash_of(seed, schedule)
        assert.equal(hash, hash_of(seed, schedule), "SEED=" .. seed)
        if not distinct[hash] then count = count + 1 end
        distinct[hash] = true
      end
      setting.note("determinism: %d seeds, %s schedule, %d distinct logs, %.1f s", seeds, schedule,
        count, os.clock() - began)
      assert.equal(seeds, count)
    end)

    it("makes the log that it makes in any other build, schedule " .. schedule, function()
      local hashes = {}
      for seed = 1, 8 do hashes[seed] = hash_of(seed, schedule) end
      assert.same(expected[schedule], hashes)
    end)
  end

  it("makes the same log while the collector is at its busiest", function()
    local quiet = hash_of(3, "random")
    collectgarbage("incremental", 1, 1000, 1)
    local busy = hash_of(3, "random")
    collectgarbage("generational")
    local generational = hash_of(3, "random")
    collectgarbage("incremental", 200, 100, 13)
    assert.same({ quiet, quiet }, { busy, generational })
  end)
end)

-- How often each of n ready cases is chosen in 10^4 rounds.
local function shares(n, seed, schedule)
  local counts = {}
  helper.run({ seed = seed, schedule = schedule }, function()
    local cases = {}
    for i = 1, n do
      counts[i], cases[i] = 0, { rille.channel(1) }
      cases[i][1]:send(true)
    end
    local selector = rille.selector(cases)
    for _ = 1, 10000 do
      local i = selector:wait()
      counts[i] = counts[i] + 1
      cases[i][1]:try_send(true)
    end
  end)
  return counts
end

-- The bound of Go's own test: the z value of a chance of one in a million.
describe("a select", function()
  for _, schedule in ipairs { "fifo", "random" } do
    it("gives each of two ready cases its half, schedule " .. schedule, function()
      for seed = first, first + setting.size(5, 100) - 1 do
        local half = shares(2, seed, schedule)[1] / 10000
        assert.is_true(math.abs(half - 0.5) <= 0.0245, ("SEED=%d: %.4f"):format(seed, half))
      end
    end)

    it("gives each of eight ready cases a tenth at least, schedule " .. schedule, function()
      for seed = first, first + setting.size(5, 100) - 1 do
        for i, count in ipairs(shares(8, seed, schedule)) do
          assert.is_true(count >= 1000, ("SEED=%d: case %d: %d"):format(seed, i, count))
        end
      end
    end)
  end
end)
