/*
 * error.c - error objects.
 *
 * An error of the engine is a table {kind=, message=, ...} with one metatable.
 * The cancellation of a scope or a task is made once and known by its
 * identity, so that nobody can forge or mistake it; it costs no traceback.
 */
#include "bind.h"
#include <stdarg.h>
#include <string.h>

void rl_push_error(lua_State *L, struct rl_engine *engine, const char *kind,
                   const char *format, ...) {
  va_list args;
  lua_createtable(L, 0, 4);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  lua_setfield(L, -2, "message");
  rl_push_slot(L, engine, RL_ERROR_META);
  lua_setmetatable(L, -2);
}

bool rl_is_error(lua_State *L, struct rl_engine *engine, int index,
                 const char *kind) {
  bool is;
  index = lua_absindex(L, index);
  if (!lua_istable(L, index) || !lua_getmetatable(L, index))
    return false;
  rl_push_slot(L, engine, RL_ERROR_META);
  is = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  if (!is || kind == NULL)
    return is;
  lua_pushstring(L, "kind");
  lua_rawget(L, index);
  is = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), kind) == 0;
  lua_pop(L, 1);
  return is;
}

static int tostring_value(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

void rl_push_text(lua_State *L, int index) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 5, NULL);
  lua_pushcfunction(L, tostring_value);
  lua_pushvalue(L, index);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK)
    return;
  lua_pop(L, 1);
  lua_pushfstring(L, "%s: %p (its __tostring raises)", luaL_typename(L, index),
                  lua_topointer(L, index));
}

/* Pushes the timeout error that is the reason of a passed deadline. */
static void push_timeout(lua_State *L, struct rl_engine *engine, int scope) {
  rl_push_scope_name(L, scope);
  rl_push_error(L, engine, "timeout", "%s timed out", lua_tostring(L, -1));
  lua_remove(L, -2);
  lua_pushvalue(L, scope);
  lua_setfield(L, -2, "scope");
}

/* Makes the error at the top, and its reason below it, into a cancellation
 * that is kept in the info table below both. */
static void keep_cancellation(lua_State *L, struct rille_cancel *node) {
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "reason");
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "cancelled");
  node->error = lua_topointer(L, -1); /* it is there for sure */
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* `name` is the text at -2, the reason is at -1 below: builds the error. */
static void push_cancelled_error(lua_State *L, struct rl_engine *engine,
                                 const char *name) {
  int reason = lua_gettop(L);
  if (lua_isnil(L, reason)) {
    rl_push_error(L, engine, "cancelled", "%s was cancelled", name);
    return;
  }
  rl_push_text(L, reason);
  rl_push_error(L, engine, "cancelled", "%s was cancelled: %s", name,
                lua_tostring(L, -1));
  lua_remove(L, -2);
}

static void push_scope_cancellation(lua_State *L, struct rl_engine *engine,
                                    struct rille_cancel *node) {
  struct rille_scope *scope = RILLE_ENTRY(node, struct rille_scope, cancel);
  int base = lua_gettop(L);
  rl_push_scope(L, engine, scope);
  rl_push_scope_info(L, base + 1);
  if (node->expired)
    push_timeout(L, engine, base + 1);
  else
    lua_getfield(L, base + 2, "reason");
  rl_push_scope_name(L, base + 1);
  lua_insert(L, base + 2);
  push_cancelled_error(L, engine, lua_tostring(L, base + 2));
  lua_pushvalue(L, base + 1);
  lua_setfield(L, -2, "scope");
  keep_cancellation(L, node);
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
}

static void push_task_cancellation(lua_State *L, struct rl_engine *engine,
                                   struct rille_cancel *node) {
  struct rille_task *task = RILLE_ENTRY(node, struct rille_task, own);
  int base = lua_gettop(L);
  rl_push_task(L, engine, rl_task_of(task));
  rl_push_task_name(L, base + 1);
  rl_push_task_info(L, base + 1);
  lua_getfield(L, base + 3, "reason");
  push_cancelled_error(L, engine, lua_tostring(L, base + 2));
  lua_getiuservalue(L, base + 1, RL_TASK_SCOPE);
  lua_setfield(L, -2, "scope");
  keep_cancellation(L, node);
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
}

