local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local nan = 0 / 0

-- Calls fn in a task; it must raise a plain string that matches the pattern.
local function refuses(fn, pattern)
  run(function()
    local err = raises(fn, pattern)
    assert.equal("string", type(err))
  end)
end

describe("a wrong argument", function()
  for name, row in pairs {
    ["sleep(nil)"] = { "#1", function() rille.sleep() end },
    ["sleep(NaN)"] = { "#1", function() rille.sleep(nan) end },
    ["sleep(a word)"] = { "#1", function() rille.sleep("soon") end },
    ["sleep(a table)"] = { "#1", function() rille.sleep {} end },
    ["sleep_until(nil)"] = { "#1", function() rille.sleep_until() end },
    ["sleep_until(true)"] = { "#1", function() rille.sleep_until(true) end },
    ["scope(nil, a number)"] = { "#2", function() rille.scope(nil, 42) end },
    ["scope(a number)"] = { "#1", function() rille.scope(42) end },
    ["scope({}, a number)"] = { "#2", function() rille.scope({}, 42) end },
    ["await(nil)"] = { "#1", function() rille.await() end },
    ["timeout(nil)"] = { "#1", function() rille.timeout(nil, print) end },
    ["timeout(a word)"] = { "#1", function() rille.timeout("soon", print) end },
    ["timeout(1, nil)"] = { "#2", function() rille.timeout(1) end },
    ["shield(nil)"] = { "#1", function() rille.shield() end },
    ["shield(true)"] = { "#1", function() rille.shield(true) end },
    ["go(nil)"] = { "#1", function() rille.root():go() end },
    ["go(42)"] = { "#1", function() rille.root():go(42) end },
    ["go({}, nil)"] = { "#2", function() rille.root():go {} end },
    ["task(nil)"] = { "#1", function() rille.root():task() end },
    ["task({})"] = { "#1", function() rille.root():task({}, 1) end },
    ["task(fn, 42)"] = { "#2", function() rille.root():task(print, 42) end },
    ["defer(nil)"] = { "#1", function() rille.root():defer() end },
    ["set_deadline(nil)"] = { "#1", function() rille.root():set_deadline() end },
    ["channel(a word)"] = { "#1", function() rille.channel("many") end },
    ["channel(1, 42)"] = { "#2", function() rille.channel(1, 42) end },
    ["after(nil)"] = { "#1", function() rille.after() end },
    ["every(nil)"] = { "#1", function() rille.every() end },
    ["select(nil)"] = { "#1", function() rille.select() end },
    ["select({...}, 42)"] = { "#2", function() rille.select({ { rille.channel() } }, 42) end },
    ["selector(nil)"] = { "#1", function() rille.selector() end },
    ["run in a task"] = { "run", function() rille.run(print) end },
  } do
    it("raises a string with its number: " .. name, function()
      refuses(row[2], row[1])
    end)
  end

  it("raises for run outside a task: nil", function()
    raises(function() rille.run() end, "#1")
  end)

  it("raises for run outside a task: a number", function()
    raises(function() rille.run({}, 42) end, "#2")
  end)

  it("raises for a number that is given as a string", function()
    refuses(function() rille.sleep("1") end, "#1")
  end)
end)

describe("an extreme time", function()
  for name, seconds in pairs {
    ["0"] = 0, ["-0.0"] = -0.0, ["-1"] = -1, ["-math.huge"] = -math.huge,
    ["math.mininteger"] = math.mininteger,
  } do
    it("of " .. name .. " is over at once", function()
      run(function()
        rille.sleep(seconds)
        assert.equal(0, rille.now())
      end)
    end)
  end

  for name, seconds in pairs {
    ["2^31"] = 2 ^ 31, ["2^53"] = 2 ^ 53, ["2^63"] = 2 ^ 63, ["1e300"] = 1e300,
    ["math.maxinteger"] = math.maxinteger, ["math.huge"] = math.huge,
  } do
    it("of " .. name .. " can be waited for and cancelled", function()
      run(function()
        helper.refused("timeout", rille.timeout(1, rille.sleep, seconds))
        assert.equal(1, rille.now())
      end)
    end)

    it("of " .. name .. " does as a timeout", function()
      run(function()
        assert.equal("x", (rille.timeout(seconds, function() rille.sleep(1) return "x" end)))
      end)
    end)
  end
end)

