--[[
main.lua - the rows of the benchmark, done with rille.

    build/rille scripts/benchmarks/rille/main.lua ROW OPS TASKS [WARM] [SLEEPERS]

Runs in the binary, where the script is the main task. See ../harness.lua for
what a row is, ../driver/rows.lua for the list of them.
]]
local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../?.lua;" .. here .. "/?.lua;" .. package.path

local rille = require "rille"
local harness = require "harness"

local rows = {}
for _, name in ipairs{"tasks", "channels", "choices", "scopes", "policies", "many"} do
  for row, fn in pairs(require(name)) do rows[row] = fn end
end

harness.main({
  clock = rille.now, yield = rille.yield, rows = rows, bystanders = require "bystanders",
  cold = {sleepers = true, parked = true, cancel = true},
}, arg)
