/*
 * breaker.h - a circuit breaker: whether a call may be made.
 *
 *               too many failures
 *     closed ----------------------> open
 *       ^ ^                          |  ^
 *       |  \                 time is |  | a probe
 *  reset|   \ enough probes     over |  | fails
 *       |    \ succeed               v  |
 *     isolated '------------------ half open
 *
 * Each change of state begins a new generation. A call is told the generation
 * in which it was admitted and reports its outcome under that: what is
 * reported under an old one moves nothing.
 *
 * Half open, permits are counted when they are given. A call that never comes
 * back cannot hold its permit for ever: when all permits are out and the last
 * was given a whole reset time ago, they are taken as lost, and new ones are
 * given in a new generation.
 */
#ifndef RILLE_POLICY_BREAKER_H
#define RILLE_POLICY_BREAKER_H

#include "window.h"

enum rille_breaker_state {
  RILLE_BREAKER_CLOSED,
  RILLE_BREAKER_OPEN,
  RILLE_BREAKER_HALF_OPEN,
  RILLE_BREAKER_ISOLATED
};

enum rille_call_outcome {
  RILLE_CALL_SUCCEEDED,
  RILLE_CALL_FAILED,
  RILLE_CALL_NEUTRAL /* it was cancelled, or is not to count */
};

struct rille_breaker {
  /* The caller's to set, before rille_breaker_init. */
  struct rille_window window; /* kind, size, slice, cells */
  uint32_t failure_threshold; /* in a row; for a window of all calls */
  double failure_rate;        /* of the window's calls; the others likewise */
  double slow_rate;
  uint32_t min_calls;         /* in the window, before a rate says anything */
  int64_t slow_call;          /* longer is slow, ns; RILLE_NEVER */
  int64_t reset_timeout;      /* ns */
  uint32_t half_open_max;     /* probes at a time */
  uint32_t success_threshold; /* probes that must succeed */
  /* What has become of it; to be read. */
  uint8_t state;
  uint32_t generation;
  uint32_t row;       /* failures in a row, up to now */
  uint32_t openings;  /* since it was closed */
  uint32_t probes;    /* permits that are out, half open */
  uint32_t successes; /* of probes */
  uint32_t reclaims;  /* times that all permits were lost, in this state */
  int64_t opened_at;  /* ns */
  int64_t pause;      /* how long it stays open, ns; RILLE_NEVER */
  int64_t probed_at;  /* when the last permit was given, ns */
  uint64_t neutral;   /* neutral outcomes in this state */
  uint64_t refused;   /* this and the following: in all its life */
  uint64_t late;      /* outcomes under an old generation */
  uint64_t lost;      /* permits that did not come back in time */
};

/* Makes it closed. */
void rille_breaker_init(struct rille_breaker *breaker);

/* Whether a call may be made; the generation is then `breaker->generation`. */
bool rille_breaker_acquire(struct rille_breaker *breaker, int64_t now);

/* A call admitted under `generation` has ended, after `duration` ns. */
void rille_breaker_record(struct rille_breaker *breaker, uint32_t generation,
                          enum rille_call_outcome outcome, int64_t duration,
                          int64_t now);

/* How long one who is refused now has to wait, ns: while it is open, until it
 * is half open; half open, until the permits would be lost; isolated,
 * RILLE_NEVER. */
int64_t rille_breaker_wait(const struct rille_breaker *breaker, int64_t now);

/* Refuses every call until it is reset. */
void rille_breaker_isolate(struct rille_breaker *breaker);

/* Closes it, with everything forgotten. */
void rille_breaker_reset(struct rille_breaker *breaker);

/* Another clock is in use, on which now is `shift` ns later. */
void rille_breaker_shift(struct rille_breaker *breaker, int64_t shift);

#endif
