/*
 * limiter.c - rate limiters, as Lua sees them.
 *
 * Who must wait has a place in the policy's queue, which is also a source that
 * it alone waits on: fired when it is admitted, and heard when its task leaves
 * for another reason, so that the next is looked at. The place is a userdata
 * on the stack of who waits. One timer serves the queue, for its first place;
 * it is armed only while somebody waits.
 */
#include "../policy/limiter.h"
#include "bind.h"
#include <math.h>

enum { LIMITER_NAME = 1, LIMITER_SLOTS = LIMITER_NAME };

#define MOST_TOKENS INT64_C(1000000000000)

struct rl_limiter {
  struct rl_head head;
  struct rille_engine *engine;
  struct rille_limiter core;
  struct rl_seen seen;
  struct rille_timer timer;
  int64_t burst;     /* tokens; RILLE_NEVER: no limit */
  uint64_t admitted; /* calls in all its life, like the following */
  uint64_t refused;
  uint32_t waiting;
};

struct rl_place {
  struct rl_limiter *limiter;
  struct rille_place core;
  struct rille_source source;
};

static struct rl_limiter *check_limiter(lua_State *L) {
  return rl_check(L, 1, &rl_limiter_type);
}

static int64_t look(struct rl_limiter *limiter) {
  const struct rl_engine *engine =
      RILLE_ENTRY(limiter->engine, struct rl_engine, core);
  int64_t shift, now = rl_look(engine, &limiter->seen, &shift);
  if (shift != 0)
    rille_limiter_shift(&limiter->core, shift);
  return now;
}

/* Waiting */

static void serve_cb(struct rille_engine *engine, struct rille_timer *timer);

/* Arms the timer for the first in the queue; disarms it if there is none. */
static void arm(struct rl_limiter *limiter, int64_t now) {
  rille_timer_start(limiter->engine, &limiter->timer,
                    rille_limiter_next(&limiter->core, now), serve_cb);
}

/* Admits those whose turn has come. */
static void serve(struct rl_limiter *limiter, int64_t now) {
  struct rille_place *place;
  while ((place = rille_limiter_admit(&limiter->core, now)) != NULL) {
    limiter->waiting--;
    limiter->admitted++;
    rille_source_fire(&RILLE_ENTRY(place, struct rl_place, core)->source, 0);
  }
  arm(limiter, now);
}

static void serve_cb(struct rille_engine *engine, struct rille_timer *timer) {
  struct rl_limiter *limiter = RILLE_ENTRY(timer, struct rl_limiter, timer);
  (void)engine;
  serve(limiter, look(limiter));
}

/* The one who waits here has come; or gone, without having been admitted if it
 * is still in the queue. */
static void place_wanted(struct rille_engine *engine,
                         struct rille_source *source, bool wanted) {
  struct rl_place *place = RILLE_ENTRY(source, struct rl_place, source);
  struct rl_limiter *limiter = place->limiter;
  (void)engine;
  if (wanted) {
    arm(limiter, look(limiter));
  } else if (rille_list_linked(&place->core.node)) {
    int64_t now = look(limiter);
    limiter->waiting--;
    rille_limiter_leave(&limiter->core, &place->core, now);
    serve(limiter, now);
  }
}

static const struct rille_source_type place_type = {"acquire", NULL,
                                                    place_wanted, NULL};

/* Parks the task, whose place is pushed, until it has `tokens`. */
static int wait_for(lua_State *L, struct rl_limiter *limiter,
                    struct rl_task *task, int64_t tokens, lua_KFunction k) {
  struct rl_place *place = lua_newuserdatauv(L, sizeof *place, 0);
  *place = (struct rl_place){.limiter = limiter};
  rille_source_init(&place->source, &place_type);
  rille_limiter_join(&limiter->core, &place->core, tokens);
  limiter->waiting++;
  return rl_wait_one(L, task, &place->source, 0, 0, k);
}

/* What comes back */

static int push_refusal(lua_State *L, struct rl_limiter *limiter, int64_t due,
                        int64_t now, const char *why) {
  struct rl_engine *engine =
      RILLE_ENTRY(limiter->engine, struct rl_engine, core);
  const char *name = rl_push_label(L, 1, LIMITER_NAME);
  limiter->refused++;
  lua_pushnil(L);
  rl_push_error(L, engine, "rate_limited", "the limiter%s has no tokens %s",
                name, why);
  rl_push_seconds(L, due == RILLE_NEVER ? RILLE_FOREVER : due - now);
  lua_setfield(L, -2, "retry_after");
  return 2;
}

