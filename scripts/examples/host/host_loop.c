/*
 * host_loop.c - a host with a libuv loop and timers of its own.
 *
 * The engine is a guest on that loop: rille_open gets the loop, rille_spawn
 * starts tasks, and the host's uv_run drives both. The loop ends when the
 * host's timer and the last task have ended. A task that fails is reported on
 * stderr and takes nothing else down.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>
#include <stdio.h>
#include <stdlib.h>

/* expect: host: tick 1 */
/* expect: two got: ping */
/* expect: one got: pong */
/* expect: host: tick 2 */
/* expect: host: tick 3 */
/* expect: late task, after the ticks */
/* expect: host: loop closed */

/* Two tasks that talk over a channel each way. The host's tick 1 is let pass
 * first: its timer calls `go`. In the end they let it tick again. */
static const char tasks[] =
    "local rille = require 'rille'\n"
    "local there, back, start = rille.channel(), rille.channel(),"
    " rille.channel(1)\n"
    "function go() start:try_send(true) end\n"
    "function one() start:recv(); there:send('ping');"
    " print('one got: ' .. back:recv()); tick_again() end\n"
    "function two() print('two got: ' .. there:recv()); back:send('pong') end\n"
    "function late() rille.sleep(0.01); print('late task, after the ticks')"
    " end\n";

struct host {
  uv_timer_t timer;
  lua_State *L;
  int ticks;
  int failures;
};

static void spawn(struct host *host, const char *function) {
  lua_getglobal(host->L, function);
  if (rille_spawn(host->L, 1) != LUA_OK) {
    fprintf(stderr, "%s: %s\n", function, lua_tostring(host->L, -1));
    host->failures++;
  }
  lua_pop(host->L, 1); /* the task */
}

static void tick_cb(uv_timer_t *timer);

/* tick_again(): the host's timer goes on. */
static int l_tick_again(lua_State *L) {
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  uv_timer_start(&host->timer, tick_cb, 5, 5);
  return 0;
}

static void tick_cb(uv_timer_t *timer) {
  struct host *host = timer->data;
  printf("host: tick %d\n", ++host->ticks);
  if (host->ticks == 1) { /* a plain call into Lua wakes a task */
    lua_getglobal(host->L, "go");
    host->failures += lua_pcall(host->L, 0, 0, 0) != LUA_OK;
  } else if (host->ticks == 3) { /* tasks can be started from callbacks */
    spawn(host, "late");
    uv_close((uv_handle_t *)timer, NULL);
  }
}

int main(void) {
  struct host host = {.L = luaL_newstate()};
  uv_loop_t loop;
  if (host.L == NULL || uv_loop_init(&loop) != 0)
    return EXIT_FAILURE;
  luaL_openlibs(host.L);
  if (rille_open(host.L, &loop) != 0 || luaL_dostring(host.L, tasks) != LUA_OK)
    return EXIT_FAILURE;

  uv_timer_init(&loop, &host.timer);
  host.timer.data = &host;
  uv_timer_start(&host.timer, tick_cb, 5, 0);
  lua_pushlightuserdata(host.L, &host);
  lua_pushcclosure(host.L, l_tick_again, 1);
  lua_setglobal(host.L, "tick_again");
  spawn(&host, "one");
  spawn(&host, "two");

  uv_run(&loop, UV_RUN_DEFAULT);

  /* The engine first, then the loop it lived on: its handles are closing now
   * and the loop has to turn once more to let them go. */
  lua_close(host.L);
  uv_run(&loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&loop) != 0)
    return EXIT_FAILURE;
  printf("host: loop closed\n");
  return host.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
