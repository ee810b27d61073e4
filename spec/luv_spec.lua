-- luv on the engine's loop: loading and closing in any order, refusals, await.
-- What ends a process, or could crash one, runs in a process of its own.

local helper = require "spec.helper"

local lua = helper.stock_lua

local function prints(expected, code)
  assert.same({ expected, 0 }, { lua(code) })
end

local without_luv = helper.without_luv

local timer_in_a_task = [[
  rille.run(function()
    print(rille.await(function(resolve)
      local timer = uv.new_timer()
      timer:start(1, 0, function() timer:close() resolve("rang", 1, nil) end)
    end))
  end)
]]

describe("rille.uv", function()
  describe("with luv loaded first", function()
    it("returns that luv, which works in tasks", function()
      prints("true\nrang\t1\tnil\n", [[
        local luv, rille = require "luv", require "rille"
        local uv = rille.uv()
        print(uv == luv)]] .. timer_in_a_task)
    end)

    it("leaves uv.run to those who have no task", function()
      prints("rang\n", [[
        local uv, rille = require "luv", require "rille"
        rille.uv()
        local timer = uv.new_timer()
        timer:start(1, 0, function() timer:close() print("rang") end)
        uv.run()]])
    end)

    it("closes with handles and a task still open", function()
      prints("", [[
        local uv, rille = require "luv", require "rille"
        rille.uv()
        OPEN = { uv.new_timer(), uv.new_tcp(), uv.new_idle() }
        OPEN[1]:start(10000, 0, print)
        pcall(rille.run, function()
          rille.root():go({ daemon = true }, rille.sleep, 100)
          rille.sleep(0.001)
        end)]])
    end)
  end)

  describe("with rille loaded first", function()
    it("returns a luv that works in tasks", function()
      prints("true\nrang\t1\tnil\n", [[
        local rille = require "rille"
        local uv = rille.uv()
        print(uv == require "luv")]] .. timer_in_a_task)
    end)

    it("returns the same luv when it was loaded in between", function()
      prints("true\nrang\t1\tnil\n", [[
        local rille = require "rille"
        local luv = require "luv"
        local uv = rille.uv()
        print(uv == luv)]] .. timer_in_a_task)
    end)

    it("closes with handles and a task still open", function()
      prints("", [[
        local rille = require "rille"
        local uv = rille.uv()
        OPEN = { uv.new_timer(), uv.new_tcp(), uv.new_idle() }
        OPEN[1]:start(10000, 0, print)
        pcall(rille.run, function()
          rille.root():go({ daemon = true }, rille.sleep, 100)
          rille.sleep(0.001)
        end)]])
    end)

    it("closes with a luv that was never asked for", function()
      prints("", [[
        local rille = require "rille"
        local luv = require "luv"
        OPEN = luv.new_timer()
        OPEN:start(10000, 0, print)
        rille.run(rille.sleep, 0.001)]])
    end)
  end)

  it("ends with os.exit in the middle of a task", function()
    local _, status = lua [[
      local rille = require "rille"
      local uv = rille.uv()
      rille.run(function()
        OPEN = uv.new_timer()
        OPEN:start(10000, 0, print)
        rille.root():go(rille.sleep, 100)
        rille.sleep(0.001)
        os.exit(3)
      end)]]
    assert.equal(3, status)
  end)

  it("names the package when there is no luv", function()
    prints("false\ttrue\n", without_luv .. [[
      local ok, err = pcall(rille.uv)
      print(ok, tostring(err):find("lua-luv", 1, true) ~= nil)]])
  end)

  it("is not needed by the rest", function()
    prints("done\n", without_luv .. [[rille.run(rille.sleep, 0.001) print("done")]])
  end)

  it("keeps a program waiting for a handle of luv's", function()
    prints("rang\n", [[
      local rille = require "rille"
      local uv = rille.uv()
      rille.run(function()
        local channel = rille.channel(1)
        local timer = uv.new_timer()
        timer:start(20, 0, function() timer:close() channel:try_send("rang") end)
        print(channel:recv())
      end)]])
  end)

  it("wakes a task that was waiting when a callback sends", function()
    prints("1\t2\t3\n", [[
      local rille = require "rille"
      local uv = rille.uv()
      rille.run(function()
        local channel, n, timer = rille.channel(math.huge), 0, uv.new_timer()
        timer:start(1, 1, function()
          n = n + 1
          channel:try_send(n)
          if n == 3 then timer:close() end
        end)
        print(channel:recv(), channel:recv(), channel:recv())
      end)]])
  end)
end)

