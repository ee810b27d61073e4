/*
 * coroutine.c - generators inside tasks.
 *
 * When a coroutine inside a task waits, its yield is the engine's, not the
 * consumer's. resume and wrap know it (rl_engine.waits): they pass it outward
 * and, when the task goes on, resume inward. Every other yield is as stock
 * Lua has it.
 *
 *     task --resume--> generator --sleep--> yields: it waits
 *          <-----------------------------  resume yields it in turn
 */
#include "bind.h"

static int resume_k(lua_State *L, int status, lua_KContext ctx);
static int wrap_k(lua_State *L, int status, lua_KContext ctx);

/* The open engine, or NULL: these functions may be Lua's own by now, and are
 * then as such without an engine, and serve the next one. */
static struct rl_engine *open_engine(lua_State *L) {
  struct rl_engine *engine = lua_touserdata(L, lua_upvalueindex(1));
  if (engine->core.loop == NULL)
    engine = rl_engine_find(L);
  return engine != NULL && engine->core.loop != NULL ? engine : NULL;
}

/* What is inside waits: so does L. */
static int pass_outward(lua_State *L, lua_KFunction k) {
  open_engine(L)->waits = true;
  return lua_yieldk(L, 0, 0, k);
}

/* Lua's own resume took L up, which waits: it waits on. */
static int refuse(lua_State *L, lua_KFunction k) {
  lua_pushliteral(L, RL_REFUSAL);
  return lua_yieldk(L, 1, 0, k);
}

/* True if L stands between the task and what L resumes: while that waits,
 * nobody but the engine may resume L. The task's own coroutine is always the
 * engine's. */
static bool is_between(lua_State *L, const struct rl_engine *engine) {
  return engine != NULL && engine->running == L &&
         rl_task_of(engine->core.current)->thread.L != L;
}

/* Resumes `co` with `count` values from its stack. Returns the number of
 * results, now on L; -1 and an error there; or -2: the task waits. */
static int run(lua_State *L, struct rl_engine *engine, lua_State *co,
               int count) {
  bool inside = engine != NULL && engine->running == L;
  bool between = is_between(L, engine);
  int results = 0, status;
  if (inside) /* what cannot be suspended here cannot be further in */
    engine->running = lua_isyieldable(L) ? co : NULL;
  status = lua_resume(co, L, count, &results);
  if (inside)
    engine->running = L;
  if (status == LUA_YIELD && engine != NULL && engine->waits) {
    engine->waits = false;
    return -2;
  }
  if (between)
    rl_set_owned(L, engine, L, false);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (!lua_checkstack(L, results + 1)) {
    lua_pop(co, results);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, results);
  return results;
}

/* The same after a wait. */
static int run_on(lua_State *L, struct rl_engine *engine, lua_State *co) {
  if (lua_status(co) == LUA_YIELD)
    return run(L, engine, co, 0);
  if (is_between(L, engine))
    rl_set_owned(L, engine, L, false);
  lua_pushliteral(L, "cannot resume dead coroutine");
  return -1;
}

/* Moves `count` arguments to `co`. False, and a message, if it cannot be
 * resumed. */
static bool feed(lua_State *L, struct rl_engine *engine, lua_State *co,
                 int count) {
  if (lua_status(co) == LUA_YIELD && engine != NULL &&
      rl_is_owned(L, engine, co)) {
    lua_pushliteral(L, "cannot resume a coroutine that waits for the engine");
    return false;
  }
  if (!lua_checkstack(co, count)) {
    lua_pushliteral(L, "too many arguments to resume");
    return false;
  }
  if (is_between(L, engine)) /* when `co` waits it is too late to raise */
    rl_set_owned(L, engine, L, true);
  lua_xmove(L, co, count);
  return true;
}

static lua_State *check_thread(lua_State *L, int index) {
  lua_State *co = lua_tothread(L, index);
  if (co == NULL)
    rl_type_error(L, index, "coroutine");
  return co;
}

static int finish_resume(lua_State *L, int results) {
  if (results == -2)
    return pass_outward(L, resume_k);
  lua_pushboolean(L, results >= 0);
  if (results < 0)
    results = 1;
  lua_insert(L, -results - 1);
  return results + 1;
}

static int resume_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine_open(L);
  lua_State *co = check_thread(L, 1);
  (void)status, (void)ctx;
  if (engine->running != L) /* by Lua's own resume: it waits on */
    return refuse(L, resume_k);
  return finish_resume(L, run_on(L, engine, co));
}

/***
As Lua's own, but what it resumes may wait. Suspends when that does.
@function coroutine.resume
*/
static int l_coroutine_resume(lua_State *L) {
  struct rl_engine *engine = open_engine(L);
  lua_State *co = check_thread(L, 1);
  int count = lua_gettop(L) - 1;
  if (!feed(L, engine, co, count))
    return finish_resume(L, -1);
  return finish_resume(L, run(L, engine, co, count));
}

