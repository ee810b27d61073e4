/*
 * leave.c - leaving the block of a scope, in two steps.
 *
 *     leave(s, ok, err)    the body has ended: waits for the tasks
 *     finish(s, ok, wait)  the end: passes, absorbs, or raises
 *
 * Between them the cleanups run, which are user functions, and so the Lua
 * part's (lua/rille/scope.lua); nothing here is called by anybody else. Where
 * there is nothing to wait for and to clean up, quit(s) is all of it.
 *
 * Whatever takes memory may run a finalizer, and that may leave the scope under
 * our hands: so nothing is taken from the core before, to be used after.
 */
#include "bind.h"

static int join(lua_State *L, struct rl_scope *scope, bool waited);

static int join_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_outcome(L, rl_engine(L), ctx, join_k);
  return join(L, rl_check(L, 1, &rl_scope_type), true);
}

/* Waits until the scope is idle; returns whether it had to. */
static int join(lua_State *L, struct rl_scope *scope, bool waited) {
  struct rl_engine *engine = rl_engine(L);
  if (!rille_scope_leave(&scope->core)) {
    struct rl_task *task = rl_can_wait(L, engine);
    return rl_wait_shielded(L, task, &scope->core.idle, 0, join_k);
  }
  lua_pushboolean(L, waited);
  return 1;
}

/* leave(s, ok, err): the body has ended, well or with `err`. Waits for the
 * tasks, out of reach of any cancellation, for they are in its reach. */
static int l_scope_leave(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  bool ok = lua_toboolean(L, 2);
  lua_settop(L, 3);
  if (!ok && !rl_is_cancellation(L, engine->core.current, 3)) {
    rl_push_task(L, engine, rl_task_of(engine->core.current));
    rl_push_failure_text(L, 4, 3);
    rl_scope_note(L, 1, 3, 5);
    rl_scope_set_reason(L, 1, 3);
    rille_cancel_call(&engine->core, &scope->core.cancel);
    lua_settop(L, 3);
  }
  return join(L, scope, false);
}

/* Takes over the failures of tasks that nobody has awaited. */
static void take_lost(lua_State *L, struct rl_engine *engine) {
  if (lua_getiuservalue(L, 1, RL_SCOPE_INFO) != LUA_TTABLE) {
    lua_pop(L, 1);
    return;
  }
  if (lua_getfield(L, -1, "lost") == LUA_TTABLE) {
    int lost = lua_gettop(L), count = (int)lua_rawlen(L, lost);
    for (int i = 1; i <= count; i++) {
      const struct rl_task *task;
      lua_rawgeti(L, lost, i);
      task = lua_touserdata(L, -1);
      if (!task->core.awaited) {
        rl_push_task_info(L, -1);
        lua_getfield(L, -1, "text");
        rl_push_task_result(L, engine, lost + 1);
        rl_scope_note(L, 1, lost + 5, lost + 3);
      }
      lua_settop(L, lost);
    }
  }
  lua_pop(L, 2);
}

/* Pushes the first failure, which tells of the others. */
static void push_failure(lua_State *L, struct rl_engine *engine,
                         struct rl_scope *scope) {
  int base = lua_gettop(L);
  rl_push_scope_info(L, 1);
  lua_getfield(L, base + 1, "errors");
  lua_rawgeti(L, base + 2, 1);
  if (scope->failures > 1 && rl_is_error(L, engine, base + 3, NULL)) {
    lua_createtable(L, (int)scope->failures - 1, 0);
    for (uint32_t i = 2; i <= scope->failures; i++) {
      lua_rawgeti(L, base + 2, i);
      lua_rawseti(L, -2, i - 1);
    }
    lua_setfield(L, base + 3, "errors");
  }
  rl_push_task(L, engine, rl_task_of(engine->core.current));
  rl_push_task_info(L, -1);
  lua_pushvalue(L, base + 3);
  lua_setfield(L, -2, "noted");
  lua_getfield(L, base + 1, "traces");
  lua_rawgeti(L, -1, 1);
  lua_setfield(L, -3, "text");
  lua_settop(L, base + 3);
}

/* What was asked of the scope through `by` is answered from here on by its
 * own info: `by` may be gone soon. */
static void keep_cancelled(lua_State *L, struct rl_engine *engine,
                           struct rl_scope *scope) {
  struct rille_cancel *node = &scope->core.cancel;
  if (node->by == NULL)
    return;
  rl_push_cancellation(L, engine, node->by);
  rl_push_scope_info(L, 1);
  lua_getfield(L, -2, "reason");
  lua_setfield(L, -2, "reason");
  lua_pop(L, 2);
  node->by = node;
}

