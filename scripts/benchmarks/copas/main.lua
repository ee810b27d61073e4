--[[
main.lua - the one row that Debian's copas can do besides TCP echo.

    lua5.1 scripts/benchmarks/copas/main.lua ROW OPS TASKS

Version 1.2 (Debian's lua-copas, for Lua 5.1) switches tasks when a socket is
ready, and only then: no sleep, no wake-up, no queue. A thread that waits for
no socket runs to its end within addthread, which is all that is measured here.
luv is asked for the time, as copas has no monotonic clock.
]]
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../?.lua;" .. package.path
local copas = require "copas"
local uv = require "luv"
local harness = require "harness"

local rows = {}

function rows.spawn(b)
  local ended = 0
  local function body() ended = ended + 1 end
  for _ = 1, b.ops do copas.addthread(body) end
  return ended, b.ops
end

harness.main({clock = function() return uv.hrtime() * 1e-9 end, rows = rows}, arg)
