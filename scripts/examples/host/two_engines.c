/*
 * two_engines.c - two engines in two threads.
 *
 * An engine belongs to its lua_State and to its loop and shares nothing with
 * another one. Each thread here has all three, runs a sieve of channels, and
 * gives its result back through memory that main reads after joining it.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>
#include <stdio.h>
#include <stdlib.h>

/* expect: engine 1: 10 primes, the last is 29 */
/* expect: engine 2: 25 primes, the last is 97 */

static const char sieve[] =
    "local rille = require 'rille'\n"
    "local limit = ...\n"
    "local count, last = 0, nil\n"
    "local function filter(s, input, prime)\n"
    "  local output = rille.channel()\n"
    "  s:go(function()\n"
    "    for v in input do if v % prime ~= 0 then output:send(v) end end\n"
    "    output:close()\n"
    "  end)\n"
    "  return output\n"
    "end\n"
    "rille.scope(function(s)\n"
    "  local ch = rille.channel()\n"
    "  local numbers = ch\n"
    "  s:go(function()\n"
    "    for i = 2, limit do numbers:send(i) end\n"
    "    numbers:close()\n"
    "  end)\n"
    "  while true do\n"
    "    local prime = ch:recv()\n"
    "    if not prime then break end\n"
    "    count, last = count + 1, prime\n"
    "    ch = filter(s, ch, prime)\n"
    "  end\n"
    "end)\n"
    "return count, last\n";

struct worker {
  uv_thread_t thread;
  int limit;
  int ok;
  int count, last; /* the result */
};

/* Leaves two numbers on the stack, or an error. */
static int run_sieve(lua_State *L, int limit) {
  luaL_openlibs(L);
  if (rille_open(L, NULL) != 0 || luaL_loadstring(L, sieve) != LUA_OK)
    return LUA_ERRRUN;
  lua_pushinteger(L, limit);
  return rille_run(L, 2);
}

static void worker_main(void *argument) {
  struct worker *worker = argument;
  lua_State *L = luaL_newstate();
  if (L == NULL)
    return;
  worker->ok = run_sieve(L, worker->limit) == LUA_OK;
  if (worker->ok) {
    worker->count = (int)lua_tointeger(L, -2);
    worker->last = (int)lua_tointeger(L, -1);
  } else {
    fprintf(stderr, "engine: %s\n", lua_tostring(L, -1));
  }
  lua_close(L); /* on the thread of the loop */
}

int main(void) {
  struct worker workers[] = {{.limit = 30}, {.limit = 100}};
  int ok = 1;
  for (int i = 0; i < 2; i++)
    if (uv_thread_create(&workers[i].thread, worker_main, &workers[i]) != 0)
      return EXIT_FAILURE;
  for (int i = 0; i < 2; i++)
    uv_thread_join(&workers[i].thread);
  for (int i = 0; i < 2; i++) {
    ok = ok && workers[i].ok;
    printf("engine %d: %d primes, the last is %d\n", i + 1, workers[i].count,
           workers[i].last);
  }
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
