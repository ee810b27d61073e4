/*
 * engine_fixture.h - an engine for unit tests: no Lua, a virtual clock.
 *
 * Its tasks run no code. A resume is recorded, and the task is then as one
 * that runs: the test plays its part, starts its waits and ends it. A task
 * cancelled before its start is ended, as the binding does.
 */
#ifndef ENGINE_FIXTURE_H
#define ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine.h"
#include <uv.h>

#define RESUMES 64

struct fixture {
  struct rille_engine engine;
  struct rille_scope top;
  struct rille_task *resumed[RESUMES]; /* in order, the first so many */
  uint32_t resumes;
  const struct rille_task *cleaning; /* the one that is in a cleanup, or NULL */
};

static inline struct fixture *fixture_of(const struct rille_task *task) {
  return RILLE_ENTRY(task->scope->engine, struct fixture, engine);
}

static inline void record_resume(struct rille_task *task) {
  struct fixture *f = fixture_of(task);
  if (!task->started && task->top->by != NULL) {
    rille_task_end(task, RILLE_TASK_ENDED_CANCELLED);
    return;
  }
  task->started = 1;
  task->status = RILLE_TASK_RUNNING;
  if (f->resumes < RESUMES)
    f->resumed[f->resumes] = task;
  f->resumes++;
}

static inline bool in_cleanup(struct rille_task *task) {
  return fixture_of(task)->cleaning == task;
}

static inline int open_engine(void **state) {
  static const struct rille_hooks hooks = {record_resume, in_cleanup};
  struct fixture *f = calloc(1, sizeof *f);
  if (f == NULL)
    return -1;
  f->engine.clock.is_virtual = true;
  *state = f;
  return rille_engine_open(&f->engine, NULL, &hooks, &f->top);
}

static inline int close_engine(void **state) {
  struct fixture *f = *state;
  rille_loop_close(&f->engine);
  free(f);
  return 0;
}

#define ENGINE_TEST(test)                                                      \
  cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

/* Resumes what is ready, in order, until nothing is. */
static inline void run_ready(struct fixture *f) {
  struct rille_node *node;
  while ((node = rille_list_take(&f->engine.ready)) != NULL)
    f->engine.hooks->resume(rille_task_at(node));
}

/* Lets the clock go on to `instant` and fires what is due. */
static inline void advance(struct fixture *f, int64_t instant) {
  f->engine.clock.instant = instant;
  rille_timer_run(&f->engine);
}

/* Makes `task` a task of `scope` that runs, and forgets the record. */
static inline void start_task(struct rille_task *task,
                              struct rille_scope *scope) {
  memset(task, 0, sizeof *task);
  rille_task_start(task, scope);
  run_ready(fixture_of(task));
  fixture_of(task)->resumes = 0;
}

/* Seeds the engine's random numbers: with RILLE_SEED, or anew. */
static inline void seed_engine(struct fixture *f) {
  const char *given = getenv("RILLE_SEED");
  uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : uv_hrtime();
  print_message("RILLE_SEED=%llu\n", (unsigned long long)seed);
  rille_engine_seed(&f->engine, seed);
}

#endif
