/*
 * select.h - a selector: the cases of a select.
 *
 * For each case there is a waiter, and in a list, which is a user value of the
 * selector, the object, the value to send, the handler and what has the source.
 */
#ifndef RILLE_BIND_SELECT_H
#define RILLE_BIND_SELECT_H

#include "bind.h"

struct rl_case {
  struct rille_source *source;
  rl_push_case *push;
  bool sends;
  bool handles;    /* it has a handler */
  bool stands_for; /* the object is not the source: it names one anew each
                      time, by its metamethod __source */
};

struct rl_selector {
  struct rl_head head;
  struct rille_waiter *waiters; /* behind the cases, in the same memory */
  uint32_t count;
  bool ordered;
  bool has_default;
  bool renews;     /* some object stands for its source */
  int64_t timeout; /* ns; RILLE_FOREVER */
  struct rl_case cases[];
};

enum { SELECTOR_PARTS = 1, SELECTOR_DEFAULT, SELECTOR_SLOTS = 2 };
enum { PART_OBJECT = 1, PART_VALUE, PART_HANDLER, PART_SOURCE, PARTS = 4 };

/* cases.c */

/* Pushes a selector made of the cases at 1 and the options at 2. */
struct rl_selector *rl_selector_new(lua_State *L, struct rl_engine *engine);

/* Asks the objects that stand for a source which it is now; the parts are at
 * 2. */
void rl_selector_renew(lua_State *L, struct rl_selector *selector);

#endif
