-- What rille.http.serve reported of a failed handler was a traceback of which
-- most was the engine's own frames, without the request; an error whose
-- __tostring raises became another error on its way to on_error.
local h = require "spec.http_helper"

local hostile = setmetatable({}, {__tostring = function() error("no text") end})

local function report(handler)
  return h.captured(function() h.exchange(h.get, handler) end)
end

describe("the report of a failed handler", function()
  it("names the request", function()
    assert.matches(": GET /: a handler failed: bug\n", report(function() error("bug", 0) end))
  end)

  it("has no frames of the engine", function()
    for _, handler in ipairs {
      function() error("bug") end,
      function() return nil, "bug" end,
      function() return 5 end,
    } do
      local text = report(handler)
      assert.matches("stack traceback:", text)
      assert.is_nil(text:find "rille%.[%w_]+:%d+", text)
    end
  end)

  it("is there for an error that has no text", function()
    assert.matches("a handler failed: table %(its __tostring raises%)",
      report(function() error(hostile) end))
  end)

  it("gives that error to on_error as it was", function()
    for _, handler in ipairs {
      function() error(hostile) end,
      function() return nil, hostile end,
    } do
      local got
      h.exchange(h.get, handler, {on_error = function(err) got = err end})
      assert.is_true(rawequal(hostile, got))
    end
  end)
end)
