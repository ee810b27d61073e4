-- Spans of rille.tracer, seen through the exporter "memory".
local rille = require "rille"
local helper = require "spec.helper"

-- Runs fn(tracer) and returns the spans, in the order of their ends.
local function spans(fn, opts)
  opts = opts or {}
  opts.exporter = opts.exporter or "memory"
  local t = rille.tracer(opts)
  helper.run(fn, t)
  return t:spans()
end

local function nothing() end

describe("a span", function()
  it("has a name, a kind, ids and times", function()
    local s = spans(function(t)
      rille.sleep(1)
      local span = t:start_span("work", { kind = "client" })
      rille.sleep(0.5)
      span:finish()
    end)[1]
    assert.are.same({ "work", "client", 1000000000, 1500000000, 0.5 },
      { s.name, s.kind, s.start_ns, s.end_ns, s.duration })
    assert.is_truthy(s.trace_id:find("^" .. ("[%da-f]"):rep(32) .. "$"))
    assert.is_truthy(s.span_id:find("^" .. ("[%da-f]"):rep(16) .. "$"))
    assert.is_nil(s.parent_span_id)
    assert.are.equal(3, s.flags)
  end)

  it("is a child of the current span, or of the one that is given", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run({ tracer = t }, function()
      local a = t:start_span "a"
      t:start_span("b", { parent = a }):finish()
      t:start_span("c", { parent = false }):finish()
      a:finish()
    end)
    local b, c, a, root = table.unpack(t:spans())
    assert.are.equal(a.span_id, b.parent_span_id)
    assert.are.equal(root.span_id, a.parent_span_id)
    assert.are.equal(root.trace_id, b.trace_id)
    assert.is_nil(c.parent_span_id)
    assert.are_not.equal(root.trace_id, c.trace_id)
  end)

  it("keeps attributes of every kind", function()
    local s = spans(function(t)
      local span = t:start_span("x", { attributes = { a = 1 } })
      span:set_attribute("b", true):set_attribute("c", { "x", 2 }):set_attribute("d", 0.5)
      span:set_attribute("a", "new"):set_attribute("e", nil)
      span:set_attribute("f", setmetatable({}, { __tostring = function() return "object" end }))
      span:finish()
    end)[1]
    assert.are.same({ a = "new", b = true, c = { "x", 2 }, d = 0.5, f = "object" }, s.attributes)
  end)

  it("copies what it is given", function()
    local given = { list = { 1 } }
    local s = spans(function(t)
      local span = t:start_span("x", { attributes = given })
      given.list[1] = 2
      span:finish()
    end)[1]
    assert.are.same({ 1 }, s.attributes.list)
  end)

  it("has events with times, and links", function()
    local s = spans(function(t)
      local other = t:start_span "other"
      local span = t:start_span("x", { links = { other } })
      rille.sleep(2)
      span:add_event("late", { n = 1 })
      span:add_link(other, { why = "also" })
      span:finish()
      other:finish()
    end)
    assert.are.same({ { name = "late", time_ns = 2000000000, attributes = { n = 1 },
      dropped_attributes = 0 } }, s[1].events)
    assert.are.equal(s[2].span_id, s[1].links[1].span_id)
    assert.are.equal("also", s[1].links[2].attributes.why)
  end)

  it("counts what is too much for its limits", function()
    local s = spans(function(t)
      local span = t:start_span("x", { attributes = { a = 1, b = 2, c = 3 } })
      span:set_attribute("d", 4):set_attribute("a", 5)
      for i = 1, 3 do span:add_event("e" .. i, { a = 1, b = 2 }) end
      span:add_link(span):add_link(span)
      span:finish()
    end, { max_attributes = 2, max_events = 1, max_links = 1, max_event_attributes = 1 })[1]
    assert.are.same({ a = 5, b = 2 }, s.attributes)
    assert.are.same({ 2, 2, 1, 1 }, { s.dropped_attributes, s.dropped_events, s.dropped_links,
      s.events[1].dropped_attributes })
  end)

  it("cuts long texts between characters", function()
    local s = spans(function(t)
      t:start_span("x", { attributes = { a = "\u{e9}\u{e9}\u{e9}", b = "\xff\xff\xff", c = "ab" } })
        :finish()
    end, { max_value_length = 2 })[1]
    assert.are.same({ a = "\u{e9}\u{e9}", b = "\xff\xff", c = "ab" }, s.attributes)
  end)

  it("has a status: ok is final, unset changes nothing", function()
    local list = spans(function(t)
      t:start_span("a"):set_status("error", "bad"):set_status("unset"):finish()
      t:start_span("b"):set_status("error", "bad"):set_status("ok"):set_status("error"):finish()
    end)
    assert.are.same({ code = "error", message = "bad" }, list[1].status)
    assert.are.same({ code = "ok" }, list[2].status)
  end)

  it("takes nothing any more once it is finished", function()
    local s = spans(function(t)
      local span = t:start_span "x"
      span:finish()
      span:finish()
      span:set_attribute("a", 1):add_event("e"):set_status("error"):set_name("y"):add_link(span)
      assert.is_false(span:is_recording())
      assert.are.equal("rille.span: x (finished)", tostring(span))
    end)
    assert.are.equal(1, #s)
    assert.are.same({}, s[1].attributes)
  end)

  it("is finished by <close>, with the error that passes", function()
    local s = spans(function(t)
      do local _ <close> = t:start_span "good" end
      pcall(function()
        local _ <close> = t:start_span "bad"
        error("boom", 0)
      end)
      rille.timeout(1, function()
        local _ <close> = t:start_span "cut"
        rille.sleep(2)
      end)
    end)
    assert.are.equal("unset", s[1].status.code)
    assert.are.equal("error boom _OTHER", ("%s %s %s"):format(s[2].status.code, s[2].status.message,
      s[2].attributes["error.type"]))
    assert.are.equal("unset", s[3].status.code)
  end)

  it("can begin and end at other times than now", function()
    local s = spans(function(t)
      rille.sleep(10)
      t:start_span("x", { start_time = 2 }):finish(3)
      t:start_span("y", { start_time = 5 }):finish(4)
    end)
    assert.are.equal(1, s[1].duration)
    assert.are.equal(0, s[2].duration)
  end)
end)

describe("the ids and times of spans", function()
  local function run(seed)
    local t = rille.tracer { exporter = "memory" }
    helper.run({ tracer = t, seed = seed }, function(...)
      rille.root():go(rille.sleep, 1)
      return ...
    end)
    return t:spans()
  end

  it("are the same under the same seed, and others under another", function()
    assert.are.same(run(7), run(7))
    assert.are_not.equal(run(7)[1].trace_id, run(8)[1].trace_id)
  end)

  it("do not repeat without a seed, and are the calendar's", function()
    local t = rille.tracer { exporter = "memory" }
    for _ = 1, 2 do rille.run({ tracer = t }, nothing) end
    local a, b = table.unpack(t:spans())
    assert.are_not.equal(a.trace_id, b.trace_id)
    assert.is_true(math.abs(a.start_ns // 1000000000 - os.time()) < 100)
  end)

  it("take no random numbers from anything else", function()
    local function choices(opts)
      opts.seed = 3
      local seen = {}
      helper.run(opts, function()
        local a, b = rille.channel(20), rille.channel(20)
        for i = 1, 20 do a:send(i) b:send(i) end
        for _ = 1, 20 do
          rille.scope(nothing)
          seen[#seen + 1] = (rille.select { { a }, { b } })
        end
      end)
      return table.concat(seen)
    end
    assert.are.equal(choices {}, choices { tracer = rille.tracer { exporter = "memory" } })
  end)
end)

describe("the arguments of spans", function()
  local function raises(pattern, fn)
    spans(function(t) helper.raises(function() fn(t, t:start_span "x") end, pattern) end)
  end

  it("are checked", function()
    raises("bad argument #1 to 'start_span'.*string expected", function(t) t:start_span() end)
    raises("no such kind of span: 'odd'", function(t) t:start_span("x", { kind = "odd" }) end)
    raises("'parent' must be a span", function(t) t:start_span("x", { parent = 1 }) end)
    raises("bad argument #1 to 'set_attribute'", function(_, s) s:set_attribute(1, 2) end)
    raises("bad argument #1 to 'set_status'", function(_, s) s:set_status "fine" end)
    raises("bad argument #1 to 'add_link'", function(_, s) s:add_link {} end)
    raises("bad argument #1 to 'add_event'", function(_, s) s:add_event() end)
    raises("bad self", function(_, s) s.finish {} end)
    raises("no fields", function(_, s) s.x = 1 end)
  end)
end)
