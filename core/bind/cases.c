/* cases.c - a selector, made of the list of cases that a script gives. */
#include "select.h"
#include <string.h>

static const char *const option_names[] = {"timeout", "default", "ordered",
                                           NULL};

static int bad_case(lua_State *L, uint32_t i, const char *what) {
  return rl_arg_error(L, 1,
                      lua_pushfstring(L, "case %d: %s", (int)i + 1, what));
}

/* What can be a case. */
static const struct rl_type *const sources[] = {
    &rl_channel_type, &rl_subscription_type, &rl_task_type,
    &rl_alarm_type,   &rl_ticker_type,       &rl_semaphore_type,
    &rl_mutex_type,   &rl_event_type,        &rl_inlet_type};

#define SOURCES (sizeof sources / sizeof *sources)

static int refuse_source(lua_State *L, uint32_t i, int index) {
  luaL_Buffer names;
  lua_pushfstring(
      L, "%s is not something to wait for; what is:", rl_push_shown(L, index));
  luaL_buffinit(L, &names);
  for (size_t k = 0; k < SOURCES; k++) {
    luaL_addstring(&names, k == 0 ? " " : ", ");
    luaL_addstring(&names, sources[k]->name);
  }
  luaL_pushresult(&names);
  lua_concat(L, 2);
  return bad_case(L, i, lua_tostring(L, -1));
}

/* The type of the object at `index`, if it can be a case. */
static const struct rl_type *source_type(lua_State *L, int index) {
  for (size_t k = 0; k < SOURCES; k++)
    if (rl_test(L, index, sources[k]) != NULL)
      return sources[k];
  return NULL;
}

/* Finds the source of case i from the object at `index`, which is replaced by
 * the userdata that has it. */
static void find_source(lua_State *L, struct rl_case *c, uint32_t i,
                        int index) {
  const struct rl_type *type = source_type(L, index);
  if (type == NULL && luaL_getmetafield(L, index, "__source") != LUA_TNIL) {
    c->stands_for = true;
    lua_insert(L, index);
    lua_call(L, 1, 1);
    type = source_type(L, index);
  }
  if (type != NULL) {
    c->source = type->source(lua_touserdata(L, index), c->sends);
    c->push = type->push;
  }
  if (c->sends && (c->source == NULL || c->stands_for))
    bad_case(L, i, "only a channel can be sent to");
  if (type == NULL)
    refuse_source(L, i, index);
}

static void check_keys(lua_State *L, uint32_t i, int index) {
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    bool known = lua_type(L, -2) == LUA_TSTRING
                     ? strcmp(lua_tostring(L, -2), "send") == 0
                     : lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
                           lua_tointeger(L, -2) <= 2;
    lua_pop(L, 1);
    if (!known)
      bad_case(L, i,
               "{source, handler} or {channel, send = value, handler} "
               "expected");
  }
}

/* Reads the case at `index` into place i of the selector, and its parts into
 * the list at `parts`. */
static void read_case(lua_State *L, struct rl_selector *selector, uint32_t i,
                      int index, int parts) {
  struct rl_case *c = &selector->cases[i];
  rille_list_init(&selector->waiters[i].node);
  if (lua_isboolean(L, index) && !lua_toboolean(L, index))
    return;
  if (!lua_istable(L, index))
    bad_case(L, i,
             lua_pushfstring(L, "a list or false expected, got %s",
                             rl_push_shown(L, index)));
  check_keys(L, i, index);
  lua_getfield(L, index, "send");
  c->sends = !lua_isnil(L, -1);
  lua_rawseti(L, parts, (lua_Integer)i * PARTS + PART_VALUE);
  lua_rawgeti(L, index, 1);
  lua_pushvalue(L, -1);
  lua_rawseti(L, parts, (lua_Integer)i * PARTS + PART_OBJECT);
  find_source(L, c, i, lua_gettop(L));
  lua_rawseti(L, parts, (lua_Integer)i * PARTS + PART_SOURCE);
  if (lua_rawgeti(L, index, 2) != LUA_TNIL && !lua_isfunction(L, -1))
    bad_case(L, i,
             lua_pushfstring(L, "the handler must be a function, got %s",
                             rl_push_shown(L, -1)));
  c->handles = !lua_isnil(L, -1);
  lua_rawseti(L, parts, (lua_Integer)i * PARTS + PART_HANDLER);
  selector->waiters[i].source = c->source;
  selector->waiters[i].slot = 1; /* a permit; see lay_out_values for sends */
  selector->renews |= c->stands_for;
}

static void read_options(lua_State *L, struct rl_selector *selector,
                         int index) {
  int type;
  selector->timeout = rl_option_span(L, 2, "timeout", RILLE_FOREVER);
  rl_option(L, 2, "ordered", LUA_TBOOLEAN);
  selector->ordered = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (!lua_istable(L, 2))
    return;
  lua_pushliteral(L, "default");
  type = lua_rawget(L, 2);
  if (type != LUA_TNIL && type != LUA_TFUNCTION &&
      !(type == LUA_TBOOLEAN && lua_toboolean(L, -1)))
    rl_arg_error(L, 2, "option 'default': a function or true expected");
  selector->has_default = type != LUA_TNIL;
  if (selector->has_default && selector->timeout != RILLE_FOREVER)
    rl_arg_error(L, 2, "options 'default' and 'timeout' exclude each other");
  lua_setiuservalue(L, index, SELECTOR_DEFAULT);
}

struct rl_selector *rl_selector_new(lua_State *L, struct rl_engine *engine) {
  struct rl_selector *selector;
  uint32_t count;
  size_t each = sizeof(struct rl_case) + sizeof(struct rille_waiter), size;
  rl_check_type(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  rl_check_options(L, 2, option_names);
  count = (uint32_t)lua_rawlen(L, 1);
  rl_check_arg(L, count <= 1000000, 1, "too many cases");
  size = sizeof *selector + each * count;
  selector = lua_newuserdatauv(L, size, SELECTOR_SLOTS);
  memset((void *)selector, 0, size);
  selector->head = rl_head(engine, &rl_selector_type);
  selector->count = count;
  selector->waiters = (struct rille_waiter *)(void *)&selector->cases[count];
  read_options(L, selector, 3);
  lua_createtable(L, (int)count * PARTS, 0);
  for (uint32_t i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    read_case(L, selector, i, 5, 4);
    lua_settop(L, 4);
  }
  lua_setiuservalue(L, 3, SELECTOR_PARTS);
  rl_push_slot(L, engine, RL_SELECTOR_META);
  lua_setmetatable(L, 3);
  if (count == 0 && !selector->has_default &&
      selector->timeout == RILLE_FOREVER)
    rl_arg_error(L, 1,
                 "an empty list without a timeout or a default would "
                 "wait for ever");
  return selector;
}

void rl_selector_renew(lua_State *L, struct rl_selector *selector) {
  for (uint32_t i = 0; i < selector->count; i++) {
    struct rl_case *c = &selector->cases[i];
    if (!c->stands_for || selector->waiters[i].source == NULL)
      continue;
    lua_rawgeti(L, 2, (lua_Integer)i * PARTS + PART_OBJECT);
    find_source(L, c, i, lua_gettop(L));
    lua_rawseti(L, 2, (lua_Integer)i * PARTS + PART_SOURCE);
    selector->waiters[i].source = c->source;
  }
}
