/* timer.c - see timer.h. */
#include "timer.h"
#include "engine.h"
#include <uv.h>

static struct rille_timer *timer_of(const struct rille_heap_node *node) {
  return RILLE_ENTRY(node, struct rille_timer, node);
}

static bool timer_before(const struct rille_heap_node *a,
                         const struct rille_heap_node *b) {
  const struct rille_timer *x = timer_of(a), *y = timer_of(b);
  return x->due != y->due ? x->due < y->due : x->order < y->order;
}

int64_t rille_now(const struct rille_engine *engine) {
  return engine->clock.is_virtual ? engine->clock.instant
                                  : (int64_t)uv_hrtime();
}

int64_t rille_time_add(int64_t start, int64_t span) {
  return span >= RILLE_FOREVER - start ? RILLE_FOREVER : start + span;
}

void rille_timer_start(struct rille_engine *engine, struct rille_timer *timer,
                       int64_t due, rille_timer_cb *fire) {
  rille_timer_stop(engine, timer);
  if (due == RILLE_FOREVER)
    return;
  timer->due = due;
  timer->fire = fire;
  timer->order = ++engine->clock.order;
  rille_heap_insert(&engine->clock.timers, &timer->node, timer_before);
  rille_loop_alert(engine);
}

void rille_timer_stop(struct rille_engine *engine, struct rille_timer *timer) {
  if (!rille_timer_active(timer))
    return;
  timer->order = 0;
  rille_heap_remove(&engine->clock.timers, &timer->node, timer_before);
}

int64_t rille_timer_next(const struct rille_engine *engine) {
  const struct rille_heap_node *root = engine->clock.timers.root;
  return root != NULL ? timer_of(root)->due : RILLE_FOREVER;
}

void rille_timer_run(struct rille_engine *engine) {
  struct rille_clock *clock = &engine->clock;
  uint64_t last = clock->order;
  int64_t now;
  if (clock->timers.root == NULL)
    return;
  now = rille_now(engine);
  while (clock->timers.root != NULL) {
    struct rille_timer *timer = timer_of(clock->timers.root);
    if (timer->due > now || timer->order > last)
      break;
    rille_timer_stop(engine, timer);
    timer->fire(engine, timer);
  }
}