describe("an unknown option", function()
  for name, row in pairs {
    ["run"] = { "clock", function() rille.run({ clok = "virtual" }, print) end },
    ["run, of a later version"] = { "retri", function() rille.run({ retri = 1 }, print) end },
  } do
    it("raises with the nearest known one: " .. name, function()
      raises(row[2], row[1])
    end)
  end

  for name, row in pairs {
    ["scope"] = { "concurrency", function() rille.scope({ concurency = 1 }, print) end },
    ["go"] = { "daemon", function() rille.root():go({ deamon = true }, print) end },
    ["task"] = { "name", function() rille.root():task(print, { nam = "x" }) end },
    ["channel"] = { "on_drop", function() rille.channel(1, { ondrop = print }) end },
    ["every"] = { "option", function() rille.every(1, { jiter = 1 }) end },
  } do
    it("raises with the nearest known one: " .. name, function()
      run(function() raises(row[2], row[1]) end)
    end)
  end

  for _, name in ipairs { "tracer" } do
    it("is " .. name .. " of a scope, for now", function()
      run(function()
        raises(function() rille.scope({ [name] = 1 }, print) end, name)
      end)
    end)
  end

  it("may be a number or a boolean as a key", function()
    run(function()
      raises(function() rille.scope({ [1] = "x" }, print) end, "option")
      raises(function() rille.scope({ [true] = "x" }, print) end, "option")
    end)
  end)
end)

describe("an option of the wrong type", function()
  for name, row in pairs {
    ["name of go"] = { "name", function() rille.root():go({ name = 42 }, print) end },
    ["daemon of go"] = { "daemon", function() rille.root():go({ daemon = 1 }, print) end },
    ["name of task"] = { "name", function() rille.root():task(print, { name = {} }) end },
    ["daemon of task"] = { "daemon", function() rille.root():task(print, { daemon = 0 }) end },
    ["timeout as a string"] = { "timeout", function() rille.scope({ timeout = "1" }, print) end },
    ["grace as a boolean"] = { "grace", function() rille.scope({ grace = true }, print) end },
    ["ordered of select"] = { "ordered", function()
      rille.select({ { rille.channel() } }, { ordered = 1, timeout = 0 })
    end },
  } do
    it("raises with its name: " .. name, function()
      run(function() raises(row[2], row[1]) end)
    end)
  end

  it("raises with its name: clock of run", function()
    raises(function() rille.run({ clock = "sundial" }, print) end, "clock")
  end)

  it("raises with its name: seed of run", function()
    raises(function() rille.run({ seed = {} }, print) end, "seed")
  end)

  it("starts no task", function()
    run(function()
      pcall(function() rille.root():go({ name = 42 }, error) end)
      assert.equal(0, rille.root():active())
    end)
  end)
end)

describe("closing a scope", function()
  it("from another task raises", function()
    run(function()
      rille.scope(function(s)
        local task = rille.root():task(function() raises(function() s:close() end) return 1 end)
        assert.equal(1, (task:await()))
      end)
    end)
  end)

  it("from one of its own tasks raises", function()
    run(function()
      rille.scope(function(s)
        local task = s:task(function() raises(function() s:close() end) return 1 end)
        assert.equal(1, (task:await()))
      end)
    end)
  end)

  it("out of order raises", function()
    run(function()
      local outer = rille.scope()
      local inner = rille.scope()
      raises(function() outer:close() end)
      assert.is_true(inner:close())
      assert.is_true(outer:close())
    end)
  end)

  it("in block form from inside leaves the engine working", function()
    run(function()
      pcall(rille.scope, function(s) s:go(rille.yield) pcall(s.close, s) end)
      assert.equal(1, (rille.scope(function() rille.sleep(1) return rille.now() end)))
    end)
  end)

  it("from its own defer raises or does nothing", function()
    local called = false
    run(function()
      rille.scope(function(s)
        s:defer(function() called = true pcall(s.close, s) end)
      end)
    end)
    assert.is_true(called)
  end)

  it("outside a task raises or does nothing", function()
    local scope
    run(function() rille.scope(function(s) scope = s end) end)
    pcall(scope.close, scope)
    assert.equal(1, run(function() return 1 end))
  end)
end)

describe("an object of a run that has ended", function()
  it("is a root scope that starts no task", function()
    local root
    run(function() root = rille.root() end)
    raises(function() root:go(print) end)
    run(function() raises(function() root:go(print) end) end)
  end)

  it("is a scope that cannot be a parent", function()
    local old
    run(function() rille.scope(function(s) old = s end) end)
    run(function()
      raises(function() rille.scope({ parent = old }, function(s) s:go(rille.yield) end) end)
    end)
  end)

  it("is a task that can be awaited in the next run", function()
    local task
    run(function() task = rille.root():task(function() return "old" end) end)
    run(function() assert.equal("old", (task:await())) end)
  end)

  it("is a channel that works in the next run", function()
    local ch
    run(function() ch = rille.channel(1) ch:send("kept") end)
    assert.equal("kept", run(function() return (ch:recv()) end))
  end)

  it("is a timer that harms nothing", function()
    local timer
    run(function() timer = rille.after(5) end)
    run(function()
      pcall(rille.select, { { timer } }, { timeout = 1 })
      pcall(timer.stop, timer)
    end)
  end)

  it("is a resolve that is ignored", function()
    local resolve
    pcall(run, function() rille.await(function(r) resolve = r end) end)
    resolve(1)
    run(function() resolve(2) rille.sleep(1) end)
  end)
end)