/* Pushes the cancellation that was made before. */
static void push_kept(lua_State *L, struct rl_engine *engine,
                      struct rille_cancel *node) {
  if (node->owner == RILLE_OWNER_SCOPE) {
    rl_push_scope(L, engine, RILLE_ENTRY(node, struct rille_scope, cancel));
    rl_push_scope_info(L, lua_gettop(L));
  } else {
    rl_push_task(L, engine,
                 rl_task_of(RILLE_ENTRY(node, struct rille_task, own)));
    rl_push_task_info(L, lua_gettop(L));
  }
  lua_getfield(L, -1, "cancelled");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

void rl_push_cancellation(lua_State *L, struct rl_engine *engine,
                          struct rille_cancel *node) {
  luaL_checkstack(L, 12, NULL);
  if (node->error != NULL)
    push_kept(L, engine, node);
  else if (node->owner == RILLE_OWNER_SCOPE)
    push_scope_cancellation(L, engine, node);
  else
    push_task_cancellation(L, engine, node);
}

bool rl_is_cancellation(lua_State *L, const struct rille_task *task,
                        int index) {
  const void *error = lua_topointer(L, index);
  if (error == NULL || !lua_istable(L, index))
    return false;
  /* The walk is long in a deep tree: it is for the few that have raised one
   * cancellation and met another. */
  if (task->top->by != NULL && task->top->by->error == error)
    return true;
  if (!rl_is_error(L, rl_engine_of(task->scope->engine), index, "cancelled"))
    return false;
  for (const struct rille_cancel *node = task->top; node != NULL;
       node = rille_cancel_parent(node))
    if (node->error == error)
      return true;
  /* A block with a parent elsewhere hangs in the tree at two places. */
  for (const struct rille_scope *block = rille_task_block(task); block != NULL;
       block = rille_scope_under(block))
    for (const struct rille_cancel *node = &block->cancel; node != NULL;
         node = rille_cancel_parent(node))
      if (node->error == error)
        return true;
  return false;
}

/***
True if `e` is an error object of the engine. Never suspends.
@function is_error
@param e any value
@tparam[opt] string kind of this kind only
@treturn boolean
@usage if rille.is_error(err, "timeout") then retry() end
*/
static int l_error_is(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2))
    rl_check_type(L, 2, LUA_TSTRING);
  lua_pushboolean(L, rl_is_error(L, rl_engine(L), 1, lua_tostring(L, 2)));
  return 1;
}

/***
True if `err` is the cancellation of a scope that the running task is still
in, or of the task itself. Never suspends.
@function is_cancellation
@param err any value
@treturn boolean
@usage if rille.is_cancellation(err) then error(err, 0) end
*/
static int l_error_is_cancellation(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  luaL_checkany(L, 1);
  lua_pushboolean(L, engine->core.current != NULL &&
                         rl_is_cancellation(L, engine->core.current, 1));
  return 1;
}

/* For the Lua part: error(kind, message, fields) makes an error object. */
static int l_error_new(lua_State *L) {
  lua_settop(L, 3);
  rl_push_error(L, rl_engine(L), luaL_checkstring(L, 1), "%s",
                luaL_checkstring(L, 2));
  if (lua_isnil(L, 3))
    return 1;
  lua_pushnil(L);
  while (lua_next(L, 3) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 4);
  }
  return 1;
}

static int l_error_tostring(lua_State *L) {
  const char *message = NULL;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushstring(L, "message");
  if (lua_rawget(L, 1) == LUA_TSTRING)
    message = lua_tostring(L, -1);
  lua_pushstring(L, "kind");
  if (lua_rawget(L, 1) != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushstring(L, "error");
  }
  lua_pushfstring(L, "%s: %s", lua_tostring(L, -1),
                  message != NULL ? message : "(no message)");
  return 1;
}

/* "failed: " .. err is what one writes where errors are strings. */
static int l_error_concat(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  for (int i = 1; i <= 2; i++)
    if (!lua_isstring(L, i) && !rl_is_error(L, engine, i, NULL))
      rl_error(L, "attempt to concatenate a %s value", luaL_typename(L, i));
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

void rl_open_error(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_error_tostring},
                                  {"__concat", l_error_concat},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"is_error", l_error_is},
      {"is_cancellation", l_error_is_cancellation},
      {NULL, NULL}};
  static const luaL_Reg inner[] = {{"error", l_error_new}, {NULL, NULL}};
  rl_new_type(L, RL_ERROR_META, "error", none, meta);
  rl_add_functions(L, functions);
  rl_add_inner(L, inner);
}
