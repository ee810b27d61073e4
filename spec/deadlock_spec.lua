local rille = require "rille"
local helper = require "spec.helper"
local run, raises_kind = helper.run, helper.raises_kind

-- The text of the deadlock that fn(root) runs into.
local function report(fn)
  return tostring(raises_kind("deadlock", function()
    run(function() fn(rille.root()) end)
  end))
end

local function contains(text, part)
  if not text:find(part, 1, true) then
    error(("%q is not in:\n%s"):format(part, text), 2)
  end
end

describe("deadlock", function()
  it("is an error instead of a hang", function()
    raises_kind("deadlock", function() run(function() rille.channel():recv() end) end)
  end)

  it("names each parked task", function()
    local text = report(function(root)
      root:go({ name = "reader" }, function() rille.channel():recv() end)
      root:go({ name = "writer" }, function() rille.channel():send(1) end)
    end)
    contains(text, "reader")
    contains(text, "writer")
  end)

  it("does not name a task that has ended", function()
    local text = report(function(root)
      root:go({ name = "gone" }, rille.yield)
      rille.channel():recv()
    end)
    assert.is_nil(text:find("gone", 1, true))
  end)

  it("says that a task waits to receive", function()
    contains(report(function() rille.channel():recv() end), "recv")
  end)

  it("says that a task waits to send", function()
    contains(report(function() rille.channel():send(1) end), "send")
  end)

  it("says that a task waits in a select", function()
    contains(report(function() rille.select { { rille.channel() } } end), "recv")
  end)

  it("says which task another waits for", function()
    contains(report(function(root)
      local task = root:task(function() rille.channel():recv() end, { name = "slow one" })
      root:go(function() task:await() end)
    end), "slow one")
  end)

  it("says that a task sleeps for ever", function()
    contains(report(function() rille.sleep(math.huge) end), "sleep")
  end)

  it("says that a task waits for a callback", function()
    contains(report(function() rille.await(function() end) end), "await")
  end)

  it("says where a task stands", function()
    local place
    local text = report(function()
      place = helper.where() rille.channel():recv()
    end)
    contains(text, place)
  end)

  it("says where each of two tasks stands", function()
    local first, second
    local text = report(function(root)
      root:go(function() first = helper.where() rille.channel():recv() end)
      root:go(function() second = helper.where() rille.channel():send(1) end)
    end)
    contains(text, first)
    contains(text, second)
  end)

  it("is found between two tasks that await each other", function()
    local text = report(function(root)
      local a, b
      a = root:task(function() b:await() end, { name = "alpha" })
      b = root:task(function() a:await() end, { name = "beta" })
    end)
    contains(text, "alpha")
    contains(text, "beta")
  end)

  it("is found when a scope waits for a task that waits for its body", function()
    raises_kind("deadlock", function()
      run(function()
        local ch = rille.channel()
        rille.scope(function(s) s:go(ch.recv, ch) end)
        ch:close()
      end)
    end)
  end)

  it("lets the cleanup of the parked tasks run", function()
    local log = helper.log()
    pcall(run, function()
      local _ <close> = helper.closing(function() rille.sleep(1) log("closed") end)
      rille.channel():recv()
    end)
    assert.equal("closed", helper.text(log))
  end)

  it("waits for timers first", function()
    local log = helper.log()
    pcall(run, function()
      rille.root():go(function() rille.sleep(100) log("slept") end)
      rille.channel():recv()
    end)
    assert.equal("slept", helper.text(log))
  end)

  it("is none while a deadline will end the wait", function()
    run(function()
      helper.refused("timeout", rille.timeout(5, function() rille.channel():recv() end))
    end)
  end)

  it("is none when only daemons are parked", function()
    run(function()
      rille.root():go({ daemon = true }, function() rille.channel():recv() end)
      rille.yield()
    end)
  end)

  it("leaves the engine working", function()
    pcall(run, function() rille.channel():recv() end)
    assert.equal(1, run(function() rille.sleep(1) return rille.now() end))
  end)

  it("is found on the real clock too", function()
    raises_kind("deadlock", function()
      run({ clock = "real" }, function() rille.channel():recv() end)
    end)
  end)

  it("is found with many tasks", function()
    raises_kind("deadlock", function()
      run(function()
        for _ = 1, 1000 do
          rille.root():go(function() rille.channel():recv() end)
        end
      end)
    end)
  end)
end)

describe("rille.dump", function()
  local function dump(fn)
    local text
    run(function()
      rille.scope(function(s)
        fn(s)
        helper.settle()
        text = rille.dump()
        s:cancel()
      end)
    end)
    return text
  end

  it("returns text without an io", function()
    assert.equal("string", type(run(rille.dump)))
  end)

  it("writes to an io that is given", function()
    local file = assert(io.tmpfile())
    run(function() rille.dump(file) end)
    file:seek("set")
    assert.truthy(#file:read("a") > 0)
    file:close()
  end)

  it("works outside a task", function()
    assert.equal("string", type(rille.dump()))
  end)

  it("names the scopes", function()
    contains(dump(function(root)
      root:go(function()
        rille.scope({ name = "downloads" }, function() rille.sleep(9) end)
      end)
    end), "downloads")
  end)

  it("names the tasks", function()
    contains(dump(function(root) root:go({ name = "fetcher" }, rille.sleep, 9) end), "fetcher")
  end)

  it("says the status", function()
    contains(dump(function(root) root:go(rille.sleep, 9) end), "waiting")
  end)

  it("says what a task waits on", function()
    contains(dump(function(root)
      root:go(function() rille.channel():recv() end)
    end), "recv")
  end)

  it("says since when", function()
    run(function()
      local sleeper = rille.root():go({ name = "sleeper" }, rille.sleep, 99)
      rille.sleep(42)
      local line = rille.dump():match("[^\n]*sleeper[^\n]*")
      contains(line, "42")
      sleeper:cancel()
    end)
  end)

  it("says where a task stands", function()
    local place
    contains(dump(function(root)
      root:go(function() place = helper.where() rille.sleep(9) end)
    end), place)
  end)

  it("does not list what has ended", function()
    local text = dump(function(root) root:go({ name = "gone" }, rille.yield) end)
    assert.is_nil(text:find("gone", 1, true))
  end)
end)
