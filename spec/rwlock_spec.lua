local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

local seed = math.tointeger(tonumber(os.getenv "SEED")) or 20260101

-- Tasks that hold the lock for a second each and log when they enter: "r1 w2".
local function queue(log, lock, text)
  local tasks = {}
  for name in text:gmatch "%S+" do
    local method = name:sub(1, 1) == "r" and lock.read or lock.write
    tasks[#tasks + 1] = rille.root():task(function()
      method(lock, function()
        log(name, rille.now())
        rille.sleep(1)
      end)
    end, { name = name })
  end
  return tasks
end

-- The order in which the tasks of `text` enter a lock that is being written.
local function order(text)
  local log = helper.log()
  run(function()
    local lock = rille.rwlock()
    queue(log, lock, "w0 " .. text)
  end)
  return (helper.text(log):gsub("w0:0 ", ""))
end

describe("rwlock", function()
  it("lets readers in together", function()
    assert.equal("r1:1 r2:1 r3:1", order "r1 r2 r3")
  end)

  it("lets one writer in at a time", function()
    assert.equal("w1:1 w2:2", order "w1 w2")
  end)

  it("is strictly in order: readers next to each other enter together", function()
    assert.equal("r1:1 r2:1 w1:2 r3:3 r4:3 w2:4 w3:5 r5:6", order "r1 r2 w1 r3 r4 w2 w3 r5")
  end)

  it("does not starve a writer, though readers come and overlap", function()
    run(function()
      local lock, stop = rille.rwlock(), false
      for i = 1, 5 do
        rille.root():go(function()
          rille.sleep(i / 5)
          while not stop do lock:read(rille.sleep, 1) end
        end)
      end
      rille.sleep(3)
      lock:write(function() stop = true end)
      assert.is_true(rille.now() <= 4)
    end)
  end)

  it("does not starve a reader, though writers come and come", function()
    run(function()
      local lock, stop = rille.rwlock(), false
      for _ = 1, 3 do
        rille.root():go(function()
          while not stop do lock:write(rille.sleep, 1) end
        end)
      end
      rille.sleep(3.5)
      lock:read(function() stop = true end)
      assert.is_true(rille.now() <= 7)
    end)
  end)

  it("lets the readers in whose writer is cancelled", function()
    local log = helper.log()
    run(function()
      local lock = rille.rwlock()
      local tasks = queue(log, lock, "r1 w1 r2 r3")
      rille.sleep(0.5)
      tasks[2]:cancel()
      tasks[4]:await()
    end)
    assert.equal("r1:0 r2:0.5 r3:0.5", helper.text(log))
  end)

  it("forgets a reader that is cancelled while it waits", function()
    run(function()
      local lock = rille.rwlock()
      lock:acquire_write()
      local task = rille.root():task(function() lock:acquire_read() end)
      rille.yield()
      task:cancel()
      refused("cancelled", task:await())
      lock:release_write()
      assert.equal("rille.rwlock: free, 0 waiting", tostring(lock))
    end)
  end)

  it("that was asked for in vain is forgotten", function()
    run(function()
      local kept = setmetatable({}, { __mode = "k" })
      for _ = 1, 10 do
        local lock = rille.rwlock()
        kept[lock] = true
        local holder = rille.root():go(function() lock:read(rille.sleep, 2) end)
        rille.yield()
        refused("timeout", rille.timeout(1, lock.acquire_write, lock))
        holder:await()
      end
      collectgarbage()
      assert.is_nil(next(kept))
    end)
  end)

  it("whose waiter is cancelled may be taken by the same task again", function()
    run(function()
      local lock = rille.rwlock()
      rille.root():go(function() lock:write(rille.sleep, 2) end)
      rille.yield()
      refused("timeout", rille.timeout(1, lock.acquire_read, lock))
      assert.is_true(lock:acquire_read())
      lock:release_read()
    end)
  end)

  it("tells its state", function()
    run(function()
      local lock = rille.rwlock()
      queue(helper.log(), lock, "r1 r2 w1")
      rille.yield()
      assert.same({ readers = 2, writer = false, waiting = 1 }, lock:stats())
      assert.equal("rille.rwlock: 2 readers, 1 waiting", tostring(lock))
      rille.sleep(1.5)
      assert.equal("rille.rwlock: a writer, 0 waiting", tostring(lock))
      assert.same({ readers = 0, writer = true, waiting = 0 }, lock:stats())
    end)
  end)

  it("is what a dump says that a task waits for", function()
    run(function()
      local lock = rille.rwlock()
      queue(helper.log(), lock, "w1 r1")
      rille.yield()
      assert.truthy(rille.dump():find "r1  waiting [%d.]+ s: read or write ")
    end)
  end)

  it("is no source for select", function()
    run(function()
      raises(function() rille.select { { rille.rwlock() } } end, "not something to wait for")
    end)
  end)

  it("under random cancellation never has a writer and somebody else", function()
    local random = helper.random(seed)
    run(function()
      local lock, reading, writing, entered = rille.rwlock(), 0, 0, 0
      local tasks = {}
      for id = 1, 3000 do
        local writes = random(4) == 1
        tasks[id] = rille.root():task(function()
          local method = writes and lock.write or lock.read
          method(lock, function()
            local _ <close> = helper.closing(function()
              if writes then writing = writing - 1 else reading = reading - 1 end
            end)
            if writes then writing = writing + 1 else reading = reading + 1 end
            assert(writing == 0 and reading > 0 or writing == 1 and reading == 0)
            entered = entered + 1
            rille.sleep(random(3) - 1)
          end)
        end)
        if random(3) == 1 then rille.sleep(random(2) - 1) end
        if random(2) == 1 then tasks[random(#tasks)]:cancel() end
      end
      for _, task in ipairs(tasks) do
        local _, err = task:await()
        assert(err == nil or rille.is_error(err, "cancelled"), err)
      end
      assert.is_true(entered > 500, tostring(entered))
      assert.equal("rille.rwlock: free, 0 waiting", tostring(lock), "SEED=" .. seed)
    end)
  end)
end)
