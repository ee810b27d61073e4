/* retry.c - see retry.h. */
#include "retry.h"

enum rille_retry_decision rille_retry_fail(const struct rille_retry *retry,
                                           struct rille_retry_run *run) {
  if (run->attempt >= retry->max_retries)
    return RILLE_RETRY_SPENT;
  run->attempt++;
  return RILLE_RETRY_AGAIN;
}

enum rille_retry_decision rille_retry_delay(const struct rille_retry *retry,
                                            struct rille_retry_run *run,
                                            int64_t delay, int64_t now,
                                            double random, int64_t *wait) {
  int64_t elapsed = rille_span_since(run->started, now);
  if (delay == RILLE_RETRY_BACKOFF)
    delay = run->last =
        rille_backoff_delay(&retry->backoff, run->attempt, run->last, random);
  if (delay == RILLE_NEVER ||
      rille_span_add(elapsed, delay) > retry->max_elapsed ||
      rille_span_add(now, delay) >= run->deadline)
    return RILLE_RETRY_ELAPSED;
  *wait = delay;
  return RILLE_RETRY_AGAIN;
}