describe("inside a task", function()
  it("uv.run is refused in luv's own words", function()
    prints("nil\tloop already running\n", [[
      local rille = require "rille"
      local uv = rille.uv()
      rille.run(function()
        rille.sleep(0.001)
        print(uv.run())
      end)]])
  end)
end)

describe("inside a luv callback", function()
  -- What `call` raises in a callback of luv's.
  local function refusal(call)
    local output, status = lua([[
      local rille = require "rille"
      local uv = rille.uv()
      rille.run(function()
        rille.await(function(resolve)
          local timer = uv.new_timer()
          timer:start(1, 0, function()
            timer:close()
            print(select(2, pcall(function() ]] .. call .. [[ end)))
            resolve()
          end)
        end)
      end)]])
    assert.equal(0, status)
    return output
  end

  it("a call that would wait raises an error that says so", function()
    for _, call in ipairs {
      "rille.sleep(0)", "rille.channel():recv()", "rille.channel(1):send(1)",
      "rille.yield()", "rille.await(function() end)", "rille.scope(function() end)",
    } do
      assert.truthy(refusal(call):find("callback", 1, true), call .. ": " .. refusal(call))
    end
  end)

  it("rille.run raises an error that says so", function()
    assert.truthy(refusal("rille.run(print)"):find("callback", 1, true))
  end)

  it("a call that never waits works", function()
    assert.equal("true\n", refusal("error(tostring(rille.channel(1):try_send(1)), 0)"))
  end)
end)

describe("rille.await", function()
  local rille, uv

  setup(function()
    rille = require "rille"
    uv = rille.uv()
  end)

  -- A one-shot timer that calls `fn` and closes itself.
  local function ring(ms, fn)
    local timer = uv.new_timer()
    timer:start(ms, 0, function()
      timer:close()
      fn()
    end)
    return timer
  end

  it("returns what a callback resolves it with, nils included", function()
    local results = rille.run(function()
      return table.pack(rille.await(function(resolve)
        ring(1, function() resolve(nil, "two", nil) end)
      end))
    end)
    assert.same({ n = 3, [2] = "two" }, results)
  end)

  it("returns when resolved at once", function()
    assert.same({ 1, 2 }, { rille.run(rille.await, function(resolve) resolve(1, 2) end) })
  end)

  it("ignores a second resolve, at once or later", function()
    assert.equal("first", rille.run(function()
      local value = rille.await(function(resolve)
        resolve("first")
        resolve("second")
        ring(1, function() resolve("third") end)
      end)
      rille.sleep(0.005)
      return value
    end))
  end)

  it("lets other tasks run while it waits", function()
    local events = {}
    rille.run(function()
      rille.root():go(function() events[#events + 1] = "other" end)
      rille.await(function(resolve) ring(5, resolve) end)
      events[#events + 1] = "rang"
    end)
    assert.same({ "other", "rang" }, events)
  end)

  it("runs the cancel function once when it is cancelled", function()
    local cancelled = 0
    local err = rille.run(function()
      return select(2, rille.timeout(0.005, rille.await, function(resolve)
        local timer = ring(10000, resolve)
        return function()
          cancelled = cancelled + 1
          timer:close()
        end
      end))
    end)
    assert.is_true(rille.is_error(err, "timeout"))
    assert.equal(1, cancelled)
  end)

  it("does not run the cancel function when it is resolved", function()
    local cancelled = 0
    rille.run(rille.await, function(resolve)
      ring(1, resolve)
      return function() cancelled = cancelled + 1 end
    end)
    assert.equal(0, cancelled)
  end)

  it("ignores a resolve that comes after the cancellation", function()
    assert.equal("on", rille.run(function()
      rille.timeout(0.002, rille.await, function(resolve) ring(6, resolve) end)
      rille.sleep(0.01)
      return "on"
    end))
  end)

  it("raises what start raises", function()
    local ok, err = pcall(rille.run, rille.await, function() error("no device", 0) end)
    assert.same({ false, "no device" }, { ok, err })
  end)

  it("serves many waits at once", function()
    local sum = 0
    rille.run(function()
      rille.scope(function(scope)
        for i = 1, 100 do
          scope:go(function()
            local value = rille.await(function(resolve)
              ring(i % 5, function() resolve(i) end)
            end)
            sum = sum + value
          end)
        end
      end)
    end)
    assert.equal(5050, sum)
  end)
end)
