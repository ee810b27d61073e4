/* helpers.c - options, times, types: what every binding file uses. */
#include "bind.h"
#include <math.h>
#include <string.h>

static const char engine_key = 0;

int rl_closed_error(lua_State *L) {
  return rl_error(L, "the rille engine is closed");
}

struct rl_engine *rl_engine_open(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL || engine->core.loop == NULL)
    rl_closed_error(L);
  return engine;
}

struct rl_engine *rl_to_engine(lua_State *L, int index) {
  struct rl_engine *engine = NULL;
  if (lua_rawlen(L, index) >= sizeof *engine)
    engine = lua_touserdata(L, index);
  return engine != NULL && engine->type == &rl_engine_type ? engine : NULL;
}

struct rl_engine *rl_engine_find(lua_State *L) {
  struct rl_engine *engine;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &engine_key);
  engine = rl_to_engine(L, -1);
  lua_pop(L, 1);
  return engine;
}

void rl_push_engine(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &engine_key);
}

void rl_keep_engine(lua_State *L) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &engine_key);
}

void rl_push_slot(lua_State *L, struct rl_engine *engine, int slot) {
  if (lua_touserdata(L, lua_upvalueindex(1)) == engine) {
    lua_getiuservalue(L, lua_upvalueindex(1), slot);
    return;
  }
  rl_push_engine(L);
  lua_getiuservalue(L, -1, slot);
  lua_remove(L, -2);
}

void rl_push_seconds(lua_State *L, int64_t ns) {
  if (ns == RILLE_FOREVER)
    lua_pushnumber(L, HUGE_VAL);
  else
    lua_pushnumber(L, (lua_Number)(ns / RILLE_SECOND) +
                          (lua_Number)(ns % RILLE_SECOND) /
                              (lua_Number)RILLE_SECOND);
}

int64_t rl_look(const struct rl_engine *engine, struct rl_seen *seen,
                int64_t *shift) {
  const struct rille_clock *clock = &engine->core.clock;
  *shift = seen->era == clock->era ? 0 : clock->era_start - seen->now;
  seen->era = clock->era;
  return seen->now = rille_now(&engine->core);
}

/* Letters to change, insert or delete to make `a` of `b`, for short words:
 * Wagner and Fischer, "The string-to-string correction problem" (1974). */
static size_t edit_distance(const char *a, const char *b) {
  size_t row[32], m = strlen(a), n = strlen(b);
  if (m >= 32 || n >= 32)
    return 32;
  for (size_t j = 0; j <= n; j++)
    row[j] = j;
  for (size_t i = 1; i <= m; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t best = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      if (row[j] + 1 < best)
        best = row[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[n];
}

static const char *nearest(const char *word, const char *const known[]) {
  const char *best = NULL;
  size_t least = 4; /* further away is no hint */
  for (; *known != NULL; known++) {
    size_t distance = edit_distance(word, *known);
    if (distance < least) {
      least = distance;
      best = *known;
    }
  }
  return best;
}

static bool listed(const char *word, const char *const known[]) {
  while (*known != NULL && strcmp(word, *known) != 0)
    known++;
  return *known != NULL;
}

static int unknown_option(lua_State *L, int index, const char *name,
                          const char *const known[]) {
  const char *hint = nearest(name, known), *shown = rl_push_shown(L, -1);
  if (hint != NULL)
    lua_pushfstring(L, "unknown option %s; did you mean '%s'?", shown, hint);
  else
    lua_pushfstring(L, "unknown option %s", shown);
  return rl_arg_error(L, index, lua_tostring(L, -1));
}

int rl_check_options(lua_State *L, int index, const char *const known[]) {
  int count = 0;
  if (lua_isnoneornil(L, index))
    return 0;
  if (!lua_istable(L, index))
    rl_type_error(L, index, "table");
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      rl_arg_error(L, index,
                   lua_pushfstring(L, "option names must be strings, got %s",
                                   rl_push_shown(L, -1)));
    if (!listed(lua_tostring(L, -1), known))
      unknown_option(L, index, lua_tostring(L, -1), known);
    count++;
  }
  return count;
}

static int bad_option(lua_State *L, int index, const char *name,
                      const char *what) {
  return rl_arg_error(L, index,
                      lua_pushfstring(L, "option '%s': %s", name, what));
}

int rl_option(lua_State *L, int index, const char *name, int type) {
  int got;
  if (!lua_istable(L, index)) {
    lua_pushnil(L);
    return LUA_TNIL;
  }
  lua_pushstring(L, name);
  got = lua_rawget(L, index);
  if (got != LUA_TNIL && got != type)
    bad_option(L, index, name,
               lua_pushfstring(L, "%s expected, got %s", lua_typename(L, type),
                               rl_push_shown(L, -1)));
  return got;
}

void rl_push_options(lua_State *L, int index, const char *const names[]) {
  int list = lua_gettop(L) + 1;
  lua_pushnil(L);
  for (; *names != NULL && lua_istable(L, index); names++) {
    lua_pushstring(L, *names);
    if (lua_rawget(L, index) == LUA_TNIL) {
      lua_pop(L, 1);
      continue;
    }
    if (lua_isnil(L, list)) {
      lua_newtable(L);
      lua_replace(L, list);
    }
    lua_setfield(L, list, *names);
  }
}

int64_t rl_option_span(lua_State *L, int index, const char *name,
                       int64_t fallback) {
  int64_t span = fallback;
  if (rl_option(L, index, name, LUA_TNUMBER) == LUA_TNUMBER) {
    const char *wrong = rl_to_span(L, -1, &span);
    if (wrong != NULL)
      bad_option(L, index, name, wrong);
  }
  lua_pop(L, 1);
  return span;
}

/* "'a' or 'b'" */
static const char *push_choices(lua_State *L, const char *const names[]) {
  lua_pushliteral(L, "");
  for (const char *const *name = names; *name != NULL; name++) {
    lua_pushfstring(L, "%s%s'%s'", lua_tostring(L, -1),
                    name == names ? "" : " or ", *name);
    lua_replace(L, -2);
  }
  return lua_tostring(L, -1);
}

int rl_option_choice(lua_State *L, int index, const char *name,
                     const char *const names[]) {
  int choice = 0;
  if (rl_option(L, index, name, LUA_TSTRING) == LUA_TSTRING) {
    const char *value = lua_tostring(L, -1);
    while (names[choice] != NULL && strcmp(names[choice], value) != 0)
      choice++;
    if (names[choice] == NULL) {
      const char *got = rl_push_shown(L, -1);
      bad_option(L, index, name,
                 lua_pushfstring(L, "no such choice %s; %s expected", got,
                                 push_choices(L, names)));
    }
  }
  lua_pop(L, 1);
  return choice;
}

void rl_new_type(lua_State *L, int slot, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *meta) {
  int engine = lua_gettop(L);
  lua_newtable(L);
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, meta, 1);
  lua_newtable(L);
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, methods, 1);
  lua_setfield(L, -2, "__index");
  lua_pushfstring(L, "rille.%s", name);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__name");
  lua_setfield(L, -2, "__metatable");
  lua_setiuservalue(L, engine, slot);
}

