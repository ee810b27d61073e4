-- http_headers_spec.lua - header fields: order, case, several values, what is
-- refused.
local rille = require "rille"
local helper = require "spec.helper"

-- The engine's own functions, as the parts of rille.http get them.
local core

for i = 1, math.huge do
  local name, value = debug.getupvalue(rille.timeout, i)
  if not name then break end
  if name == "core" then core = value end
end

core.load "rille.http_headers"
local headers = core.headers

-- All fields in order: "A=1 b=2".
local function text(h)
  local list = {}
  for name, value in h:pairs() do list[#list + 1] = name .. "=" .. value end
  return table.concat(list, " ")
end

describe("headers", function()
  it("keep order and spelling", function()
    assert.equal("B=1 a=2 B=3", text(headers{{"B", "1"}, {"a", "2"}, {"B", "3"}}))
  end)

  it("are made of names and values, in the order of the names", function()
    assert.equal("A=1 B=2 B=3", text(headers{B = {"2", "3"}, A = 1}))
  end)

  it("are made of other headers as a copy", function()
    local a = headers{{"A", "1"}}
    local b = headers(a)
    b:set("A", "2")
    assert.equal("A=1 A=2", text(a) .. " " .. text(b))
  end)

  it("are none without a list", function()
    assert.equal("", text(headers()))
  end)

  it("are told as a number of fields", function()
    assert.equal("rille.headers: 1 field", tostring(headers{a = 1}))
    assert.equal("rille.headers: 0 fields", tostring(headers()))
  end)

  it("can be iterated by pairs", function()
    local seen = {}
    for name, value in pairs(headers{{"A", "1"}}) do seen[1] = name .. value end
    assert.equal("A1", seen[1])
  end)

  it("have no fields to set", function()
    helper.raises(function() headers().a = 1 end, "no fields to set")
  end)
end)

describe("headers:get", function()
  it("finds the first value in any case", function()
    assert.equal("1", headers{{"X-A", "1"}, {"x-a", "2"}}:get "x-A")
  end)

  it("is what an index does", function()
    local h = headers{{"Content-Type", "text/plain"}}
    assert.equal("text/plain", h["content-type"])
    assert.is_nil(h.etag)
  end)

  it("finds a header that has the name of a method", function()
    assert.equal("1", headers{{"Get", "1"}}:get "get")
  end)
end)

describe("headers:all", function()
  it("lists every value", function()
    assert.same({"1", "2"}, headers{{"A", "1"}, {"b", "x"}, {"a", "2"}}:all "A")
    assert.same({}, headers():all "A")
  end)
end)

describe("headers:set", function()
  it("replaces every value at the place of the first", function()
    local h = headers{{"a", "1"}, {"b", "2"}, {"A", "3"}}
    h:set("A", "4")
    assert.equal("A=4 b=2", text(h))
  end)

  it("takes a list", function()
    local h = headers()
    h:set("a", {"1", "2"})
    assert.equal("a=1 a=2", text(h))
  end)

  it("takes a name out with nil", function()
    local h = headers{{"a", "1"}, {"b", "2"}}
    h:set("A", nil)
    assert.equal("b=2", text(h))
  end)

  it("changes nothing when it refuses a value", function()
    local h = headers{{"a", "1"}}
    helper.raises(function() h:set("a", {"2", "3\n"}) end, "line break")
    assert.equal("a=1", text(h))
  end)
end)

describe("headers:add", function()
  it("appends", function()
    local h = headers{{"a", "1"}}
    h:add("A", 2)
    assert.equal("a=1 A=2", text(h))
  end)
end)

describe("what would break a message", function()
  for _, case in ipairs{
    {{{"a", "1\r\nb: 2"}}, "'a': '1\\x0d\\x0ab: 2' has a line break"},
    {{{"a", "1\n"}}, "has a line break"},
    {{{"a", "\0"}}, "zero byte"},
    {{{"a\r\nb", "1"}}, "bad header name: 'a\\x0d\\x0ab' is not a token"},
    {{{"a b", "1"}}, "is not a token"},
    {{{"", "1"}}, "is not a token"},
    {{{"a:", "1"}}, "is not a token"},
    {{{"a", {}}}, "'a': a string or a number expected, got table"},
    {{{"a"}}, "'a': a string or a number expected, got nil"},
    {{{1, "a"}}, "a string expected, got number"},
    {{a = {true}}, "'a': a string or a number expected, got boolean"},
    {{[true] = "1"}, "a string expected, got boolean"},
    {{"a: 1"}, "a list of string"},
    {"a: 1", "a table of headers expected, got string"},
  } do
    it("is refused: " .. case[2], function()
      local err = helper.raises(function() headers(case[1]) end)
      assert.truthy(tostring(err):find(case[2], 1, true), err)
    end)
  end

  it("is named with the function and the argument", function()
    helper.raises(function() headers({{"a", "\n"}}, "http.get", 2) end,
      "bad argument #2 to 'http.get' %(a bad value of header 'a'")
  end)

  it("is taken as it came when it was received", function()
    assert.equal("a b=\r", text(core.received_headers{{"a b", "\r"}}))
  end)
end)
