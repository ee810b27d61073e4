-- The messages of OTLP. What spec/golden holds was compared with other readers by
-- scripts/otlp_check.
local rille = require "rille"
local helper = require "spec.helper"
local records = require "spec.tracer_records"

rille.tracer { exporter = "none" }
local core = helper.core()
local otlp = core.load "rille.tracer_otlp"
local protobuf, json = core.load "rille.tracer_protobuf", core.load "rille.tracer_json"

local function golden(name)
  local file <close> = assert(io.open("spec/golden/" .. name, "rb"))
  return file:read "a"
end

local function request()
  local made = otlp.make_request(records.spans, records.resource)
  made.resourceSpans[1].scopeSpans[1].scope.version = "0"
  return made
end

describe("a request", function()
  it("in protobuf is as others read it", function()
    assert.are.equal(golden "traces.pb", protobuf.write(otlp.schema.request, request()))
  end)

  it("in JSON is as others read it", function()
    assert.are.equal(golden "traces.json", json.write(otlp.schema.request, request()))
  end)

  it("names what made it", function()
    local made = otlp.make_request(records.spans, records.resource)
    assert.are.same({ name = "rille", version = rille.version },
      made.resourceSpans[1].scopeSpans[1].scope)
  end)
end)

describe("a number in protobuf", function()
  local schema = { { number = 1, name = "n", kind = "int64" } }
  for value, hex in pairs { [0] = "0800", [1] = "0801", [127] = "087f", [128] = "088001",
    [300] = "08ac02", [-1] = "08ffffffffffffffffff01",
    [math.mininteger] = "0880808080808080808001" } do
    it(("%d is %s"):format(value, hex), function()
      local bytes = protobuf.write(schema, { n = value })
      assert.are.equal(hex, (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
      assert.are.same({ value }, protobuf.read(bytes))
    end)
  end
end)

describe("reading protobuf", function()
  it("passes over what it does not know", function()
    assert.are.same({ [1] = "ab", [2] = "12345678", [3] = "1234", [16] = 5 },
      protobuf.read("\10\2ab\17" .. "12345678" .. "\29" .. "1234" .. "\128\1\5"))
  end)

  it("refuses every message that is cut off", function()
    local whole = "\10\2ab\17" .. "12345678" .. "\29" .. "1234" .. "\128\1\5"
    local fine = { [0] = true, [4] = true, [13] = true, [18] = true, [#whole] = true }
    for size = 0, #whole do
      assert.are.equal(fine[size] or false, protobuf.read(whole:sub(1, size)) ~= nil)
    end
  end)

  it("survives nonsense", function()
    local random = helper.random(1)
    for _ = 1, 500 do
      local bytes = {}
      for i = 1, random(0, 20) do bytes[i] = string.char(random(0, 255)) end
      protobuf.read(table.concat(bytes))
    end
  end)
end)

describe("a number in JSON", function()
  local function double(value)
    return json.write({ { name = "n", kind = "double" } }, { n = value })
  end

  it("is as short as it can be, and exact", function()
    assert.are.equal('{"n":0.1}', double(0.1))
    assert.are.equal('{"n":0.30000000000000004}', double(0.1 + 0.2))
    assert.are.equal('{"n":1e+300}', double(1e300))
  end)

  it("has words where there is none", function()
    assert.are.equal('{"n":"NaN"}', double(0 / 0))
    assert.are.equal('{"n":"-Infinity"}', double(-math.huge))
  end)
end)

describe("a text", function()
  it("that is no UTF-8 is repaired", function()
    assert.are.equal("a\u{FFFD}b", otlp.utf8 "a\xffb")
    assert.are.equal("\u{FFFD}", otlp.utf8 "\x80")
    assert.are.equal("\u{e9}", otlp.utf8 "\u{e9}")
    assert.is_truthy(utf8.len(otlp.utf8 "\xed\xa0\x80\xf8\x88\x80\x80\x80"))
  end)
end)
