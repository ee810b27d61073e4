/*
 * backoff.h - how long to wait before trying again.
 *
 * The time grows by a factor with every attempt, up to a maximum, and is then
 * spread at random, so that clients which failed together do not come back
 * together: Brooker, "Exponential backoff and jitter", AWS Architecture Blog
 * (2015). Where `t` is the time without jitter and `r` the random number:
 *
 *     none          t
 *     full          r t
 *     equal         t/2 + r t/2
 *     decorrelated  initial + r (3 x the last time - initial)
 *
 * Nothing is kept here: the last time is the execution's, never the policy's.
 */
#ifndef RILLE_POLICY_BACKOFF_H
#define RILLE_POLICY_BACKOFF_H

#include "span.h"

enum rille_jitter {
  RILLE_JITTER_FULL,
  RILLE_JITTER_EQUAL,
  RILLE_JITTER_DECORRELATED,
  RILLE_JITTER_NONE
};

struct rille_backoff {
  int64_t initial; /* ns */
  int64_t max;     /* ns; RILLE_NEVER: none */
  double factor;   /* from 1; not used where the times are decorrelated */
  uint8_t jitter;  /* rille_jitter */
};

/* The time before attempt `attempt` (from 1) is made again, in ns: from 0 to
 * max. `last` is what was returned for the attempt before, 0 for the first;
 * `random` is from 0 to 1. What grows beyond all numbers is max. */
int64_t rille_backoff_delay(const struct rille_backoff *backoff,
                            int64_t attempt, int64_t last, double random);

#endif
