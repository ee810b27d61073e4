/*
 * luv.c - one loop for luv and the engine, whichever is loaded first.
 *
 * A luv that is already there has a loop, which the engine takes: it is the
 * first field of the context that luv keeps in the registry. Otherwise the
 * engine has the loop, and luv is told of it before it opens, by a preload
 * function. luv is found by its name and never linked to.
 *
 * luv lives as long as the state, and with it the loop that it was told of,
 * which may outlast the engine: the keeper has it then, until the next engine
 * takes it, or lua_close ends it. An engine on another loop takes luv along.
 */
#include "bind.h"
#include <dlfcn.h>
#include <signal.h>
#include <string.h>

/* The beginning of luv_ctx_t, as in luv 1.3x to 1.5x. */
struct luv_context {
  uv_loop_t *loop;
};

typedef void set_loop_fn(lua_State *L, uv_loop_t *loop);

/* A luv that was told of a loop. The keeper is made before any handle of
 * luv's, so at lua_close it is finalized after them. */
struct keeper {
  set_loop_fn *set_loop;
  uv_loop_t *loop; /* of a closed engine, ours to end; or NULL */
  bool gone;       /* it was finalized: an engine that is closed later ends its
                      own loop */
};

static const char keeper_key = 0;

static struct keeper *find_keeper(lua_State *L) {
  struct keeper *keeper;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &keeper_key);
  keeper = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return keeper;
}

static int l_keeper_gc(lua_State *L) {
  struct keeper *keeper = lua_touserdata(L, 1);
  uv_loop_t *loop = keeper->loop;
  if (keeper != find_keeper(L) || keeper->gone) /* called by hand */
    return 0;
  keeper->gone = true;
  keeper->loop = NULL;
  if (loop != NULL)
    rille_loop_end(loop);
  return 0;
}

static struct keeper *make_keeper(lua_State *L) {
  struct keeper *keeper = find_keeper(L);
  if (keeper != NULL)
    return keeper;
  keeper = lua_newuserdatauv(L, sizeof *keeper, 0);
  *keeper = (struct keeper){NULL, NULL, false};
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, l_keeper_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "rille.loop");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &keeper_key);
  return keeper;
}

/* The loop of a luv that is loaded, or NULL. */
static uv_loop_t *context_loop(lua_State *L) {
  struct luv_context *context;
  uv_loop_t *loop = NULL;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "luv");
  lua_getfield(L, LUA_REGISTRYINDEX, "luv_context");
  context = lua_touserdata(L, -1);
  if (lua_istable(L, -2) && lua_type(L, -1) == LUA_TUSERDATA &&
      lua_rawlen(L, -1) >= sizeof *context)
    loop = context->loop;
  lua_pop(L, 3);
  return loop;
}

uv_loop_t *rl_luv_loop(lua_State *L) {
  const struct keeper *keeper = find_keeper(L);
  return keeper != NULL ? keeper->loop : context_loop(L);
}

void rl_luv_follow(lua_State *L, struct rl_engine *engine) {
  const struct keeper *keeper = find_keeper(L);
  if (keeper != NULL && keeper->set_loop != NULL)
    keeper->set_loop(engine->main, rille_loop_uv(&engine->core));
}

void rl_luv_keep(lua_State *L, struct rl_engine *engine) {
  struct keeper *keeper = find_keeper(L);
  if (keeper != NULL && keeper->set_loop != NULL && !keeper->gone &&
      keeper->loop == NULL)
    keeper->loop = rille_loop_release(&engine->core);
}

/* run(mode): luv's own, which is the upvalue, unless the engine runs the loop
 * already: libuv cannot do so twice. */
