/*
 * engine.c - opening the module on a state and a loop.
 */
#include "bind.h"
#include "sources.h"
#include <string.h>

const struct rl_type rl_engine_type = {"engine", sizeof(struct rl_engine), NULL,
                                       NULL};

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
  const struct rl_engine *last = rl_engine_find(L);
  int index = lua_gettop(L);
  *engine = (struct rl_engine){.type = &rl_engine_type,
                               .number = last != NULL ? last->number + 1 : 1};
  engine->main = engine->from = main_thread(L);
  rl_add_protector(engine, base_function(L, "pcall"), 2);
  lua_settop(L, index);
  rl_add_protector(engine, base_function(L, "xpcall"), 4);
  lua_settop(L, index);
  for (int slot = RL_OWNED; slot <= RL_LUA; slot++) {
    lua_newtable(L);
    lua_setiuservalue(L, index, slot);
  }
  return engine;
}

/* Pushes the Lua file `name` of the engine's, as a function. */
static void push_source(lua_State *L, const char *name) {
  const struct rille_lua_source *source = rille_lua_sources;
  while (source->name != NULL && strcmp(source->name, name) != 0)
    source++;
  if (source->name == NULL)
    luaL_error(L, "no such part: %s", name);
  lua_pushfstring(L, "@%s", name);
  if (luaL_loadbufferx(L, source->text, source->size, lua_tostring(L, -1),
                       "t") != LUA_OK)
    lua_error(L);
  lua_replace(L, -2);
}

/* The part `name`, at 1, has raised the error at the top while it was loaded:
 * what it has defined by then is taken back, so that it can be loaded anew. */
static void forget_part(lua_State *L) {
  if (lua_getfield(L, 2, "forget") == LUA_TFUNCTION) {
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
  } else {
    lua_pop(L, 1);
  }
  lua_error(L);
}

/* load(name): runs one of the engine's Lua files, a part, with the module and
 * the C part's functions. Returns what it returns, which is kept. */
static int l_load(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  rl_push_slot(L, engine, RL_LUA);
  lua_getfield(L, 2, "parts");
  if (lua_getfield(L, 3, name) != LUA_TNIL)
    return 1;
  push_source(L, name);
  rl_push_slot(L, engine, RL_MODULE);
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK)
    forget_part(L);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushboolean(L, 1);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, 3, name);
  return 1;
}

/* Makes every part known to `require`, in place of those of an engine that is
 * closed, and runs the first of them. */
static void open_parts(lua_State *L, int engine) {
  const struct rille_lua_source *source = rille_lua_sources;
  int top = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_newtable(L);
  lua_setfield(L, top + 2, "parts");
  lua_pushvalue(L, engine);
  lua_pushcclosure(L, l_load, 1);
  lua_setfield(L, top + 2, "load");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (; source->name != NULL; source++) {
    lua_getfield(L, top + 2, "load");
    lua_setfield(L, -2, source->name);
    lua_pushnil(L);
    lua_setfield(L, top + 1, source->name);
  }
  lua_getfield(L, top + 2, "load");
  lua_pushliteral(L, "rille.init");
  lua_call(L, 1, 0);
  lua_settop(L, top);
}

/* Fills the module, at -2, from all files of the binding; the engine is at
 * -1. */
static void open_types(lua_State *L) {
  static void (*const openers[])(lua_State *) = {
      rl_open_argument,    rl_open_traceback,    rl_open_helpers,
      rl_open_error,       rl_open_protect,      rl_thread_open,
      rl_open_scope,       rl_open_start,        rl_open_block,
      rl_open_leave,       rl_open_task,         rl_open_channel,
      rl_open_broadcast,   rl_open_subscription, rl_open_select,
      rl_open_timer,       rl_open_await,        rl_open_coroutine,
      rl_open_dump,        rl_open_poll,         rl_open_semaphore,
      rl_open_bulkhead,    rl_open_mutex,        rl_open_rwlock,
      rl_open_event,       rl_open_breaker,      rl_open_limiter,
      rl_open_retry,       rl_open_budget,       rl_open_socket,
      rl_open_inlet,       rl_open_testing,      rl_open_luv,
      rl_open_curl,        rl_open_run,          rl_open_stack,
      rl_open_http_parser, rl_open_trace,
  };
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
  status = rille_engine_open(&engine->core,
                             loop != NULL ? loop : rl_luv_loop(L), &hooks,
                             &((struct rl_scope *)lua_touserdata(L, -1))->core);
  engine->core.host_loop = loop != NULL;
  if (status == 0) {
    rl_luv_follow(L, engine);
    lua_pushliteral(L, RILLE_VERSION);
    lua_setfield(L, 1, "version");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, RL_MODULE);
    open_parts(L, 2);
  }
  lua_pushinteger(L, status);
  return 1;
}

/* Whether L's engine is open, or closed but still on the C stack: 0, or
 * UV_E*. */
static int check_no_engine(lua_State *L) {
  const struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL)
    return 0;
  if (engine->core.loop != NULL)
    return UV_EEXIST;
  return engine->run != NULL || engine->core.current != NULL ? UV_EBUSY : 0;
}

/* An opening that has failed half-way leaves a closed engine: the next call
 * opens another one. */
static int open_on(lua_State *L, uv_loop_t *loop) {
  int status, raised;
  lua_pushcfunction(L, open_engine);
  lua_pushlightuserdata(L, loop);
  raised = lua_pcall(L, 1, 1, 0);
  status = raised ? 0 : (int)lua_tointeger(L, -1);
  if (raised || status < 0)
    rille_close(L);
  if (raised)
    lua_error(L);
  lua_pop(L, 1);
  return status;
}

static void push_module(lua_State *L) {
  rl_push_engine(L);
  lua_getiuservalue(L, -1, RL_MODULE);
  lua_replace(L, -2);
}

int rille_open(lua_State *L, uv_loop_t *loop) {
  int status = check_no_engine(L);
  if (status == 0)
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
  int status = check_no_engine(L);
  if (status == 0)
    status = open_on(L, NULL);
  if (status < 0 && status != UV_EEXIST)
    luaL_error(L, "the engine cannot be opened: %s", uv_strerror(status));
  push_module(L);
  return 1;
}

uv_loop_t *rille_loop(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  return engine != NULL ? rille_loop_uv(&engine->core) : NULL;
}
