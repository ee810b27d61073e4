/*
 * luv.c - one loop for luv and the engine, whichever is loaded first.
 *
 * A luv that is already there has a loop, which the engine takes: it is the
 * first field of the context that luv keeps in the registry. Otherwise the
 * engine has the loop, and luv is told of it before it opens, by a preload
 * function. luv is found by its name and never linked to.
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

uv_loop_t *rl_luv_loop(lua_State *L) {
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

/* run(mode): luv's own, unless the engine runs the loop already: libuv cannot
 * do so twice. The upvalues are the engine and luv's function. */
static int l_luv_run(lua_State *L) {
  if (rille_loop_running(&rl_engine(L)->core)) {
    lua_pushnil(L);
    lua_pushliteral(L, "loop already running");
    return 2;
  }
  lua_pushvalue(L, lua_upvalueindex(2));
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
 * top. */
static void guard_luv(lua_State *L) {
  rl_push_engine(L);
  lua_getfield(L, -2, "run");
  lua_pushcclosure(L, l_luv_run, 2);
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
  if (lua_type(L, -1) != LUA_TSTRING)
    rl_error(L, "luv is not installed; install the package lua-luv");
  return lua_tostring(L, -1);
}

/* preload: opens luv on the engine's loop. */
static int l_luv_open(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const char *path = push_path(L);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  set_loop_fn *set_loop;
  lua_CFunction open;
  if (library == NULL)
    rl_error(L, "luv cannot be loaded: %s", dlerror());
  *(void **)&set_loop = dlsym(library, "luv_set_loop");
  *(void **)&open = dlsym(library, "luaopen_luv");
  if (set_loop == NULL || open == NULL)
    rl_error(L, "%s is not a luv that can share its loop", path);
  set_loop(engine->main, rille_loop_uv(&engine->core));
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
  loop = rl_luv_loop(L);
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
  lua_getiuservalue(L, engine, RL_LUA);
  lua_pushvalue(L, engine);
  rl_add_functions(L, inner);
  lua_settop(L, engine);
}
