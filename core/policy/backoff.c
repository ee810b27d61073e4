/* backoff.c - see backoff.h. */
#include "backoff.h"
#include <math.h>

/* The least of `delay` and the maximum; whatever is no number is the latter. */
static int64_t capped(const struct rille_backoff *backoff, double delay) {
  return delay < (double)backoff->max ? (int64_t)delay : backoff->max;
}

int64_t rille_backoff_delay(const struct rille_backoff *backoff,
                            int64_t attempt, int64_t last, double random) {
  double initial = (double)backoff->initial, whole;
  if (backoff->initial == 0)
    return 0;
  whole = (double)capped(backoff,
                         initial * pow(backoff->factor, (double)attempt - 1));
  switch (backoff->jitter) {
  case RILLE_JITTER_FULL:
    return capped(backoff, random * whole);
  case RILLE_JITTER_EQUAL:
    return capped(backoff, whole / 2 + random * whole / 2);
  case RILLE_JITTER_DECORRELATED:
    whole = 3 * (double)(last > backoff->initial ? last : backoff->initial);
    return capped(backoff, initial + random * (whole - initial));
  default:
    return capped(backoff, whole);
  }
}