/* The number of tokens at 2, by default 1. */
static int64_t check_tokens(lua_State *L, const struct rl_limiter *limiter) {
  lua_Integer tokens = lua_isnoneornil(L, 2) ? 1 : rl_check_integer(L, 2);
  if (tokens < 0 || tokens > MOST_TOKENS)
    rl_type_error(L, 2, "a number of tokens");
  if (tokens > limiter->burst)
    rl_arg_error(L, 2,
                 lua_pushfstring(L,
                                 "%I tokens can never be had at once: the "
                                 "burst is %I",
                                 (LUAI_UACINT)tokens,
                                 (LUAI_UACINT)limiter->burst));
  return tokens;
}

enum taking { TAKEN, MUST_WAIT, REFUSED };

/* Takes tokens, if that need not wait; pushes nil and an error if it is no use
 * to wait. */
static enum taking take(lua_State *L, struct rl_limiter *limiter,
                        const struct rl_task *task, int64_t tokens) {
  int64_t now = look(limiter), due;
  if (rille_limiter_take(&limiter->core, tokens, now)) {
    limiter->admitted++;
    return TAKEN;
  }
  due = rille_limiter_due(&limiter->core, tokens, now);
  if (due != RILLE_NEVER && due < rl_deadline(task)) {
    if (rl_engine_of(task->core.scope->engine)->tracing.used) {
      rl_push_seconds(L, due - now);
      rl_trace_event(L, "rate_limit.waited", "rate_limit.seconds");
    }
    return MUST_WAIT;
  }
  push_refusal(L, limiter, due, now,
               due == RILLE_NEVER ? "left" : "before the deadline");
  return REFUSED;
}

/*** Rate limiters.
@type limiter */

static int acquire_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, acquire_k);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Takes tokens. Suspends until they are there: first come, first served.
@function limiter:acquire
@tparam[opt=1] integer n how many, at most the burst
@treturn boolean true; or nil and an error of kind `rate_limited`, with
`retry_after` (seconds), at once, when the caller's deadline comes first
@raise cancelled
@usage limiter:acquire()
*/
static int l_limiter_acquire(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_limiter *limiter = check_limiter(L);
  int64_t tokens = check_tokens(L, limiter);
  struct rl_task *task = rl_enter(L, engine);
  switch (take(L, limiter, task, tokens)) {
  case MUST_WAIT:
    return wait_for(L, limiter, task, tokens, acquire_k);
  case REFUSED:
    return rl_return(L, task, 2);
  default:
    lua_pushboolean(L, 1);
    return rl_return(L, task, 1);
  }
}

/***
Takes tokens that are there. Never suspends, never overtakes who waits.
@function limiter:try_acquire
@tparam[opt=1] integer n
@treturn boolean true; or nil and an error of kind `rate_limited`
*/
static int l_limiter_try_acquire(lua_State *L) {
  struct rl_limiter *limiter = check_limiter(L);
  int64_t tokens = check_tokens(L, limiter), now;
  rl_engine(L);
  now = look(limiter);
  if (!rille_limiter_take(&limiter->core, tokens, now))
    return push_refusal(
        L, limiter, rille_limiter_due(&limiter->core, tokens, now), now, "now");
  limiter->admitted++;
  lua_pushboolean(L, 1);
  return 1;
}

/* cancel(): gives a reservation back. The upvalues are the engine, the limiter
 * and the promise, once. */
static int l_limiter_cancel(lua_State *L) {
  struct rl_limiter *limiter =
      rl_test(L, lua_upvalueindex(2), &rl_limiter_type);
  const struct rille_promise *promise = lua_touserdata(L, lua_upvalueindex(3));
  int64_t now;
  if (limiter == NULL || promise == NULL)
    return 0;
  rl_engine(L);
  now = look(limiter);
  rille_limiter_cancel(&limiter->core, promise, now);
  lua_pushnil(L);
  lua_replace(L, lua_upvalueindex(3));
  serve(limiter, now);
  return 0;
}

/***
Takes tokens of the future: the caller is to wait by itself. Never suspends.
@function limiter:reserve
@tparam[opt=1] integer n
@treturn number seconds until they are there; or nil and an error of kind
`rate_limited` if they will never be
@treturn function gives them back, if they are not there yet: except those
that later reservations were reckoned with
@usage local delay, cancel = limiter:reserve()
if delay > 2 then cancel() else rille.sleep(delay) end
*/
static int l_limiter_reserve(lua_State *L) {
  struct rl_limiter *limiter = check_limiter(L);
  int64_t tokens = check_tokens(L, limiter), now;
  struct rille_promise *promise;
  rl_engine(L);
  lua_settop(L, 1);
  rl_push_engine(L);
  lua_pushvalue(L, 1);
  promise = lua_newuserdatauv(L, sizeof *promise, 0);
  lua_pushcclosure(L, l_limiter_cancel, 3);
  now = look(limiter);
  if (!rille_limiter_reserve(&limiter->core, tokens, now, RILLE_NEVER, promise))
    return push_refusal(L, limiter, RILLE_NEVER, now, "left");
  limiter->admitted++;
  rl_push_seconds(L, promise->due - now);
  lua_insert(L, -2);
  return 2;
}

