/*
 * testing.c - what tests ask of the engine: rest, and what is still alive.
 *
 * The rest of the test kit is Lua's (lua/rille/testing.lua).
 */
#include "bind.h"

static int all_blocked_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, all_blocked_k);
  return 0;
}

/* wait_all_blocked(): suspends until no task is ready to run. */
static int l_wait_all_blocked(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task = rl_enter(L, engine);
  return rl_wait_one(L, task, &engine->core.quiet, 0, 0, all_blocked_k);
}

/* Adds {kind=, name=, object=} to the list at `list`; the object is at the
 * top and its name below it: both are popped. */
static void add_live(lua_State *L, int list, const char *kind) {
  lua_createtable(L, 0, 3);
  lua_insert(L, -3);
  lua_setfield(L, -3, "object");
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

static void add_tasks(lua_State *L, struct rl_engine *engine, int list,
                      const struct rille_scope *scope) {
  struct rille_task *task = NULL;
  while ((task = rille_scope_next_task(scope, task)) != NULL) {
    if (task == engine->core.current)
      continue;
    rl_push_task(L, engine, rl_task_of(task));
    rl_push_task_name(L, lua_gettop(L));
    lua_insert(L, -2);
    add_live(L, list, "task");
  }
}

static bool encloses(const struct rille_engine *engine,
                     const struct rille_scope *scope) {
  const struct rille_scope *inner =
      engine->current != NULL ? rille_task_innermost(engine->current) : NULL;
  while (inner != NULL && inner != scope)
    inner = inner->parent;
  return inner != NULL;
}

/* Every scope in the engine's table of open ones. */
static void add_scopes(lua_State *L, struct rl_engine *engine, int list) {
  rl_push_slot(L, engine, RL_SCOPES);
  lua_pushnil(L);
  while (lua_next(L, list + 1) != 0) {
    struct rl_scope *scope = lua_touserdata(L, -1);
    add_tasks(L, engine, list, &scope->core);
    if (&scope->core == engine->core.top ||
        scope->core.state == RILLE_SCOPE_ENDED ||
        encloses(&engine->core, &scope->core)) {
      lua_pop(L, 1);
      continue;
    }
    rl_push_scope_name(L, lua_gettop(L));
    lua_insert(L, -2);
    add_live(L, list, "scope");
  }
  lua_pop(L, 1);
}

static void add_handle(const char *type, void *data) {
  lua_State *L = data;
  lua_pushstring(L, type);
  lua_pushnil(L);
  add_live(L, 1, "handle");
}

/* live(): a list of {kind=, name=, object=}: the tasks but for the running
 * one, the open scopes but for those it is in, the open libuv handles. */
static int l_live(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  lua_settop(L, 0);
  lua_newtable(L);
  add_scopes(L, engine, 1);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  rille_loop_handles(&engine->core, add_handle, L);
  return 1;
}

void rl_open_testing(lua_State *L) {
  static const luaL_Reg inner[] = {
      {"wait_all_blocked", l_wait_all_blocked}, {"live", l_live}, {NULL, NULL}};
  rl_add_inner(L, inner);
}
