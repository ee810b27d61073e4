-- The system's clock is set while timers run: by libfaketime (Debian's `faketime`),
-- which stands between the process and clock_gettime. What the wall clock does must
-- not matter; and a monotonic clock that leaps, as no clock should, makes timers fire
-- that are due by then, and does no harm. (That the engine's own clock, at which unit
-- tests can turn, is obeyed: spec/unit/clock_test.c.)
local sys = require "spec.sys_helper"

local library = sys.shell "ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null":match "%S+"
-- It hangs in ASan's own start.
local usable = library and not sys.shell "ldd $RILLE":find "libasan"

local prelude = [[
  local rille = require "rille"
  local function step(text)
    local file <close> = assert(io.open(os.getenv "FAKETIME_TIMESTAMP_FILE", "w"))
    file:write(text, "\n")
  end
  local early, ticks = false, 0
  rille.root():go({daemon = true}, function() rille.sleep(1e6) early = true end)
  rille.root():go({daemon = true}, function()
    for n in rille.every(0.001) do ticks = ticks + n end
  end)
  -- Waits for a few ticks, and so for ever when none comes.
  local function tick()
    local seen = ticks
    repeat rille.sleep(0.002) until ticks > seen
  end
  tick()
]]

-- Runs a script with a clock at which it can turn; returns what it prints.
local function fake(monotonic, script)
  local file, times = os.tmpname(), os.tmpname()
  for path, text in pairs { [file] = prelude .. script, [times] = "+0\n" } do
    local f <close> = assert(io.open(path, "w"))
    f:write(text)
  end
  local command = "FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=%s LD_PRELOAD=%s "
    .. "FAKETIME_DONT_FAKE_MONOTONIC=%d timeout 50 $RILLE %s 2>&1 </dev/null"
  local output = sys.shell(command:format(times, library, monotonic and 0 or 1, file))
  os.remove(file)
  os.remove(times)
  return output
end

describe("with libfaketime,", function()
  if not usable then
    pending "libfaketime is not installed, or this build has ASan, with which it does not start"
    return
  end

  for name, offset in pairs { ["ten years on"] = "+10y", ["an hour back"] = "-1h" } do
    it("a wall clock that is set " .. name .. " wakes nobody early, and nobody late", function()
      assert.equal("true\nfalse\ttrue\n", fake(false, ([[
        local wall, began = os.time(), rille.now()
        step "%s"
        tick()
        print(math.abs(os.time() - wall) > 3000)
        tick()
        print(early, rille.now() - began < 1e6)]]):format(offset)))
    end)
  end

  it("a monotonic clock that leaps ten years fires what is due", function()
    assert.equal("true\ttrue\n", fake(true, [[
      local began = rille.now()
      step "+10y"
      tick()
      print(early, rille.now() - began > 1e8)]]))
  end)
end)
