/*
 * scope.h - a scope: tasks that end together.
 *
 * A scope counts its tasks, admits as many at a time as its limit allows,
 * owns a node of the cancellation tree and a deadline, and tells who leaves
 * it when the last task has ended. What the failure of a task means, and
 * what is raised at the end, is the binding's to say.
 *
 *     open --> closing --> ended
 *                 |  waits for its tasks; when only daemons are left,
 *                 '  cancels them, once
 */
#ifndef RILLE_SCOPE_H
#define RILLE_SCOPE_H

#include "task.h"

enum rille_scope_state {
  RILLE_SCOPE_OPEN,
  RILLE_SCOPE_CLOSING,
  RILLE_SCOPE_ENDED
};

struct rille_scope {
  struct rille_engine *engine;
  struct rille_scope *parent; /* NULL: the engine's own */
  struct rille_task *opener;  /* whose block it is; NULL: the engine's own */
  struct rille_cancel cancel;
  struct rille_cancel body;   /* the opener's, when the parent is elsewhere */
  struct rille_cancel *below; /* the node the opener obeyed before */
  struct rille_node pending;  /* rille_task_place: wait for a place to run */
  struct rille_node children; /* rille_scope.sibling: not yet ended */
  struct rille_node sibling;
  struct rille_source idle; /* fires when the last task has ended */
  struct rille_timer timer; /* of the deadline */
  int64_t deadline;         /* its own, ns; RILLE_FOREVER */
  int64_t grace;            /* ns */
  uint32_t id;
  uint32_t active;  /* tasks not yet ended */
  uint32_t daemons; /* of those */
  uint32_t running; /* of those, not pending */
  uint32_t limit;   /* of running; 0: none */
  uint32_t guests;  /* scopes opened elsewhere with this as their parent */
  uint8_t state;
  uint8_t foreign : 1;   /* the parent is not the opener's innermost scope */
  uint8_t abandoned : 1; /* ended, but the parent waits for what is in it */
};

/* The scope that a node of cancellation is of, the scope's own or its body's;
 * NULL: it is of a task. */
static inline struct rille_scope *
rille_scope_at(const struct rille_cancel *node) {
  switch ((enum rille_cancel_owner)node->owner) {
  case RILLE_OWNER_SCOPE:
    return RILLE_ENTRY(node, struct rille_scope, cancel);
  case RILLE_OWNER_BODY:
    return RILLE_ENTRY(node, struct rille_scope, body);
  default:
    return NULL;
  }
}

/* The innermost scope that `task` has opened, or NULL. */
static inline struct rille_scope *
rille_task_block(const struct rille_task *task) {
  return rille_scope_at(task->top);
}

/* The block below, in the opener's stack, or NULL. */
static inline struct rille_scope *
rille_scope_under(const struct rille_scope *block) {
  return rille_scope_at(block->below);
}

/* Opens `scope`, in zeroed memory, under `parent` as the innermost block of
 * `opener`; `limit` and `grace` are the caller's to set before. */
void rille_scope_open(struct rille_scope *scope, struct rille_scope *parent,
                      struct rille_task *opener, bool shield);

/* Opens a scope of the engine's own: without a parent and an opener. */
void rille_scope_open_top(struct rille_engine *engine,
                          struct rille_scope *scope);

/* Sets the deadline; it cancels at once if it has passed. */
void rille_scope_set_deadline(struct rille_scope *scope, int64_t deadline);

/* Its own deadline or the nearest of those above, up to a shield. */
int64_t rille_scope_deadline(const struct rille_scope *scope);

/* Starts leaving; afterwards `idle` fires when nothing is left to wait for.
 * Returns true if that is so at once. Idempotent. */
bool rille_scope_leave(struct rille_scope *scope);

/* The end: takes it off the opener's stack and out of the tree. */
void rille_scope_end(struct rille_scope *scope);

/* Cancels it and ends it as far as its opener goes, which cannot leave it as it
 * should. What is still in it holds up the parent, as a guest does. */
void rille_scope_abandon(struct rille_scope *scope);

/* A task joins; used by rille_task_start. */
void rille_scope_admit(struct rille_scope *scope, struct rille_task *task);

/* A task has ended; used by rille_task_end. */
void rille_scope_dismiss(struct rille_scope *scope, struct rille_task *task);

/* The task of the scope that comes after `last`, in the order of their start;
 * the first one after NULL. NULL: there is no other that has not ended. */
struct rille_task *rille_scope_next_task(const struct rille_scope *scope,
                                         const struct rille_task *last);

/* True if no task is left in it, and no scope that is open elsewhere. */
bool rille_scope_idle(const struct rille_scope *scope);

#endif
