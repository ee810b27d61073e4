/*
 * scope.c - scopes, as Lua sees them: what the failure of a task means.
 *
 * How a scope is opened is block.c's, how tasks are started in it start.c's,
 * how it is left leave.c's. What people and programs ask of a scope after its
 * end is kept in its info table; see enum rl_scope_slot.
 */
#include "bind.h"
#include <stdio.h>

void rl_push_scope(lua_State *L, struct rl_engine *engine,
                   struct rille_scope *scope) {
  rl_push_slot(L, engine, RL_SCOPES);
  lua_rawgetp(L, -1, rl_scope_of(scope));
  lua_replace(L, -2);
}

void rl_push_scope_info(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (lua_getiuservalue(L, index, RL_SCOPE_INFO) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, index, RL_SCOPE_INFO);
}

const char *rl_push_scope_name(lua_State *L, int index) {
  const struct rl_scope *scope = lua_touserdata(L, index);
  if (lua_getiuservalue(L, index, RL_SCOPE_INFO) == LUA_TTABLE) {
    lua_getfield(L, -1, "name");
    lua_replace(L, -2);
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushfstring(L, "scope#%d", (int)scope->core.id);
  }
  return lua_tostring(L, -1);
}

void rl_scope_note(lua_State *L, int index, int error, int trace) {
  struct rl_scope *scope = lua_touserdata(L, index);
  if (scope->report) { /* nobody will ever leave it: tell now */
    fprintf(stderr, "rille: %s\n", lua_tostring(L, trace));
    return;
  }
  rl_push_scope_info(L, index);
  luaL_getsubtable(L, -1, "errors");
  luaL_getsubtable(L, -2, "traces");
  lua_pushvalue(L, trace);
  lua_rawseti(L, -2, scope->failures + 1);
  lua_pushvalue(L, error);
  lua_rawseti(L, -3, scope->failures + 1);
  scope->failures++; /* counted when both are there */
  lua_pop(L, 3);
}

void rl_scope_set_reason(lua_State *L, int index, int reason) {
  const struct rl_scope *scope = lua_touserdata(L, index);
  if (scope->core.cancel.called || lua_isnoneornil(L, reason))
    return;
  rl_push_scope_info(L, index);
  lua_pushvalue(L, reason);
  lua_setfield(L, -2, "reason");
  lua_pop(L, 1);
}

void rl_scope_fail(lua_State *L, struct rl_engine *engine, int index, int error,
                   int trace) {
  struct rl_scope *scope = lua_touserdata(L, index);
  rl_scope_note(L, index, error, trace);
  if (scope->keep_going || scope->core.state == RILLE_SCOPE_ENDED)
    return;
  rl_scope_set_reason(L, index, error);
  rille_cancel_call(&engine->core, &scope->core.cancel);
}

void rl_scope_starve(struct rl_engine *engine, struct rille_scope *core) {
  struct rl_scope *scope = rl_scope_of(core);
  if (scope->report)
    fprintf(stderr, "rille: not enough memory\n");
  scope->starved = true;
  if (!scope->keep_going)
    rille_cancel_call(&engine->core, &scope->core.cancel);
}

void rl_scope_check_open(lua_State *L, struct rl_engine *engine, int index) {
  const struct rl_scope *scope = lua_touserdata(L, index);
  if (RL_LIKELY(scope->core.state != RILLE_SCOPE_ENDED))
    return;
  rl_push_scope_name(L, index);
  rl_push_error(L, engine, "closed", "%s has ended", lua_tostring(L, -1));
  lua_error(L);
}

struct rl_scope *rl_check_open(lua_State *L, struct rl_engine *engine) {
  struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  rl_scope_check_open(L, engine, 1);
  return scope;
}

struct rl_scope *rl_scope_new(lua_State *L, struct rl_engine *engine) {
  struct rl_scope *scope = lua_newuserdatauv(L, sizeof *scope, RL_SCOPE_SLOTS);
  *scope = (struct rl_scope){.head = rl_head(engine, &rl_scope_type)};
  scope->core.grace = RL_GRACE;
  rl_push_slot(L, engine, RL_SCOPE_META);
  lua_setmetatable(L, -2);
  return scope;
}

void rl_scope_anchor(lua_State *L, struct rl_engine *engine, int index) {
  rl_push_slot(L, engine, RL_SCOPES);
  lua_pushvalue(L, index);
  lua_rawsetp(L, -2, lua_touserdata(L, index));
  lua_pop(L, 1);
}

/*** Scopes.
@type scope */

/***
Cancels the scope: its tasks and its body, at their suspension points. Never
suspends; idempotent.
@function scope:cancel
@param[opt] reason any value
*/
static int l_scope_cancel(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  lua_settop(L, 2);
  if (scope->core.state == RILLE_SCOPE_ENDED)
    return 0;
  rl_scope_set_reason(L, 1, 2);
  rille_cancel_call(&engine->core, &scope->core.cancel);
  return 0;
}

