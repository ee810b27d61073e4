/*
 * breaker_hooks.c - the functions of the user's that a circuit breaker calls:
 * to tell of its state, to ask for how long it is to be open, and what a
 * failure counts as. None of them can wait.
 */
#include "breaker.h"
#include <string.h>

const char *const rl_breaker_states[] = {"closed", "open", "half_open",
                                         "isolated"};

/* In the same order. */
static const char *const events[] = {
    "circuit_breaker.closed", "circuit_breaker.opened",
    "circuit_breaker.half_opened", "circuit_breaker.isolated"};

void rl_breaker_trace(lua_State *L, const struct rl_breaker *breaker,
                      const char *event) {
  if (!breaker->engine->tracing.used)
    return;
  lua_getiuservalue(L, 1, BREAKER_NAME);
  rl_trace_event(L, event, "circuit_breaker.name");
}

void rl_breaker_announce(lua_State *L, const struct rl_breaker *breaker,
                         int from) {
  rl_breaker_trace(L, breaker, events[breaker->core.state]);
  if (lua_getiuservalue(L, 1, BREAKER_ON_CHANGE) == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  lua_pushstring(L, rl_breaker_states[from]);
  lua_pushstring(L, rl_breaker_states[breaker->core.state]);
  lua_pushvalue(L, 1);
  rl_call_hook(L, "on_state_change", 3);
}

bool rl_breaker_ask_pause(lua_State *L, struct rl_breaker *breaker) {
  const char *wrong;
  if (lua_getiuservalue(L, 1, BREAKER_RESET) == LUA_TNIL) {
    lua_pop(L, 1);
    return true;
  }
  lua_pushinteger(L, breaker->core.openings);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    return false;
  wrong = rl_to_span(L, -1, &breaker->core.pause);
  if (wrong != NULL)
    lua_pushfstring(L, "reset_timeout returned no time: %s, got %s", wrong,
                    rl_push_shown(L, -1));
  else
    lua_pop(L, 1);
  return wrong == NULL;
}

/* True for the refusal of another policy, which made no call: it says nothing
 * of what the breaker guards. */
static bool is_refusal(lua_State *L, struct rl_engine *engine) {
  return rl_is_error(L, engine, BREAKER_BASE + 1, "circuit_open") ||
         rl_is_error(L, engine, BREAKER_BASE + 1, "rate_limited") ||
         rl_is_error(L, engine, BREAKER_BASE + 1, "bulkhead_full");
}

bool rl_breaker_ask_outcome(lua_State *L, struct rl_engine *engine,
                            enum rille_call_outcome *outcome) {
  *outcome = RILLE_CALL_NEUTRAL;
  if (rl_is_cancellation(L, engine->core.current, BREAKER_BASE + 1))
    return true;
  if (lua_getiuservalue(L, 1, BREAKER_IS_FAILURE) == LUA_TNIL) {
    lua_pop(L, 1);
    if (!is_refusal(L, engine))
      *outcome = RILLE_CALL_FAILED;
    return true;
  }
  lua_pushvalue(L, BREAKER_BASE + 1);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    return false;
  if (lua_type(L, -1) != LUA_TSTRING ||
      strcmp(lua_tostring(L, -1), "ignore") != 0)
    *outcome = lua_toboolean(L, -1) ? RILLE_CALL_FAILED : RILLE_CALL_SUCCEEDED;
  lua_pop(L, 1);
  return true;
}
