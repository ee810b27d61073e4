local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

describe("a foreign yield", function()
  it("fails the task that makes it", function()
    run(function()
      local task = rille.root():task(function() coroutine.yield("foreign") end)
      local value, err = task:await()
      assert.is_nil(value)
      assert.truthy(tostring(err):find("yield"))
    end)
  end)

  it("of nothing fails the task as well", function()
    run(function()
      local value, err = rille.root():task(function() coroutine.yield() end):await()
      assert.is_nil(value)
      assert.truthy(tostring(err):find("yield"))
    end)
  end)

  it("of a light imitation fails the task as well", function()
    run(function()
      for _, fake in ipairs { io.stdout, rille.root(), rille.channel(), 0 } do
        local value = rille.root():task(function() coroutine.yield(fake, 1, 2) end):await()
        assert.is_nil(value)
      end
    end)
  end)

  it("lets the handlers of the task run", function()
    local log = helper.log()
    run(function()
      rille.root():task(function()
        local _ <close> = helper.closing(function() log("closed") end)
        coroutine.yield("foreign")
      end):await()
    end)
    assert.equal("closed", helper.text(log))
  end)

  it("leaves the engine working", function()
    run(function()
      rille.root():task(function() coroutine.yield("foreign") end):await()
      rille.sleep(1)
      assert.equal(1, rille.now())
    end)
  end)
end)

describe("a task's own coroutine", function()
  -- Starts a task that sleeps a second and returns it and its coroutine.
  local function sleeper(log)
    local thread
    local task = rille.root():task(function()
      thread = coroutine.running()
      local _ <close> = helper.closing(function() log("closed") end)
      rille.sleep(1)
      log("woke")
      return "result"
    end)
    rille.yield()
    return task, thread
  end

  for name, library in pairs { stock = coroutine, engine = rille.coroutine } do
    it("survives a resume by hand (" .. name .. ")", function()
      local log = helper.log()
      run(function()
        local task, thread = sleeper(log)
        library.resume(thread, "by hand")
        task:await()
      end)
      assert.truthy(helper.text(log):find("closed"))
    end)

    it("survives a close by hand (" .. name .. ")", function()
      local log = helper.log()
      run(function()
        local task, thread = sleeper(log)
        pcall(library.close, thread)
        task:await()
        rille.sleep(1)
      end)
      assert.truthy(helper.text(log):find("closed"))
    end)
  end

  it("is not woken early by a resume by hand", function()
    local log = helper.log()
    run(function()
      local task, thread = sleeper(log)
      coroutine.resume(thread)
      if task:status() == "waiting" then
        assert.equal("result", (task:await()))
      else
        local value, err = task:await()
        assert.is_nil(value)
        assert.truthy(err)
      end
    end)
  end)

  it("runs its handlers once when it is closed by hand", function()
    local log = helper.log()
    run(function()
      local task, thread = sleeper(log)
      pcall(coroutine.close, thread)
      task:await()
    end)
    local _, count = helper.text(log):gsub("closed", "")
    assert.equal(1, count)
  end)

  it("cannot be resumed by itself", function()
    run(function()
      local ok = coroutine.resume(coroutine.running())
      assert.is_false(ok)
      rille.sleep(1)
    end)
  end)

  it("cannot be closed by itself", function()
    run(function()
      raises(function() coroutine.close(coroutine.running()) end)
      rille.sleep(1)
    end)
  end)

  it("that has ended may be resumed without harm", function()
    run(function()
      local thread
      rille.root():task(function() thread = coroutine.running() end):await()
      coroutine.resume(thread, print, "x")
      assert.equal("fine", (rille.root():task(function() return "fine" end):await()))
    end)
  end)

  it("that has ended may be closed without harm", function()
    run(function()
      local thread
      rille.root():task(function() thread = coroutine.running() end):await()
      pcall(coroutine.close, thread)
      assert.equal("fine", (rille.root():task(function() return "fine" end):await()))
    end)
  end)
end)

describe("a generator that waits", function()
  local co = rille.coroutine

  -- A task in a generator in a generator that sleeps; the two, the task first.
  local function nested()
    local inner = co.create(function() rille.sleep(1) return "inner" end)
    local outer = co.create(function() return (select(2, co.resume(inner))) end)
    local task = rille.root():task(function() return (select(2, co.resume(outer))) end)
    rille.yield()
    return task, inner, outer
  end

  it("refuses the resume of another task", function()
    run(function()
      local task, inner = nested()
      assert.is_false((co.resume(inner)))
      assert.equal("inner", (task:await()))
    end)
  end)

  it("in another refuses the resume of that by another task", function()
    run(function()
      local task, _, outer = nested()
      assert.is_false((co.resume(outer)))
      assert.equal("inner", (task:await()))
    end)
  end)

  it("survives the resume of the stock library", function()
    run(function()
      local task, inner, outer = nested()
      coroutine.resume(inner)
      coroutine.resume(outer)
      assert.equal("inner", (task:await()))
    end)
  end)

  it("survives a close by the stock library", function()
    run(function()
      local task, inner, outer = nested()
      pcall(coroutine.close, inner)
      pcall(coroutine.close, outer)
      task:await()
      rille.sleep(2)
    end)
  end)
end)
