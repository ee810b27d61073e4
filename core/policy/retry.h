/*
 * retry.h - whether a call that failed is made again, and when.
 *
 *     call --- fails ---> FAIL --- again: ask delay ---> DELAY --- wait, call
 *                          |                               |
 *                          '--- too often: give up         '--- too late:
 *                                                               give up
 *
 * It gives up rather than sleep towards a failure: at once when the time left
 * is shorter than the delay. Whether the error is one to retry, and what the
 * user's own delay is, are user functions' to say, between the two questions.
 */
#ifndef RILLE_POLICY_RETRY_H
#define RILLE_POLICY_RETRY_H

#include "backoff.h"
#include <stdbool.h>

/* The policy: shared, never written to. */
struct rille_retry {
  struct rille_backoff backoff;
  int64_t max_retries; /* INT64_MAX: no limit */
  int64_t max_elapsed; /* ns, from the first call on; RILLE_NEVER */
};

/* One execution of it. */
struct rille_retry_run {
  int64_t started;  /* ns */
  int64_t deadline; /* of the caller, ns; RILLE_NEVER */
  int64_t attempt;  /* calls that have failed */
  int64_t last;     /* the last time of the back-off, ns; 0: none yet */
};

/* A delay that is not the user's: the policy's back-off. */
#define RILLE_RETRY_BACKOFF (-1)

enum rille_retry_decision {
  RILLE_RETRY_AGAIN,
  RILLE_RETRY_SPENT,  /* as often as it may be */
  RILLE_RETRY_ELAPSED /* the time left is too short */
};

/* A call has failed. */
enum rille_retry_decision rille_retry_fail(const struct rille_retry *retry,
                                           struct rille_retry_run *run);

/* It is to be made again, after `delay` (ns), or RILLE_RETRY_BACKOFF; sets
 * `*wait` to how long to wait, in ns. `random` is from 0 to 1. */
enum rille_retry_decision rille_retry_delay(const struct rille_retry *retry,
                                            struct rille_retry_run *run,
                                            int64_t delay, int64_t now,
                                            double random, int64_t *wait);

#endif
