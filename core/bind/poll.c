/*
 * poll.c - what holds the state of a poll: s:poll's controller.
 *
 * When to call is core/policy/poll.c's to say; the calls themselves, of user
 * functions, are made by lua/rille/poll.lua, one task for each loop. That
 * task waits here between the calls, where a stop wakes it.
 */
#include "../policy/poll.h"
#include "bind.h"

struct rl_poll {
  struct rl_head head;
  struct rille_poll core;
  struct rille_source wake; /* the loop waits on it between calls */
};

/* The table of the Lua part: name, scope, task, call, last_error. */
enum { POLL_LOOP = 1, POLL_SLOTS = 1 };

static const struct rille_source_type wake_source = {"poll", NULL, NULL, NULL};

static enum rille_poll_order step(struct rl_engine *engine,
                                  struct rl_poll *poll,
                                  enum rille_poll_event event) {
  uint32_t random = 0;
  if (poll->core.jitter > 0)
    random = rille_random(&engine->core, RILLE_POLL_CHANCES);
  return rille_poll_step(&poll->core, event, rille_now(&engine->core), random);
}

/* True if the task of the loop of the poll at 1 has not ended. */
static bool has_loop(lua_State *L) {
  const struct rl_task *task;
  lua_getiuservalue(L, 1, POLL_LOOP);
  lua_getfield(L, -1, "task");
  task = rl_test(L, -1, &rl_task_type);
  lua_pop(L, 2);
  return task != NULL && !rille_task_ended(&task->core);
}

/* The poll at 1. A loop that has ended unbidden, by a cancellation or a
 * failure, is noticed here. */
static struct rl_poll *check_poll(lua_State *L, struct rl_engine *engine) {
  struct rl_poll *poll = rl_check(L, 1, &rl_poll_type);
  if (poll->core.phase != RILLE_POLL_NO_LOOP && !has_loop(L))
    step(engine, poll, RILLE_POLL_LOST);
  return poll;
}

/*** Polls.
@type poll */

/* Cancels the scope of the call that the poll at 1 is making. */
static void abort_call(lua_State *L, struct rl_engine *engine) {
  struct rl_scope *call;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, POLL_LOOP);
  lua_getfield(L, 2, "call");
  call = rl_test(L, 3, &rl_scope_type);
  if (call == NULL || call->core.state == RILLE_SCOPE_ENDED)
    return;
  lua_pushliteral(L, "the poll was stopped");
  rl_scope_set_reason(L, 3, 4);
  rille_cancel_call(&engine->core, &call->core.cancel);
}

/***
Stops polling: cancels the call in flight; nothing more is delivered. A
delivery that has begun goes on to its end. Never suspends; idempotent.
@function poll:stop
*/
static int l_poll_stop(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_poll *poll = check_poll(L, engine);
  enum rille_poll_order order = step(engine, poll, RILLE_POLL_STOP);
  if (order == RILLE_POLL_WAKE)
    rille_source_fire(&poll->wake, 0);
  else if (order == RILLE_POLL_ABORT)
    abort_call(L, engine);
  return 0;
}

static void set_time(lua_State *L, const char *name, int64_t ns) {
  if (ns == RILLE_POLL_NEVER)
    return;
  rl_push_seconds(L, ns);
  lua_setfield(L, -2, name);
}

static void set_count(lua_State *L, const char *name, uint64_t count) {
  lua_pushinteger(L, (lua_Integer)count);
  lua_setfield(L, -2, name);
}

/***
Tells how it stands. Never suspends.
@function poll:status
@treturn table `running`; `poll_count` (calls that brought a value or an
error), `error_count`, `last_error`; `last_poll_time` (when the last call
began), `next_poll_time`, `rille.now()` times, and `time_until_next`, seconds:
nil where there is none
@usage print(p:status().poll_count)
*/
static int l_poll_status(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_poll *poll = check_poll(L, engine);
  int64_t next = rille_poll_next(&poll->core);
  int64_t left = next - rille_now(&engine->core);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, POLL_LOOP);
  lua_createtable(L, 0, 7);
  lua_pushboolean(L, poll->core.wanted);
  lua_setfield(L, -2, "running");
  set_count(L, "poll_count", poll->core.polls);
  set_count(L, "error_count", poll->core.errors);
  lua_getfield(L, 2, "last_error");
  lua_setfield(L, -2, "last_error");
  set_time(L, "last_poll_time", poll->core.last);
  set_time(L, "next_poll_time", next);
  if (next != RILLE_POLL_NEVER)
    set_time(L, "time_until_next", left > 0 ? left : 0);
  return 1;
}

