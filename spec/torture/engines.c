/*
 * engines.c - engines opened and closed again and again, in one thread and in
 * many.
 *
 *     engines CYCLES THREADS
 *
 * Every cycle ends in another way: after a run, with parked tasks on a host's
 * loop, twice, by lua_close alone, in the midst of a failure. ASan and TSan
 * builds see to what is left or shared.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char work[] =
    "local rille = require 'rille'\n"
    "local sum = 0\n"
    "rille.scope(function(s)\n"
    "  local ch = s:channel(2)\n"
    "  s:go(function() for i = 1, 20 do ch:send(i) end ch:close() end)\n"
    "  for v in ch do sum = sum + v rille.yield() end\n"
    "end)\n"
    "return sum\n";

static const char parked[] =
    "local rille = require 'rille'\n"
    "local log = setmetatable({}, {__close = function() pcall(rille.sleep, 1) "
    "end})\n"
    "local ch <const> = rille.channel()\n"
    "local x <close> = log\n"
    "ch:recv()\n";

static const char failing[] = "error('as expected', 0)";

static bool run(lua_State *L, const char *chunk, bool works) {
  bool ok = luaL_loadstring(L, chunk) == LUA_OK &&
            (rille_run(L, 1) == LUA_OK) == works;
  lua_settop(L, 0);
  return ok;
}

static bool run_own(lua_State *L, int cycle) {
  bool ok;
  if (rille_open(L, NULL) != 0)
    return false;
  ok = run(L, work, true);
  if (cycle % 4 == 1)
    ok = ok && run(L, failing, false) && run(L, work, true);
  if (cycle % 3 == 0) {
    rille_close(L);
    rille_close(L);
    ok = ok && run(L, work, false); /* closed: an error, no crash */
  }
  return ok;
}

/* Closed by lua_close while tasks are parked on a loop of the host's. */
static bool run_hosted(lua_State *L, uv_loop_t *loop) {
  bool ok = rille_open(L, loop) == 0;
  for (int i = 0; i < 10 && ok; i++) {
    ok = luaL_loadstring(L, i % 2 == 0 ? parked : work) == LUA_OK &&
         rille_spawn(L, 1) == LUA_OK;
    lua_settop(L, 0);
  }
  for (int i = 0; i < 3; i++)
    uv_run(loop, UV_RUN_NOWAIT);
  return ok;
}

static bool cycle(int number) {
  lua_State *L = luaL_newstate();
  uv_loop_t loop;
  bool ok, hosted = number % 4 == 3;
  if (L == NULL || (hosted && uv_loop_init(&loop) != 0))
    return false;
  luaL_openlibs(L);
  ok = hosted ? run_hosted(L, &loop) : run_own(L, number);
  lua_close(L);
  if (hosted) {
    uv_run(&loop, UV_RUN_DEFAULT);
    ok = uv_loop_close(&loop) == 0 && ok;
  }
  return ok;
}

struct worker {
  uv_thread_t thread;
  int cycles, failures;
};

static void worker_main(void *argument) {
  struct worker *worker = argument;
  for (int i = 0; i < worker->cycles; i++)
    worker->failures += !cycle(i);
}

int main(int argc, char **argv) {
  int cycles = argc > 1 ? atoi(argv[1]) : 1000;
  int threads = argc > 2 ? atoi(argv[2]) : 16, failures = 0;
  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  struct worker alone = {.cycles = cycles};
  if (workers == NULL)
    return EXIT_FAILURE;
  worker_main(&alone);
  failures += alone.failures;
  for (int i = 0; i < threads; i++) {
    workers[i].cycles = cycles / threads + 1;
    if (uv_thread_create(&workers[i].thread, worker_main, &workers[i]) != 0)
      return EXIT_FAILURE;
  }
  for (int i = 0; i < threads; i++) {
    uv_thread_join(&workers[i].thread);
    failures += workers[i].failures;
  }
  free(workers);
  printf("engines: %d cycles in one thread, %d in each of %d, %d failures\n",
         cycles, cycles / threads + 1, threads, failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