static int finish_wrap(lua_State *L, lua_State *co, int results) {
  int status;
  if (results == -2)
    return pass_outward(L, wrap_k);
  if (results >= 0)
    return results;
  status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_pushvalue(L, -1);
    lua_xmove(L, co, 1);
    lua_resetthread(co); /* closes its variables */
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine_open(L);
  lua_State *co = check_thread(L, lua_upvalueindex(2));
  (void)status, (void)ctx;
  if (engine->running != L)
    return refuse(L, wrap_k);
  return finish_wrap(L, co, run_on(L, engine, co));
}

static int l_wrap_call(lua_State *L) {
  struct rl_engine *engine = open_engine(L);
  lua_State *co = check_thread(L, lua_upvalueindex(2));
  int count = lua_gettop(L);
  if (!feed(L, engine, co, count))
    return finish_wrap(L, co, -1);
  return finish_wrap(L, co, run(L, engine, co, count));
}

lua_State *rl_resumed_by(lua_State *co) {
  lua_State *inner = NULL;
  lua_Debug frame;
  lua_CFunction f;
  if (!lua_getstack(co, 0, &frame))
    return NULL;
  lua_getinfo(co, "f", &frame);
  f = lua_tocfunction(co, -1);
  if (f == l_wrap_call && lua_getupvalue(co, -1, 2) != NULL) {
    inner = lua_tothread(co, -1);
    lua_pop(co, 1);
  } else if (f == l_coroutine_resume && lua_getlocal(co, &frame, 1) != NULL) {
    inner = lua_tothread(co, -1);
    lua_pop(co, 1);
  }
  lua_pop(co, 1);
  return inner;
}

/***
As Lua's own, but the function may wait.
@function coroutine.wrap
*/
static int l_coroutine_wrap(lua_State *L) {
  lua_State *co;
  rl_check_type(L, 1, LUA_TFUNCTION);
  lua_pushvalue(L, lua_upvalueindex(1));
  co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, l_wrap_call, 2);
  return 1;
}

/***
As Lua's own, but raises where a task itself would yield to the engine.
@function coroutine.yield
*/
static int l_coroutine_yield(lua_State *L) {
  struct rl_engine *engine = open_engine(L);
  struct rille_task *task = engine != NULL ? engine->core.current : NULL;
  if (task != NULL && rl_task_of(task)->thread.L == L)
    rl_error(L, "a task cannot yield a value to the engine; to let other "
                "tasks run call rille.yield(), to hand values on use a "
                "channel or a generator");
  return lua_yield(L, lua_gettop(L));
}

/***
As Lua's own, but refuses a coroutine that waits for the engine: its stack is
where the engine finds what it waits for. So this one is in Lua's own library,
too.
@function coroutine.close
*/
static int l_coroutine_close(lua_State *L) {
  lua_State *co = check_thread(L, 1);
  struct rl_engine *engine = open_engine(L);
  if (co != L && lua_status(co) == LUA_YIELD && engine != NULL &&
      rl_is_owned(L, engine, co))
    rl_error(L, "cannot close a coroutine that waits for the engine; "
                "cancel its task");
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Pushes Lua's own coroutine.close, from the library at `index`, where ours may
 * have taken its place, or an earlier engine's. */
static void push_stock_close(lua_State *L, int index) {
  lua_getfield(L, index, "close");
  if (lua_tocfunction(L, -1) == l_coroutine_close) {
    lua_getupvalue(L, -1, 2);
    lua_replace(L, -2);
  }
}

/* Pushes the engine's own coroutine library, built on Lua's at `index`. */
static void push_library(lua_State *L, int engine, int index) {
  static const luaL_Reg functions[] = {{"resume", l_coroutine_resume},
                                       {"wrap", l_coroutine_wrap},
                                       {"yield", l_coroutine_yield},
                                       {NULL, NULL}};
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, functions, 1);
  lua_pushvalue(L, engine);
  push_stock_close(L, index);
  lua_pushcclosure(L, l_coroutine_close, 2);
  lua_pushvalue(L, -1);
  lua_setfield(L, index, "close");
  lua_setfield(L, -2, "close");
}

/***
Puts the engine's coroutine functions into the global library, in place: code
that has made locals of the old ones keeps these.
@function install_coroutines
*/
static int l_install_coroutines(lua_State *L) {
  lua_settop(L, 0);
  lua_getglobal(L, "coroutine");
  rl_check_type(L, 1, LUA_TTABLE);
  rl_push_slot(L, rl_engine(L), RL_MODULE);
  lua_getfield(L, 2, "coroutine");
  lua_pushnil(L);
  while (lua_next(L, 3) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 1);
  }
  return 0;
}

void rl_open_coroutine(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"install_coroutines", l_install_coroutines}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_add_functions(L, functions);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  luaL_getsubtable(L, -1, "coroutine");
  push_library(L, engine, engine + 2);
  lua_setfield(L, engine - 1, "coroutine");
  lua_settop(L, engine);
}
