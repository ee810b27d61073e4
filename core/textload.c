/*
 * textload.c - see textload.h.
 *
 * load and loadfile keep their stock C functions, called with the mode "t";
 * dofile and the searcher are written anew, for the stock ones take no mode.
 */
#include "textload.h"

#include <lauxlib.h>
#include <string.h>

#define REFUSAL "binary chunks are refused: rille loads text only"

/* Upvalues: the stock function, the index of its mode argument. A mode that
 * allows both becomes "t"; one that allows no text is refused. */
static int l_load(lua_State *L) {
  int index = (int)lua_tointeger(L, lua_upvalueindex(2));
  const char *mode = luaL_optstring(L, index, "t");
  if (strchr(mode, 't') == NULL) {
    luaL_pushfail(L);
    lua_pushliteral(L, REFUSAL);
    return 2;
  }
  if (lua_gettop(L) < index)
    lua_settop(L, index);
  lua_pushliteral(L, "t");
  lua_replace(L, index);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

static int dofile_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return lua_gettop(L) - 1;
}

/* dofile([name]): the file may wait, as in stock Lua it may yield. */
static int l_dofile(lua_State *L) {
  const char *name = luaL_optstring(L, 1, NULL);
  lua_settop(L, 1);
  if (luaL_loadfilex(L, name, "t") != LUA_OK)
    return lua_error(L);
  lua_callk(L, 0, LUA_MULTRET, 0, dofile_k);
  return dofile_k(L, LUA_OK, 0);
}

/* The searcher of Lua files. Upvalue: the table `package`. */
static int l_search(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (lua_getfield(L, lua_upvalueindex(1), "path") != LUA_TSTRING)
    return luaL_error(L, "'package.path' must be a string");
  lua_getfield(L, lua_upvalueindex(1), "searchpath");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -3);
  lua_call(L, 2, 2);
  if (lua_isnil(L, -2))
    return 1; /* the list of files that were tried */
  lua_pop(L, 1);
  const char *file = lua_tostring(L, -1);
  if (luaL_loadfilex(L, file, "t") != LUA_OK)
    return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s",
                      name, file, lua_tostring(L, -1));
  lua_pushvalue(L, -2);
  return 2;
}

static void wrap_loader(lua_State *L, const char *name, int mode_index) {
  lua_getglobal(L, name);
  lua_pushinteger(L, mode_index);
  lua_pushcclosure(L, l_load, 2);
  lua_setglobal(L, name);
}

void rille_textload_install(lua_State *L) {
  wrap_loader(L, "load", 3);
  wrap_loader(L, "loadfile", 2);
  lua_register(L, "dofile", l_dofile);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, l_search, 1);
  lua_rawseti(L, -2, 2); /* after the one of package.preload */
  lua_pop(L, 2);
}
