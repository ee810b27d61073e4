-- How spans say that something has ended: the rules for status.
local rille = require "rille"
local helper = require "spec.helper"
local tracing = require "spec.tracing_helper"

local trace, find, events = tracing.trace, tracing.find, tracing.events

describe("the status of a span", function()
  it("is not set when all went well", function()
    local tracer = trace(function(s) s:go(rille.sleep, 1) end)
    assert.is_nil(tracer[1].status)
    assert.is_nil(tracer[2].status)
  end)

  it("is an error with its text where the body raised", function()
    local tracer = trace(function() error("boom", 0) end)
    assert.are.equal("error boom _OTHER", table.concat({ tracer[1].status, tracer[1].message,
      tracer[1].attributes["error.type"] }, " "))
    assert.are.equal(1, tracer[1].attributes["scope.errors"])
  end)

  it("has the kind of an engine error as error.type", function()
    local tracer = trace(function()
      local ch = rille.channel()
      ch:close()
      ch:send(1)
    end)
    assert.are.equal("closed", tracer[1].attributes["error.type"])
  end)

  it("is an error for a task that failed, and for the scope it failed", function()
    local tracer = trace(function(s) s:go(error, "boom", 0) end)
    assert.are.equal("error error", tracer[2].status .. " " .. tracer[1].status)
    assert.are.equal("boom", tracer[2].attributes["task.error_reason"])
  end)

  it("is an error for a task that returned nil and an error", function()
    local tracer = trace(function(s) s:task(function() return nil, "no" end):await() end)
    assert.are.equal("error", tracer[2].status)
    assert.is_nil(tracer[1].status)
  end)

  it("is not set in a scope that dealt with the failure of a task", function()
    local tracer = trace(function(s) s:task(error):await() end)
    assert.is_nil(tracer[1].status)
  end)

  it("is not set by a task that was tried again and succeeded", function()
    local calls = 0
    local tracer = trace(function(s)
      s:task(function()
        calls = calls + 1
        if calls < 3 then error "not yet" end
      end, { retry = { delay = 1 } }):await()
    end)
    assert.is_nil(tracer[1].status)
    assert.is_nil(tracer[2].status)
    assert.are.equal(2, tracer[2].attributes["task.retry_attempts"])
  end)

  it("is not set by the owner's cancellation", function()
    local tracer = trace(function(s)
      s:go(rille.sleep, 9)
      rille.sleep(1)
      s:cancel "enough"
      rille.sleep(1)
    end)
    for i = 1, 2 do
      assert.is_nil(tracer[i].status)
      assert.is_true(tracer[i].attributes.cancelled)
    end
    assert.is_true(tracer[1].attributes["scope.cancelled"])
    assert.are.equal("enough", tracer[1].attributes["scope.cancel_reason"])
  end)

  it("is not set in what was cancelled because a sibling failed", function()
    local tracer = trace(function(s)
      s:go({ otel = { name = "bystander" } }, function()
        rille.scope({ name = "in" }, function() rille.sleep(9) end)
      end)
      rille.yield()
      error "boom"
    end)
    for _, name in ipairs { "bystander", "in" } do
      assert.is_nil(find(tracer, name).status)
      assert.is_true(find(tracer, name).attributes.cancelled)
    end
  end)

  it("is an error in a scope whose time was up", function()
    local tracer = trace(function() rille.sleep(9) end, { timeout = 2 })
    assert.are.equal("error timeout", tracer[1].status .. " " .. tracer[1].attributes["error.type"])
    assert.are.equal(2000, tracer[1].attributes["scope.duration_ms"])
  end)

  it("is not set in a scope that was cancelled when all had ended", function()
    local tracer = trace(function(s) s:cancel() end)
    assert.is_nil(tracer[1].status)
    assert.is_nil(tracer[1].attributes.cancelled)
    assert.is_true(tracer[1].attributes["scope.cancelled"])
  end)

  it("passes what the scope gives on", function()
    local _, ok, a, b = trace(function() return 1, 2 end)
    assert.are.same({ true, 1, 2 }, { ok, a, b })
    local err = {}
    local _, failed, raised = trace(function() error(err) end)
    assert.is_false(failed)
    assert.are.equal(err, raised)
    local _, _, none, timeout = trace(function() rille.sleep(9) end, { timeout = 2 })
    helper.refused("timeout", none, timeout)
  end)
end)

describe("the current span", function()
  local function boom() error "boom" end

  it("is told of retries", function()
    local tracer = trace(function() rille.retry({ max_retries = 2, delay = 1 }, boom) end)
    assert.are.equal("retry.scheduled retry.scheduled", events(tracer[1]))
    assert.are.same({ ["retry.attempt"] = 2, ["retry.delay_ms"] = 1000 },
      tracer[1].events[2].attributes)
  end)

  it("is told of a breaker that opens, refuses, is half open and closes", function()
    local tracer = trace(function()
      local b = rille.breaker { failure_threshold = 1, reset_timeout = 1, name = "db" }
      b:call(boom)
      b:call(boom)
      rille.sleep(1)
      b:call(function() end)
    end)
    assert.are.equal("circuit_breaker.opened circuit_breaker.rejected "
      .. "circuit_breaker.half_opened circuit_breaker.closed", events(tracer[1]))
    assert.are.equal("db", tracer[1].events[1].attributes["circuit_breaker.name"])
  end)

  it("is told of a wait for a limiter", function()
    local tracer = trace(function()
      local l = rille.limiter { rate = 2, burst = 1 }
      l:acquire()
      l:acquire()
    end)
    assert.are.equal("rate_limit.waited", events(tracer[1]))
    assert.are.equal(0.5, tracer[1].events[1].attributes["rate_limit.seconds"])
  end)

  it("is told of a timeout", function()
    local tracer = trace(function() rille.timeout(1, rille.sleep, 2) end)
    assert.are.equal("timeout.expired", events(tracer[1]))
  end)

  it("is told of a fallback", function()
    assert.are.equal("fallback.used", events(trace(function() rille.fallback(boom, boom) end)[1]))
  end)

  it("is told of a second attempt of a hedge", function()
    local tracer = trace(function()
      rille.hedge({ delay = 1 }, function() rille.sleep(1.5) end)
    end)
    local event = find(tracer, "hedge").events[1]
    assert.are.equal("hedge.started 2", event.name .. " " .. event.attributes["hedge.attempt"])
  end)

  it("is told of a hit of a cache", function()
    local tracer = trace(function()
      local c = rille.cache()
      c:get(1, tostring)
      c:get(1, tostring)
    end)
    assert.are.equal("cache.hit", events(tracer[1]))
  end)
end)
