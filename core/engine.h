/*
 * engine.h - one engine: the state of all the core's modules.
 *
 * There are no globals. Each module has its part here, and what the core
 * needs of the world above, two functions that know Lua, comes in as hooks.
 */
#ifndef RILLE_ENGINE_H
#define RILLE_ENGINE_H

#include "lock.h"
#include "loop.h"
#include "scope.h"

struct rille_hooks {
  /* Runs `task` up to its next wait or its end. It may be freed by then. */
  void (*resume)(struct rille_task *task);
  /* True if the parked `task` stands in a cleanup, which a cancellation
   * does not interrupt before its grace is over. */
  bool (*in_cleanup)(struct rille_task *task);
};

struct rille_engine {
  const struct rille_hooks *hooks;
  struct rille_loop *loop; /* NULL: closed */
  bool host_loop;          /* the loop is run and closed by a host */
  struct rille_clock clock;
  struct rille_node ready;    /* rille_task_place, first in first out */
  struct rille_task *current; /* the one that runs, or NULL */
  struct rille_scope *top;    /* the root of all scopes; never left */
  struct rille_permits permits;
  struct rille_holds holds;
  int64_t turn_time; /* when this turn started, ns */
  uint64_t random;   /* state of rille_random */
  bool shuffle; /* the schedule is random, within what a program may expect */
  struct rille_source quiet; /* fires when no task is ready */
  uint32_t tasks_made, scopes_made, objects_made; /* for numbering */
  uint32_t claims; /* sends foreseen: see broadcast.h */
};

/* Opens an engine in zeroed memory, as rille_loop_open does; `top` is zeroed
 * memory that lives as long. */
int rille_engine_open(struct rille_engine *engine, uv_loop_t *uv,
                      const struct rille_hooks *hooks, struct rille_scope *top);

/* Starts the engine's random numbers at `seed`. */
void rille_engine_seed(struct rille_engine *engine, uint64_t seed);

/* An evenly distributed number from 0 to n - 1. */
uint32_t rille_random(struct rille_engine *engine, uint32_t n);

#endif
