/*
 * argument.c - what is wrong with a call, and where it stands.
 *
 * The text of a misuse is for whoever wrote the call. A part of the engine that
 * is written in Lua may stand between that call and the function that finds
 * the mistake:
 *
 *     script.lua:7   s:defer(5)          the call: its line, and its name
 *     @rille.scope   methods.defer       ours, any number of frames
 *     core.state     finds the mistake   level 0
 *
 * So luaL_error and luaL_argerror, which look at the nearest frames, are not
 * for what a script can cause; these are.
 */
#include "bind.h"
#include <math.h>
#include <string.h>

#define SHOWN 40 /* characters of a string that a message shows */

/* A script has an extension: rille.lua and rille.own.lua are not ours. */
bool rl_names_part(const char *text, char end) {
  static const char start[] = "rille.",
                    letters[] = "abcdefghijklmnopqrstuvwxyz_";
  const char *name = text + strlen(start);
  size_t length;
  if (strncmp(text, start, strlen(start)) != 0)
    return false;
  length = strspn(name, letters);
  return name[length] == end && !(length == 3 && memcmp(name, "lua", 3) == 0);
}

bool rl_is_ours(const lua_Debug *frame) {
  return frame->source[0] == '@' && rl_names_part(frame->source + 1, 0);
}

/* Pushes "file:line: " of the nearest frame that is not of the engine. */
static void push_place(lua_State *L) {
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline > 0 && !rl_is_ours(&frame)) {
      lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

static int raise_at_place(lua_State *L) {
  push_place(L);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

int rl_error(lua_State *L, const char *format, ...) {
  va_list args;
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  return raise_at_place(L);
}

/* The level of the frame that the user's code has called. */
static int called_level(lua_State *L) {
  lua_Debug caller;
  int level = 0;
  while (lua_getstack(L, level + 1, &caller)) {
    lua_getinfo(L, "S", &caller);
    if (!rl_is_ours(&caller))
      break;
    level++;
  }
  return level;
}

/* The key under which the table at the top has the function below it, or NULL.
 * Pops the table. */
static const char *key_of(lua_State *L) {
  const char *key = NULL;
  int table = lua_gettop(L);
  if (!lua_istable(L, table)) {
    lua_settop(L, table - 1);
    return NULL;
  }
  lua_pushnil(L);
  while (key == NULL && lua_next(L, table) != 0) {
    if (lua_rawequal(L, -1, table - 1) && lua_type(L, -2) == LUA_TSTRING)
      key = lua_tostring(L, -2); /* the engine keeps it alive */
    lua_pop(L, 1);
  }
  lua_settop(L, table - 1);
  return key;
}

/* The name under which the function at the top is public: it was called
 * without one, as by pcall(ch.send, ch). */
static const char *public_name(lua_State *L) {
  const char *name;
  if (rl_engine_find(L) == NULL)
    return NULL;
  rl_push_engine(L);
  lua_insert(L, -2);
  lua_getiuservalue(L, -2, RL_MODULE);
  name = key_of(L);
  for (int slot = RL_ERROR_META + 1; name == NULL && slot < RL_HANDLER;
       slot++) {
    if (lua_getiuservalue(L, -2, slot) == LUA_TTABLE) {
      lua_pushliteral(L, "__index");
      lua_rawget(L, -2);
      lua_remove(L, -2);
    }
    name = key_of(L);
  }
  return name;
}

/* The name of the function at `level`, as it was called or as it is known.
 * `*method` tells whether it was called with a colon. */
static const char *called_name(lua_State *L, int level, bool *method) {
  lua_Debug frame;
  const char *name;
  int top = lua_gettop(L);
  *method = false;
  if (!lua_getstack(L, level, &frame))
    return "?";
  lua_getinfo(L, "nf", &frame);
  *method = strcmp(frame.namewhat, "method") == 0;
  name = frame.name;
  if (name == NULL || strcmp(name, "?") == 0) /* pcall(f), t[k](), return f() */
    name = public_name(L);
  lua_settop(L, top);
  return name != NULL ? name : "?";
}

int rl_arg_error(lua_State *L, int index, const char *message) {
  bool colon, direct;
  int level = called_level(L);
  const char *name = called_name(L, level, &colon);
  called_name(L, 0, &direct); /* which the number is of */
  if (direct && --index == 0)
    return rl_error(L, "calling '%s' on bad self (%s)", name, message);
  return rl_error(L, "bad argument #%d to '%s' (%s)", index, name, message);
}

const char *rl_push_shown(lua_State *L, int index) {
  size_t length;
  const char *text;
  switch (lua_type(L, index)) {
  case LUA_TNONE:
    return lua_pushliteral(L, "no value");
  case LUA_TBOOLEAN:
    return lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
  case LUA_TNUMBER:
    if (isnan(lua_tonumber(L, index)))
      return lua_pushliteral(L, "NaN");
    lua_pushvalue(L, index);
    return lua_tostring(L, -1);
  case LUA_TSTRING:
    text = lua_tolstring(L, index, &length);
    lua_pushlstring(L, text, length < SHOWN ? length : SHOWN);
    return lua_pushfstring(L, "'%s'%s", lua_tostring(L, -1),
                           length > SHOWN ? "..." : "");
  default:
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
      return lua_tostring(L, -1);
    return lua_pushstring(L, luaL_typename(L, index));
  }
}

int rl_type_error(lua_State *L, int index, const char *expected) {
  const char *got = rl_push_shown(L, index);
  return rl_arg_error(L, index,
                      lua_pushfstring(L, "%s expected, got %s", expected, got));
}

void rl_check_type(lua_State *L, int index, int type) {
  if (lua_type(L, index) != type)
    rl_type_error(L, index, lua_typename(L, type));
}

void rl_check_arg(lua_State *L, bool good, int index, const char *message) {
  if (!good)
    rl_arg_error(L, index, message);
}

lua_Integer rl_check_integer(lua_State *L, int index) {
  int whole = 0;
  lua_Integer value = 0;
  if (lua_type(L, index) == LUA_TNUMBER)
    value = lua_tointegerx(L, index, &whole);
  if (!whole)
    rl_type_error(L, index, "whole number");
  return value;
}

int rl_self_error(lua_State *L, const char *expected) {
  bool colon;
  const char *got = rl_push_shown(L, 1);
  const char *name = called_name(L, called_level(L), &colon);
  return rl_error(L, "calling '%s' on bad self (rille %s expected, got %s)",
                  name, expected, got);
}

int rl_object_error(lua_State *L, int index, const struct rl_type *type) {
  if (index == 1)
    rl_self_error(L, type->name);
  return rl_type_error(L, index, lua_pushfstring(L, "rille %s", type->name));
}

const char *rl_to_span(lua_State *L, int index, int64_t *span) {
  lua_Number seconds;
  if (lua_type(L, index) != LUA_TNUMBER)
    return "a number of seconds expected";
  seconds = lua_tonumber(L, index);
  if (isnan(seconds))
    return "NaN is not a time";
  if (seconds <= 0)
    *span = 0;
  else if (seconds >= 9e9) /* 285 years: int64_t ends at 292 */
    *span = RILLE_FOREVER;
  else
    *span = (int64_t)llround(seconds * (lua_Number)RILLE_SECOND);
  return NULL;
}

int64_t rl_check_span(lua_State *L, int index) {
  int64_t span = 0;
  const char *wrong = rl_to_span(L, index, &span);
  if (wrong != NULL)
    rl_arg_error(
        L, index,
        lua_type(L, index) == LUA_TNUMBER
            ? wrong
            : lua_pushfstring(L, "%s, got %s", wrong, rl_push_shown(L, index)));
  return span;
}

/* For the Lua part: arg_error(function, argument, message) raises as
 * rl_arg_error does. */
static int l_arg_error(lua_State *L) {
  return rl_error(L, "bad argument #%d to '%s' (%s)",
                  (int)luaL_checkinteger(L, 2), luaL_checkstring(L, 1),
                  luaL_checkstring(L, 3));
}

/* For the Lua part: misuse(message) raises the text, with the place of the
 * user's call. */
static int l_misuse(lua_State *L) {
  return rl_error(L, "%s", luaL_checkstring(L, 1));
}

/* For the Lua part: shown(value) is a short text for a value that is wrong. */
static int l_shown(lua_State *L) {
  luaL_checkany(L, 1);
  rl_push_shown(L, 1);
  return 1;
}

void rl_open_argument(lua_State *L) {
  static const luaL_Reg inner[] = {{"arg_error", l_arg_error},
                                   {"misuse", l_misuse},
                                   {"shown", l_shown},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