static int called_k(lua_State *L, int status, lua_KContext ctx) {
  struct rille_task *task = rl_engine(L)->core.current;
  (void)status, (void)ctx;
  return rl_return(L, rl_task_of(task), lua_gettop(L) - 1);
}

/* Calls the function at 2, with the arguments above it. */
static int call_function(lua_State *L) {
  lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, called_k);
  return called_k(L, LUA_OK, 0);
}

static int admitted_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, admitted_k);
  lua_pop(L, 1); /* the place */
  return call_function(L);
}

/***
Takes a token, as `acquire` does, and calls `fn(...)`.
@function limiter:call
@tparam function fn
@param ... its arguments
@return what it returns; or nil and an error of kind `rate_limited`
@raise what it raises; cancelled
@usage local page = limiter:call(fetch, url)
*/
static int l_limiter_call(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_limiter *limiter = check_limiter(L);
  struct rl_task *task;
  rl_check_type(L, 2, LUA_TFUNCTION);
  task = rl_enter(L, engine);
  switch (take(L, limiter, task, 1)) {
  case MUST_WAIT:
    return wait_for(L, limiter, task, 1, admitted_k);
  case REFUSED:
    return rl_return(L, task, 2);
  default:
    return call_function(L);
  }
}

/***
@function limiter:stats
@treturn table `tokens` that are there (below 0: reserved), `waiting` tasks,
`burst`; in all its life `admitted` and `refused` calls
*/
static int l_limiter_stats(lua_State *L) {
  struct rl_limiter *limiter = check_limiter(L);
  rl_engine(L);
  lua_createtable(L, 0, 5);
  lua_pushnumber(L, rille_bucket_level(&limiter->core.bucket, look(limiter)));
  lua_setfield(L, -2, "tokens");
  lua_pushinteger(L, limiter->waiting);
  lua_setfield(L, -2, "waiting");
  if (limiter->burst == RILLE_NEVER)
    lua_pushnumber(L, (lua_Number)INFINITY);
  else
    lua_pushinteger(L, limiter->burst);
  lua_setfield(L, -2, "burst");
  lua_pushinteger(L, (lua_Integer)limiter->admitted);
  lua_setfield(L, -2, "admitted");
  lua_pushinteger(L, (lua_Integer)limiter->refused);
  lua_setfield(L, -2, "refused");
  return 1;
}

static int l_limiter_tostring(lua_State *L) {
  struct rl_limiter *limiter = check_limiter(L);
  double level = rille_bucket_level(&limiter->core.bucket, look(limiter));
  const char *name = rl_push_label(L, 1, LIMITER_NAME);
  lua_pushfstring(L, "rille.limiter%s: %f tokens, %d waiting", name, level,
                  (int)limiter->waiting);
  return 1;
}

/* limiter(rate, per, burst, name): checked by the Lua part. Returns nil if the
 * bucket would take too long to fill. */
static int l_limiter_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  double rate = luaL_checknumber(L, 1), burst = luaL_checknumber(L, 3);
  int64_t per = rl_check_span(L, 2), shift;
  struct rl_limiter *limiter;
  lua_settop(L, 4);
  limiter = lua_newuserdatauv(L, sizeof *limiter, LIMITER_SLOTS);
  *limiter = (struct rl_limiter){.head = rl_head(engine, &rl_limiter_type)};
  limiter->engine = &engine->core;
  rl_look(engine, &limiter->seen, &shift);
  limiter->burst = isinf(rate) || isinf(burst) ? RILLE_NEVER : (int64_t)burst;
  if (!rille_limiter_init(&limiter->core, per == RILLE_FOREVER ? 0 : rate,
                          per > 0 ? per : 1, limiter->burst))
    return lua_pushnil(L), 1;
  rl_push_slot(L, engine, RL_LIMITER_META);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, -2, LIMITER_NAME);
  return 1;
}

const struct rl_type rl_limiter_type = {"limiter", sizeof(struct rl_limiter),
                                        NULL, NULL};

void rl_open_limiter(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"acquire", l_limiter_acquire}, {"try_acquire", l_limiter_try_acquire},
      {"reserve", l_limiter_reserve}, {"call", l_limiter_call},
      {"stats", l_limiter_stats},     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_limiter_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg inner[] = {{"limiter", l_limiter_new}, {NULL, NULL}};
  rl_new_type(L, RL_LIMITER_META, "limiter", methods, meta);
  rl_add_inner(L, inner);
}
