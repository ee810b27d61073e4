/*
 * heap.h - an intrusive pairing heap.
 *
 * After Fredman, Sedgewick, Sleator and Tarjan, "The pairing heap: a new form
 * of self-adjusting heap", Algorithmica 1 (1986): insertion is one comparison,
 * removal is O(log n) amortised, no memory is allocated. A node knows its
 * first child, its next sibling, and `back`: the sibling before it, or its
 * parent when it is the first child. The root has no `back`.
 *
 *          root
 *           |child
 *           a --next--> b --next--> c
 */
#ifndef RILLE_HEAP_H
#define RILLE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct rille_heap_node {
  struct rille_heap_node *child;
  struct rille_heap_node *next;
  struct rille_heap_node *back;
};

struct rille_heap {
  struct rille_heap_node *root; /* the least, NULL when empty */
};

/* True when `a` comes out before `b`. */
typedef bool rille_heap_less(const struct rille_heap_node *a,
                             const struct rille_heap_node *b);

/* Joins two heaps; either may be NULL. */
static inline struct rille_heap_node *
rille_heap_meld(struct rille_heap_node *a, struct rille_heap_node *b,
                rille_heap_less *less) {
  struct rille_heap_node *top, *under;
  if (a == NULL || b == NULL)
    return a != NULL ? a : b;
  top = less(b, a) ? b : a;
  under = top == a ? b : a;
  under->next = top->child;
  if (top->child != NULL)
    top->child->back = under;
  under->back = top;
  top->child = under;
  return top;
}

/* Joins a list of siblings: in pairs from the left, then from the right. */
static inline struct rille_heap_node *
rille_heap_pair(struct rille_heap_node *first, rille_heap_less *less) {
  struct rille_heap_node *pairs = NULL, *all = NULL;
  while (first != NULL) {
    struct rille_heap_node *a = first, *b = first->next, *pair;
    first = b != NULL ? b->next : NULL;
    a->next = a->back = NULL;
    if (b != NULL)
      b->next = b->back = NULL;
    pair = rille_heap_meld(a, b, less);
    pair->next = pairs;
    pairs = pair;
  }
  while (pairs != NULL) {
    struct rille_heap_node *pair = pairs;
    pairs = pair->next;
    pair->next = pair->back = NULL;
    all = rille_heap_meld(all, pair, less);
  }
  return all;
}

static inline void rille_heap_insert(struct rille_heap *heap,
                                     struct rille_heap_node *node,
                                     rille_heap_less *less) {
  node->child = node->next = node->back = NULL;
  heap->root = rille_heap_meld(heap->root, node, less);
}

/* `node` must be in the heap. */
static inline void rille_heap_remove(struct rille_heap *heap,
                                     struct rille_heap_node *node,
                                     rille_heap_less *less) {
  struct rille_heap_node *rest = rille_heap_pair(node->child, less);
  if (heap->root == node) {
    heap->root = rest;
  } else {
    if (node->back->child == node)
      node->back->child = node->next;
    else
      node->back->next = node->next;
    if (node->next != NULL)
      node->next->back = node->back;
    heap->root = rille_heap_meld(heap->root, rest, less);
  }
  node->child = node->next = node->back = NULL;
}

#endif
