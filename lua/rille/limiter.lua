--[[
limiter.lua - the options of rate limiters; all else is the C part's
(core/bind/limiter.c).
]]
local rille, core = ...

local huge = math.huge

local MOST_TOKENS = 1000000000000 -- in a bucket, unless there is no limit

local read = core.options("limiter", 1, {
  name = "string",
  rate = "rate",
  per = {"period", 1},
  burst = "count",
})

local function refuse(message, ...)
  core.arg_error("limiter", 1, message:format(...))
end

-- The tokens of `per`, and at least one.
local function default_burst(rate)
  if rate == huge then return huge end
  return math.max(1, math.floor(math.min(rate, MOST_TOKENS)))
end

--- Makes a rate limiter: a bucket of tokens, full at first, into which `rate`
-- tokens come in each `per` seconds, evenly. It has no task and, while nobody
-- waits, no timer. Never suspends.
-- @function limiter
-- @tparam table opts `rate`; `per` (1 second), `burst` (`rate`, at least 1: the
-- most tokens there are at a time), `name`
-- @return the limiter
-- @usage local limiter = rille.limiter{rate = 10, burst = 20}
function rille.limiter(opts)
  local o = read(opts)
  if not o.rate then refuse "option 'rate': a number from 0 expected, got nil" end
  local burst = o.burst or default_burst(o.rate)
  if burst ~= huge and burst > MOST_TOKENS then
    refuse("option 'burst': at most %d or math.huge expected, got %s", MOST_TOKENS, burst)
  end
  return core.limiter(o.rate, o.per, burst, o.name)
    or refuse "the bucket would take more than 73 years to fill"
end
