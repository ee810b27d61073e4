/*
 * task.c - tasks, as Lua sees them: what they are called, how they stand, what
 * came of them. How they start and end is task_life.c's.
 */
#include "bind.h"

void rl_push_task(lua_State *L, struct rl_engine *engine,
                  struct rl_task *task) {
  rl_push_slot(L, engine, RL_TASKS);
  lua_rawgeti(L, -1, task->thread.index);
  lua_replace(L, -2);
}

void rl_push_task_info(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (lua_getiuservalue(L, index, RL_TASK_INFO) == LUA_TTABLE)
    return;
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "site");
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, index, RL_TASK_INFO);
}

const char *rl_push_task_name(lua_State *L, int index) {
  const struct rl_task *task = lua_touserdata(L, index);
  int named = LUA_TNIL;
  if (lua_getiuservalue(L, index, RL_TASK_INFO) == LUA_TTABLE) {
    named = lua_getfield(L, -1, "name");
    lua_replace(L, -2);
  }
  if (named != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushfstring(L, "task#%d", (int)task->core.id);
  }
  return lua_tostring(L, -1);
}

void rl_push_task_file(lua_State *L, int index) {
  if (lua_getiuservalue(L, index, RL_TASK_INFO) == LUA_TTABLE) {
    lua_getfield(L, -1, "site");
    lua_replace(L, -2);
  }
}

void rl_push_task_site(lua_State *L, int index) {
  const struct rl_task *task = lua_touserdata(L, index);
  rl_push_task_file(L, index);
  if (lua_type(L, -1) != LUA_TSTRING || task->line == 0)
    lua_pushliteral(L, "");
  else
    lua_pushfstring(L, ", started at %s:%d", lua_tostring(L, -1), task->line);
  lua_replace(L, -2);
}

void rl_push_failure_text(lua_State *L, int index, int error) {
  int base = lua_gettop(L);
  luaL_checkstack(L, 10, NULL);
  rl_push_task_info(L, index);
  lua_getfield(L, base + 1, "noted");
  if (lua_rawequal(L, error, base + 2) &&
      lua_getfield(L, base + 1, "text") == LUA_TSTRING) {
    lua_replace(L, base + 1); /* it came from a task that told all */
    lua_settop(L, base + 1);
    return;
  }
  lua_settop(L, base + 1);
  rl_push_text(L, error);
  rl_push_task_name(L, index);
  rl_push_task_site(L, index);
  if (lua_getfield(L, base + 1, "trace") != LUA_TSTRING)
    lua_pushliteral(L, "(no traceback)"), lua_replace(L, -2);
  lua_pushfstring(L, "%s\n  in %s%s\n%s", lua_tostring(L, base + 2),
                  lua_tostring(L, base + 3), lua_tostring(L, base + 4),
                  lua_tostring(L, base + 5));
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
}

int rl_push_task_result(lua_State *L, struct rl_engine *engine, int index) {
  const struct rl_task *task = lua_touserdata(L, index);
  if (task->core.status != RILLE_TASK_DONE)
    lua_pushnil(L);
  if (task->results == RL_NO_MEMORY) {
    rl_push_error(L, engine, "invalid", "not enough memory");
    return 2;
  }
  if (task->results == 0)
    return 0;
  lua_getiuservalue(L, index, RL_TASK_RESULT);
  if (task->core.status != RILLE_TASK_DONE)
    return 2;
  if (task->results == 1)
    return 1;
  luaL_checkstack(L, task->results + 1, "too many results");
  for (int i = 1; i <= task->results; i++)
    lua_rawgeti(L, -i, i);
  lua_remove(L, -task->results - 1);
  return task->results;
}

static struct rille_source *task_source(void *object, bool sends) {
  return sends ? NULL : &((struct rl_task *)object)->core.ended;
}

static int push_case(lua_State *L, struct rl_engine *engine, void *object,
                     bool sends, bool waited, int event) {
  struct rl_task *task = object;
  int results;
  (void)sends, (void)waited, (void)event;
  task->core.awaited = 1;
  results = rl_push_task_result(L, engine, lua_gettop(L));
  lua_remove(L, -results - 1); /* the object, which the caller pushed */
  return results;
}

/*** Tasks.
@type task */

static int await_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, await_k);
  rl_settop(L, 1);
  return rl_push_task_result(L, engine, 1);
}

/***
Waits for the end of the task. Suspends unless it has ended.
@function task:await
@return the results of its function; or nil and an error when it failed or was
cancelled
@raise cancelled; when a task awaits itself
@usage local page, err = s:task(fetch):await()
*/
static int l_task_await(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task = rl_check_of(L, engine, 1, &rl_task_type);
  struct rl_task *self = rl_enter(L, engine);
  rl_settop(L, 1);
  rl_check_arg(L, task != self, 1, "a task cannot await itself");
  task->core.awaited = 1;
  if (rille_task_ended(&task->core))
    return rl_return(L, self, rl_push_task_result(L, engine, 1));
  return rl_wait_one(L, self, &task->core.ended, 0, 0, await_k);
}

