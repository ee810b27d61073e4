/*
 * timer.h - the engine's one clock, and its timers.
 *
 * Every instant in the core is an absolute number of nanoseconds on a
 * monotonic clock: the system's, or a virtual one that moves only when
 * nothing else can happen. Timers are nodes of one pairing heap, ordered by
 * time and then by the order in which they were armed; the loop arms a single
 * uv_timer_t for the first of them.
 */
#ifndef RILLE_TIMER_H
#define RILLE_TIMER_H

#include "heap.h"
#include <stdbool.h>
#include <stdint.h>

struct rille_engine;
struct rille_timer;

#define RILLE_FOREVER INT64_MAX
#define RILLE_SECOND INT64_C(1000000000)

typedef void rille_timer_cb(struct rille_engine *engine,
                            struct rille_timer *timer);

struct rille_timer {
  struct rille_heap_node node;
  int64_t due;    /* ns */
  uint64_t order; /* when it was armed, counted from 1; 0: not armed */
  rille_timer_cb *fire;
};

/* The part of the engine that timers use. */
struct rille_clock {
  struct rille_heap timers;
  uint64_t order;  /* of the timer armed last */
  int64_t instant; /* the virtual time, ns */
  bool is_virtual;
  uint32_t era; /* which clock it is: 0, the system's, or a number for each */
  int64_t era_start; /* the time at its beginning, ns */
  uint32_t virtuals; /* virtual ones so far */
};

/* The time now, in ns: read anew at each call. */
int64_t rille_now(const struct rille_engine *engine);

/* `span` ns after `start`, or RILLE_FOREVER where that cannot be told. */
int64_t rille_time_add(int64_t start, int64_t span);

/* Arms `timer` (again); RILLE_FOREVER only disarms it. A time that has
 * passed fires in the next turn. */
void rille_timer_start(struct rille_engine *engine, struct rille_timer *timer,
                       int64_t due, rille_timer_cb *fire);

/* Disarms; idempotent. */
void rille_timer_stop(struct rille_engine *engine, struct rille_timer *timer);

static inline bool rille_timer_active(const struct rille_timer *timer) {
  return timer->order != 0;
}

/* When the first timer is due; RILLE_FOREVER without one. */
int64_t rille_timer_next(const struct rille_engine *engine);

/* Fires what is due and was armed before the call. */
void rille_timer_run(struct rille_engine *engine);

#endif
