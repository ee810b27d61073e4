-- A connection's handler that failed with an error whose __tostring raises: its
-- on_error got another error than that, and without an on_error the failure of
-- the report was the scope's.
local rille = require "rille"
local net_helper = require "spec.net_helper"

local hostile = setmetatable({}, { __tostring = function() error("no text") end })

-- Serves one connection; the handler fails by `fail`.
local function serve(fail, on_error)
  net_helper.run(function()
    local listener <close> = assert(rille.net.listen("127.0.0.1", 0, function(conn)
      conn:read()
      return fail()
    end, { on_error = on_error }))
    local conn <close> = assert(rille.net.connect("127.0.0.1", listener:port()))
    conn:shutdown()
    conn:read_all()
  end)
end

describe("a handler that fails with an error that has no text", function()
  it("gives it to on_error as it was", function()
    local got
    serve(function() error(hostile) end, function(err) got = err end)
    assert.is_true(rawequal(hostile, got))
  end)

  it("is reported all the same", function()
    local stderr, text = io.stderr, ""
    io.stderr = { write = function(_, s) text = text .. s end } -- luacheck: ignore
    local ok, err = pcall(serve, function() return nil, hostile end)
    io.stderr = stderr -- luacheck: ignore
    assert.is_true(ok, err)
    assert.matches("a handler failed: table %(its __tostring raises%)", text)
  end)
end)
