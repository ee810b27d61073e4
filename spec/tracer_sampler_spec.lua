-- Which spans rille.tracer keeps.
local rille = require "rille"
local helper = require "spec.helper"

-- The names of the spans that are kept of what fn(tracer) makes.
local function kept(opts, fn)
  opts.exporter = "memory"
  local t = rille.tracer(opts)
  helper.run(fn, t)
  local names = {}
  for i, span in ipairs(t:spans()) do names[i] = span.name end
  return table.concat(names, " ")
end

local function context(low, flags)
  return { trace_id = ("0"):rep(17) .. "1" .. low, span_id = ("0"):rep(15) .. "1",
    trace_flags = flags }
end

local function tree(t)
  local a <close> = t:start_span "a"
  local _ <close> = t:start_span("b", { parent = a })
end

describe("a sampler", function()
  it("keeps all, or nothing", function()
    assert.are.equal("b a", kept({ sampler = "always_on" }, tree))
    assert.are.equal("", kept({ sampler = "always_off" }, tree))
    assert.are.equal("b a", kept({}, tree))
  end)

  it("obeys the parent where it is based on it", function()
    local function children(t)
      t:start_span("yes", { parent = context(("f"):rep(14), 1) }):finish()
      t:start_span("no", { parent = context(("f"):rep(14), 0) }):finish()
      t:start_span("root", { parent = false }):finish()
    end
    assert.are.equal("yes root", kept({ sampler = "parentbased_always_on" }, children))
    assert.are.equal("yes", kept({ sampler = "parentbased_always_off" }, children))
    assert.are.equal("yes no root", kept({ sampler = "always_on" }, children))
  end)

  it("keeps a ratio, by the low 56 bits of the trace id", function()
    local function four(t)
      for _, low in ipairs { "00000000000000", "7fffffffffffff", "80000000000000",
        "ffffffffffffff" } do
        t:start_span(low:sub(1, 2), { parent = context(low, 0) }):finish()
      end
    end
    assert.are.equal("80 ff", kept({ sampler = "traceidratio", sampler_arg = 0.5 }, four))
    assert.are.equal("", kept({ sampler = "traceidratio", sampler_arg = 0 }, four))
    assert.are.equal("00 7f 80 ff", kept({ sampler = "traceidratio", sampler_arg = 1 }, four))
  end)

  it("keeps about the ratio of random ids", function()
    local names = kept({ sampler = "parentbased_traceidratio", sampler_arg = 0.25 }, function(t)
      for _ = 1, 400 do t:start_span("x", { parent = false }):finish() end
    end)
    local count = select(2, names:gsub("x", ""))
    assert.is_true(count > 60 and count < 140) -- the seed is fixed
  end)

  it("may be a function", function()
    local seen
    assert.are.equal("keep", kept({ sampler = function(span)
      seen = span
      return span.attributes.important
    end }, function(t)
      t:start_span "drop":finish()
      t:start_span("keep", { kind = "server", attributes = { important = true } }):finish()
    end))
    assert.are.equal("keep server 32", ("%s %s %d"):format(seen.name, seen.kind, #seen.trace_id))
  end)

  it("leaves spans that are not kept usable, with a context", function()
    assert.are.equal("", kept({ sampler = "always_off" }, function(t)
      local span = t:start_span "x"
      span:set_attribute("a", 1):add_event("e"):set_status("error"):add_link(span):set_name "y"
      assert.is_false(span:is_recording())
      assert.are.equal("rille.span: x (not sampled)", tostring(span))
      assert.are.equal(2, span:context().trace_flags)
      assert.is_truthy(t:inject({}, span).traceparent:find "%-02$")
      span:finish()
      assert.are.equal(0, t:stats().started)
    end))
  end)
end)
