-- Rows of calls on a circuit breaker, for the specs: a text of
--
--     s f x   a call that succeeds, fails, is not to count
--     S F     the same, taking `slow` seconds
--     -       a call that is refused
--     .       a second goes by
--     C O H I the state is closed, open, half open, isolated
local assert = require "luassert"
local rille = require "rille"
local helper = require "spec.helper"

local rows = {}

local states = { C = "closed", O = "open", H = "half_open", I = "isolated" }

local function fail(err, seconds)
  rille.sleep(seconds)
  error(err, 0)
end

local function succeed(seconds)
  rille.sleep(seconds)
  return "ok"
end

local steps = {
  s = function(breaker) assert.equal("ok", breaker:call(succeed, 0)) end,
  S = function(breaker, slow) assert.equal("ok", breaker:call(succeed, slow)) end,
  f = function(breaker) assert.same({ nil, "failed" }, { breaker:call(fail, "failed", 0) }) end,
  F = function(breaker, slow)
    assert.same({ nil, "failed" }, { breaker:call(fail, "failed", slow) })
  end,
  x = function(breaker) assert.same({ nil, "ignored" }, { breaker:call(fail, "ignored", 0) }) end,
  ["-"] = function(breaker) helper.refused("circuit_open", breaker:call(error)) end,
  ["."] = function() rille.sleep(1) end,
}

--- Plays the row; `slow` is in seconds.
function rows.play(breaker, row, slow)
  for i, step in row:gmatch "()(%S)" do
    if states[step] then
      assert.equal(states[step], breaker:state(), ("step %d of %s"):format(i, row))
    else
      steps[step](breaker, slow)
    end
  end
end

--- Failures count, unless they are "ignored".
function rows.is_failure(err) return err == "ignored" and "ignore" or true end

--- A function for `it` that plays the row on a new breaker.
function rows.plays(opts, row, slow)
  return function()
    helper.run(function()
      local copy = { is_failure = rows.is_failure }
      for key, value in pairs(opts) do copy[key] = value end
      rows.play(rille.breaker(copy), row, slow)
    end)
  end
end

return rows
