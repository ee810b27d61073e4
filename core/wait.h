/*
 * wait.h - the one way to wait.
 *
 * A task waits on a set of sources, and perhaps for a deadline. For each
 * source it puts a waiter in that source's list; the first source that fires,
 * the deadline or a cancellation takes all of them out, in O(1) each, and
 * puts the task at the end of the ready queue. Nothing is resumed from here.
 *
 *     source a:  waiters <-> [task 1] <-> [task 2]
 *     source b:  waiters <-> [task 2]                 task 2 is in a select
 *
 * A source is one thing that can happen to an object: "a value can be
 * received from this channel", "this task has ended". What fires decides what
 * the waiter gets, and has handed it over before the task runs: handed over
 * is delivered. A sleep is a wait on no source.
 *
 * A wait may also be for all of its sources (RILLE_WAIT_ALL): each that fires
 * takes out its own waiter only, and the last one ends the wait.
 */
#ifndef RILLE_WAIT_H
#define RILLE_WAIT_H

#include "list.h"
#include "timer.h"

struct rille_engine;
struct rille_source;
struct rille_task;

struct rille_source_type {
  const char *verb; /* what a dump says of who waits here: "recv" */
  /* True if a wait would not have to wait. NULL: never. */
  bool (*ready)(struct rille_source *source);
  /* The first waiter came, or the last one went. NULL: nothing to do. */
  void (*wanted)(struct rille_engine *engine, struct rille_source *source,
                 bool wanted);
  /* A waiter came; or one has left, by firing or otherwise, and the others of
   * its task with it: another may be first now. NULL: nothing to do. */
  void (*moved)(struct rille_engine *engine, struct rille_source *source,
                bool came);
};

struct rille_source {
  const struct rille_source_type *type;
  struct rille_node waiters; /* of rille_waiter.node, first come first */
};

struct rille_waiter {
  struct rille_node node; /* in source->waiters */
  struct rille_source *source;
  struct rille_task *task;
  int slot; /* the binding's: where the value to send is, on its stack */
};

enum rille_outcome {
  RILLE_FIRED,   /* by a source: see wait.fired and wait.event */
  RILLE_EXPIRED, /* the deadline came */
  RILLE_CANCELLED,
  RILLE_TURN /* it did not wait: it gave up a turn */
};

enum rille_wait_flags {
  RILLE_WAIT_SHIELDED = 1, /* no cancellation may interrupt it: a join */
  RILLE_WAIT_EVEN = 2,     /* of its waiters on one source any may fire */
  RILLE_WAIT_ALL = 4       /* it ends when every waiter has fired; each has a
                              source */
};

struct rille_wait {
  struct rille_waiter *waiters; /* the set, in the waiting call's memory */
  uint32_t count;
  union {
    uint32_t fired; /* index of the waiter that fired; of ALL: how many have */
    uint32_t claim; /* of a receiver, until then: see broadcast.h */
  };
  int event; /* what the source said, its own numbers; of ALL: how many
                waiters have fired with event 0 */
  uint8_t outcome;
  uint8_t flags;
  uint8_t limited; /* the timer is the budget of a cleanup, not a deadline */
  struct rille_timer timer;
  struct rille_waiter one; /* for the waits on one source; its node is the
                              task's place at other times: see task.h */
};

void rille_source_init(struct rille_source *source,
                       const struct rille_source_type *type);

bool rille_source_ready(struct rille_source *source);

/* Wakes the first waiter with `event`; returns it, or NULL. Its task stays
 * parked, until a later turn at least, so its stack can be read and written.
 */
struct rille_waiter *rille_source_fire(struct rille_source *source, int event);

/* Wakes every waiter with `event`, in order. */
void rille_source_fire_all(struct rille_source *source, int event);

/*
 * Parks `task` on `count` waiters, whose `source` (NULL: never) and `slot` are
 * set, until one fires, or all have, or `due` comes. The waiters must outlive
 * the wait. The caller then lets go of the thread.
 */
void rille_wait_start(struct rille_task *task, struct rille_waiter *waiters,
                      uint32_t count, int64_t due, int flags);

/* Lets the tasks that are ready go first. */
void rille_wait_turn(struct rille_task *task);

/* Ends the wait of `task`, if it is in one, as cancelled. */
void rille_wait_cancel(struct rille_task *task);

/* A cleanup that was found waiting when its task was cancelled: it goes on,
 * until `due` at the latest. */
void rille_wait_limit(struct rille_task *task, int64_t due);

/* Unlinks all waiters and stops the timer; the task is made ready by whoever
 * calls. Idempotent. */
void rille_wait_unlink(struct rille_task *task);

#endif
