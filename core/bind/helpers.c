/* helpers.c - arguments, options, times: what every binding file uses. */
#include "bind.h"
#include <math.h>
#include <string.h>

static const char engine_key = 0;

static int raise_closed(lua_State *L) {
  return luaL_error(L, "the rille engine is closed");
}

/* What a function's upvalue is, only the debug library can change. */
struct rl_engine *rl_engine_known(lua_State *L) {
  struct rl_engine *engine = lua_touserdata(L, lua_upvalueindex(1));
  if (engine == NULL || engine->type != &rl_engine_type)
    engine = rl_engine_find(L); /* it is called by one of ours */
  return engine;
}

/* A light userdata has no length; what has one and is no userdata has no
 * address. */
void *rl_test_of(lua_State *L, const struct rl_engine *engine, int index,
                 const struct rl_type *type) {
  struct rl_head *object;
  if (lua_rawlen(L, index) < type->size)
    return NULL;
  object = lua_touserdata(L, index);
  if (object == NULL || object->type != type)
    return NULL;
  if (engine == NULL || object->engine != engine->number)
    raise_closed(L);
  return object;
}

void *rl_test(lua_State *L, int index, const struct rl_type *type) {
  return rl_test_of(L, rl_engine_known(L), index, type);
}

void *rl_check_of(lua_State *L, const struct rl_engine *engine, int index,
                  const struct rl_type *type) {
  void *object = rl_test_of(L, engine, index, type);
  if (object == NULL)
    luaL_typeerror(L, index, lua_pushfstring(L, "rille %s", type->name));
  return object;
}

void *rl_check(lua_State *L, int index, const struct rl_type *type) {
  return rl_check_of(L, rl_engine_known(L), index, type);
}

struct rl_engine *rl_engine(lua_State *L) {
  struct rl_engine *engine = rl_engine_known(L);
  if (engine == NULL || engine->core.loop == NULL)
    raise_closed(L);
  return engine;
}

struct rl_engine *rl_engine_open(lua_State *L) {
  struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL || engine->core.loop == NULL)
    raise_closed(L);
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

/* Pushes "file:line: " of the nearest frame that is not of the engine. */
static void push_place(lua_State *L) {
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline > 0 && strncmp(frame.source, "@rille.", 7) != 0) {
      lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

int rl_arg_error(lua_State *L, int index, const char *message) {
  lua_Debug frame;
  const char *name = NULL;
  if (lua_getstack(L, 0, &frame)) {
    lua_getinfo(L, "n", &frame);
    name = frame.name;
  }
  if (name == NULL)
    return luaL_argerror(L, index, message);
  if (strcmp(frame.namewhat, "method") == 0)
    index--;
  push_place(L);
  lua_pushfstring(L, "%sbad argument #%d to '%s' (%s)", lua_tostring(L, -1),
                  index, name, message);
  return lua_error(L);
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
            : lua_pushfstring(L, "%s, got %s", wrong, luaL_typename(L, index)));
  return span;
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
  const char *hint = nearest(name, known);
  if (hint != NULL)
    lua_pushfstring(L, "unknown option '%s'; did you mean '%s'?", name, hint);
  else
    lua_pushfstring(L, "unknown option '%s'", name);
  return rl_arg_error(L, index, lua_tostring(L, -1));
}

void rl_check_options(lua_State *L, int index, const char *const known[]) {
  if (lua_isnoneornil(L, index))
    return;
  if (!lua_istable(L, index))
    rl_arg_error(
        L, index,
        lua_pushfstring(L, "table expected, got %s", luaL_typename(L, index)));
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      rl_arg_error(L, index, "option names must be strings");
    if (!listed(lua_tostring(L, -1), known))
      unknown_option(L, index, lua_tostring(L, -1), known);
  }
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
                               lua_typename(L, got)));
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

int rl_option_choice(lua_State *L, int index, const char *name,
                     const char *const names[]) {
  int choice = 0;
  if (rl_option(L, index, name, LUA_TSTRING) == LUA_TSTRING) {
    const char *value = lua_tostring(L, -1);
    while (names[choice] != NULL && strcmp(names[choice], value) != 0)
      choice++;
    if (names[choice] == NULL)
      bad_option(
          L, index, name,
          lua_pushfstring(L, "no such choice '%s'%s%s", value,
                          nearest(value, names) ? "; did you mean " : "",
                          nearest(value, names) ? nearest(value, names) : ""));
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

/* For the Lua part: arg_error(function, argument, message) raises as
 * rl_arg_error does. */
static int l_arg_error(lua_State *L) {
  push_place(L);
  lua_pushfstring(L, "%sbad argument #%d to '%s' (%s)", lua_tostring(L, -1),
                  (int)luaL_checkinteger(L, 2), luaL_checkstring(L, 1),
                  luaL_checkstring(L, 3));
  return lua_error(L);
}

/* For the Lua part: nearest(word, words) is the word of the list that is most
 * like it, or nil. */
static int l_nearest(lua_State *L) {
  const char *known[64 + 1] = {NULL}, *word = luaL_checkstring(L, 1), *hint;
  luaL_checktype(L, 2, LUA_TTABLE);
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
  static const luaL_Reg inner[] = {{"arg_error", l_arg_error},
                                   {"nearest", l_nearest},
                                   {"closable", l_closable},
                                   {"is", l_is},
                                   {NULL, NULL}};
  int engine = lua_gettop(L);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_pushvalue(L, engine);
  rl_add_functions(L, inner);
  lua_settop(L, engine);
}
