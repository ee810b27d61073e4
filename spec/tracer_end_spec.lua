-- What becomes of finished spans when a run or a tracer ends, or somebody asks.
local rille = require "rille"
local helper = require "spec.helper"
local tracing = require "spec.tracing_helper"

local tracer, make = tracing.batches, tracing.make

describe("the end of a run", function()
  it("exports what is left, the root's span included", function()
    local t, got = tracer()
    helper.run({ tracer = t }, function() rille.root():go(function() end) end)
    assert.are.same({ "scope.task root" }, got)
  end)

  it("exports what is left after a failure, which stays", function()
    local t, got = tracer()
    local ok, err = pcall(helper.run, { tracer = t }, function() error("boom", 0) end)
    assert.are.same({ false, "boom" }, { ok, err })
    assert.are.same({ "root" }, got)
  end)

  it("exports what is left after a cancellation and a timeout", function()
    local t, got = tracer()
    helper.run({ tracer = t, timeout = 1 }, function() rille.sleep(2) end)
    helper.run({ tracer = t }, function()
      rille.root():cancel()
      rille.sleep(1)
    end)
    assert.are.same({ "root", "root" }, got)
  end)

  it("waits no longer than the grace, and drops the rest", function()
    local t = tracer({ grace = 2, max_batch = 1 }, function() rille.sleep(100) end)
    local left
    helper.run(function()
      make(t, 1, 3)
      left = rille.now()
    end)
    assert.are.equal(0, left)
    assert.are.equal(3, t:stats().dropped)
  end)

  it("exports anew what it has interrupted", function()
    local calls = 0
    local t, got = tracer({}, function()
      calls = calls + 1
      if calls == 1 then rille.sleep(100) end
    end)
    helper.run(function()
      make(t, 1)
      rille.sleep(6)
      make(t, 2)
    end)
    assert.are.same({ "1", "1 2" }, got)
    assert.are.equal(2, t:stats().exported)
  end)

  it("exports what came outside of any run", function()
    local t, got = tracer()
    make(t, 1)
    helper.run(function() end)
    assert.are.same({ "1" }, got)
  end)

  it("is the same for several tracers", function()
    local a, got_a = tracer(nil, function() rille.sleep(1) end)
    local b, got_b = tracer()
    helper.run(function()
      make(a, 1)
      make(b, 2)
    end)
    assert.are.same({ { "1" }, { "2" } }, { got_a, got_b })
  end)

  it("keeps a deadlock one", function()
    local t, got = tracer()
    helper.raises_kind("deadlock", function()
      helper.run({ tracer = t }, function()
        make(t, 1)
        rille.channel():recv()
      end)
    end)
    assert.are.same({ "1", "root" }, got)
  end)
end)

describe("force_flush", function()
  it("exports what there is", function()
    local t, got = tracer()
    helper.run(function()
      make(t, 1, 2)
      assert.is_true(t:force_flush())
      assert.are.same({ "1 2" }, got)
      assert.is_true(t:force_flush(0))
    end)
  end)

  it("gives up in time; what it was at stays", function()
    local slow = true
    local t, got = tracer(nil, function() if slow then rille.sleep(100) end end)
    helper.run(function()
      make(t, 1)
      helper.refused("timeout", t:force_flush(1))
      slow = false
      assert.are.equal(1, t:stats().queued)
      assert.is_true(t:force_flush())
      assert.are.same({ "1", "1" }, got)
    end)
  end)

  it("does not wait for what comes meanwhile", function()
    local t, got
    t, got = tracer({ max_batch = 1 }, function() make(t, 9) end)
    helper.run(function()
      make(t, 1)
      t:force_flush()
      assert.is_true(#got <= 3)
      t:shutdown(0)
    end)
  end)

  it("leaves nothing behind, wherever it is cancelled", function()
    for at = 0, 6 do
      local t, got = tracer({ max_batch = 2 }, function() rille.sleep(1) end)
      helper.run(function()
        make(t, 1, 5)
        local task = rille.root():task(function() t:force_flush() end)
        rille.sleep(at / 2)
        task:cancel()
      end)
      assert.are.equal(5, t:stats().exported)
      local seen = {}
      for number in table.concat(got, " "):gmatch "%d" do seen[number] = true end
      for i = 1, 5 do assert.is_true(seen[tostring(i)]) end
    end
  end)

  it("works outside of a task", function()
    local t, got = tracer()
    make(t, 1)
    assert.is_true(t:force_flush())
    assert.are.same({ "1" }, got)
  end)
end)

describe("shutdown", function()
  it("exports the rest; later spans are not kept", function()
    local t, got = tracer()
    helper.run(function()
      local late = t:start_span "late"
      make(t, 1)
      assert.is_true(t:shutdown())
      late:finish()
      make(t, 2)
      assert.is_true(t:shutdown())
      assert.is_truthy(tostring(t):find "%(custom exporter, shut down%)$")
    end)
    assert.are.same({ "1" }, got)
  end)

  it("drops what is not exported in time", function()
    local t = tracer(nil, function() rille.sleep(100) end)
    helper.run(function()
      make(t, 1)
      helper.refused("timeout", t:shutdown(1))
      assert.are.equal("1 0", t:stats().dropped .. " " .. t:stats().queued)
    end)
  end)

  it("is what <close> does", function()
    local got
    helper.run(function()
      local t <close>, list = tracer()
      got = list
      make(t, 1)
    end)
    assert.are.same({ "1" }, got)
  end)
end)
