/*
 * breaker.c - circuit breakers, as Lua sees them.
 *
 * The policy decides; here the call is made, its end is judged, and who is to
 * hear of it hears of it. While a call runs its frame is
 *
 *     1 self   2 when it began   3 message handler   4 function, arguments
 *
 * and what comes back lies at 4 and above. Closed, a call makes no garbage and
 * looks at no clock unless slow calls count. What of all this the user's own
 * functions hear and decide is breaker_hooks.c's.
 */
#include "breaker.h"

#define TIME_BUCKETS 10

static struct rl_breaker *check_breaker(lua_State *L) {
  return rl_check(L, 1, &rl_breaker_type);
}

static int64_t look(struct rl_breaker *breaker) {
  int64_t shift, now = rl_look(breaker->engine, &breaker->seen, &shift);
  if (shift != 0)
    rille_breaker_shift(&breaker->core, shift);
  return now;
}

/* A call has ended: tells the policy, and whoever hears of what follows.
 * Raises what the user's functions raise. */
static void record(lua_State *L, struct rl_breaker *breaker,
                   uint32_t generation, enum rille_call_outcome outcome) {
  struct rille_breaker *core = &breaker->core;
  int from = core->state;
  int64_t now = 0, duration = 0;
  bool told = true;
  if (outcome == RILLE_CALL_FAILED || core->slow_call != RILLE_NEVER ||
      core->window.kind == RILLE_WINDOW_TIME)
    now = look(breaker);
  if (core->slow_call != RILLE_NEVER)
    duration = now - lua_tointeger(L, 2);
  rille_breaker_record(core, generation, outcome, duration, now);
  if (core->state == from)
    return;
  if (core->state == RILLE_BREAKER_OPEN)
    told = rl_breaker_ask_pause(L, breaker);
  rl_breaker_announce(L, breaker, from);
  if (!told)
    lua_error(L);
}

/* A raised error becomes nil and the error; error(nil) has one all the same,
 * or nobody could tell that the call has failed. */
static void return_raised(lua_State *L, struct rl_engine *engine) {
  lua_settop(L, BREAKER_BASE);
  if (lua_isnil(L, BREAKER_BASE)) {
    rl_push_error(L, engine, "invalid", "the function raised nil");
    lua_replace(L, BREAKER_BASE);
  }
  lua_pushnil(L);
  lua_insert(L, BREAKER_BASE);
}

static int call_k(lua_State *L, int status, lua_KContext generation) {
  struct rl_breaker *breaker = lua_touserdata(L, 1);
  struct rl_engine *engine = breaker->engine;
  bool raised = status != LUA_OK && status != LUA_YIELD, told = true;
  enum rille_call_outcome outcome = RILLE_CALL_SUCCEEDED;
  if (raised && rl_is_cancellation(L, engine->core.current, BREAKER_BASE)) {
    record(L, breaker, (uint32_t)generation, RILLE_CALL_NEUTRAL);
    return lua_error(L);
  }
  if (raised)
    return_raised(L, engine);
  if (raised || rl_returned_failure(L, engine, BREAKER_BASE)) {
    luaL_checkstack(L, LUA_MINSTACK, "too many results");
    lua_pushnil(L);
    lua_replace(L, BREAKER_BASE);
    told = rl_breaker_ask_outcome(L, engine, &outcome);
  }
  if (outcome == RILLE_CALL_FAILED) {
    lua_pushvalue(L, BREAKER_BASE + 1);
    lua_setiuservalue(L, 1, BREAKER_CAUSE);
  }
  record(L, breaker, (uint32_t)generation, outcome);
  if (!told)
    return lua_error(L);
  return rl_return(L, rl_task_of(engine->core.current),
                   lua_gettop(L) - BREAKER_BASE + 1);
}

