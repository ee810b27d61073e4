-- The vocabulary of spec/torture/calls.lua: what is called, and with which scalars.
local words = {}

-- Not called: what would end the process, block it, or reach the system.
words.SKIPPED = { uv = true, fs = true, process = true, net = true, http = true, stdin = true,
  tty = true, signal = true, shutdown = true, run = true, testing = true, version = true,
  install_coroutines = true }
-- Take a number of tasks or of objects to make; more of them is only slower.
words.NUMEROUS = { worker_pool = true, fan_out = true, resource_pool = true, hedge = true,
  map_parallel = true, pipeline = true, parallel = true, map = true, supervise = true }
words.NAMES = [[rille sleep sleep_until yield now current root await dump scope timeout shield
  channel select selector broadcast event_bus after every retry breaker limiter semaphore mutex
  rwlock bulkhead fallback hedge policy once singleflight cache debounce throttle event
  worker_pool pipeline fan_out fan_in resource_pool supervise stream is_error is_cancellation
  retry_budget]]
words.KEYS = [[name parent inherit timeout deadline shield concurrency on_error retry task_timeout
  circuit_breaker limiter grace daemon total_timeout fallback overflow on_drop buffer default
  ordered interval immediate max_errors jitter max_retries delay backoff retry_if on_retry
  max_elapsed budget failure_threshold window failure_rate min_calls reset_timeout half_open_max
  success_threshold is_failure on_state_change rate per burst max queue keep_errors size ttl stale
  wait leading trailing workers handler results create destroy validate min idle_timeout
  max_lifetime acquire_timeout max_restarts period settle on_progress type factor initial ordered
  send fn stream hedge bulkhead cache 1 2 3]]
words.TEXTS = { "block", "drop_oldest", "drop_newest", "error", "all", "cancel", "continue",
  "count", "time", "full", "none", "a", "a.b", "a.*", ">", "k", "v", "" }
words.NUMBERS = { 0, 1, 2, 3, 1, 2, -1, 0.5, 0.001, 10, 7 }
words.AWKWARD = { 0 / 0, math.huge, -math.huge, 2 ^ 53, math.maxinteger, math.mininteger, 2 ^ 31,
  1e-300, 1e15 }

return words
