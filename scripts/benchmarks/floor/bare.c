/*
 * bare.c - what Lua itself costs, called from C as directly as can be.
 *
 * The floor of the benchmarks: coroutines resumed in turn by a C loop, with no
 * scheduler, no cancellation and no protected call around anything. Linked to
 * the same liblua as rille. The rows are in bare.lua; this file gives it
 *
 *     floor.clock()        monotonic seconds
 *     floor.yield()        lua_yieldk with a continuation
 *     floor.resume(list)   resumes the coroutines of a list in turn until all
 *                          have ended; returns how often
 *     floor.spawn(fn, n)   makes, runs to its end and drops n coroutines
 *     floor.pipe           an object whose `send` does nothing and which, when
 *                          called, returns what was sent last
 */
#include "floor.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <time.h>

double floor_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int l_clock(lua_State *L) {
  lua_pushnumber(L, floor_clock());
  return 1;
}

static int yield_k(lua_State *L, int status, lua_KContext ctx) {
  (void)L, (void)status, (void)ctx;
  return 0;
}

static int l_yield(lua_State *L) { return lua_yieldk(L, 0, 0, yield_k); }

/* Resumes the n threads once each; closes the gaps of those that ended. */
static lua_Integer resume_each(lua_State *L, lua_State **threads,
                               lua_Integer n) {
  lua_Integer left = 0;
  for (lua_Integer i = 0; i < n; i++) {
    lua_State *co = threads[i];
    int results, status = lua_resume(co, L, 0, &results);
    if (status == LUA_YIELD) {
      lua_pop(co, results);
      threads[left++] = co;
    } else if (status != LUA_OK) {
      lua_xmove(co, L, 1);
      lua_error(L);
    }
  }
  return left;
}

static int l_resume(lua_State *L) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1), count = 0;
  lua_State **threads =
      lua_newuserdatauv(L, (size_t)n * sizeof(lua_State *), 0);
  for (lua_Integer i = 0; i < n; i++) {
    lua_rawgeti(L, 1, i + 1);
    threads[i] = lua_tothread(L, -1);
    lua_pop(L, 1);
  }
  while (n > 0) {
    count += n;
    n = resume_each(L, threads, n);
  }
  lua_pushinteger(L, count);
  return 1;
}

static int l_spawn(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 2);
  for (lua_Integer i = 0; i < n; i++) {
    lua_State *co = lua_newthread(L);
    int results;
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    if (lua_resume(co, L, 0, &results) != LUA_OK)
      return luaL_error(L, "the coroutine did not end");
    lua_pop(L, 1);
  }
  return 0;
}

static int l_pipe_send(lua_State *L) {
  *(lua_Integer *)lua_touserdata(L, 1) = lua_tointeger(L, 2);
  return 0;
}

static int l_pipe_call(lua_State *L) {
  lua_pushinteger(L, *(lua_Integer *)lua_touserdata(L, 1));
  return 1;
}

static void push_pipe(lua_State *L) {
  *(lua_Integer *)lua_newuserdatauv(L, sizeof(lua_Integer), 0) = 0;
  lua_createtable(L, 0, 2);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_pipe_send);
  lua_setfield(L, -2, "send");
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, l_pipe_call);
  lua_setfield(L, -2, "__call");
  lua_setmetatable(L, -2);
}

static void push_arguments(lua_State *L, int argc, char **argv) {
  lua_createtable(L, argc, 0);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
}

int floor_script(int argc, char **argv) {
  static const luaL_Reg functions[] = {{"clock", l_clock},
                                       {"yield", l_yield},
                                       {"resume", l_resume},
                                       {"spawn", l_spawn},
                                       {NULL, NULL}};
  lua_State *L = luaL_newstate();
  int status;
  if (L == NULL)
    return 1;
  luaL_openlibs(L);
  luaL_newlib(L, functions);
  push_pipe(L);
  lua_setfield(L, -2, "pipe");
  lua_setglobal(L, "floor");
  push_arguments(L, argc, argv);
  status = luaL_dofile(L, argv[0]);
  if (status != LUA_OK)
    fprintf(stderr, "floor: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return status != LUA_OK;
}
