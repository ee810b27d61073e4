--[[
shutdown_signal_spec.lua - shutting down by real signals, as real processes.

Each script runs in the binary, which has the signals, and in stock Lua, where
they are luv's. Where one has to wait for the other, it waits for a line of
output, never for a time.
--]]

local binary = os.getenv "RILLE_BINARY" or "build/rille"

local quote = function(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local preamble = [[
local rille = require "rille"
io.stdout:setvbuf "no"
]]

-- A script as the main task, and what stock Lua needs around it.
local hosts = {
  ["the binary"] = function(text) return binary, preamble .. text end,
  ["stock Lua"] = function(text)
    return "lua5.4", preamble .. "rille.run(function()\n" .. text .. "\nend)\n"
  end,
}

--- Runs the script and sends it the signals, one after each line "ready".
-- Returns its other output and its status, a signal as 128 + n.
local function signalled(host, text, ...)
  local path = os.tmpname()
  local program, script = hosts[host](text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(script)
  file:close()
  local process = io.popen(("exec sh -c 'echo $$; exec \"%s\" %s 2>&1'"):format(program, path))
  local pid = process:read "l"
  for _, signal in ipairs { ... } do
    assert.equal("ready", process:read "l")
    os.execute("kill -" .. signal .. " " .. quote(pid))
  end
  local rest = process:read "a"
  local _, how, code = process:close()
  os.remove(path)
  return rest, how == "exit" and code or 128 + code
end

-- Takes work until it is told to stop, and finishes what it has.
local server = [[
  local shutdown <close> = rille.shutdown { timeout = 50 }
  rille.scope(function(s)
    local intake = s:channel()
    s:on_shutdown(function(reason)
      print("stop", reason)
      intake:close()
    end)
    s:go({ daemon = true }, function() -- the source of all work
      rille.sleep(60)
      intake:send(1)
    end)
    s:go(function()
      for _ in intake do end
      rille.sleep(0.001)
      print "drained"
    end)
    print "ready"
  end)
]]

for host in pairs(hosts) do
  describe("in " .. host, function()
    for _, signal in ipairs { "TERM", "INT" } do
      it("SIG" .. signal .. " drains the program, which ends well", function()
        local out, status = signalled(host, server, signal)
        assert.equal("stop\tsig" .. signal:lower() .. "\ndrained\n", out)
        assert.equal(0, status)
      end)
    end

    it("another signal may be named", function()
      local text = server:gsub("timeout = 50", "%0, signals = { 'sighup' }")
      assert.same({ "stop\tsighup\ndrained\n", 0 }, { signalled(host, text, "HUP") })
    end)

    it("the root is cancelled when it does not drain", function()
      local out = signalled(host, [[
        rille.shutdown { timeout = 0.001 }
        rille.scope(function(s)
          s:defer(print, "cleaned")
          print "ready"
          local _, err = pcall(rille.sleep, 60)
          print(err.kind, err.reason)
        end)
      ]], "TERM")
      assert.matches("^cancelled\tshutdown: not drained 0.001 s after sigterm\ncleaned\n", out)
    end)

    it("a second signal ends a busy loop", function()
      local out, status = signalled(host, [[
        rille.shutdown()
        rille.root():on_shutdown(function()
          print "ready"
          repeat until os.clock() > 20 -- no longer, should this fail
        end)
        print "ready"
        rille.sleep(60)
      ]], "TERM", "INT")
      assert.same({ "", 130 }, { out, status })
    end)

    it("a signal ends what the program itself is draining", function()
      local out, status = signalled(host, [[
        rille.shutdown():trigger()
        print "ready"
        rille.sleep(60)
        print "not reached"
      ]], "TERM")
      assert.same({ "", 143 }, { out, status })
    end)

    it("waiting for a signal keeps no program alive", function()
      assert.same({ "done\n", 0 }, { signalled(host, [[
        rille.shutdown { signals = { "sigint", "sigterm", "sighup" } }
        print "done"
      ]]) })
    end)
  end)
end

describe("closed in the binary", function()
  it("the signals are the binary's again", function()
    local out, status = signalled("the binary", [[
      rille.shutdown():close()
      print "ready"
      rille.sleep(60)
    ]], "TERM")
    assert.same({ "rille: interrupted by SIGTERM\n", 143 }, { out, status })
  end)

  it("so they are after a drain", function()
    local out, status = signalled("the binary", [[
      local shutdown = rille.shutdown()
      rille.root():on_shutdown(function()
        shutdown:close()
        print "ready"
      end)
      print "ready"
      rille.sleep(60)
    ]], "TERM", "INT")
    assert.same({ "rille: interrupted by SIGINT\n", 130 }, { out, status })
  end)

  it("a signal that was not named was the binary's all the time", function()
    local out, status = signalled("the binary", [[
      rille.shutdown { signals = { "sigterm" } }
      rille.root():on_shutdown(error)
      print "ready"
      rille.sleep(60)
    ]], "INT")
    assert.same({ "rille: interrupted by SIGINT\n", 130 }, { out, status })
  end)

  it("a drain that was cut ends with status 1 and says so", function()
    local out, status = signalled("the binary", [[
      rille.shutdown { timeout = 0 }
      print "ready"
      rille.sleep(60)
    ]], "TERM")
    assert.equal(1, status)
    assert.matches("^rille: cancelled: .*not drained 0 s after sigterm\n", out)
  end)
end)
