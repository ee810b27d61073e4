/* cancel.c - see cancel.h. */
#include "cancel.h"
#include "engine.h"

void rille_cancel_open(struct rille_cancel *node, struct rille_cancel *parent,
                       enum rille_cancel_owner owner, bool shield) {
  *node = (struct rille_cancel){.owner = (uint8_t)owner, .shield = shield};
  rille_list_init(&node->children);
  rille_list_init(&node->sibling);
  if (parent == NULL)
    return;
  rille_list_append(&parent->children, &node->sibling);
  if (!shield)
    node->by = parent->by;
}

struct rille_cancel *rille_cancel_parent(const struct rille_cancel *node) {
  const struct rille_scope *scope;
  if (node->owner == RILLE_OWNER_TASK)
    return &RILLE_ENTRY(node, struct rille_task, own)->scope->cancel;
  scope = rille_scope_at(node);
  return node->owner == RILLE_OWNER_SCOPE && scope->foreign
             ? &scope->parent->cancel
             : scope->below;
}

void rille_cancel_close(struct rille_cancel *node) {
  rille_list_unlink(&node->sibling);
}

static struct rille_cancel *node_at(struct rille_node *link) {
  return RILLE_ENTRY(link, struct rille_cancel, sibling);
}

/* The node after `node` in a walk of the tree under `top`, parents first;
 * without the children of `node` unless `into`. */
static struct rille_cancel *next_node(struct rille_cancel *top,
                                      struct rille_cancel *node, bool into) {
  if (into && !rille_list_empty(&node->children))
    return node_at(node->children.next);
  while (node != top) {
    struct rille_cancel *parent = rille_cancel_parent(node);
    if (node->sibling.next != &parent->children)
      return node_at(node->sibling.next);
    node = parent;
  }
  return NULL;
}

/* The task whose waits obey `node` now, or NULL. */
static struct rille_task *governed(struct rille_cancel *node) {
  struct rille_task *task = node->owner == RILLE_OWNER_TASK
                                ? RILLE_ENTRY(node, struct rille_task, own)
                                : rille_scope_at(node)->opener;
  return task != NULL && task->top == node ? task : NULL;
}

/* The node of the body of a scope whose parent is elsewhere, which is reached
 * with that of the scope; or NULL. */
static struct rille_cancel *mirror_of(struct rille_cancel *node) {
  return node->owner == RILLE_OWNER_SCOPE && rille_scope_at(node)->foreign
             ? &rille_scope_at(node)->body
             : NULL;
}

/* Spreads `by` over the tree under `top`. A loop, not a recursion: scopes
 * may be nested as deep as memory allows. */
static void reach(struct rille_engine *engine, struct rille_cancel *top,
                  struct rille_cancel *by, bool force) {
  struct rille_cancel *node = top;
  while (node != NULL) {
    bool into = node == top || !node->shield || force;
    if (into) {
      const struct rille_cancel *before = node->by;
      struct rille_cancel *mirror = mirror_of(node);
      struct rille_task *task = governed(node);
      node->by = by;
      if (mirror != NULL && mirror->by == before) /* not by its own parent */
        reach(engine, mirror, by, force);
      if (task != NULL)
        rille_task_interrupt(task, force);
    }
    node = next_node(top, node, into);
  }
}

void rille_cancel_move(struct rille_engine *engine, struct rille_cancel *node,
                       struct rille_cancel *parent) {
  rille_list_append(&parent->children, &node->sibling);
  reach(engine, node, node, false);
}

bool rille_cancel_call(struct rille_engine *engine, struct rille_cancel *node) {
  if (node->called)
    return false;
  node->called = 1;
  node->called_at = rille_now(engine);
  if (node->by == NULL)
    reach(engine, node, node, false);
  return true;
}

void rille_cancel_force(struct rille_engine *engine,
                        struct rille_cancel *node) {
  reach(engine, node, node, true);
}

int64_t rille_cancel_grace(const struct rille_cancel *node) {
  const struct rille_scope *scope =
      node->owner == RILLE_OWNER_TASK
          ? RILLE_ENTRY(node, struct rille_task, own)->scope
          : RILLE_ENTRY(node, struct rille_scope, cancel);
  return rille_time_add(node->called_at, scope->grace);
}
