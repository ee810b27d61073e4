/*
 * semaphore.h - a number of permits, given out in strict order.
 *
 * Nobody overtakes: who finds somebody waiting waits too, even if there is a
 * permit for it, so a request for many is not starved by requests for one.
 *
 *     available 2:  waiters <-> [wants 3] <-> [wants 1]   nobody goes
 *     release(1) :  waiters <-> [wants 1]                 3 of 3 are given
 *
 * Handed over is delivered: a permit belongs to the waiter that fired, even
 * if its task is cancelled before it runs. A waiter that leaves without one,
 * a cancelled one for instance, may have stood before others that fit: then
 * the next is looked at. What is granted so may end a select, which leaves
 * other semaphores, whose next waiters are looked at in turn; this goes by a
 * list of the engine's, not by recursion.
 */
#ifndef RILLE_SEMAPHORE_H
#define RILLE_SEMAPHORE_H

#include "wait.h"

#define RILLE_PERMITS_MAX INT32_MAX

/* The part of the engine that semaphores use. */
struct rille_permits {
  struct rille_node unserved; /* of rille_semaphore.place */
  bool serving;               /* somebody goes through that list */
};

struct rille_semaphore {
  struct rille_source source; /* a waiter's slot is how many it wants */
  struct rille_node place;    /* in engine->permits.unserved */
  /* A waiting task is given `count` permits, and will run. NULL: no matter. */
  void (*granted)(struct rille_semaphore *semaphore, struct rille_task *task,
                  int32_t count);
  int32_t limit;
  int32_t available; /* below 0: the limit was lowered under what is taken */
  uint32_t waiting;
};

void rille_semaphore_init(struct rille_semaphore *semaphore, int32_t limit);

/* Takes `count` permits, if that need not wait: true, or nothing is done. */
bool rille_semaphore_take(struct rille_semaphore *semaphore, int32_t count);

/* Gives `count` back, and to whom they are due. False if more were given back
 * than are taken: nothing is done. */
bool rille_semaphore_give(struct rille_semaphore *semaphore, int32_t count);

/* Changes the limit; who holds more keeps it. False if somebody waits for
 * more permits than there would be: nothing is done. */
bool rille_semaphore_resize(struct rille_semaphore *semaphore, int32_t limit);

/* What the types of its source are made of. */
bool rille_semaphore_ready(struct rille_source *source);
void rille_semaphore_moved(struct rille_engine *engine,
                           struct rille_source *source, bool came);

#endif
