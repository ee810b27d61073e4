/*
 * host_fixture.h - a host for unit tests: a Lua state with an engine on a loop
 * of its own, or on the host's.
 */
#ifndef HOST_FIXTURE_H
#define HOST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>

struct host {
  lua_State *L;
  uv_loop_t loop;
  uv_loop_t *given; /* to rille_open: the loop, or NULL */
};

static inline int open_host(void **state, bool own_loop) {
  struct host *host = test_calloc(1, sizeof *host);
  *state = host;
  host->L = luaL_newstate();
  luaL_openlibs(host->L);
  if (uv_loop_init(&host->loop) != 0)
    return -1;
  host->given = own_loop ? NULL : &host->loop;
  return rille_open(host->L, host->given);
}

static inline int close_host(void **state) {
  struct host *host = *state;
  lua_close(host->L);
  uv_run(&host->loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&host->loop) != 0)
    return -1;
  test_free(host);
  return 0;
}

#endif
