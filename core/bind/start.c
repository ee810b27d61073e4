/*
 * start.c - starting tasks in a scope: supervised ones, whose failure is the
 * scope's, and others, whose failure is a value.
 *
 * A task with policies runs its function inside of them: they are put around it
 * by the Lua part (lua/rille/layers.lua), which is loaded when the first one
 * comes.
 */
#include "bind.h"

static void check_startable(lua_State *L, struct rl_engine *engine,
                            struct rl_scope *scope) {
  if (scope->core.cancel.by == NULL)
    return;
  rl_push_cancellation(L, engine, scope->core.cancel.by);
  lua_error(L);
}

/* For the Lua part: startable(s) raises closed or cancelled when the scope is:
 * nothing can begin in it any more. */
static int l_scope_startable(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  check_startable(L, engine, rl_check_open(L, engine));
  return 0;
}

/* What `go` takes; and what `task` takes beside it, which are policies. */
static const char *const go_options[] = {"name", "daemon", "otel", NULL};
static const char *const task_options[] = {
    "name",  "daemon",          "otel",    "timeout",  "total_timeout",
    "retry", "circuit_breaker", "limiter", "fallback", NULL};
#define FIRST_POLICY 3

/* Lets the Lua part check the `otel` option at the top, of the options at
 * `index` of a function that starts a task. */
static void check_otel(lua_State *L, int index) {
  rl_push_layers(L, rl_engine(L), "check_otel");
  lua_pushstring(L, index == 2 ? "go" : "task");
  lua_pushinteger(L, index - 1);
  lua_pushvalue(L, -4);
  lua_call(L, 3, 0);
}

/* Reads what both take from the options at `index` into `spawn`, and pushes the
 * name, or nil. */
static void read_options(lua_State *L, int index, const char *const names[],
                         struct rl_spawn *spawn) {
  int left = rl_check_options(L, index, names);
  spawn->options_index = index;
  if (rl_option(L, index, "name", LUA_TSTRING) == LUA_TSTRING) {
    spawn->name_index = lua_gettop(L);
    left--;
  }
  if (left == 0) /* as most often */
    return;
  rl_option(L, index, "daemon", LUA_TBOOLEAN);
  spawn->daemon = lua_toboolean(L, -1);
  if (rl_option(L, index, "otel", LUA_TTABLE) == LUA_TTABLE)
    check_otel(L, index);
  lua_pop(L, 2);
}

/***
Starts a supervised task: its failure is the scope's. Never suspends; the
task starts in a later turn.
@function scope:go
@tparam[opt] table opts `name` (string), `daemon` (boolean: the scope does not
wait for it), `otel` (`{name=, attributes=}`, of its span)
@tparam function fn
@param ... its arguments
@return the task
@raise closed or cancelled when the scope is
@usage s:go(function() server:serve() end)
*/
static int l_scope_go(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_spawn spawn = {.scope_index = 1, .supervised = true};
  int type = lua_type(L, 2), fn = type == LUA_TTABLE ? 3 : 2, count;
  spawn.scope = rl_check_open(L, engine);
  if (type != LUA_TFUNCTION)
    rl_check_type(L, fn, LUA_TFUNCTION);
  count = lua_gettop(L) - fn + 1;
  check_startable(L, engine, spawn.scope);
  if (fn == 3) {
    luaL_checkstack(L, count + 8, "too many arguments");
    read_options(L, 2, go_options, &spawn);
    lua_insert(L, 3); /* the name, or nil */
    spawn.name_index = spawn.name_index != 0 ? 3 : 0;
  }
  rl_task_spawn(L, engine, &spawn, count);
  return 1;
}

void rl_push_layers(lua_State *L, struct rl_engine *engine, const char *name) {
  rl_push_slot(L, engine, RL_LUA);
  if (lua_getfield(L, -1, name) == LUA_TNIL) {
    lua_getfield(L, -2, "load");
    lua_pushliteral(L, "rille.layers");
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    lua_getfield(L, -1, name);
  }
  lua_replace(L, -2);
}

/* Replaces the function at 2 by one that runs it under its policies. */
static void add_layers(lua_State *L, struct rl_engine *engine,
                       const struct rl_scope *scope) {
  rl_push_options(L, 3, &task_options[FIRST_POLICY]);
  if (!(scope->layered & RL_POLICIES) && lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return;
  }
  rl_push_layers(L, engine, "add_layers");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rotate(L, -4, -1);
  lua_call(L, 3, 1);
  lua_replace(L, 2);
}

/***
Starts a task whose failure is a value for whoever awaits it. Never suspends.
@function scope:task
@tparam function fn is called with the scope
@tparam[opt] table opts as for `go`, and policies: `timeout` (seconds, each
attempt), `total_timeout` (seconds), `retry` (table), `circuit_breaker`,
`limiter` (table or object), `fallback` (function(err)); false takes a default
of the scope away
@return the task
@raise closed or cancelled when the scope is
@usage local t = s:task(function() return parse(text) end)
*/
static int l_scope_task(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_spawn spawn = {.scope_index = 1};
  spawn.scope = rl_check_open(L, engine);
  if (!lua_isfunction(L, 2))
    rl_check_type(L, 2, LUA_TFUNCTION);
  check_startable(L, engine, spawn.scope);
  if ((spawn.scope->layered & RL_POLICIES) ||
      (lua_gettop(L) > 2 && !lua_isnil(L, 3))) {
    lua_settop(L, 3);
    rl_check_options(L, 3, task_options);
    add_layers(L, engine, spawn.scope);
    read_options(L, 3, task_options, &spawn);
  }
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  rl_task_spawn(L, engine, &spawn, 2);
  return 1;
}

void rl_open_start(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"go", l_scope_go}, {"task", l_scope_task}, {NULL, NULL}};
  static const luaL_Reg inner[] = {{"startable", l_scope_startable},
                                   {NULL, NULL}};
  rl_add_methods(L, RL_SCOPE_META, methods);
  rl_add_inner(L, inner);
}