void rl_add_methods(lua_State *L, int slot, const luaL_Reg *methods) {
  int engine = lua_gettop(L);
  lua_getiuservalue(L, engine, slot);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, methods, 1);
  lua_settop(L, engine);
}

const char *rl_push_label(lua_State *L, int index, int slot) {
  if (lua_getiuservalue(L, index, slot) != LUA_TSTRING)
    return "";
  return lua_pushfstring(L, " '%s'", lua_tostring(L, -1));
}

void rl_add_functions(lua_State *L, const luaL_Reg *functions) {
  int engine = lua_gettop(L);
  lua_pushvalue(L, engine - 1);
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, functions, 1);
  lua_pop(L, 1);
}

void rl_add_inner(lua_State *L, const luaL_Reg *functions) {
  int engine = lua_gettop(L);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_pushvalue(L, engine);
  rl_add_functions(L, functions);
  lua_settop(L, engine);
}

/* For the Lua part: nearest(word, words) is the word of the list that is most
 * like it, or nil. */
static int l_nearest(lua_State *L) {
  const char *known[64 + 1] = {NULL}, *word = luaL_checkstring(L, 1), *hint;
  rl_check_type(L, 2, LUA_TTABLE);
  luaL_checkstack(L, 64, NULL);
  for (int i = 0; i < 64 && lua_rawgeti(L, 2, i + 1) == LUA_TSTRING; i++)
    known[i] = lua_tostring(L, -1);
  hint = nearest(word, known);
  lua_pushstring(L, hint); /* nil for NULL */
  return 1;
}

/* For the Lua part: closable(value) tells whether the value has a __close. */
static int l_closable(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, luaL_getmetafield(L, 1, "__close") != LUA_TNIL);
  return 1;
}

/* For the Lua part: is(value, type) tells whether the value is an object of
 * the engine of that type. */
static int l_is(lua_State *L) {
  const struct rl_type *type = NULL;
  static const struct rl_type *const types[] = {
      &rl_breaker_type, &rl_limiter_type, &rl_budget_type};
  const char *name = luaL_checkstring(L, 2);
  for (size_t i = 0; i < sizeof types / sizeof *types && type == NULL; i++)
    if (strcmp(types[i]->name, name) == 0)
      type = types[i];
  lua_pushboolean(L, type != NULL && rl_test(L, 1, type) != NULL);
  return 1;
}

void rl_open_helpers(lua_State *L) {
  static const luaL_Reg inner[] = {{"nearest", l_nearest},
                                   {"closable", l_closable},
                                   {"is", l_is},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
