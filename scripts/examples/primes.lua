-- The sieve of channels: one task per prime, each takes the numbers of the
-- task before it and passes on those that its own prime does not divide.
--
--   numbers 2 3 4 5... --> not by 2 --> not by 3 --> not by 5 --> ...
--
-- Every stage would go on for ever. The scope ends them: when the twenty
-- primes are there, cancel() wakes each stage from the send or receive it
-- waits in, and the scope is left only when the last of them has ended.
local rille = require "rille"

local function numbers(output)
  local n = 2
  while true do
    output:send(n)
    n = n + 1
  end
end

local function filter(input, output, prime)
  for n in input do
    if n % prime ~= 0 then output:send(n) end
  end
end

local function first_primes(count, scope)
  local primes, channel = {}, rille.channel()
  scope:go({ name = "numbers" }, numbers, channel)
  for i = 1, count do
    -- What comes out of the last stage first is the next prime.
    local prime, output = channel:recv(), rille.channel()
    primes[i] = prime
    scope:go({ name = "not by " .. prime }, filter, channel, output, prime)
    channel = output
  end
  return primes
end

local primes, sieve
local _, err = rille.scope({ name = "sieve" }, function(scope)
  sieve, primes = scope, first_primes(20, scope)
  print("stages at work: " .. scope:active())
  scope:cancel("enough primes")
  rille.yield() -- the next wait of a cancelled body ends it
end)

print(table.concat(primes, " "))
print("stages left: " .. sieve:active())
print(err.kind .. ": " .. err.reason)

-- expect: stages at work: 21
-- expect: 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71
-- expect: stages left: 0
-- expect: cancelled: enough primes
