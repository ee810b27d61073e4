-- A nil that was raised came back as nil, nil, which reads as a success, from
-- all of these but retry and breaker.
local rille = require "rille"
local helper = require "spec.helper"

describe("a raised nil comes back as an error", function()
  for name, call in pairs {
    retry = function(fn) return rille.retry({ max_retries = 0 }, fn) end,
    breaker = function(fn) return rille.breaker():call(fn) end,
    fallback = function(fn) return rille.fallback(fn, error) end,
    hedge = function(fn) return rille.hedge({ delay = 1 }, fn) end,
    once = function(fn) return rille.once(fn)() end,
    singleflight = function(fn) return rille.singleflight():call("key", fn) end,
    cache = function(fn) return rille.cache():get("key", fn) end,
    policy = function(fn) return rille.policy { timeout = 5 }:call(fn) end,
    ["policy without layers"] = function(fn) return rille.policy {}:call(fn) end,
    supervise = function(fn) return rille.supervise(fn, { max_restarts = 0 }) end,
    race = function(fn) return rille.root():race { fn } end,
  } do
    it("from " .. name, function()
      helper.run(function()
        helper.refused("invalid", call(function() error(nil) end))
      end)
    end)
  end
end)