/***
@function scope:cancelled
@treturn boolean true as soon as it or an ancestor is cancelled
@return the reason
*/
static int l_scope_cancelled(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  struct rille_cancel *node = &scope->core.cancel;
  lua_pushboolean(L, node->by != NULL);
  if (node->by == NULL)
    return 1;
  if (scope->core.state == RILLE_SCOPE_ENDED)
    rl_push_scope_info(L, 1);
  else
    rl_push_cancellation(L, engine, node->by);
  lua_getfield(L, -1, "reason");
  lua_replace(L, -2);
  return 2;
}

/***
@function scope:name
@treturn string the name it was given, or `scope#n`
*/
static int l_scope_name(lua_State *L) {
  rl_check(L, 1, &rl_scope_type);
  rl_push_scope_name(L, 1);
  return 1;
}

/***
@function scope:parent
@return the scope that it is in, or nil
*/
static int l_scope_parent(lua_State *L) {
  const struct rl_scope *scope = rl_check(L, 1, &rl_scope_type);
  lua_getiuservalue(L, 1, RL_SCOPE_PARENT);
  if (scope->core.parent != NULL && scope->core.parent->parent == NULL)
    lua_pushnil(L); /* the root: what is above it is the engine's */
  return 1;
}

/***
@function scope:deadline
@treturn number its own deadline or an earlier one above it, a `rille.now()`
time in seconds; nil without one
*/
static int l_scope_deadline(lua_State *L) {
  const struct rl_scope *scope = rl_check(L, 1, &rl_scope_type);
  int64_t deadline = rille_scope_deadline(&scope->core);
  if (deadline == RILLE_FOREVER)
    lua_pushnil(L);
  else
    rl_push_seconds(L, deadline);
  return 1;
}

/***
Moves the scope's own deadline; one that has passed cancels. Never suspends.
@function scope:set_deadline
@tparam number t a `rille.now()` time in seconds, math.huge for none
*/
static int l_scope_set_deadline(lua_State *L) {
  struct rl_scope *scope = rl_check_open(L, rl_engine(L));
  int64_t deadline = rl_check_instant(L, 2);
  rille_scope_set_deadline(&scope->core, deadline);
  return 0;
}

/***
@function scope:active
@treturn integer its tasks that have not ended, daemons included
*/
static int l_scope_active(lua_State *L) {
  const struct rl_scope *scope = rl_check(L, 1, &rl_scope_type);
  lua_pushinteger(L, scope->core.active);
  return 1;
}

/***
@function scope:errors
@treturn table every failure so far, the first one first; `n` is their number
*/
static int l_scope_errors(lua_State *L) {
  const struct rl_scope *scope = rl_check(L, 1, &rl_scope_type);
  lua_settop(L, 1);
  rl_push_scope_info(L, 1);
  lua_getfield(L, 2, "errors");
  lua_createtable(L, (int)scope->failures, 1);
  for (uint32_t i = 1; i <= scope->failures; i++) {
    lua_rawgeti(L, 3, i);
    lua_rawseti(L, 4, i);
  }
  lua_pushinteger(L, scope->failures);
  lua_setfield(L, 4, "n");
  return 1;
}

static int l_scope_tostring(lua_State *L) {
  static const char *const states[] = {"open", "closing", "ended"};
  const struct rl_scope *scope = rl_check(L, 1, &rl_scope_type);
  lua_pushfstring(L, "rille.scope: %s (%s%s)", rl_push_scope_name(L, 1),
                  states[scope->core.state],
                  scope->core.cancel.by != NULL ? ", cancelled" : "");
  return 1;
}

/***
@function root
@return the root scope, or nil where none is open
*/
static int l_scope_root(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  if (engine->root == NULL)
    return lua_pushnil(L), 1;
  rl_push_scope(L, engine, engine->root);
  return 1;
}

const struct rl_type rl_scope_type = {"scope", sizeof(struct rl_scope), NULL,
                                      NULL};

/* Makes the scope at the top of all others. */
static void open_top(lua_State *L) {
  struct rl_engine *engine = lua_touserdata(L, -1);
  struct rl_scope *top = rl_scope_new(L, engine);
  top->report = true;
  top->keep_going = true;
  rl_push_scope_info(L, -1);
  lua_pushliteral(L, "root");
  lua_setfield(L, -2, "name");
  lua_pop(L, 1);
  rl_scope_anchor(L, engine, lua_gettop(L));
  lua_setiuservalue(L, -2, RL_TOP);
}

void rl_open_scope(lua_State *L) {
  static const luaL_Reg methods[] = {{"cancel", l_scope_cancel},
                                     {"cancelled", l_scope_cancelled},
                                     {"name", l_scope_name},
                                     {"parent", l_scope_parent},
                                     {"deadline", l_scope_deadline},
                                     {"set_deadline", l_scope_set_deadline},
                                     {"active", l_scope_active},
                                     {"errors", l_scope_errors},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_scope_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"root", l_scope_root}, {NULL, NULL}};
  rl_new_type(L, RL_SCOPE_META, "scope", methods, meta);
  rl_add_functions(L, functions);
  open_top(L);
}
