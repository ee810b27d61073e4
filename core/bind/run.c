/*
 * run.c - rille.run and what C hosts call: who drives the loop.
 *
 * The main task runs in the scope at the top and opens the root scope as a
 * block, like any other; rille.run drives the loop until it has ended. When
 * the loop is dead before that, tasks wait for what can never come: the root
 * is cancelled with a report. If that is not enough, because of a shield, it
 * is cancelled through all shields; then its tasks are closed.
 */
#include "bind.h"
#include <stdlib.h>
#include <string.h>

/* From now on time is virtual, from 0, or the system's. What outlives a run
 * knows by the era that another clock is in use. */
static void set_clock(struct rille_engine *engine, bool is_virtual) {
  struct rille_clock *clock = &engine->clock;
  clock->is_virtual = is_virtual;
  clock->instant = 0;
  clock->era = is_virtual ? ++clock->virtuals : 0;
  clock->era_start = rille_now(engine);
}

/* What rille.run takes beside scope options. */
static void clock_options(lua_State *L, struct rl_engine *engine, int index) {
  static const char *const clocks[] = {"real", "virtual", NULL};
  static const char *const schedules[] = {"fifo", "random", NULL};
  bool is_virtual = rl_option_choice(L, index, "clock", clocks) == 1;
  rl_trace_seed(engine, is_virtual, 0);
  engine->core.shuffle = rl_option_choice(L, index, "schedule", schedules) == 1;
  if (rl_option(L, index, "seed", LUA_TNUMBER) == LUA_TNUMBER) {
    int exact;
    lua_Integer seed = lua_tointegerx(L, -1, &exact);
    if (!exact)
      rl_arg_error(L, index, "option 'seed': a whole number expected");
    rille_engine_seed(&engine->core, (uint64_t)seed);
    rl_trace_seed(engine, true, (uint64_t)seed);
  }
  lua_pop(L, 1);
  set_clock(&engine->core, is_virtual);
}

static void check_run_options(lua_State *L, int index) {
  /* Those of a scope but for `parent`, and three of its own. */
  static const char *const names[] = {"clock",        "seed",
                                      "schedule",     "name",
                                      "timeout",      "deadline",
                                      "shield",       "inherit",
                                      "concurrency",  "on_error",
                                      "grace",        "retry",
                                      "task_timeout", "circuit_breaker",
                                      "limiter",      "tracer",
                                      "otel",         NULL};
  rl_check_options(L, index, names);
}

/* Replaces the options at 1 by a copy that holds scope options only. */
static void strip_options(lua_State *L) {
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_pushnil(L);
  lua_setfield(L, -2, "clock");
  lua_pushnil(L);
  lua_setfield(L, -2, "seed");
  lua_pushnil(L);
  lua_setfield(L, -2, "schedule");
  lua_replace(L, 1);
}

static void check_idle(lua_State *L, struct rl_engine *engine) {
  if (engine->core.current != NULL)
    rl_error(L, "rille.run cannot be called inside a task; open a scope "
                "with rille.scope()");
  if (engine->run != NULL || rille_loop_running(&engine->core))
    rl_error(L, "rille.run cannot be called inside a callback of the event "
                "loop; start a task with scope:go()");
  if (engine->core.host_loop)
    rl_error(L, "rille.run cannot be called here: the host runs the event "
                "loop");
}

/* The loop is dead and tasks are parked. `stack`: the engine is at 1. */
static int report_deadlock(lua_State *L) {
  struct rl_engine *engine = lua_touserdata(L, 1);
  int base;
  if (engine->root == NULL)
    return 0;
  rl_push_scope(L, engine, engine->root);
  base = lua_gettop(L);
  rl_push_dump(L, engine);
  rl_push_error(L, engine, "deadlock",
                "every task waits and nothing can wake one:\n%s",
                lua_tostring(L, -1));
  rl_push_text(L, -1);
  rl_scope_note(L, base, base + 2, base + 3);
  lua_pushvalue(L, base + 2);
  rl_push_scope_info(L, base);
  lua_insert(L, -2);
  lua_setfield(L, -2, "reason");
  rille_cancel_call(&engine->core, &engine->root->cancel);
  return 0;
}