static void end_scope(lua_State *L, struct rl_engine *engine,
                      struct rl_scope *scope) {
  if (scope->core.state == RILLE_SCOPE_ENDED)
    return;
  keep_cancelled(L, engine, scope);
  if (engine->root == &scope->core)
    engine->root = NULL;
  rille_scope_end(&scope->core);
  rl_push_slot(L, engine, RL_SCOPES);
  lua_pushnil(L);
  lua_rawsetp(L, -2, scope);
  lua_pop(L, 1);
}

/* quit(s): leaves the scope and ends it, if that is all there is to do: it is
 * the innermost one of the running task, nothing is kept with it, no task is
 * left in it and nobody is cancelled. Returns whether it did. */
static int l_scope_quit(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  const struct rille_task *task = engine->core.current;
  bool plain = task != NULL && rille_task_block(task) == &scope->core &&
               task->top->by == NULL && scope->core.active == 0 &&
               scope->core.state == RILLE_SCOPE_OPEN && scope->failures == 0 &&
               !scope->starved &&
               lua_getiuservalue(L, 1, RL_SCOPE_INFO) == LUA_TNIL &&
               rille_scope_leave(&scope->core);
  if (plain)
    end_scope(L, engine, scope);
  lua_pushboolean(L, plain);
  return 1;
}

/* finish(s, ok, waited): ends the scope. Returns true if the results of the
 * body stand; nil and an error if it absorbs its own cancellation; else
 * raises: a failure, or the cancellation that comes from outside. */
static int l_scope_finish(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  struct rille_task *task = engine->core.current;
  bool ok = lua_toboolean(L, 2), waited = lua_toboolean(L, 3);
  struct rille_cancel *by, *own = &scope->core.cancel;
  bool raises = false;
  lua_settop(L, 3);
  take_lost(L, engine);
  if (scope->core.state == RILLE_SCOPE_ENDED)
    return lua_pushboolean(L, 1), 1;
  by = task->top->by;
  if (scope->failures > 0) {
    push_failure(L, engine, scope);
    raises = true;
  } else if (scope->starved) {
    lua_pushliteral(L, "not enough memory");
    raises = true;
  } else if (by == own && (!ok || own->delivered)) {
    rl_push_cancellation(L, engine, own);
    if (own->expired)
      lua_getfield(L, -1, "reason");
    task->swallowed = 0;
  } else if (by != NULL && by != own && (!ok || waited)) {
    by->delivered = 1;
    rl_push_cancellation(L, engine, by);
    raises = true;
  }
  end_scope(L, engine, scope);
  if (raises)
    return lua_error(L);
  if (lua_gettop(L) == 3)
    return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

void rl_block_abandon(struct rl_engine *engine, struct rl_task *task) {
  struct rille_scope *scope = rille_task_block(&task->core);
  if (scope == engine->root) {
    engine->orphaned = true;
    engine->root = NULL;
  }
  rille_scope_abandon(scope);
}

/* abandon(): ends the innermost block scope of the running task, which could
 * not be left. */
static int l_scope_abandon(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rille_task *task = engine->core.current;
  if (task != NULL && rille_task_block(task) != NULL)
    rl_block_abandon(engine, rl_task_of(task));
  return 0;
}

/* fail(s, err): a cleanup of the scope has failed. */
static int l_scope_fail(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  rl_check_of(L, engine, 1, &rl_scope_type);
  lua_settop(L, 2);
  rl_push_task(L, engine, rl_task_of(engine->core.current));
  rl_push_failure_text(L, 3, 2);
  rl_scope_note(L, 1, 2, 4);
  return 0;
}

/* grace_left(s): seconds that cleanup may still take; math.huge if the scope
 * is not cancelled. */
static int l_scope_grace_left(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  const struct rille_cancel *by = scope->core.cancel.by;
  int64_t end = by != NULL ? rille_cancel_grace(by) : RILLE_FOREVER;
  if (end != RILLE_FOREVER)
    end -= rille_now(&engine->core);
  rl_push_seconds(L, end > 0 ? end : 0);
  return 1;
}

void rl_open_leave(lua_State *L) {
  static const luaL_Reg inner[] = {{"leave", l_scope_leave},
                                   {"quit", l_scope_quit},
                                   {"finish", l_scope_finish},
                                   {"abandon", l_scope_abandon},
                                   {"fail", l_scope_fail},
                                   {"grace_left", l_scope_grace_left},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
