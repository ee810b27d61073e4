local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Options of a pool of numbers that notes what is destroyed, and when.
local function numbers(log, more)
  local made = 0
  local options = {
    create = function() made = made + 1 return made end,
    destroy = function(number) log(number, rille.now()) end,
  }
  for key, value in pairs(more or {}) do options[key] = value end
  return options
end

-- Lends `count` resources for `seconds` from now, all at once.
local function use(pool, count, seconds)
  rille.scope(function(s)
    for _ = 1, count do s:go(pool.with, pool, function() rille.sleep(seconds) end) end
  end)
end

describe("an idle resource", function()
  it("is destroyed when idle_timeout has passed, exactly", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { idle_timeout = 0.3 }))
      use(pool, 1, 0.1)
      rille.sleep(10)
      assert.equal(0, pool:stats().size)
    end)
    assert.equal("1:0.4", helper.text(log))
  end)

  it("stays when it is used again in time", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { idle_timeout = 3 }))
      for _ = 1, 5 do
        use(pool, 1, 0)
        rille.sleep(2)
      end
      rille.sleep(5)
    end)
    assert.equal("1:11", helper.text(log))
  end)

  it("stays while there are no more than min", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { idle_timeout = 3, min = 1 }))
      use(pool, 3, 1)
      rille.sleep(10)
      log "end"
    end)
    assert.equal("1:4 2:4 end 3:11", helper.text(log))
  end)

  it("that was used last is lent first, so that others expire", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { idle_timeout = 3 }))
      use(pool, 2, 1)
      for _ = 1, 6 do
        use(pool, 1, 0)
        rille.sleep(1)
      end
      assert.equal(1, pool:stats().idle)
      log "end"
    end)
    assert.equal("1:4 end 2:7", helper.text(log))
  end)

  it("is destroyed when it is older than max_lifetime", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { max_lifetime = 5, min = 1 }))
      use(pool, 1, 1)
      rille.sleep(10)
      assert.equal(0, pool:stats().size)
    end)
    assert.equal("1:5", helper.text(log))
  end)

  it("wakes the keeper that waits for a later one", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { max_lifetime = 5, idle_timeout = 4 }))
      local old = pool:acquire()
      rille.sleep(3)
      use(pool, 1, 0.5) -- expires at 7.5
      pool:release(old) -- expires at 5
      rille.sleep(10)
    end)
    assert.equal("1:5 2:7.5", helper.text(log))
  end)

  it("needs no task while nothing can expire", function()
    run(function()
      rille.scope(function(s)
        local pool = rille.resource_pool(numbers(helper.log(), { idle_timeout = 1 }))
        assert.equal(0, s:active())
        use(pool, 2, 1)
        rille.yield()
        assert.equal(1, s:active())
        rille.sleep(5)
        assert.equal(0, s:active())
      end)
    end)
  end)
end)

describe("a lent resource", function()
  it("that is too old is destroyed when it is given back", function()
    local log = helper.log()
    run(function()
      use(rille.resource_pool(numbers(log, { max_lifetime = 5 })), 1, 8)
    end)
    assert.equal("1:8", helper.text(log))
  end)

  it("that was discarded is destroyed, and its place is free", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { max = 1 }))
      pool:with(function(resource) pool:discard(resource) end)
      assert.equal(2, (pool:acquire()))
      rille.sleep(1)
    end)
    assert.equal("1:0 2:1", helper.text(log))
  end)
end)

describe("destroy", function()
  it("may wait in a task that is cancelled", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool { create = function() return {} end, max_lifetime = 1,
        destroy = function() rille.sleep(1) log(rille.now()) end }
      rille.timeout(2, pool.with, pool, function() rille.sleep(60) end)
    end)
    assert.equal("3", helper.text(log))
  end)

  it("holds its place until it is done", function()
    run(function()
      local pool = rille.resource_pool { create = function() return {} end, max = 1,
        destroy = function() rille.sleep(2) end }
      rille.root():go(function() pool:discard(pool:acquire()) end)
      rille.yield()
      pool:acquire()
      assert.equal(2, rille.now())
    end)
  end)

  it("that raises frees the place all the same", function()
    run(function()
      local pool = rille.resource_pool { create = function() return {} end, max = 1,
        destroy = function() error "stuck" end }
      raises(function() pool:discard(pool:acquire()) end, "stuck")
      assert.equal(0, pool:stats().size)
    end)
  end)

  it("that raises in the keeper fails the scope", function()
    raises(function()
      run(function()
        local pool = rille.resource_pool { create = function() return {} end, idle_timeout = 1,
          destroy = function() error "stuck" end }
        use(pool, 1, 0)
        rille.sleep(60)
      end)
    end, "stuck")
  end)