/* Closes every task that is still parked. */
static void kill_tasks(struct rl_engine *engine) {
  lua_State *L = engine->main;
  rl_push_slot(L, engine, RL_TASKS);
  for (int i = 1; i <= engine->threads; i++) {
    struct rl_task *task;
    lua_rawgeti(L, -1, i);
    task = lua_touserdata(L, -1);
    if (task != NULL && !rille_task_ended(&task->core) &&
        lua_status(task->thread.L) == LUA_YIELD)
      rl_thread_kill(engine, task);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Does something about a dead loop: the more, the more often it died. */
static void break_deadlock(lua_State *L, struct rl_engine *engine, int times) {
  if (times == 1) {
    lua_pushcfunction(L, report_deadlock);
    lua_pushlightuserdata(L, engine);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      lua_pop(L, 1);
      rl_scope_starve(engine, engine->root);
    }
  } else if (times == 2 && engine->root != NULL) {
    rille_cancel_force(&engine->core, &engine->root->cancel);
  } else {
    kill_tasks(engine);
  }
}

/* Drives the loop until the main task has ended. */
static void drive(lua_State *L, struct rl_engine *engine) {
  lua_State *from = engine->from;
  int deaths = 0;
  engine->from = L;
  while (!rille_loop_run(&engine->core, &engine->run_done))
    break_deadlock(L, engine, ++deaths);
  if (engine->orphaned)
    kill_tasks(engine);
  engine->orphaned = false;
  engine->from = from;
}

/* Forgets the scopes that were abandoned, once nothing is left in them. */
static void forget_abandoned(lua_State *L, struct rl_engine *engine) {
  rl_push_slot(L, engine, RL_SCOPES);
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    const struct rl_scope *scope = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (scope->core.state == RILLE_SCOPE_ENDED && !scope->core.abandoned) {
      lua_pushvalue(L, -1);
      lua_pushnil(L);
      lua_rawset(L, -4);
    }
  }
  lua_pop(L, 1);
}

/* Keeps the report of the main task at `index`, or nil. */
static void keep_report(lua_State *L, struct rl_engine *engine, int index,
                        bool failed) {
  if (failed) {
    rl_push_task_info(L, index);
    lua_getfield(L, -1, "text");
    lua_replace(L, -2);
  } else {
    lua_pushnil(L);
  }
  rl_push_engine(L);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, RL_REPORT);
  lua_pop(L, 1);
  (void)engine;
}

/* Pushes the Lua function main(options, fn, ...), with what it is given. */
static int start_main(lua_State *L, struct rl_engine *engine) {
  struct rl_spawn spawn = {.main = true};
  int count = lua_gettop(L);
  rl_push_slot(L, engine, RL_TOP);
  lua_insert(L, 1);
  lua_pushliteral(L, "main");
  lua_insert(L, 2);
  rl_push_slot(L, engine, RL_LUA);
  lua_getfield(L, -1, "main");
  lua_replace(L, -2);
  lua_insert(L, 3);
  spawn.scope = lua_touserdata(L, 1);
  spawn.scope_index = 1;
  spawn.name_index = 2;
  engine->run = rl_task_spawn(L, engine, &spawn, count + 1);
  return lua_gettop(L);
}

