/*
 * own_loop.c - a host that leaves the loop to rille.
 *
 * The shortest way to embed: open the engine, run a Lua function with
 * arguments, take its results. rille_run returns when the function and every
 * task it has started have ended, as lua_pcall would return.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>
#include <stdio.h>
#include <stdlib.h>

/* expect: consumer got 1 */
/* expect: consumer got 4 */
/* expect: consumer got 9 */
/* expect: sum of squares up to 3: 14 */
/* expect: a failed run: no such planet: Vulcan */

static const char squares[] =
    "local rille = require 'rille'\n"
    "local n = ...\n"
    "local sum = 0\n"
    "rille.scope(function(s)\n"
    "  local ch = rille.channel()\n"
    "  s:go(function()\n"
    "    for i = 1, n do rille.sleep(0.001); ch:send(i * i) end\n"
    "    ch:close()\n"
    "  end)\n"
    "  for v in ch do print('consumer got ' .. v); sum = sum + v end\n"
    "end)\n"
    "return sum\n";

static const char failing[] = "error('no such planet: Vulcan', 0)";

/* Runs a chunk with one number; returns a status of Lua and leaves the first
 * result, or the error, on the top. */
static int run_chunk(lua_State *L, const char *chunk, int n) {
  int base = lua_gettop(L);
  if (luaL_loadstring(L, chunk) != LUA_OK)
    return LUA_ERRSYNTAX;
  lua_pushinteger(L, n);
  int status = rille_run(L, 2); /* the function and its argument */
  lua_settop(L, base + 1);
  return status;
}

int main(void) {
  int failures = 0;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (rille_open(L, NULL) != 0)
    return EXIT_FAILURE;

  failures += run_chunk(L, squares, 3) != LUA_OK;
  printf("sum of squares up to 3: %s\n", luaL_tolstring(L, -1, NULL));

  /* An engine can run any number of times, and after a failure too. */
  failures += run_chunk(L, failing, 0) == LUA_OK;
  printf("a failed run: %s\n", luaL_tolstring(L, -1, NULL));

  lua_close(L); /* closes the engine and its loop */
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
