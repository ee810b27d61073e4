/*
 * fuzz_textload.c - any bytes as a chunk: no way of loading code in the binary
 * (core/textload.c) may make a function of a precompiled chunk.
 *
 * The first byte of the input chooses the way, the rest is the chunk.
 */
#include "textload.h"
#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* chunk, way -> what was loaded, or nil. Nothing that loads is run: dofile
 * and require are given chunks that are precompiled for certain. */
static const char driver[] =
    "local chunk, way, file = ...\n"
    "local function pieces()\n"
    "  local at = 0\n"
    "  return function() at = at + 1 return chunk:sub(at, at) end\n"
    "end\n"
    "local ways = {\n"
    "  function() return load(chunk) end,\n"
    "  function() return load(chunk, 'name', 'b') end,\n"
    "  function() return load(chunk, 'name', 'bt', {}) end,\n"
    "  function() return load(pieces()) end,\n"
    "  function() return load(pieces(), 'name', 'tb') end,\n"
    "  function() return loadfile(file) end,\n"
    "  function() return loadfile(file, 'bt', {}) end,\n"
    "}\n"
    "if chunk:byte() == 27 then\n"
    "  ways[8] = function() return pcall(dofile, file) and error 'ran' end\n"
    "  ways[9] = function()\n"
    "    package.path = file\n"
    "    return pcall(require, 'x') and error 'ran'\n"
    "  end\n"
    "end\n"
    "local fn = ways[way % #ways + 1]()\n"
    "assert(not (fn and chunk:byte() == 27), 'a precompiled chunk is loaded')\n"
    "assert(way % #ways ~= 1 or not fn, 'the mode b has loaded something')\n";

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  rille_textload_install(L);
  if (luaL_loadbufferx(L, driver, sizeof driver - 1, "=driver", "t") != LUA_OK)
    abort();
  return L;
}

/* The chunk as a file, under a name without blanks. */
static void write_file(int fd, const char *chunk, size_t size) {
  if (ftruncate(fd, 0) != 0 || pwrite(fd, chunk, size, 0) != (ssize_t)size)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  static int fd;
  static char name[40];
  if (L == NULL) {
    L = open_state();
    fd = memfd_create("chunk", 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  }
  if (size == 0)
    return 0;
  write_file(fd, (const char *)data + 1, size - 1);
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data + 1, size - 1);
  lua_pushinteger(L, data[0]);
  lua_pushstring(L, name);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return 0;
}
