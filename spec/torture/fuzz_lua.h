/*
 * fuzz_lua.h - a fuzz target written in Lua: `driver`, which the file that
 * includes this defines before, is a chunk that returns function(data). What it
 * raises is a find. One state serves all inputs.
 */
#ifndef FUZZ_LUA_H
#define FUZZ_LUA_H

#include "rille.h"
#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (rille_open(L, NULL) != 0 ||
      luaL_loadbufferx(L, driver, sizeof driver - 1, "=driver", "t") ||
      lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL)
    L = open_state();
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  return 0;
}

#endif
