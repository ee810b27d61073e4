/*
 * breaker.h - what the files of circuit breakers share.
 */
#ifndef RILLE_BIND_BREAKER_H
#define RILLE_BIND_BREAKER_H

#include "../policy/breaker.h"
#include "bind.h"

enum {
  BREAKER_NAME = 1,
  BREAKER_IS_FAILURE,
  BREAKER_ON_CHANGE,
  BREAKER_RESET, /* the function, if reset_timeout is one */
  BREAKER_CAUSE, /* the last failure */
  BREAKER_SLOTS = BREAKER_CAUSE
};

#define BREAKER_BASE 4 /* of a call's results */

struct rl_breaker {
  struct rl_head head;
  struct rl_engine *engine;
  struct rille_breaker core;
  struct rl_seen seen;
  struct rille_tally cells[]; /* of the window */
};

/* The names of the states, by their numbers. */
extern const char *const rl_breaker_states[];

/* breaker_hooks.c; the breaker is at 1 */

/* Tells the tracer, if there is one, of an event. */
void rl_breaker_trace(lua_State *L, const struct rl_breaker *breaker,
                      const char *event);

/* Tells the hook, and the tracer, that the state was `from`. */
void rl_breaker_announce(lua_State *L, const struct rl_breaker *breaker,
                         int from);

/* It has just opened: asks the user's function for how long. False, with an
 * error at the top, if that does not tell. */
bool rl_breaker_ask_pause(lua_State *L, struct rl_breaker *breaker);

/* What the failure, whose error is at BREAKER_BASE + 1, counts as. False, with
 * an error at the top, if the user's function does not tell. */
bool rl_breaker_ask_outcome(lua_State *L, struct rl_engine *engine,
                            enum rille_call_outcome *outcome);

#endif
