-- Random calls of everything there is (spec/torture/calls.lua, which says how), in
-- processes of their own: nothing crashes, hangs or is left behind.
local setting = require "spec.torture.setting"

local seed = setting.seed(20260310)
local programs = setting.size(100, 5000)
local AT_ONCE = 500 -- programs in a process

-- Runs `count` programs; returns nil, or what went wrong. What finalizers make while
-- the state closes, luv's handles among it, Lua 5.4 does not finalize: so leaks are
-- for other tests.
local function fault(first, count)
  local command = "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 timeout 600 "
    .. "lua5.4 spec/torture/calls.lua %d %d 2>&1 </dev/null"
  local pipe <close> = assert(io.popen(command:format(first, count)))
  local last, output = nil, {}
  for line in pipe:lines() do
    last = line:match "^SEED (%-?%d+)" or last
    if not line:find "^SEED" then output[#output + 1] = line end
  end
  local ended = output[#output]
  if ended ~= "done" and ended ~= "runaway" then
    return ("SEED=%s: %s"):format(last, table.concat(output, "\n"))
  end
end

describe("random calls", function()
  it("do no harm, SEED=" .. seed, function()
    for first = seed, seed + programs - 1, AT_ONCE do
      assert.is_nil(fault(first, math.min(AT_ONCE, seed + programs - first)))
    end
    setting.note("calls: %d programs, SEED=%d", programs, seed)
  end)
end)