end)

describe("the end of a resource pool", function()
  it("comes with its scope: all are destroyed, the newest first", function()
    local log = helper.log()
    run(function()
      rille.scope(function()
        use(rille.resource_pool(numbers(log)), 3, 1)
        rille.sleep(1)
      end)
      log "after"
    end)
    assert.equal("3:2 2:2 1:2 after", helper.text(log))
  end)

  it("comes after the tasks of the scope have ended", function()
    local log = helper.log()
    run(function()
      rille.scope(function(s)
        local pool = rille.resource_pool(numbers(log))
        s:go(pool.with, pool, function() rille.sleep(5) log "used" end)
      end)
    end)
    assert.equal("used 1:5", helper.text(log))
  end)

  it("is shielded when the scope is cancelled", function()
    local log = helper.log()
    run(function()
      rille.scope({ timeout = 3 }, function()
        local pool = rille.resource_pool { create = function() return {} end,
          destroy = function() rille.sleep(1) log(rille.now()) end }
        pool:with(function() rille.sleep(60) end)
      end)
    end)
    assert.equal("4", helper.text(log))
  end)

  it("destroys also what nobody has given back", function()
    local log = helper.log()
    run(function()
      rille.scope(function()
        local pool = rille.resource_pool(numbers(log))
        pool:acquire()
        pool:with(function() end)
        pool:acquire()
      end)
    end)
    assert.equal("2:0 1:0", helper.text(log))
  end)

  it("destroys each once, whoever gives it back later", function()
    local log = helper.log()
    run(function()
      local given, resource
      rille.scope(function()
        given = rille.resource_pool(numbers(log))
        resource = given:acquire()
      end)
      given:release(resource)
    end)
    assert.equal("1:0", helper.text(log))
  end)

  it("goes on after a destroy that raises, and raises that", function()
    local log = helper.log()
    raises(function()
      run(function()
        rille.scope(function()
          use(rille.resource_pool(numbers(log, { destroy = function(number)
            log(number)
            if number == 2 then error "stuck" end
          end })), 3, 1)
        end)
      end)
    end, "stuck")
    assert.equal("3 2 1", helper.text(log))
  end)

  it("by close destroys what is idle, and later what is given back", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log))
      use(pool, 2, 0)
      pool:with(function()
        pool:close()
        log "closed"
        refused("closed", pool:acquire())
        refused("closed", pool:with(print))
      end)
    end)
    assert.equal("1:0 closed 2:0", helper.text(log))
  end)

  it("by close tells those who wait", function()
    run(function()
      local pool = rille.resource_pool(numbers(helper.log(), { max = 1 }))
      local resource = pool:acquire()
      local waiting = rille.root():task(function() return pool:acquire() end)
      rille.yield()
      pool:close()
      refused("closed", waiting:await())
      pool:release(resource)
    end)
  end)

  it("while it creates destroys what comes of it", function()
    local log = helper.log()
    run(function()
      local pool = rille.resource_pool(numbers(log, { create = function()
        rille.sleep(2)
        return 7
      end }))
      local waiting = rille.root():task(function() return pool:acquire() end)
      rille.sleep(1)
      pool:close()
      refused("closed", waiting:await())
    end)
    assert.equal("7:2", helper.text(log))
  end)

  it("comes with a <close> variable", function()
    local log = helper.log()
    run(function()
      do
        local pool <close> = rille.resource_pool(numbers(log))
        use(pool, 1, 0)
      end
      log "after"
    end)
    assert.equal("1:0 after", helper.text(log))
  end)
end)