/***
Cancels this task alone. Never suspends; does nothing when it has ended.
@function task:cancel
@param[opt] reason any value: the `reason` of the error
*/
static int l_task_cancel(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task = rl_check_of(L, engine, 1, &rl_task_type);
  lua_settop(L, 2);
  if (rille_task_ended(&task->core) || task->core.own.called)
    return 0;
  if (!lua_isnil(L, 2)) {
    rl_push_task_info(L, 1);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "reason");
  }
  rille_cancel_call(&engine->core, &task->core.own);
  return 0;
}

/***
@function task:status
@treturn string "pending", "ready", "waiting", "running", "done", "failed" or
"cancelled"
*/
static int l_task_status(lua_State *L) {
  struct rl_task *task = rl_check(L, 1, &rl_task_type);
  lua_pushstring(L, rille_task_status_name(&task->core));
  return 1;
}

/***
@function task:name
@treturn string the name it was given, or `task#n`
*/
static int l_task_name(lua_State *L) {
  rl_check(L, 1, &rl_task_type);
  rl_push_task_name(L, 1);
  return 1;
}

/***
@function task:scope
@return the scope that owns it; nil for the main task while no root scope is
open
*/
static int l_task_scope(lua_State *L) {
  const struct rl_task *task = rl_check(L, 1, &rl_task_type);
  struct rl_engine *engine = rl_engine(L);
  if (!task->main)
    lua_getiuservalue(L, 1, RL_TASK_SCOPE);
  else if (task == engine->run && engine->root != NULL)
    rl_push_scope(L, engine, engine->root);
  else /* the one at the top is the engine's own */
    lua_pushnil(L);
  return 1;
}

/***
Where the task stands; of a failed one, where it failed.
@function task:traceback
@treturn string
*/
static int l_task_traceback(lua_State *L) {
  struct rl_task *task = rl_check(L, 1, &rl_task_type);
  rl_push_task_name(L, 1);
  rl_push_task_site(L, 1);
  lua_pushfstring(L, "%s (%s)%s", lua_tostring(L, -2),
                  rille_task_status_name(&task->core), lua_tostring(L, -1));
  if (!rille_task_ended(&task->core)) {
    lua_State *co = task->waiting != NULL ? task->waiting : task->thread.L;
    rl_push_traceback(L, co, lua_tostring(L, -1), 0);
    return 1;
  }
  rl_push_task_info(L, 1);
  if (lua_getfield(L, -1, "trace") == LUA_TSTRING)
    lua_pushfstring(L, "%s\n%s", lua_tostring(L, -3), lua_tostring(L, -1));
  else
    lua_pushvalue(L, -3);
  return 1;
}

static int close_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_outcome(L, rl_engine(L), ctx, close_k);
  return 0;
}

/* __close: cancels and joins. */
static int l_task_close(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task = rl_check_of(L, engine, 1, &rl_task_type);
  struct rl_task *self;
  if (rille_task_ended(&task->core))
    return 0;
  rille_cancel_call(&engine->core, &task->core.own);
  if (engine->core.current == NULL || engine->running != L ||
      !lua_isyieldable(L) || &task->core == engine->core.current)
    return 0; /* cannot wait here: its scope joins it */
  self = rl_task_of(engine->core.current);
  return rl_wait_shielded(L, self, &task->core.ended, 0, close_k);
}

static int l_task_tostring(lua_State *L) {
  struct rl_task *task = rl_check(L, 1, &rl_task_type);
  lua_pushfstring(L, "rille.task: %s (%s)", rl_push_task_name(L, 1),
                  rille_task_status_name(&task->core));
  return 1;
}

/***
@function current
@return the running task, or nil outside a task
*/
static int l_task_current(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  if (engine->core.current == NULL)
    return lua_pushnil(L), 1;
  rl_push_task(L, engine, rl_task_of(engine->core.current));
  return 1;
}

/***
Lets the other ready tasks run. Suspends.
@function yield
@raise cancelled
*/
static int l_task_yield(lua_State *L) {
  struct rl_task *task = rl_enter(L, rl_engine(L));
  return rl_turn(L, task, 0);
}

/* For the Lua part: checkpoint() is how a call begins that may suspend but
 * perhaps need not. Raises where the task is cancelled or cannot wait; counts
 * against the turn's budget. */
static int l_task_checkpoint(lua_State *L) {
  return rl_return(L, rl_enter(L, rl_engine(L)), 0);
}

const struct rl_type rl_task_type = {"task", sizeof(struct rl_task),
                                     task_source, push_case};

void rl_open_task(lua_State *L) {
  static const luaL_Reg methods[] = {{"await", l_task_await},
                                     {"cancel", l_task_cancel},
                                     {"status", l_task_status},
                                     {"name", l_task_name},
                                     {"scope", l_task_scope},
                                     {"traceback", l_task_traceback},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__close", l_task_close}, {"__tostring", l_task_tostring}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"current", l_task_current}, {"yield", l_task_yield}, {NULL, NULL}};
  static const luaL_Reg inner[] = {{"checkpoint", l_task_checkpoint},
                                   {NULL, NULL}};
  rl_new_type(L, RL_TASK_META, "task", methods, meta);
  rl_add_functions(L, functions);
  rl_add_inner(L, inner);
}
