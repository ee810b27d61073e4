/*
 * list.h - an intrusive circular doubly linked list.
 *
 * A head is a node that belongs to nothing; a node that is in no list points
 * to itself, so unlinking is O(1), needs no head and may be done twice.
 *
 *     head <-> a <-> b <-> head
 *
 * A loop that calls out moves the list to a local head first
 * (rille_list_move), so that what the call adds is left for the next time.
 */
#ifndef RILLE_LIST_H
#define RILLE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rille_node {
  struct rille_node *next;
  struct rille_node *prev;
};

/* The struct of `type` whose field `member` is `*node`. */
#define RILLE_ENTRY(node, type, member)                                        \
  ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Makes `node` an empty list, or a node in no list. */
static inline void rille_list_init(struct rille_node *node) {
  node->next = node->prev = node;
}

static inline bool rille_list_empty(const struct rille_node *list) {
  return list->next == list;
}

/* True while `node` is in some list. */
static inline bool rille_list_linked(const struct rille_node *node) {
  return node->next != node;
}

static inline void rille_list_append(struct rille_node *list,
                                     struct rille_node *node) {
  node->next = list;
  node->prev = list->prev;
  list->prev->next = node;
  list->prev = node;
}

static inline void rille_list_unlink(struct rille_node *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  rille_list_init(node);
}

/* The first node, or NULL. */
static inline struct rille_node *
rille_list_first(const struct rille_node *list) {
  return rille_list_empty(list) ? NULL : list->next;
}

/* Unlinks and returns the first node, or NULL. */
static inline struct rille_node *rille_list_take(struct rille_node *list) {
  struct rille_node *node = rille_list_first(list);
  if (node != NULL)
    rille_list_unlink(node);
  return node;
}

/* Moves all nodes of `from` to `to`, which need not be initialised. */
static inline void rille_list_move(struct rille_node *from,
                                   struct rille_node *to) {
  rille_list_init(to);
  if (rille_list_empty(from))
    return;
  *to = *from;
  to->next->prev = to;
  to->prev->next = to;
  rille_list_init(from);
}

#endif
