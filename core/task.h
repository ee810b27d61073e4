/*
 * task.h - a task: something that can be resumed, and waits.
 *
 * The core does not know what a task runs. It keeps its place: the scope that
 * owns it, the block scopes it has opened, its wait, its end. When its turn
 * comes the engine calls rille_hooks.resume, which runs it up to its next
 * wait or to its end.
 *
 *     pending --> ready --> running --> waiting --> ready ...
 *        |          |          \--> done, failed, cancelled
 *        '----------'-- cancelled before it started: it never runs
 */
#ifndef RILLE_TASK_H
#define RILLE_TASK_H

#include "cancel.h"
#include "wait.h"

struct rille_scope;

enum rille_task_status {
  RILLE_TASK_PENDING, /* not started */
  RILLE_TASK_READY,
  RILLE_TASK_WAITING,
  RILLE_TASK_RUNNING,
  RILLE_TASK_DONE, /* this and the following: ended */
  RILLE_TASK_FAILED,
  RILLE_TASK_ENDED_CANCELLED
};

struct rille_task {
  struct rille_scope *scope; /* the owner */
  struct rille_cancel own;   /* below the scope's until it ends */
  struct rille_cancel *top;  /* the node its waits obey: own, or that of the
                                innermost scope it has opened */
  struct rille_wait wait;
  struct rille_source ended; /* who awaits it */
  int64_t since;             /* of its last wait, ns */
  uint32_t id;               /* counted from 1 in its engine */
  uint16_t budget;           /* calls left that need not give up a turn */
  uint8_t swallowed;         /* cancellations in a row that it caught */
  uint8_t status;            /* rille_task_status */
  uint8_t started : 1;
  uint8_t slot : 1;       /* it counts among scope->running */
  uint8_t daemon : 1;     /* its scope does not wait for it */
  uint8_t supervised : 1; /* its failure is its scope's */
  uint8_t awaited : 1;    /* somebody has asked for its result */
  uint8_t forced : 1;     /* no cleanup may hold it up any more */
  uint32_t holds; /* the first of its rille_hold, by number; 0: it holds no
                     lock */
};

/* Calls that need not wait which a task may make before it gives up a turn */
#define RILLE_TASK_BUDGET 128

/* Cancellations in a row that a task may catch before it is closed. */
#define RILLE_TASK_SWALLOWS 100

/* Its node in engine->ready or in scope->pending: the one with which it waits
 * on one source at other times, for nothing is in two of these lists. */
static inline struct rille_node *rille_task_place(struct rille_task *task) {
  return &task->wait.one.node;
}

/* The task of a node there. */
static inline struct rille_task *rille_task_at(struct rille_node *place) {
  return RILLE_ENTRY(place, struct rille_task, wait.one.node);
}

/* Makes `task`, in zeroed memory, a task of `scope` that will start in a
 * later turn: flags are the caller's to set before. */
void rille_task_start(struct rille_task *task, struct rille_scope *scope);

/* Puts a task at the end of the ready queue. */
void rille_task_ready(struct rille_task *task);

/* Its cancellation arrived: ends its wait, or its cleanup's at the end of
 * the grace. One that has not started is made ready, only to be dropped. */
void rille_task_interrupt(struct rille_task *task, bool force);

/* The end: leaves its scope, wakes who awaits it. */
void rille_task_end(struct rille_task *task, enum rille_task_status status);

static inline bool rille_task_ended(const struct rille_task *task) {
  return task->status >= RILLE_TASK_DONE;
}

/* The scope in which what `task` starts now would be. */
struct rille_scope *rille_task_innermost(const struct rille_task *task);

/* As people know it: "pending" is who waits for a place to run. */
const char *rille_task_status_name(const struct rille_task *task);

#endif
