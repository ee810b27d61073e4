-- Contexts between programs. The rows are those of the test suite of W3C's Trace
-- Context, level 1 (https://github.com/w3c/trace-context, test/test.py).
local rille = require "rille"
local helper = require "spec.helper"

local TRACE, PARENT = "12345678901234567890123456789012", "1234567890123456"
local GOOD = "00-" .. TRACE .. "-" .. PARENT .. "-01"

-- What a service sends on that was asked with these headers, a list of {name,
-- value}: the headers of a request of its own.
local function answer(list)
  local t = rille.tracer { exporter = "none" }
  return helper.run(function()
    local carrier = {}
    for _, header in ipairs(list) do
      local before = carrier[header[1]]
      if type(before) == "table" then
        before[#before + 1] = header[2]
      else
        carrier[header[1]] = before and { before, header[2] } or header[2]
      end
    end
    local span <close> = t:start_span("serve", { parent = t:extract(carrier) or false })
    return t:inject({}, span)
  end)
end

local function keys(from, to)
  local parts = {}
  for i = from, to do parts[#parts + 1] = ("bar%02d=%02d"):format(i, i) end
  return table.concat(parts, ",")
end

describe("traceparent", function()
  local function trace_id(...)
    return answer { ... }.traceparent:match "^00%-(%x+)%-%x+%-%x%x$"
  end

  for name, value in pairs {
    ["as it should be"] = GOOD,
    ["of a later version"] = "cc" .. GOOD:sub(3),
    ["of a later version with more"] = "cc" .. GOOD:sub(3) .. "-what-the-future-will-be-like",
    ["with blanks before"] = " " .. GOOD, ["with a tab before"] = "\t" .. GOOD,
    ["with blanks after"] = GOOD .. " ", ["with a tab after"] = GOOD .. "\t",
    ["with blanks around"] = "\t " .. GOOD .. " \t",
  } do
    it(name .. " is taken", function()
      assert.are.equal(TRACE, trace_id { "traceparent", value })
    end)
  end

  for name, value in pairs {
    ["with a character more"] = GOOD .. ".",
    ["of version 00 with more"] = GOOD .. "-what-the-future-will-be-like",
    ["of a later version with a dot"] = "cc" .. GOOD:sub(3) .. ".what-the-future-will-be-like",
    ["of version ff"] = "ff" .. GOOD:sub(3),
    ["with a version that is none"] = ".0" .. GOOD:sub(3),
    ["with a version that is none either"] = "0." .. GOOD:sub(3),
    ["with a version of three digits"] = "0" .. GOOD,
    ["with a version of four digits"] = "00" .. GOOD,
    ["with a version of one digit"] = GOOD:sub(2),
    ["with a trace id of zeros"] = "00-" .. ("0"):rep(32) .. "-" .. PARENT .. "-01",
    ["with a dot in the trace id"] = "00-." .. TRACE:sub(2) .. "-" .. PARENT .. "-01",
    ["with a dot at its end"] = "00-" .. TRACE:sub(1, 31) .. ".-" .. PARENT .. "-01",
    ["with a long trace id"] = "00-" .. TRACE .. "3-" .. PARENT .. "-01",
    ["with a short trace id"] = "00-" .. TRACE:sub(1, 31) .. "-" .. PARENT .. "-01",
    ["with capitals"] = "00-" .. ("A"):rep(32) .. "-" .. PARENT .. "-01",
    ["with a parent of zeros"] = "00-" .. TRACE .. "-" .. ("0"):rep(16) .. "-01",
    ["with a dot in the parent"] = "00-" .. TRACE .. "-." .. PARENT:sub(2) .. "-01",
    ["with a dot at the parent's end"] = "00-" .. TRACE .. "-" .. PARENT:sub(1, 15) .. ".-01",
    ["with a long parent"] = "00-" .. TRACE .. "-" .. PARENT .. "7-01",
    ["with a short parent"] = "00-" .. TRACE .. "-" .. PARENT:sub(1, 15) .. "-01",
    ["with flags that are none"] = GOOD:sub(1, -3) .. ".0",
    ["with flags that are none either"] = GOOD:sub(1, -3) .. "0.",
    ["with flags of three digits"] = GOOD:sub(1, -3) .. "001",
    ["with flags of one digit"] = GOOD:sub(1, -3) .. "1",
    ["that is empty"] = "",
  } do
    it(name .. " begins a new trace", function()
      local id = trace_id { "traceparent", value }
      assert.are.equal(32, #id)
      assert.is_nil(value:lower():find(id, 1, true))
    end)
  end

  it("is found in any case, and not under another name", function()
    for _, name in ipairs { "TraceParent", "TrAcEpArEnT", "TRACEPARENT" } do
      assert.are.equal(TRACE, trace_id { name, GOOD })
    end
    for _, name in ipairs { "trace-parent", "trace.parent" } do
      assert.are_not.equal(TRACE, trace_id { name, GOOD })
    end
  end)

  it("that comes twice is none", function()
    assert.are_not.equal(TRACE, trace_id({ "traceparent", GOOD }, { "traceparent", GOOD }))
  end)

  it("is made anew with each span's own id", function()
    local headers = answer { { "traceparent", GOOD } }
    assert.are.equal("00-" .. TRACE, headers.traceparent:sub(1, 35))
    assert.are_not.equal(PARENT, headers.traceparent:sub(37, 52))
  end)

  it("keeps the flags that are known", function()
    for sent, expected in pairs { ["00"] = "00", ["01"] = "01", ["02"] = "02", ["03"] = "03",
      ["ff"] = "03" } do
      assert.are.equal(expected, answer { { "traceparent", GOOD:sub(1, -3) .. sent } }
        .traceparent:sub(-2))
    end
  end)
end)

describe("tracestate", function()
  local function state(...)
    local list = { { "traceparent", GOOD } }
    for _, value in ipairs { ... } do list[#list + 1] = { "tracestate", value } end
    return answer(list).tracestate
  end

  local allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
  local values = ""
  for byte = 0x20, 0x7e do
    local char = string.char(byte)
    if char ~= "," and char ~= "=" then values = values .. char end
  end

  for _, row in ipairs {
    { "foo=1,bar=2", "foo=1,bar=2" },
    { "foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3" },
    { "foo=1\t \t,\t \tbar=2,\t \tbaz=3", "foo=1,bar=2,baz=3" },
    { " foo=1", "foo=1" }, { "\t foo=1 \t", "foo=1" }, { "foo=1,,", "foo=1" },
    { allowed .. "=" .. values, allowed .. "=" .. values },
    { allowed .. "@a-z0-9_-*/=" .. values, allowed .. "@a-z0-9_-*/=" .. values },
    { keys(1, 32), keys(1, 32) },
    { "1foo=1", "1foo=1" },
  } do
    it(("%.30s is passed on"):format(row[1]), function()
      assert.are.equal(row[2], state(row[1]))
    end)
  end

  for _, value in ipairs {
    "", "foo", "foo=", "=1", "foo =1", "FOO=1", "foo.bar=1", "foo@=1,bar=2", "@foo=1,bar=2",
    "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2", "foo=bar=baz", "foo=,bar=3", "foo=1,foo=1",
    "foo=1,foo=2", keys(1, 33), "foo=\u{e9}",
    "foo=1," .. ("z"):rep(257) .. "=1", "foo=1," .. ("t"):rep(242) .. "@v=1",
    "foo=1,t@" .. ("v"):rep(15) .. "=1", "foo=" .. ("x"):rep(257),
  } do
    it(("%q is dropped, and nothing else"):format(value:sub(1, 30)), function()
      assert.is_nil(state(value))
      assert.are.equal(TRACE, answer({ { "traceparent", GOOD }, { "tracestate", value } })
        .traceparent:sub(4, 35))
    end)
  end

  it("may come in several headers, in their order", function()
    assert.are.equal("foo=1,bar=2,rojo=1,congo=2,baz=3",
      state("foo=1,bar=2", "rojo=1,congo=2", "baz=3"))
    assert.are.equal("foo=1", state("foo=1", ""))
    assert.are.equal("foo=1", state("", "foo=1"))
    assert.is_nil(state("foo=1", "foo=2"))
  end)

  it("may have keys of the greatest length", function()
    for _, key in ipairs { ("z"):rep(256), ("t"):rep(241) .. "@" .. ("v"):rep(14) } do
      assert.are.equal("foo=1," .. key .. "=1", state("foo=1", key .. "=1"))
    end
  end)

  it("is nothing without a traceparent", function()
    assert.is_nil(answer({ { "tracestate", "foo=1" } }).tracestate)
  end)

  it("is shortened to 512 bytes, the long members first, then from the right", function()
    local long, short = "l=" .. ("x"):rep(200), {}
    for i = 1, 10 do short[i] = ("k%d=%s"):format(i, ("y"):rep(50)) end
    local text = state("a=1," .. long .. "," .. table.concat(short, ","))
    assert.is_nil(text:find "l=x")
    assert.are.equal("a=1," .. table.concat(short, ",", 1, 9), text)
  end)
end)

describe("baggage", function()
  it("is passed on as it came, with a trace or without", function()
    assert.are.equal("a=1;p,b=%20", answer({ { "baggage", "a=1;p,b=%20" } }).baggage)
    assert.are.equal("a=1", answer({ { "traceparent", GOOD }, { "Baggage", "a=1" } }).baggage)
  end)
end)

describe("a carrier", function()
  it("may be what a child's environment is made of", function()
    helper.run(function()
      local t, env = rille.tracer { exporter = "none" }, { HOME = "/" }
      local span <close> = t:start_span("x", { parent = t:extract { TRACEPARENT = GOOD,
        TRACESTATE = "a=1", BAGGAGE = "b=2" } })
      local copy = t:inject_env(env, span)
      assert.are.same({ HOME = "/" }, env)
      assert.are.equal(TRACE, copy.TRACEPARENT:sub(4, 35))
      assert.are.same({ "/", "a=1", "b=2" }, { copy.HOME, copy.TRACESTATE, copy.BAGGAGE })
    end)
  end)

  it("gets the current span, or nothing where there is none", function()
    local t = rille.tracer { exporter = "none" }
    assert.are.same({}, t:inject {})
    helper.run({ tracer = t }, function()
      assert.are.equal(rille.span():context().span_id, t:inject({}).traceparent:sub(37, 52))
    end)
  end)

  it("is left alone by propagators that are not wanted", function()
    helper.run(function()
      local t = rille.tracer { exporter = "none", propagators = { "baggage" } }
      assert.are.same({ baggage = "x=1" }, t:extract { traceparent = GOOD, baggage = "x=1" })
      assert.are.same({}, t:inject({}, t:start_span "x"))
      local none = rille.tracer { exporter = "none", propagators = {} }
      assert.is_nil(none:extract { traceparent = GOOD, baggage = "x=1" })
    end)
  end)

  it("makes the parent of a scope's span, in another program", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run(function()
      local parent = t:extract { traceparent = GOOD }
      rille.scope({ tracer = t, otel = { parent = parent } }, function() end)
    end)
    local span = t:spans()[1]
    assert.are.same({ TRACE, PARENT, true }, { span.trace_id, span.parent_span_id,
      span.remote_parent })
  end)

  it("may be the headers of an HTTP message", function()
    helper.run(function()
      local t = rille.tracer { exporter = "none" }
      local server <close> = assert(rille.http.serve("127.0.0.1", 0, function(req)
        return t:extract(req.headers).trace_id
      end))
      local span <close> = t:start_span "ask"
      local r = rille.http.get(("http://127.0.0.1:%d/"):format(server:port()),
        { headers = t:inject({}, span) })
      assert.are.equal(span:context().trace_id, r.body)
    end)
  end)
end)
