/* breaker.c - see breaker.h. */
#include "breaker.h"

#define LEAST_PATIENCE                                                         \
  INT64_C(1000000000) /* where it stays open for no time                       \
                       */

static void enter(struct rille_breaker *breaker,
                  enum rille_breaker_state state) {
  breaker->state = (uint8_t)state;
  breaker->generation++;
  breaker->row = 0;
  breaker->probes = 0;
  breaker->successes = 0;
  breaker->neutral = 0;
  breaker->reclaims = 0;
  rille_window_clear(&breaker->window);
}

static void shut(struct rille_breaker *breaker) {
  enter(breaker, RILLE_BREAKER_CLOSED);
  breaker->openings = 0;
}

static void trip(struct rille_breaker *breaker, int64_t now) {
  enter(breaker, RILLE_BREAKER_OPEN);
  breaker->openings++;
  breaker->opened_at = now;
  breaker->pause = breaker->reset_timeout;
}

void rille_breaker_init(struct rille_breaker *breaker) {
  breaker->generation = 0;
  breaker->pause = breaker->reset_timeout;
  breaker->refused = breaker->late = breaker->lost = 0;
  shut(breaker);
}

static int64_t left(int64_t start, int64_t span, int64_t now) {
  int64_t elapsed = rille_span_since(start, now);
  if (span == RILLE_NEVER)
    return RILLE_NEVER;
  return elapsed < span ? span - elapsed : 0;
}

/* How long permits may be out. It doubles with every time that they did not
 * come back, so that probes which take longer than the breaker stays open
 * are heard in the end. */
static int64_t patience(const struct rille_breaker *breaker) {
  int64_t pause = breaker->pause > 0 ? breaker->pause : LEAST_PATIENCE;
  uint32_t times = breaker->reclaims < 40 ? breaker->reclaims : 40;
  return rille_span_times(pause, INT64_C(1) << times);
}

int64_t rille_breaker_wait(const struct rille_breaker *breaker, int64_t now) {
  switch (breaker->state) {
  case RILLE_BREAKER_OPEN:
    return left(breaker->opened_at, breaker->pause, now);
  case RILLE_BREAKER_HALF_OPEN:
    return left(breaker->probed_at, patience(breaker), now);
  case RILLE_BREAKER_ISOLATED:
    return RILLE_NEVER;
  default:
    return 0;
  }
}

/* Gives a permit, if there is one. */
static bool probe(struct rille_breaker *breaker, int64_t now) {
  if (breaker->probes >= breaker->half_open_max) {
    if (rille_breaker_wait(breaker, now) > 0)
      return false;
    breaker->lost += breaker->probes;
    breaker->probes = 0;
    breaker->reclaims++;
    breaker->generation++;
  }
  breaker->probes++;
  breaker->probed_at = now;
  return true;
}

static bool admits(struct rille_breaker *breaker, int64_t now) {
  if (breaker->state == RILLE_BREAKER_CLOSED)
    return true;
  if (breaker->state == RILLE_BREAKER_OPEN &&
      rille_breaker_wait(breaker, now) == 0)
    enter(breaker, RILLE_BREAKER_HALF_OPEN);
  return breaker->state == RILLE_BREAKER_HALF_OPEN && probe(breaker, now);
}

bool rille_breaker_acquire(struct rille_breaker *breaker, int64_t now) {
  bool admitted = admits(breaker, now);
  breaker->refused += !admitted;
  return admitted;
}

/* The end of a probe. A slow one is no recovery. */
static void judge_probe(struct rille_breaker *breaker, bool failed,
                        int64_t now) {
  if (failed)
    trip(breaker, now);
  else if (++breaker->successes >= breaker->success_threshold)
    shut(breaker);
}

static bool reaches(uint64_t part, uint64_t calls, double rate) {
  return part > 0 && (double)part / (double)calls >= rate;
}

/* The end of a call, closed: whether there were too many like it. */
static bool too_many(struct rille_breaker *breaker, int64_t now) {
  const struct rille_tally *total;
  if (breaker->window.kind == RILLE_WINDOW_ALL)
    return breaker->row >= breaker->failure_threshold;
  total = rille_window_total(&breaker->window, now);
  return total->calls >= breaker->min_calls &&
         (reaches(total->failures, total->calls, breaker->failure_rate) ||
          reaches(total->slow, total->calls, breaker->slow_rate));
}

void rille_breaker_record(struct rille_breaker *breaker, uint32_t generation,
                          enum rille_call_outcome outcome, int64_t duration,
                          int64_t now) {
  bool failed = outcome == RILLE_CALL_FAILED;
  bool slow = duration > breaker->slow_call;
  if (generation != breaker->generation) {
    breaker->late++;
    return;
  }
  if (breaker->state == RILLE_BREAKER_HALF_OPEN)
    breaker->probes--;
  if (outcome == RILLE_CALL_NEUTRAL) {
    breaker->neutral++;
    return;
  }
  breaker->row = failed ? breaker->row + 1 : 0;
  rille_window_add(&breaker->window, failed, slow, now);
  if (breaker->state == RILLE_BREAKER_HALF_OPEN)
    judge_probe(breaker, failed || slow, now);
  else if (too_many(breaker, now))
    trip(breaker, now);
}

void rille_breaker_isolate(struct rille_breaker *breaker) {
  if (breaker->state != RILLE_BREAKER_ISOLATED)
    enter(breaker, RILLE_BREAKER_ISOLATED);
}

void rille_breaker_reset(struct rille_breaker *breaker) { shut(breaker); }

void rille_breaker_shift(struct rille_breaker *breaker, int64_t shift) {
  breaker->opened_at += shift;
  breaker->probed_at += shift;
  rille_window_shift(&breaker->window, shift);
}
