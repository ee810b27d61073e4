/*
 * protect.c - calling a user's function under protection.
 *
 * Whoever calls a function of the user's and must see its end, as a policy
 * does, calls it here. The caller's frame then is
 *
 *     1 self   2 message handler   3 function   4 ... arguments
 *
 * and the handler notes where an error began, so that raising it anew, as it
 * was, loses nothing. Who has only something to give back at the end does
 * without: see permit.c.
 */
#include "bind.h"
#include <assert.h>

/* The key, in an error object of kind `closed`, that says it was raised. */
static const char raised_key = 0;

void rl_add_protector(struct rl_engine *engine, lua_CFunction caller,
                      int slot) {
  struct rl_protector *next = &engine->protectors[engine->protectors_count];
  assert(engine->protectors_count < RL_PROTECTORS);
  engine->protectors_count++;
  next->caller = caller;
  next->slot = slot;
}

int rl_protected_slot(const struct rl_engine *engine, lua_CFunction caller) {
  for (int i = 0; caller != NULL && i < engine->protectors_count; i++)
    if (engine->protectors[i].caller == caller)
      return engine->protectors[i].slot;
  return 0;
}

int rl_protect(lua_State *L, struct rl_engine *engine, lua_KContext ctx,
               lua_KFunction k) {
  rl_push_slot(L, engine, RL_HANDLER);
  lua_insert(L, 2);
  return k(L, lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, ctx, k), ctx);
}

void rl_call_hook(lua_State *L, const char *name, int count) {
  if (lua_pcall(L, count, 0, 0) == LUA_OK)
    return;
  rl_push_text(L, -1);
  lua_warning(L, "rille: the hook ", 1);
  lua_warning(L, name, 1);
  lua_warning(L, " raised: ", 1);
  lua_warning(L, lua_tostring(L, -1), 0);
  lua_pop(L, 2);
}

/* A `closed` that was raised and caught is a failure however it goes on: a
 * policy, say, returns it to the policy around it. */
static void mark_raised(lua_State *L, struct rl_engine *engine, int index) {
  if (!rl_is_error(L, engine, index, "closed"))
    return;
  lua_pushboolean(L, 1);
  lua_rawsetp(L, index, &raised_key);
}

/* True if a call that returned the error at `index` has come to an ordinary
 * end. */
static bool is_end(lua_State *L, struct rl_engine *engine, int index) {
  bool raised;
  if (!rl_is_error(L, engine, index, "closed"))
    return false;
  raised = lua_rawgetp(L, index, &raised_key) != LUA_TNIL;
  lua_pop(L, 1);
  return !raised;
}

bool rl_returned_failure(lua_State *L, struct rl_engine *engine, int base) {
  return lua_gettop(L) > base && !lua_toboolean(L, base) &&
         !lua_isnil(L, base + 1) && !is_end(L, engine, base + 1);
}

/* The message handler: notes the traceback of a raised error, once for each,
 * with the running task. A cancellation gets none. */
static int note_traceback(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  struct rille_task *task = engine != NULL ? engine->core.current : NULL;
  const struct rille_cancel *by = task != NULL ? task->top->by : NULL;
  lua_settop(L, 1);
  if (engine != NULL)
    mark_raised(L, engine, 1);
  if (task == NULL ||
      (by != NULL && by->error != NULL && by->error == lua_topointer(L, 1)))
    return 1;
  rl_push_task(L, engine, rl_task_of(task));
  rl_push_task_info(L, 2);
  lua_getfield(L, 3, "noted");
  lua_getfield(L, 3, "trace");
  lua_getfield(L, 3, "text");
  if (lua_rawequal(L, 1, 4) && !(lua_isnil(L, 5) && lua_isnil(L, 6)))
    return lua_settop(L, 1), 1;
  rl_push_traceback(L, L, NULL, 1);
  lua_setfield(L, 3, "trace");
  lua_pushnil(L);
  lua_setfield(L, 3, "text");
  lua_pushvalue(L, 1);
  lua_setfield(L, 3, "noted");
  lua_settop(L, 1);
  return 1;
}

/* noted(): the traceback that was noted last with the running task; or nil and
 * the whole text, when the error came from another one. */
static int l_noted(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  if (engine->core.current == NULL)
    return 0;
  rl_push_task(L, engine, rl_task_of(engine->core.current));
  rl_push_task_info(L, lua_gettop(L));
  lua_getfield(L, -1, "trace");
  lua_getfield(L, -2, "text");
  return 2;
}

/* failed(ok, ...): true if a protected call that gave these values failed. */
static int l_failed(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  bool raised = !lua_toboolean(L, 1);
  if (raised && lua_gettop(L) > 1)
    mark_raised(L, engine, 2);
  lua_pushboolean(L, raised || rl_returned_failure(L, engine, 2));
  return 1;
}

/* hook(name, fn, ...): calls a hook of the user's; see rl_call_hook. */
static int l_hook(lua_State *L) {
  rl_call_hook(L, luaL_checkstring(L, 1), lua_gettop(L) - 2);
  return 0;
}

void rl_open_protect(lua_State *L) {
  static const luaL_Reg inner[] = {
      {"failed", l_failed}, {"hook", l_hook}, {"noted", l_noted}, {NULL, NULL}};
  int engine = lua_gettop(L);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_pushvalue(L, engine);
  lua_pushcclosure(L, note_traceback, 1);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, engine, RL_HANDLER);
  lua_setfield(L, -2, "note_traceback");
  lua_pushvalue(L, engine);
  rl_add_functions(L, inner);
  lua_settop(L, engine);
}