static int l_luv_run(lua_State *L) {
  const struct rl_engine *engine = rl_engine_find(L);
  if (engine != NULL && rille_loop_running(&engine->core)) {
    lua_pushnil(L);
    lua_pushliteral(L, "loop already running");
    return 2;
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* walk(fn): luv's own takes every handle for one of its own, and ends the
 * process at the first of the engine's. */
static int l_luv_walk(lua_State *L) {
  return luaL_error(L, "uv.walk cannot be used on a loop that is not luv's "
                       "alone; rille.testing.leaks() lists what is open");
}

/* Guards what cannot be called on a shared loop, in the luv module at the
 * top; once. */
static void guard_luv(lua_State *L) {
  lua_getfield(L, -1, "run");
  if (lua_tocfunction(L, -1) == l_luv_run) {
    lua_pop(L, 1);
    return;
  }
  lua_pushcclosure(L, l_luv_run, 1);
  lua_setfield(L, -2, "run");
  lua_pushcfunction(L, l_luv_walk);
  lua_setfield(L, -2, "walk");
}

/* Pushes the path of luv's library, or raises. */
static const char *push_path(lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchpath");
  lua_pushliteral(L, "luv");
  lua_getfield(L, -3, "cpath");
  lua_call(L, 2, 1);
  lua_replace(L, -2);
  if (lua_type(L, -1) != LUA_TSTRING) {
    rl_check_descriptors(L, "luv");
    rl_error(L, "luv is not installed; install the package lua-luv");
  }
  return lua_tostring(L, -1);
}

/* preload: opens luv on the engine's loop. */
static int l_luv_open(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const char *path = push_path(L);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  struct keeper *keeper = make_keeper(L);
  set_loop_fn *set_loop;
  lua_CFunction open;
  if (library == NULL)
    rl_error(L, "luv cannot be loaded: %s", dlerror());
  *(void **)&set_loop = dlsym(library, "luv_set_loop");
  *(void **)&open = dlsym(library, "luaopen_luv");
  if (set_loop == NULL || open == NULL)
    rl_error(L, "%s is not a luv that can share its loop", path);
  set_loop(engine->main, rille_loop_uv(&engine->core));
  keeper->set_loop = set_loop;
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
  guard_luv(L);
  return 1;
}

static void require_luv(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "luv");
  lua_call(L, 1, 1);
}

/***
The luv module, bound to the engine's loop. Never suspends.
@function uv
@return luv
@raise when luv is not installed, or another libuv than the engine's
@usage local uv = rille.uv()
*/
static int l_uv(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  uv_loop_t *loop;
  lua_settop(L, 0);
  require_luv(L);
  loop = context_loop(L);
  if (loop != rille_loop_uv(&engine->core))
    rl_error(L, "luv was loaded on a loop of its own; require \"rille\" "
                "before it, or open the engine on luv's loop");
  lua_getfield(L, 1, "version");
  lua_call(L, 0, 1);
  if (lua_tointeger(L, -1) != (lua_Integer)uv_version())
    rl_error(L, "luv is linked to another libuv than the engine");
  lua_settop(L, 1);
  return 1;
}

/* ignore_default(number): ignores a signal, unless the host has chosen what it
 * does. For those by which a failed write would end the process. */
static int l_ignore_default(lua_State *L) {
  int number = (int)luaL_checkinteger(L, 1);
  struct sigaction action;
  if (sigaction(number, NULL, &action) == 0 &&
      !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL) {
    action.sa_handler = SIG_IGN;
    sigaction(number, &action, NULL);
  }
  return 0;
}

void rl_open_luv(lua_State *L) {
  static const luaL_Reg inner[] = {{"ignore_default", l_ignore_default},
                                   {NULL, NULL}};
  static const luaL_Reg functions[] = {{"uv", l_uv}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_add_functions(L, functions);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  if (lua_istable(L, -1)) {
    lua_pushvalue(L, engine);
    lua_pushcclosure(L, l_luv_open, 1);
    lua_setfield(L, -2, "luv");
  }
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "luv") == LUA_TTABLE)
    guard_luv(L);
  lua_settop(L, engine);
  rl_add_inner(L, inner);
}
