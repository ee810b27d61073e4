-- A client that keeps to the rate that a service allows.
--
-- The service allows 5 requests a second and bursts of 3, and counts. Many
-- tasks use one limiter: none of them is refused by the service, and they are
-- served in order. Those who cannot wait so long learn it at once.
local rille = require "rille"

local RATE, BURST = 5, 3

-- The service: what comes too fast is refused.
local tokens, last, refusals = BURST, 0, 0

local function request(id)
  tokens = math.min(BURST, tokens + (rille.now() - last) * RATE)
  last = rille.now()
  if tokens < 1 - 1e-9 then
    refusals = refusals + 1
    return nil, "429 too many requests"
  end
  tokens = tokens - 1
  rille.sleep(0.05)
  return "response " .. id
end

local limiter = rille.limiter { rate = RATE, burst = BURST, name = "service" }

local function fetch(id)
  local value, err = limiter:call(request, id)
  print(("%.2f s  %s"):format(rille.now(), value or err))
end

print "-- ten tasks"
rille.scope(function(scope)
  for id = 1, 10 do scope:go(fetch, id) end
  scope:go(function()
    rille.sleep(0.5)
    print(("%.2f s  %d tasks wait"):format(rille.now(), limiter:stats().waiting))
  end)
end)
print(refusals .. " refused by the service")

print "-- without a wait"
rille.sleep(0.4)
for _ = 1, 4 do
  local ok, err = limiter:try_acquire()
  print(ok or ("%s: %.1f s"):format(err.kind, err.retry_after))
end

print "-- with a deadline that is nearer than the tokens"
local before = rille.now()
print(rille.timeout(0.05, function()
  local value, err = limiter:call(request, 11)
  return value, err and err.kind
end))
print(("known after %.2f s"):format(rille.now() - before))

print "-- a large request takes its share"
limiter:acquire(BURST)
print(("%.2f s"):format(rille.now() - before))

print "-- a reservation, given back"
local delay, cancel = limiter:reserve(2)
print(("the tokens would be there in %.2f s"):format(delay))
cancel()
print(("now in %.2f s"):format((limiter:reserve(2))))

-- options: --virtual
-- expect: -- ten tasks
-- expect: 0.05 s  response 1
-- expect: 0.05 s  response 2
-- expect: 0.05 s  response 3
-- expect: 0.25 s  response 4
-- expect: 0.45 s  response 5
-- expect: 0.50 s  5 tasks wait
-- expect: 0.65 s  response 6
-- expect: 0.85 s  response 7
-- expect: 1.05 s  response 8
-- expect: 1.25 s  response 9
-- expect: 1.45 s  response 10
-- expect: 0 refused by the service
-- expect: -- without a wait
-- expect: true
-- expect: true
-- expect: rate_limited: 0.1 s
-- expect: rate_limited: 0.1 s
-- expect: -- with a deadline that is nearer than the tokens
-- expect: nil	rate_limited
-- expect: known after 0.00 s
-- expect: -- a large request takes its share
-- expect: 0.55 s
-- expect: -- a reservation, given back
-- expect: the tokens would be there in 0.40 s
-- expect: now in 0.40 s