static int l_poll_tostring(lua_State *L) {
  const struct rl_poll *poll = check_poll(L, rl_engine(L));
  lua_getiuservalue(L, 1, POLL_LOOP);
  lua_getfield(L, -1, "name");
  lua_pushfstring(
      L, "rille.poll: %s (%s, %I polls, %I errors)", lua_tostring(L, -1),
      poll->core.wanted ? "running" : "stopped", (LUAI_UACINT)poll->core.polls,
      (LUAI_UACINT)poll->core.errors);
  return 1;
}

/* For the Lua part: new_poll(interval, jitter, max_errors, immediate, loop) */
static int l_poll_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_poll *poll = lua_newuserdatauv(L, sizeof *poll, POLL_SLOTS);
  lua_Number max_errors = luaL_checknumber(L, 3);
  *poll = (struct rl_poll){.head = rl_head(engine, &rl_poll_type)};
  rille_poll_init(&poll->core, rl_check_span(L, 1));
  poll->core.jitter = luaL_checknumber(L, 2);
  poll->core.max_errors = max_errors < 9e15 ? (uint64_t)max_errors : 0;
  poll->core.immediate = lua_toboolean(L, 4);
  rille_source_init(&poll->wake, &wake_source);
  lua_pushvalue(L, 5);
  lua_setiuservalue(L, -2, POLL_LOOP);
  rl_push_slot(L, engine, RL_POLL_META);
  lua_setmetatable(L, -2);
  return 1;
}

/* poll_loop(p): the table given to new_poll. */
static int l_poll_loop(lua_State *L) {
  rl_check(L, 1, &rl_poll_type);
  lua_getiuservalue(L, 1, POLL_LOOP);
  return 1;
}

static int push_order(lua_State *L, enum rille_poll_order order) {
  static const char *const names[] = {"nothing", "spawn", "wake",  "abort",
                                      "wait",    "call",  "value", "error",
                                      "fail",    "end"};
  lua_pushstring(L, names[order]);
  return 1;
}

/* poll_step(p, event): the order that follows. */
static int l_poll_step(lua_State *L) {
  static const char *const names[] = {"start",     "stop",  "time",
                                      "value",     "error", "cancelled",
                                      "delivered", NULL};
  struct rl_engine *engine = rl_engine(L);
  struct rl_poll *poll = check_poll(L, engine);
  int event = luaL_checkoption(L, 2, NULL, names);
  return push_order(L, step(engine, poll, (enum rille_poll_event)event));
}

/* A call must not begin once the task is cancelled. */
static int wait_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, wait_k);
  if (engine->core.current->top->by != NULL)
    return rl_raise_cancellation(L, engine);
  return push_order(L, step(engine, check_poll(L, engine), RILLE_POLL_TIME));
}

/* poll_wait(p): waits until the next call is due or a stop; the order that
 * follows. */
static int l_poll_wait(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_poll *poll = check_poll(L, engine);
  struct rl_task *task = rl_enter(L, engine);
  struct rille_waiter *one = &task->core.wait.one;
  lua_settop(L, 1);
  one->source = &poll->wake;
  one->slot = 0;
  return rl_wait(L, task, one, 1, poll->core.due, 0, 0, wait_k);
}

const struct rl_type rl_poll_type = {"poll", sizeof(struct rl_poll), NULL,
                                     NULL};

void rl_open_poll(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"stop", l_poll_stop}, {"status", l_poll_status}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_poll_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg inner[] = {{"new_poll", l_poll_new},
                                   {"poll_loop", l_poll_loop},
                                   {"poll_step", l_poll_step},
                                   {"poll_wait", l_poll_wait},
                                   {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_new_type(L, RL_POLL_META, "poll", methods, meta);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_getiuservalue(L, engine, RL_POLL_META);
  lua_setfield(L, -2, "poll_meta");
  lua_pushvalue(L, engine);
  rl_add_functions(L, inner);
  lua_settop(L, engine);
}
