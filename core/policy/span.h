/*
 * span.h - spans of time, as the policies reckon with them.
 *
 * Nanoseconds in an int64_t, never negative; what does not fit, and what will
 * never be, is RILLE_NEVER.
 */
#ifndef RILLE_POLICY_SPAN_H
#define RILLE_POLICY_SPAN_H

#include <stdint.h>

#define RILLE_NEVER INT64_MAX

/* a + b, or RILLE_NEVER; both from 0. */
static inline int64_t rille_span_add(int64_t a, int64_t b) {
  return b >= RILLE_NEVER - a ? RILLE_NEVER : a + b;
}

/* a x b likewise. */
static inline int64_t rille_span_times(int64_t a, int64_t b) {
  if (a == 0 || b == 0)
    return 0;
  return b >= RILLE_NEVER / a ? RILLE_NEVER : a * b;
}

/* The ns since `start`; a clock that went back has stood still. */
static inline int64_t rille_span_since(int64_t start, int64_t now) {
  return now > start ? now - start : 0;
}

#endif
