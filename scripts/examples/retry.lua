-- Retrying what may succeed the next time, and nothing else.
--
-- A service answers some requests only after a while, asks to be left alone for
-- a time, or says no for good. rille.retry waits longer each time, as long as
-- the service asks for, gives up at once where another call is of no use, and
-- never waits beyond the deadline.
local rille = require "rille"

-- An error as a client library might raise it.
local function http_error(status, retry_after)
  return setmetatable({ status = status, retry_after = retry_after }, {
    __tostring = function(e) return "status " .. e.status end,
  })
end

-- A service that answers one request after the other with what is listed:
-- statuses, or a status and the seconds after which it wants to be asked again.
local function service(answers)
  local n = 0
  return function(path)
    n = n + 1
    local answer = answers[math.min(n, #answers)]
    rille.sleep(0.02) -- the time of the request
    if answer == 200 then return "contents of " .. path end
    if type(answer) == "table" then error(http_error(answer[1], answer[2])) end
    error(http_error(answer))
  end
end

-- The service is to blame, not the request.
local function is_temporary(err)
  return err.status >= 500 or err.status == 429
end

local policy = {
  max_retries = 4,
  backoff = { initial = 0.1, factor = 2, max = 2, jitter = "none" }, -- "full" in earnest
  retry_if = is_temporary,
  on_retry = function(err, attempt, delay)
    print(("  %s: retry %d in %.1f s"):format(err, attempt, delay))
  end,
}

-- Options that many calls share are best checked once.
local retrying = rille.retry(policy)

local function get(name, answers)
  print(name)
  local start = rille.now()
  local value, err = retrying(service(answers), "/" .. name)
  print(("  %s, after %.2f s"):format(value or err, rille.now() - start))
end

get("flaky", { 500, 503, 200 })
get("limited", { { 429, 1.5 }, 200 })
get("missing", { 404 })
get("broken", { 500 })

print "in a hurry"
print("", rille.timeout(0.5, retrying, service { 503 }, "/slow"))

-- Many callers that share a budget do not make things worse: once the tokens
-- are spent, a fifth of the calls may be retried.
local budget = rille.retry_budget { ratio = 0.2, min_per_second = 0, max_tokens = 5 }
local calls = 0
for _ = 1, 100 do
  rille.retry({ budget = budget, delay = 0 }, function()
    calls = calls + 1
    error "down"
  end)
end
print("100 requests, " .. calls .. " calls, " .. budget:stats().retries .. " retries")

-- options: --virtual
-- expect: flaky
-- expect:   status 500: retry 1 in 0.1 s
-- expect:   status 503: retry 2 in 0.2 s
-- expect:   contents of /flaky, after 0.36 s
-- expect: limited
-- expect:   status 429: retry 1 in 1.5 s
-- expect:   contents of /limited, after 1.54 s
-- expect: missing
-- expect:   status 404, after 0.02 s
-- expect: broken
-- expect:   status 500: retry 1 in 0.1 s
-- expect:   status 500: retry 2 in 0.2 s
-- expect:   status 500: retry 3 in 0.4 s
-- expect:   status 500: retry 4 in 0.8 s
-- expect:   status 500, after 1.60 s
-- expect: in a hurry
-- expect:   status 503: retry 1 in 0.1 s
-- expect:   status 503: retry 2 in 0.2 s
-- expect: 	nil	status 503
-- expect: 100 requests, 124 calls, 24 retries
