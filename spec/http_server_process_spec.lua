-- http_server_process_spec.lua - servers in a process of their own: few
-- descriptors, many connections, no library, the end of the Lua state.

local helper = require "spec.helper"

local function lua(code, before)
  return helper.stock_lua("local rille = require 'rille'\nlocal http, net = rille.http, rille.net\n"
    .. code, before)
end

local function prints(expected, code, before)
  assert.same({expected, 0}, {lua(code, before)})
end

describe("rille.http.serve", function()
  it("answers everybody although descriptors run out", function()
    prints("20 answers, paused: true, 0 errors\n", [[
      rille.run(function()
        local uv = rille.uv()
        local server <close> = http.serve("127.0.0.1", 0, function() return "hello" end)
        local handles, answers = {}, rille.channel(math.huge)
        for i = 1, 20 do handles[i] = uv.new_tcp("inet") end
        local files = {}
        repeat
          local file = io.open "/dev/null"
          files[#files + 1] = file
        until not file
        for _, handle in ipairs(handles) do
          handle:connect("127.0.0.1", server:port(), function(err)
            assert(not err, err)
            handle:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            local text = ""
            handle:read_start(function(_, piece)
              if piece then text = text .. piece return end
              handle:close()
              answers:try_send(text)
            end)
          end)
        end
        while server:stats().pauses < 2 do rille.sleep(0.01) end
        for _, file in ipairs(files) do file:close() end
        local n = 0
        for _ = 1, 20 do n = n + (answers:recv():find "^HTTP/1.1 200 OK" and 1 or 0) end
        local stats = server:stats()
        print(("%d answers, paused: %s, %d errors"):format(n, stats.pauses >= 2, stats.errors))
      end)]], "ulimit -n 60;")
  end)

  it("serves 400 connections at once", function()
    prints("400 connections, 1200 answers\n0 left\n", [[
      rille.run(function()
        local server <close> = http.serve("127.0.0.1", 0, function(req) return req.path end,
          {header_timeout = 500, idle_timeout = 500})
        local conns, n = {}, 0
        for i = 1, 400 do conns[i] = assert(net.connect("127.0.0.1", server:port())) end
        for round = 1, 3 do
          for i, conn in ipairs(conns) do
            conn:write(("GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"):format(i))
          end
          for i, conn in ipairs(conns) do
            if conn:read():match "\r\n\r\n/(%d+)$" == tostring(i) then n = n + 1 end
          end
        end
        print(("%d connections, %d answers"):format(server:stats().active, n))
        server:close()
        for _, conn in ipairs(conns) do assert(conn:read_all() == "") end
        print(server:stats().active .. " left")
      end)]], "ulimit -n 1000;")
  end)

  it("leaves nothing when the Lua state ends with connections open", function()
    prints("asked\n", [[
      rille.run(function()
        local function wait() rille.sleep(math.huge) end
        local server = http.serve("127.0.0.1", 0, wait, {grace = 0})
        local conn = net.connect("127.0.0.1", server:port())
        conn:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        repeat rille.sleep(0.001) until server:stats().busy == 1
        print "asked"
        os.exit(0, true)
      end)]])
  end)

  it("reports a failure of a handler on stderr", function()
    local output, status = lua [[
      rille.run(function()
        local server <close> = http.serve("127.0.0.1", 0, function() error("bug", 0) end)
        local conn <close> = net.connect("127.0.0.1", server:port())
        conn:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        print(conn:read_all():match "[^\r]*")
      end)]]
    assert.equal(0, status)
    assert.matches("^rille: http [%d.:]+: GET /: a handler failed: bug\nstack traceback:", output)
    assert.matches("HTTP/1.1 500 Internal Server Error\n$", output)
  end)
end)
