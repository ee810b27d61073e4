/*
 * retry.c - what the loop of rille.retry (lua/rille/retry.lua) asks.
 *
 * A plan is the policy, made of checked options; a run is one execution of it,
 * made when its first call has failed. Neither is seen by users.
 */
#include "../policy/retry.h"
#include "bind.h"

struct rl_retry {
  struct rl_head head;
  struct rille_retry core;
};

/* plan(max_retries, max_elapsed, initial, factor, max, jitter) */
static int l_retry_plan(lua_State *L) {
  static const char *const jitters[] = {"full", "equal", "decorrelated", "none",
                                        NULL};
  struct rl_engine *engine = rl_engine(L);
  double retries = luaL_checknumber(L, 1);
  struct rl_retry *plan = lua_newuserdatauv(L, sizeof *plan, 0);
  struct rille_backoff *backoff = &plan->core.backoff;
  plan->head = rl_head(engine, &rl_retry_type);
  plan->core.max_retries = retries < 9e18 ? (int64_t)retries : INT64_MAX;
  plan->core.max_elapsed = rl_check_span(L, 2);
  backoff->initial = rl_check_span(L, 3);
  backoff->factor = luaL_checknumber(L, 4);
  backoff->max = rl_check_span(L, 5);
  backoff->jitter = (uint8_t)luaL_checkoption(L, 6, NULL, jitters);
  rl_push_slot(L, engine, RL_RETRY_META);
  lua_setmetatable(L, -2);
  return 1;
}

/* instant(): the time now, as an integer of ns. */
static int l_retry_instant(lua_State *L) {
  lua_pushinteger(L, rille_now(&rl_engine(L)->core));
  return 1;
}

/* may_retry(plan, attempt): whether a call that has failed for the
 * `attempt`th time may be made again. */
static int l_retry_may(lua_State *L) {
  const struct rl_retry *plan = rl_check(L, 1, &rl_retry_type);
  struct rille_retry_run run = {.attempt = luaL_checkinteger(L, 2) - 1};
  lua_pushboolean(L, rille_retry_fail(&plan->core, &run) == RILLE_RETRY_AGAIN);
  return 1;
}

/* The user's own delay at `index`, or of the back-off if that is nil. */
static int64_t own_delay(lua_State *L, int index) {
  return lua_isnoneornil(L, index) ? RILLE_RETRY_BACKOFF
                                   : rl_check_span(L, index);
}

/* retry_delay(plan, attempt, started, last, delay): seconds to wait before
 * the call is made again, and the back-off's time, to be given as `last` the
 * next time; nil if that would be too late. */
static int l_retry_delay(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_retry *plan = rl_check_of(L, engine, 1, &rl_retry_type);
  const struct rl_task *task = rl_can_wait(L, engine);
  struct rille_retry_run run = {
      .attempt = luaL_checkinteger(L, 2),
      .started = luaL_checkinteger(L, 3),
      .last = luaL_checkinteger(L, 4),
      .deadline = rl_deadline(task),
  };
  double random = rille_random(&engine->core, UINT32_MAX) / (double)UINT32_MAX;
  int64_t wait;
  if (rille_retry_delay(&plan->core, &run, own_delay(L, 5),
                        rille_now(&engine->core), random,
                        &wait) != RILLE_RETRY_AGAIN)
    return lua_pushnil(L), 1;
  rl_push_seconds(L, wait);
  lua_pushinteger(L, run.last);
  return 2;
}

/* backoff_delay(plan, attempt, last): seconds to wait before attempt `attempt`
 * is made again, by the back-off alone, and the time to be given as `last`
 * the next time. */
static int l_backoff_delay(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_retry *plan = rl_check_of(L, engine, 1, &rl_retry_type);
  double random = rille_random(&engine->core, UINT32_MAX) / (double)UINT32_MAX;
  int64_t wait =
      rille_backoff_delay(&plan->core.backoff, luaL_checkinteger(L, 2),
                          luaL_checkinteger(L, 3), random);
  rl_push_seconds(L, wait);
  lua_pushinteger(L, wait);
  return 2;
}

const struct rl_type rl_retry_type = {"retry plan", sizeof(struct rl_retry),
                                      NULL, NULL};

void rl_open_retry(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg inner[] = {{"plan", l_retry_plan},
                                   {"instant", l_retry_instant},
                                   {"backoff_delay", l_backoff_delay},
                                   {"may_retry", l_retry_may},
                                   {"retry_delay", l_retry_delay},
                                   {NULL, NULL}};
  rl_new_type(L, RL_RETRY_META, "retry plan", none, none);
  rl_add_inner(L, inner);
}
