/*
 * task_life.c - how a task starts, and how it ends.
 *
 * Its function and arguments lie on the stack of its coroutine from the start;
 * its results are moved to its own user values at the end, so that the
 * coroutine can go on to the next one. Whether a task has failed is decided by
 * Lua's own convention: it raised, or it returned nil or false and then a
 * value.
 */
#include "bind.h"

/* Finds the code that starts a task: the nearest that is not of the engine. */
static bool find_site(lua_State *L, lua_Debug *frame) {
  for (int level = 1; lua_getstack(L, level, frame); level++) {
    lua_getinfo(L, "Sl", frame);
    if (frame->currentline > 0 && !rl_is_ours(frame))
      return true;
  }
  return false;
}

/* Makes the object for a task; nothing is linked yet. */
static struct rl_task *new_task(lua_State *L, struct rl_engine *engine,
                                const struct rl_spawn *spawn) {
  struct rl_task *task = lua_newuserdatauv(L, sizeof *task, RL_TASK_SLOTS);
  lua_Debug caller;
  *task = (struct rl_task){.head = rl_head(engine, &rl_task_type),
                           .core.daemon = spawn->daemon,
                           .core.supervised = spawn->supervised,
                           .main = spawn->main};
  rl_push_slot(L, engine, RL_TASK_META);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, spawn->scope_index);
  lua_setiuservalue(L, -2, RL_TASK_SCOPE);
  if (find_site(L, &caller)) {
    task->line = (unsigned)caller.currentline & 0x1fffffff;
    lua_pushstring(L, caller.short_src);
    lua_setiuservalue(L, -2, RL_TASK_INFO);
  }
  if (spawn->name_index != 0) {
    rl_push_task_info(L, lua_gettop(L));
    lua_pushvalue(L, spawn->name_index);
    lua_setfield(L, -2, "name");
    lua_pop(L, 1);
  }
  return task;
}

struct rl_task *rl_task_spawn(lua_State *L, struct rl_engine *engine,
                              const struct rl_spawn *spawn, int count) {
  int base = lua_gettop(L) - count + 1;
  struct rl_task *task = new_task(L, engine, spawn);
  lua_insert(L, base);
  task->thread = rl_thread_acquire(L, engine);
  if (!lua_checkstack(task->thread.L, count + LUA_MINSTACK)) {
    rl_thread_release(engine, task->thread);
    rl_error(L, "too many arguments for a task");
  }
  if (spawn->scope->core.state == RILLE_SCOPE_ENDED) { /* by a finalizer */
    rl_thread_release(engine, task->thread);
    rl_scope_check_open(L, engine, spawn->scope_index);
  }
  rl_thread_load(L, task, base, count);
  rille_task_start(&task->core, &spawn->scope->core);
  if (spawn->scope->layered & RL_TRACER)
    rl_trace_task(L, base, spawn, count);
  return task;
}

/* Moves the results at `base` and above to the task at `index`. */
static void keep_results(lua_State *L, struct rl_task *task, int index,
                         int base, int count) {
  task->results = count;
  if (count == 1) {
    lua_pushvalue(L, base);
  } else if (count > 1) {
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
      lua_pushvalue(L, base + i);
      lua_rawseti(L, -2, i + 1);
    }
  } else {
    return;
  }
  lua_setiuservalue(L, index, RL_TASK_RESULT);
}

/* Keeps what the tree looks like now, if nothing is kept. */
static void keep_dump(lua_State *L, struct rl_engine *engine) {
  rl_push_slot(L, engine, RL_LUA);
  if (lua_getfield(L, -1, "failure_dump") == LUA_TNIL) {
    rl_push_dump(L, engine);
    lua_setfield(L, -3, "failure_dump");
  }
  lua_pop(L, 2);
}

/* What is noted of an error of the task at `index` is no matter unless it is
 * the one at `error`, of which it died. */
static void forget_others(lua_State *L, int index, int error) {
  rl_push_task_info(L, index);
  lua_getfield(L, -1, "noted");
  if (!lua_rawequal(L, error, -1)) {
    lua_pushvalue(L, error);
    lua_setfield(L, -3, "noted");
    lua_pushnil(L);
    lua_setfield(L, -3, "trace");
    lua_pushnil(L);
    lua_setfield(L, -3, "text");
  }
  lua_pop(L, 2);
}

