-- net_handler_spec.lua - handlers that fail, and what that does to a server.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local net = require "rille.net"

local run, wait_until = net_helper.run, net_helper.wait_until

-- Serves one connection with `handler`; returns the listener's statistics
-- after it.
local function serve_one(handler, opts)
  local listener <close> = assert(net.listen("127.0.0.1", 0, handler, opts))
  local conn <close> = assert(net.connect("127.0.0.1", listener:port()))
  conn:read_all()
  local stats
  wait_until(function()
    stats = listener:stats()
    return stats.active == 0
  end)
  return stats
end

-- Runs fn with io.stderr replaced; returns what was written there.
local function captured(fn)
  local text, stderr = {}, io.stderr
  rawset(io, "stderr", {write = function(_, ...) text[#text + 1] = table.concat{...} end})
  local _ <close> = helper.closing(function() rawset(io, "stderr", stderr) end)
  fn()
  return table.concat(text)
end

describe("a handler", function()
  it("that fails is reported with a traceback, and the server goes on", function()
    run(function()
      local text = captured(function()
        local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
          conn:write(conn:read(1) .. conn:read(1) + 1)
        end))
        for _, sent in ipairs {"ab", "12"} do
          local conn <close> = assert(net.connect("127.0.0.1", listener:port()))
          conn:write(sent)
          assert.equal(sent == "12" and "13" or "", conn:read_all())
        end
        assert.equal(1, listener:stats().errors)
      end)
      assert.matches("^rille: 127%.0%.0%.1:%d+: a handler failed: ", text)
      assert.matches("attempt to add a 'string'", text)
      assert.matches("stack traceback", text)
    end)
  end)

  it("that fails is told to on_error with its connection", function()
    run(function()
      local told
      local stats = serve_one(function() error("bug", 0) end, {on_error = function(err, conn)
        told = {err, conn:is_closed()}
      end})
      assert.same({"bug", false}, told)
      assert.equal(1, stats.errors)
    end)
  end)

  it("that returns nil and an error has failed", function()
    run(function()
      local told
      serve_one(function() return nil, "refused" end, {on_error = function(err) told = err end})
      assert.equal("refused", told)
    end)
  end)

  it("that fails is the scope's failure with on_error = 'raise'", function()
    run(function()
      local err = helper.raises(function()
        rille.scope(function() serve_one(function() error("bug", 0) end, {on_error = "raise"}) end)
      end)
      assert.equal("bug", err)
    end)
  end)

  it("that fails because its own connection did has not failed", function()
    run(function()
      local text = captured(function()
        local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
          for _ in conn:lines() do end
        end))
        local raw = rille.uv().new_tcp()
        assert(rille.uv_call(raw.connect, raw, "127.0.0.1", listener:port()))
        wait_until(function() return listener:stats().active == 1 end)
        raw:close_reset()
        wait_until(function() return listener:stats().active == 0 end)
        local stats = listener:stats()
        assert.same({0, 1}, {stats.errors, stats.broken})
      end)
      assert.equal("", text)
    end)
  end)

  it("that ends with closed has not failed", function()
    run(function()
      local stats = serve_one(function(conn)
        conn:close()
        return conn:read()
      end)
      assert.same({0, 0}, {stats.errors, stats.broken})
    end)
  end)

  it("may cancel its scope", function()
    run(function()
      local err = helper.refused("cancelled", rille.scope(function(s)
        serve_one(function() s:cancel("enough") end)
        rille.sleep(100)
      end))
      assert.equal("enough", err.reason)
    end)
  end)

  it("has its own deadlines", function()
    run(function()
      local stats = serve_one(function(conn)
        helper.refused("timeout", rille.timeout(0.002, conn.read, conn))
      end, {on_error = "raise"})
      assert.equal(0, stats.errors)
    end)
  end)
end)