/***
Opens the root scope, runs `fn` in it as the main task, and waits for every
task. Only outside a task.
@function run
@tparam[opt] table opts scope options, `clock` ("real" or "virtual"), `seed`
(integer: every random choice follows from it), `schedule` ("fifo", or "random"
to look for what depends on the order)
@tparam function fn
@param ... its arguments
@return what `fn` returns; nil and an error when the root was cancelled
@raise what the root scope raises; an error of kind `deadlock`
@usage rille.run(function() rille.sleep(1) end)
*/
static int l_run(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task;
  int index;
  if (lua_isfunction(L, 1)) {
    lua_newtable(L);
    lua_insert(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  check_run_options(L, 1);
  check_idle(L, engine);
  clock_options(L, engine, 1);
  strip_options(L);
  engine->core.tasks_made = engine->core.scopes_made = 0;
  index = start_main(L, engine);
  rl_engine(L); /* raises if a finalizer has closed it */
  task = engine->run;
  engine->run_done = false;
  drive(L, engine);
  engine->run = NULL;
  engine->root = NULL;
  rl_engine(L); /* raises if a task has closed it */
  set_clock(&engine->core, false);
  rl_trace_seed(engine, false, 0);
  engine->core.shuffle = false;
  forget_abandoned(L, engine);
  keep_report(L, engine, index, task->core.status == RILLE_TASK_FAILED);
  if (task->core.status != RILLE_TASK_FAILED)
    return rl_push_task_result(L, engine, index);
  if (task->results == RL_NO_MEMORY)
    return luaL_error(L, "not enough memory");
  lua_getiuservalue(L, index, RL_TASK_RESULT);
  return lua_error(L);
}

/* Calls `f` with the engine as its upvalue; the arguments are all that is on
 * the stack. To make the closure takes memory, so it is made in here. */
static int call_own(lua_State *L, lua_CFunction f) {
  rl_push_engine(L);
  lua_pushcclosure(L, f, 1);
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Calls the light function `f` under protection with `nargs` values. */
static int protect_own(lua_State *L, lua_CFunction f, int nargs, int results) {
  lua_pushcfunction(L, f);
  lua_insert(L, -nargs - 1);
  return lua_pcall(L, nargs, results, 0);
}

static int run_own(lua_State *L) { return call_own(L, l_run); }

int rille_run(lua_State *L, int nargs) {
  return protect_own(L, run_own, nargs, LUA_MULTRET);
}

static int spawn_in_top(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_spawn spawn = {.scope_index = 1, .supervised = true};
  int count = lua_gettop(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  rl_push_slot(L, engine, RL_TOP);
  lua_insert(L, 1);
  spawn.scope = lua_touserdata(L, 1);
  rl_task_spawn(L, engine, &spawn, count);
  return 1;
}

static int spawn_own(lua_State *L) { return call_own(L, spawn_in_top); }

int rille_spawn(lua_State *L, int nargs) {
  return protect_own(L, spawn_own, nargs, 1);
}

struct cancel_request {
  const char *kind, *message;
};

static int cancel_root(lua_State *L) {
  const struct cancel_request *request = lua_touserdata(L, 1);
  struct rl_engine *engine = rl_engine_find(L);
  rl_push_scope(L, engine, engine->root);
  if (!engine->root->cancel.called) {
    rl_push_scope_info(L, 2);
    rl_push_error(L, engine, request->kind, "%s", request->message);
    lua_setfield(L, -2, "reason");
  }
  rille_cancel_call(&engine->core, &engine->root->cancel);
  return 0;
}

int rille_cancel(lua_State *L, const char *kind, const char *message) {
  struct cancel_request request = {kind, message};
  struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL || engine->core.loop == NULL || engine->root == NULL)
    return 0;
  lua_pushlightuserdata(L, &request);
  if (protect_own(L, cancel_root, 1, 0) != LUA_OK)
    lua_pop(L, 1);
  return 1;
}

void rille_report(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL)
    lua_pushnil(L);
  else
    rl_push_slot(L, engine, RL_REPORT);
}

void rille_close(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL || engine->core.loop == NULL || engine->closing)
    return; /* nothing to do, or being done */
  engine->closing = true;
  kill_tasks(engine);
  rl_curl_close(engine);
  rl_luv_keep(L, engine);
  rille_loop_close(&engine->core);
  free(engine->free_indices);
  engine->free_indices = NULL;
  engine->idle_count = 0;
}

/* __gc of the engine. */
static int l_engine_gc(lua_State *L) {
  struct rl_engine *engine = rl_to_engine(L, 1);
  if (engine != NULL && engine == rl_engine_find(L))
    rille_close(L);
  return 0;
}

void rl_open_run(lua_State *L) {
  static const luaL_Reg functions[] = {{"run", l_run}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_add_functions(L, functions);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, l_engine_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "rille.engine");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, engine);
}