/* Pushes nil and the error for a call that may not be made. */
static int push_refusal(lua_State *L, struct rl_engine *engine,
                        const struct rl_breaker *breaker, int64_t now) {
  static const char *const why[] = {"", "is open",
                                    "is half open, and its probe has not ended",
                                    "is isolated"};
  int64_t wait = rille_breaker_wait(&breaker->core, now);
  const char *name;
  lua_settop(L, 1);
  rl_breaker_trace(L, breaker, "circuit_breaker.rejected");
  name = rl_push_label(L, 1, BREAKER_NAME);
  lua_pushnil(L);
  rl_push_error(L, engine, "circuit_open", "the breaker%s %s", name,
                why[breaker->core.state]);
  if (breaker->core.state != RILLE_BREAKER_ISOLATED) {
    rl_push_seconds(L, wait);
    lua_setfield(L, -2, "retry_after");
  }
  lua_getiuservalue(L, 1, BREAKER_CAUSE);
  lua_setfield(L, -2, "cause");
  return 2;
}

/*** Circuit breakers.
@type breaker */

/***
Calls `fn(...)` if the breaker lets it. Suspends as `fn` does.
@function breaker:call
@tparam function fn
@param ... its arguments
@return what it returns; nil and the error when it fails; nil and an error of
kind `circuit_open`, with `retry_after` (seconds) and the last failure as its
`cause`, when it is refused
@raise cancelled; what `is_failure` and `reset_timeout` raise
@usage local page, err = breaker:call(fetch, url)
*/
static int l_breaker_call(lua_State *L) {
  struct rl_breaker *breaker = check_breaker(L);
  struct rl_engine *engine = breaker->engine;
  struct rille_breaker *core = &breaker->core;
  struct rl_task *task;
  int from = core->state, status;
  uint32_t generation;
  int64_t now = 0;
  bool admitted;
  rl_check_type(L, 2, LUA_TFUNCTION);
  task = rl_enter(L, engine);
  if (from != RILLE_BREAKER_CLOSED || core->slow_call != RILLE_NEVER)
    now = look(breaker);
  admitted = rille_breaker_acquire(core, now);
  generation = core->generation;
  if (core->state != from)
    rl_breaker_announce(L, breaker, from);
  if (!admitted)
    return rl_return(L, task, push_refusal(L, engine, breaker, now));
  lua_pushinteger(L, now);
  rl_push_slot(L, engine, RL_HANDLER);
  lua_rotate(L, 2, 2);
  status = lua_pcallk(L, lua_gettop(L) - BREAKER_BASE, LUA_MULTRET,
                      BREAKER_BASE - 1, generation, call_k);
  return call_k(L, status, generation);
}

/***
@function breaker:state
@treturn string "closed", "open", "half_open" or "isolated". An open breaker
whose time is over is open until the next call.
*/
static int l_breaker_state(lua_State *L) {
  lua_pushstring(L, rl_breaker_states[check_breaker(L)->core.state]);
  return 1;
}

/***
Refuses every call until `reset`. Never suspends; idempotent.
@function breaker:isolate
*/
static int l_breaker_isolate(lua_State *L) {
  struct rl_breaker *breaker = check_breaker(L);
  int from = breaker->core.state;
  rille_breaker_isolate(&breaker->core);
  if (breaker->core.state != from)
    rl_breaker_announce(L, breaker, from);
  return 0;
}

/***
Closes it, with everything forgotten. Never suspends.
@function breaker:reset
*/
static int l_breaker_reset(lua_State *L) {
  struct rl_breaker *breaker = check_breaker(L);
  int from = breaker->core.state;
  rille_breaker_reset(&breaker->core);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, BREAKER_CAUSE);
  if (breaker->core.state != from)
    rl_breaker_announce(L, breaker, from);
  return 0;
}

/***
@function breaker:stats
@treturn table `state`; of this state, within the window: `calls`, `failures`,
`slow`; of this state: `ignored`, `consecutive_failures`, `probes` that are
out; `openings` since it was closed; of its whole life: `refused`, `late`
(outcomes of calls begun in an earlier state), `lost` (probes that did not
come back in time)
*/
static int l_breaker_stats(lua_State *L) {
  struct rl_breaker *breaker = check_breaker(L);
  struct rille_breaker *core = &breaker->core;
  const struct rille_tally *total =
      rille_window_total(&core->window, look(breaker));
  const struct {
    const char *name;
    uint64_t count;
  } counts[] = {{"calls", total->calls},
                {"failures", total->failures},
                {"slow", total->slow},
                {"ignored", core->neutral},
                {"consecutive_failures", core->row},
                {"probes", core->probes},
                {"openings", core->openings},
                {"refused", core->refused},
                {"late", core->late},
                {"lost", core->lost}};
  lua_createtable(L, 0, 11);
  l_breaker_state(L);
  lua_setfield(L, -2, "state");
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    lua_pushinteger(L, (lua_Integer)counts[i].count);
    lua_setfield(L, -2, counts[i].name);
  }
  return 1;
}

