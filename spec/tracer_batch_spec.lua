-- Finished spans on their way to an exporter that may wait.
local rille = require "rille"
local helper = require "spec.helper"
local tracing = require "spec.tracing_helper"

local tracer, make = tracing.batches, tracing.make

describe("a batch", function()
  it("is exported when the delay is over", function()
    local t, got = tracer()
    helper.run(function()
      make(t, 1, 2)
      rille.sleep(4.9)
      assert.are.same({}, got)
      rille.sleep(0.2)
      assert.are.same({ "1 2" }, got)
      assert.are.equal(2, t:stats().exported)
    end)
  end)

  it("is exported when it is full", function()
    local t, got = tracer { max_batch = 3 }
    helper.run(function()
      make(t, 1, 4)
      rille.sleep(0.1)
      assert.are.same({ "1 2 3" }, got)
      rille.sleep(5)
      assert.are.same({ "1 2 3", "4" }, got)
    end)
  end)

  it("is not made while another one is exported", function()
    local most, now = 0, 0
    local t, got = tracer({ max_batch = 1 }, function()
      now = now + 1
      most = math.max(most, now)
      rille.sleep(1)
      now = now - 1
    end)
    helper.run(function(...)
      make(t, 1, 3)
      rille.sleep(0.5)
      t:force_flush()
      return ...
    end)
    assert.are.same({ "1", "2", "3" }, got)
    assert.are.equal(1, most)
  end)

  it("is exported by a task that is nobody's, and only while there are spans", function()
    local t = tracer()
    helper.run(function()
      make(t, 1)
      rille.yield()
      assert.are.equal(0, rille.root():active())
      assert.is_truthy(rille.dump():find "trace export")
      rille.sleep(6)
      assert.is_nil(rille.dump():find "trace export")
    end)
  end)

  it("is exported though the root's tasks are limited", function()
    local t, got = tracer()
    helper.run({ concurrency = 1 }, function()
      make(t, 1)
      rille.root():go(rille.sleep, 20)
      rille.sleep(10)
      assert.are.same({ "1" }, got)
    end)
  end)

  it("tells nothing of itself", function()
    local t, got = tracer(nil, function() rille.scope(function(s) s:go(rille.sleep, 1) end) end)
    helper.run({ tracer = t }, function() rille.sleep(20) end)
    assert.are.same({ "root" }, got)
    assert.are.equal(1, t:stats().started)
  end)
end)

describe("a queue", function()
  it("that is full drops the newest, and counts them", function()
    local t, got = tracer { max_queue = 3, max_batch = 3 }
    helper.run(function()
      make(t, 1, 5)
      assert.are.equal(2, t:stats().dropped)
    end)
    assert.are.same({ "1 2 3" }, got)
  end)

  it("counts what is being exported as being there", function()
    local t = tracer({ max_queue = 2, max_batch = 2 }, function() rille.sleep(1) end)
    helper.run(function()
      make(t, 1, 2)
      rille.sleep(0.5)
      assert.are.equal(2, t:stats().inflight)
      make(t, 3)
      assert.are.equal(1, t:stats().dropped)
    end)
  end)

  it("does not get spans that are not kept", function()
    local t, got = tracer { sampler = "always_off" }
    helper.run(make, t, 1, 5)
    assert.are.same({}, got)
  end)
end)

describe("an exporter", function()
  it("that fails loses its batch, with one warning for several", function()
    local output = helper.warnings [[
      local t = rille.tracer {exporter = function() error("boom", 0) end, max_batch = 1}
      for i = 1, 3 do t:start_span "x":finish() end
      t:force_flush()
      print(t:stats().failed)]]
    assert.are.equal("3\nLua warning: rille: tracer: 1 spans could not be exported: boom\n",
      (output:gsub("^(Lua.-\n)(3\n)$", "%2%1")))
  end)

  it("that returns nil and an error fails", function()
    local t = tracer(nil, function() return nil, "no" end)
    helper.run(function()
      make(t, 1)
      t:force_flush()
      assert.are.equal("1 0", t:stats().failed .. " " .. t:stats().exported)
    end)
  end)

  it("that does not come back is given up after export_timeout", function()
    local t = tracer({ export_timeout = 3 }, function() rille.sleep(100) end)
    helper.run(function()
      make(t, 1)
      t:force_flush()
      assert.are.equal(3, rille.now())
      assert.are.equal(1, t:stats().failed)
    end)
  end)

  it("may be an object, which is told of the resource and of the end", function()
    local seen = {}
    local exporter = { export = function(self, spans, resource)
      seen[#seen + 1] = #spans .. resource["service.name"]
      return self ~= nil
    end, shutdown = function() seen[#seen + 1] = "end" end }
    local t = rille.tracer { exporter = exporter, service = "s", resource = { a = 1 } }
    helper.run(function()
      make(t, 1)
      t:shutdown()
    end)
    assert.are.same({ "1s", "end" }, seen)
  end)

  it("that writes a file writes a line of JSON for each batch", function()
    local path = os.tmpname()
    local t = rille.tracer { exporter = "file", path = path }
    helper.run(function() make(t, 1, 2) end)
    helper.run(function() make(t, 3) end)
    local lines = {}
    for line in io.lines(path) do lines[#lines + 1] = line end
    os.remove(path)
    assert.are.equal(2, #lines)
    assert.is_truthy(lines[2]:find '^{"resourceSpans":%[.*"name":"3"')
  end)

  it("that cannot write its file fails", function()
    local t = rille.tracer { exporter = "file", path = "/nowhere/x" }
    helper.run(function() make(t, 1) end)
    assert.are.equal(1, t:stats().failed)
  end)
end)

describe("a tracer's memory", function()
  it("does not grow with the spans", function()
    local t = rille.tracer { exporter = function() end }
    helper.run({ tracer = t }, function()
      local function round()
        for _ = 1, 200 do rille.scope(function(s) s:go(function() end) end) end
        t:force_flush()
      end
      for _ = 1, 5 do round() end
      local before = helper.heap()
      for _ = 1, 10 do round() end
      assert.is_true(helper.heap() - before < 100) -- for 4000 spans
    end)
  end)

  it("of an exporter 'memory' is given back by clear", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run(make, t, 1, 3)
    assert.are.equal(3, #t:spans())
    t:clear()
    assert.are.same({}, t:spans())
    helper.raises(function() tracer():spans() end, "for the exporter 'memory'")
  end)
end)
