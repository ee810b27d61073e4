/*
 * cancel.h - who is cancelled, and by whom.
 *
 * Each scope and each task has a node in a tree; cancelling a node reaches
 * everything below it up to the shields. A node keeps `by`, the outermost
 * cancelled node that reaches it, so asking "am I cancelled?" is one load,
 * and the answer names the scope at which the cancellation stops. It stays:
 * a cancellation is a level, not an edge.
 *
 *     root ---- s1 (called) ---- s2 (shield) ---- s3
 *     by: -        s1               -              -
 */
#ifndef RILLE_CANCEL_H
#define RILLE_CANCEL_H

#include "list.h"
#include <stdint.h>

struct rille_engine;
struct rille_task;

/* What a node is embedded in, which tells all else about it. */
enum rille_cancel_owner {
  RILLE_OWNER_SCOPE, /* rille_scope.cancel */
  RILLE_OWNER_BODY,  /* rille_scope.body */
  RILLE_OWNER_TASK   /* rille_task.own */
};

struct rille_cancel {
  struct rille_node children; /* of rille_cancel.sibling */
  struct rille_node sibling;
  struct rille_cancel *by; /* NULL: not cancelled */
  int64_t called_at;       /* ns */
  const void *error;       /* the binding's: identity of the error it raises */
  uint8_t owner;           /* rille_cancel_owner */
  uint8_t called;          /* cancelled itself, not through a parent */
  uint8_t expired;         /* by its deadline */
  uint8_t shield;          /* the parent's cancellation stops here */
  uint8_t delivered;       /* it has interrupted something */
};

/* Puts `node` under `parent`, which is what rille_cancel_parent tells; it is
 * cancelled from the start if that is. */
void rille_cancel_open(struct rille_cancel *node, struct rille_cancel *parent,
                       enum rille_cancel_owner owner, bool shield);

/* The node above it; NULL: it is the top of the tree. */
struct rille_cancel *rille_cancel_parent(const struct rille_cancel *node);

/* Takes `node` out of the tree; nothing may be below it. Idempotent. */
void rille_cancel_close(struct rille_cancel *node);

/* Puts `node`, which is closed and cancelled, with all that is below it, under
 * `parent`, which is what rille_cancel_parent tells now; what it was cancelled
 * by is now itself. */
void rille_cancel_move(struct rille_engine *engine, struct rille_cancel *node,
                       struct rille_cancel *parent);

/* Cancels; idempotent. Returns false if it was called already. */
bool rille_cancel_call(struct rille_engine *engine, struct rille_cancel *node);

/* Cancels everything below `node` through all shields: the last resort when
 * the engine would stand still. */
void rille_cancel_force(struct rille_engine *engine, struct rille_cancel *node);

/* When the cleanup that `node` cancelled must have ended, ns. */
int64_t rille_cancel_grace(const struct rille_cancel *node);

#endif