static int l_breaker_tostring(lua_State *L) {
  const struct rl_breaker *breaker = check_breaker(L);
  const char *name = rl_push_label(L, 1, BREAKER_NAME);
  lua_pushfstring(L, "rille.breaker%s: %s", name,
                  rl_breaker_states[breaker->core.state]);
  return 1;
}

/* Making one, from options that the Lua part has checked */

static double number_field(lua_State *L, const char *name) {
  double number;
  lua_getfield(L, 1, name);
  number = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return number;
}

static uint32_t count_field(lua_State *L, const char *name) {
  double count = number_field(L, name);
  return count < (double)UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

/* Pushes a new breaker with room for `window`. */
static struct rl_breaker *new_breaker(lua_State *L, struct rl_engine *engine,
                                      const struct rille_window *window) {
  size_t bytes = rille_window_bytes(window->kind, window->size);
  struct rl_breaker *breaker =
      lua_newuserdatauv(L, sizeof *breaker + bytes, BREAKER_SLOTS);
  *breaker = (struct rl_breaker){.head = rl_head(engine, &rl_breaker_type),
                                 .engine = engine};
  breaker->core.window = *window;
  breaker->core.window.cells = breaker->cells;
  look(breaker);
  rl_push_slot(L, engine, RL_BREAKER_META);
  lua_setmetatable(L, -2);
  return breaker;
}

static void keep_field(lua_State *L, const char *name, int slot) {
  lua_getfield(L, 1, name);
  lua_setiuservalue(L, 2, slot);
}

/* breaker(options): `kind` is "all", "count" or "time"; `size` in calls or
 * seconds. */
static int l_breaker_new(lua_State *L) {
  static const char *const kinds[] = {"all", "count", "time", NULL};
  struct rl_engine *engine = rl_engine(L);
  struct rille_window window = {.kind = RILLE_WINDOW_ALL};
  struct rille_breaker *core;
  lua_settop(L, 1);
  window.kind = (uint8_t)rl_option_choice(L, 1, "kind", kinds);
  if (window.kind == RILLE_WINDOW_COUNT) {
    window.size = count_field(L, "size");
  } else if (window.kind == RILLE_WINDOW_TIME) {
    window.size = TIME_BUCKETS;
    window.slice =
        (rl_option_span(L, 1, "size", RILLE_NEVER) - 1) / TIME_BUCKETS + 1;
  }
  core = &new_breaker(L, engine, &window)->core;
  core->failure_threshold = count_field(L, "failure_threshold");
  core->failure_rate = number_field(L, "failure_rate");
  core->slow_rate = number_field(L, "slow_rate");
  core->min_calls = count_field(L, "min_calls");
  core->slow_call = rl_option_span(L, 1, "slow_call", RILLE_NEVER);
  core->reset_timeout = rl_option_span(L, 1, "reset_timeout", RILLE_NEVER);
  core->half_open_max = count_field(L, "half_open_max");
  core->success_threshold = count_field(L, "success_threshold");
  rille_breaker_init(core);
  keep_field(L, "name", BREAKER_NAME);
  keep_field(L, "is_failure", BREAKER_IS_FAILURE);
  keep_field(L, "on_state_change", BREAKER_ON_CHANGE);
  keep_field(L, "pause", BREAKER_RESET);
  return 1;
}

const struct rl_type rl_breaker_type = {"breaker", sizeof(struct rl_breaker),
                                        NULL, NULL};

void rl_open_breaker(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"call", l_breaker_call},       {"state", l_breaker_state},
      {"isolate", l_breaker_isolate}, {"reset", l_breaker_reset},
      {"stats", l_breaker_stats},     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_breaker_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg inner[] = {{"breaker", l_breaker_new}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_add_protector(lua_touserdata(L, engine), l_breaker_call, BREAKER_BASE);
  rl_new_type(L, RL_BREAKER_META, "breaker", methods, meta);
  rl_add_inner(L, inner);
}
