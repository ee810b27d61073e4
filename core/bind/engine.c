/*
 * engine.c - opening the module on a state and a loop.
 */
#include "bind.h"
#include "sources.h"

const struct rl_type rl_engine_type = {"engine", sizeof(struct rl_engine)};

static const struct rille_hooks hooks = {rl_thread_resume, rl_in_cleanup};

static lua_State *main_thread(lua_State *L) {
  lua_State *main;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

static lua_CFunction base_function(lua_State *L, const char *name) {
  lua_CFunction f;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_GNAME);
  if (lua_istable(L, -1))
    lua_getfield(L, -1, name);
  f = lua_tocfunction(L, -1);
  lua_settop(L, -3);
  return f;
}

/* Pushes a new engine, with its tables, not yet on a loop. */
static struct rl_engine *new_engine(lua_State *L) {
  struct rl_engine *engine =
      lua_newuserdatauv(L, sizeof *engine, RL_ENGINE_SLOTS);
  int index = lua_gettop(L);
  *engine = (struct rl_engine){.type = &rl_engine_type};
  engine->main = engine->from = main_thread(L);
  engine->pcall = base_function(L, "pcall");
  lua_settop(L, index);
  engine->xpcall = base_function(L, "xpcall");
  lua_settop(L, index);
  for (int slot = RL_THREADS; slot <= RL_LUA; slot++) {
    lua_newtable(L);
    lua_setiuservalue(L, index, slot);
  }
  return engine;
}

/* Adds a loader for each of the engine's Lua files to package.preload. */
static void preload_sources(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const struct rille_lua_source *s = rille_lua_sources; s->name != NULL;
       s++) {
    lua_pushfstring(L, "@%s", s->name);
    if (luaL_loadbufferx(L, s->text, s->size, lua_tostring(L, -1), "t") !=
        LUA_OK)
      lua_error(L);
    if (lua_istable(L, -3))
      lua_setfield(L, -3, s->name);
    lua_settop(L, -2);
  }
  lua_pop(L, 1);
}

/* Runs lua/rille/scope.lua with the module and the C part's table. */
static void open_lua_part(lua_State *L, int module, int engine) {
  const struct rille_lua_source *s = rille_lua_sources;
  for (; s->name != NULL; s++) {
    if (s->start == 0)
      continue;
    lua_pushfstring(L, "@%s", s->name);
    if (luaL_loadbufferx(L, s->text, s->size, lua_tostring(L, -1), "t") !=
        LUA_OK)
      lua_error(L);
    lua_pushvalue(L, module);
    lua_getiuservalue(L, engine, RL_LUA);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
  }
}

/* Fills the module, at -2, from all files of the binding; the engine is at
 * -1. */
static void open_types(lua_State *L) {
  static void (*const openers[])(lua_State *) = {
      rl_open_error,     rl_thread_open,  rl_open_scope, rl_open_task,
      rl_open_channel,   rl_open_select,  rl_open_timer, rl_open_await,
      rl_open_coroutine, rl_open_dump,    rl_open_luv,   rl_open_run};
  for (size_t i = 0; i < sizeof openers / sizeof *openers; i++)
    openers[i](L);
}

/* open(loop): makes the engine of this state; returns a status. */
static int open_engine(lua_State *L) {
  uv_loop_t *loop = lua_touserdata(L, 1);
  struct rl_engine *engine;
  int status;
  lua_settop(L, 0);
  lua_newtable(L);
  engine = new_engine(L);
  lua_pushvalue(L, 2);
  rl_keep_engine(L);
  open_types(L);
  lua_getiuservalue(L, 2, RL_TOP);
  status = rille_engine_open(
      &engine->core, loop != NULL ? loop : rl_luv_loop(L), &hooks,
      &((struct rl_scope *)lua_touserdata(L, -1))->core);
  engine->core.host_loop = loop != NULL;
  if (status == 0) {
    lua_pushliteral(L, RILLE_VERSION);
    lua_setfield(L, 1, "version");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, RL_MODULE);
    open_lua_part(L, 1, 2);
    preload_sources(L);
  }
  lua_pushinteger(L, status);
  return 1;
}

static int open_on(lua_State *L, uv_loop_t *loop) {
  int status;
  lua_pushcfunction(L, open_engine);
  lua_pushlightuserdata(L, loop);
  lua_call(L, 1, 1);
  status = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return status;
}

static void push_module(lua_State *L) {
  rl_push_engine(L);
  lua_getiuservalue(L, -1, RL_MODULE);
  lua_replace(L, -2);
}

int rille_open(lua_State *L, uv_loop_t *loop) {
  int status;
  if (rl_engine_find(L) != NULL)
    return UV_EEXIST;
  status = open_on(L, loop);
  if (status < 0)
    return status;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  push_module(L);
  lua_setfield(L, -2, "rille");
  lua_pop(L, 1);
  return 0;
}

int luaopen_rille(lua_State *L) {
  int status = rl_engine_find(L) == NULL ? open_on(L, NULL) : 0;
  if (status < 0)
    luaL_error(L, "the engine cannot be opened: %s", uv_strerror(status));
  push_module(L);
  return 1;
}

uv_loop_t *rille_loop(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  return engine != NULL ? rille_loop_uv(&engine->core) : NULL;
}