/* The task at `index` has failed with the value at `error`: tells its scope,
 * or keeps it for whoever awaits it. `lock` is what it was holding, or NULL. */
static void fail(lua_State *L, struct rl_engine *engine, struct rl_task *task,
                 int index, int error, const char *lock) {
  int scope = lua_gettop(L) + 1;
  luaL_checkstack(L, 16, NULL);
  forget_others(L, index, error);
  if (lock != NULL)
    rl_hold_add_text(L, index, lock);
  lua_getiuservalue(L, index, RL_TASK_SCOPE);
  rl_push_failure_text(L, index, error);
  rl_push_task_info(L, index);
  lua_pushvalue(L, scope + 1);
  lua_setfield(L, -2, "text");
  if (task->core.supervised) {
    if (engine->core.shuffle) /* for whoever explores schedules */
      keep_dump(L, engine);
    rl_scope_fail(L, engine, scope, error, scope + 1);
  } else if (!task->core.awaited && !task->main) {
    rl_push_scope_info(L, scope);
    luaL_getsubtable(L, -1, "lost");
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  lua_settop(L, scope - 1);
}

/* Whether the task has raised its cancellation, or its engine's end. */
static bool is_cancelled(lua_State *L, const struct rl_engine *engine,
                         const struct rl_task *task, int error) {
  return engine->closing || rl_is_cancellation(L, &task->core, error);
}

/* From here on no memory is taken, so nobody can do anything in the task. But a
 * finalizer, or a tracer, may have taken a lock since it gave back its own. */
static void end_task(struct rl_engine *engine, struct rl_task *task,
                     enum rille_task_status status) {
  if (task->core.holds != 0)
    rl_holds_abandon(engine->main, engine, task);
  if (task == engine->run) {
    engine->run_done = true;
    rille_loop_stop(&engine->core);
  }
  rille_task_end(&task->core, status);
  if (engine->core.current == &task->core)
    engine->core.current = NULL;
}

void rl_task_finish(lua_State *L, struct rl_engine *engine, bool ok, int index,
                    int base) {
  struct rl_task *task = lua_touserdata(L, index);
  int count = lua_gettop(L) - base + 1;
  enum rille_task_status status = RILLE_TASK_DONE;
  const char *lock = NULL;
  luaL_checkstack(L, 16, NULL);
  if (ok && !task->main && rl_returned_failure(L, engine, base)) {
    lua_remove(L, base);
    status = RILLE_TASK_FAILED;
  } else if (!ok) {
    status = is_cancelled(L, engine, task, base) ? RILLE_TASK_ENDED_CANCELLED
                                                 : RILLE_TASK_FAILED;
  }
  if (task->core.holds != 0)
    lock = rl_holds_abandon(L, engine, task);
  if (lock != NULL && status != RILLE_TASK_FAILED && !engine->closing) {
    lua_settop(L, base);
    rl_hold_push_error(L, engine, index, ok ? 0 : base, lock);
    lua_replace(L, base);
    status = RILLE_TASK_FAILED;
    lock = NULL;
  }
  if (status == RILLE_TASK_FAILED)
    fail(L, engine, task, index, base, lock);
  if (task->traced)
    rl_trace_end(L, index, status, base);
  if (status != RILLE_TASK_DONE)
    count = 1;
  keep_results(L, task, index, base, count);
  end_task(engine, task, status);
}

void rl_task_lose(struct rl_engine *engine, struct rl_task *task,
                  enum rille_task_status status) {
  task->results = RL_NO_MEMORY;
  end_task(engine, task, status);
}

/* Runs on the main thread; protected because it needs memory. */
static int skip_task(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  struct rl_task *task = lua_touserdata(L, 1);
  task->core.top->by->delivered = 1;
  rl_push_task(L, engine, task);
  rl_push_cancellation(L, engine, task->core.top->by);
  rl_task_finish(L, engine, false, 2, 3);
  return 0;
}

void rl_task_skip(struct rl_engine *engine, struct rl_task *task) {
  lua_State *L = engine->main;
  struct rl_thread thread = task->thread;
  lua_pushcfunction(L, skip_task);
  lua_pushlightuserdata(L, task);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    rl_task_lose(engine, task, RILLE_TASK_ENDED_CANCELLED);
  }
  rl_thread_release(engine, thread);
}
