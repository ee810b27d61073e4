/*
 * select.c - select, as Lua sees it.
 *
 * A selector holds the cases: for each a waiter, and in a list of its user
 * value the object, the value to send and the handler. rille.select makes one
 * and waits on it once; a hot loop makes one and waits on it often.
 */
#include "bind.h"
#include <string.h>

struct rl_case {
  struct rille_source *source;
  rl_push_case *push;
  bool sends;
  bool stands_for; /* the object is not the source: it names one anew each
                      time, by its metamethod __source */
};

struct rl_selector {
  const struct rl_type *type;
  struct rille_waiter *waiters; /* behind the cases, in the same memory */
  uint32_t count;
  bool ordered;
  bool has_default;
  bool renews;     /* some object stands for its source */
  int64_t timeout; /* ns; RILLE_FOREVER */
  struct rl_case cases[];
};

enum { SELECTOR_PARTS = 1, SELECTOR_DEFAULT, SELECTOR_SLOTS = 2 };
enum { PART_OBJECT = 1, PART_VALUE, PART_HANDLER, PART_SOURCE, PARTS = 4 };

static const char *const option_names[] = {"timeout", "default", "ordered",
                                           NULL};

static struct rl_selector *check_selector(lua_State *L) {
  return rl_check(L, 1, &rl_selector_type);
}

static bool in_use(const struct rl_selector *selector) {
  for (uint32_t i = 0; i < selector->count; i++)
    if (rille_list_linked(&selector->waiters[i].node))
      return true;
  return false;
}

/* Reading the cases */

static int bad_case(lua_State *L, uint32_t i, const char *what) {
  return luaL_argerror(L, 1,
                       lua_pushfstring(L, "case %d: %s", (int)i + 1, what));
}

/* What can be a case. */
static const struct rl_type *const sources[] = {
    &rl_channel_type, &rl_subscription_type, &rl_task_type,  &rl_alarm_type,
    &rl_ticker_type,  &rl_semaphore_type,    &rl_mutex_type, &rl_event_type,
    &rl_inlet_type,   &rl_transfer_type};

#define SOURCES (sizeof sources / sizeof *sources)

static int refuse_source(lua_State *L, uint32_t i, int index) {
  luaL_Buffer names;
  lua_pushfstring(
      L, "%s is not something to wait for; what is:", luaL_typename(L, index));
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
                             luaL_typename(L, index)));
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
                             luaL_typename(L, -1)));
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
  type = lua_getfield(L, 2, "default");
  if (type != LUA_TNIL && type != LUA_TFUNCTION &&
      !(type == LUA_TBOOLEAN && lua_toboolean(L, -1)))
    luaL_argerror(L, 2, "option 'default': a function or true expected");
  selector->has_default = type != LUA_TNIL;
  if (selector->has_default && selector->timeout != RILLE_FOREVER)
    luaL_argerror(L, 2, "options 'default' and 'timeout' exclude each other");
  lua_setiuservalue(L, index, SELECTOR_DEFAULT);
}

/* Pushes a selector made of the cases at 1 and the options at 2. */
static struct rl_selector *new_selector(lua_State *L,
                                        struct rl_engine *engine) {
  struct rl_selector *selector;
  uint32_t count;
  size_t each = sizeof(struct rl_case) + sizeof(struct rille_waiter), size;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  rl_check_options(L, 2, option_names);
  count = (uint32_t)lua_rawlen(L, 1);
  luaL_argcheck(L, count <= 1000000, 1, "too many cases");
  size = sizeof *selector + each * count;
  selector = lua_newuserdatauv(L, size, SELECTOR_SLOTS);
  memset((void *)selector, 0, size);
  selector->type = &rl_selector_type;
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
    luaL_argerror(L, 1,
                  "an empty list without a timeout or a default would "
                  "wait for ever");
  return selector;
}

/* Waiting: the selector is at 1 */

static void push_part(lua_State *L, uint32_t i, int part) {
  lua_getiuservalue(L, 1, SELECTOR_PARTS);
  lua_rawgeti(L, -1, (lua_Integer)i * PARTS + part);
  lua_replace(L, -2);
}

static int handled_k(lua_State *L, int status, lua_KContext base) {
  struct rl_engine *engine = rl_engine(L);
  int results = lua_gettop(L) - (int)base;
  (void)status;
  if (engine->core.current == NULL)
    return results;
  return rl_return(L, rl_task_of(engine->core.current), results);
}

/* Calls the function at the top with the `count` values below it, and
 * returns the index that lies below these with what it returns. */
static int call_handler(lua_State *L, int count) {
  int base = lua_gettop(L) - count - 2;
  lua_insert(L, base + 2);
  lua_callk(L, count, LUA_MULTRET, (lua_KContext)base, handled_k);
  return handled_k(L, LUA_OK, (lua_KContext)base);
}

/* Case i has fired. A value received while parked is at the top. */
static int complete(lua_State *L, struct rl_engine *engine,
                    struct rl_selector *selector, uint32_t i, bool waited) {
  struct rl_case *c = &selector->cases[i];
  int event = waited ? engine->core.current->wait.event : 0, count;
  if (c->sends && !waited)
    push_part(L, i, PART_VALUE);
  push_part(L, i, PART_SOURCE);
  count = c->push(L, engine, lua_touserdata(L, -1), c->sends, waited, event);
  lua_pushinteger(L, (lua_Integer)i + 1);
  lua_insert(L, -count - 1);
  push_part(L, i, PART_HANDLER);
  if (!lua_isnil(L, -1))
    return call_handler(L, count);
  lua_pop(L, 1);
  return rl_return(L, rl_task_of(engine->core.current), count + 1);
}

static int expire(lua_State *L, struct rl_engine *engine) {
  lua_pushnil(L);
  rl_push_error(L, engine, "timeout", "select timed out");
  return 2;
}

static int use_default(lua_State *L, struct rl_task *task) {
  lua_pushinteger(L, 0);
  if (lua_getiuservalue(L, 1, SELECTOR_DEFAULT) == LUA_TFUNCTION)
    return call_handler(L, 0);
  lua_pop(L, 1);
  return rl_return(L, task, 1);
}

static int wait_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  if (rl_resumed(L, engine, ctx, wait_k) == RILLE_EXPIRED)
    return expire(L, engine);
  return complete(L, engine, check_selector(L),
                  engine->core.current->wait.fired, true);
}

/* Puts the values to send on the stack, where a receiver finds them. */
static void lay_out_values(lua_State *L, struct rl_selector *selector) {
  luaL_checkstack(L, (int)selector->count + 10, "too many cases");
  for (uint32_t i = 0; i < selector->count; i++) {
    if (!selector->cases[i].sends || selector->waiters[i].source == NULL)
      continue;
    push_part(L, i, PART_VALUE);
    selector->waiters[i].slot = lua_gettop(L);
  }
}

static bool holds_mutex(const struct rl_task *task,
                        struct rille_source *source) {
  const struct rille_lock *mutex =
      task->core.holds != 0 && source != NULL ? rille_mutex_of(source) : NULL;
  return mutex != NULL && rille_hold_find(&task->core, mutex) != 0;
}

static void check_self(lua_State *L, struct rl_selector *selector,
                       struct rl_task *task) {
  for (uint32_t i = 0; i < selector->count; i++) {
    struct rille_source *source = selector->waiters[i].source;
    if (source == &task->core.ended)
      luaL_error(L, "a task cannot await itself (case %d)", (int)i + 1);
    if (holds_mutex(task, source))
      luaL_error(L, "this task holds the mutex already (case %d)", (int)i + 1);
  }
}

/* Asks the objects that stand for a source which it is now. */
static void renew_sources(lua_State *L, struct rl_selector *selector) {
  for (uint32_t i = 0; i < selector->count; i++) {
    struct rl_case *c = &selector->cases[i];
    if (!c->stands_for || selector->waiters[i].source == NULL)
      continue;
    lua_getiuservalue(L, 1, SELECTOR_PARTS);
    lua_rawgeti(L, -1, (lua_Integer)i * PARTS + PART_OBJECT);
    find_source(L, c, i, lua_gettop(L));
    lua_rawseti(L, -2, (lua_Integer)i * PARTS + PART_SOURCE);
    lua_pop(L, 1);
    selector->waiters[i].source = c->source;
  }
}

static int wait_for(lua_State *L, struct rl_engine *engine,
                    struct rl_selector *selector, int64_t timeout) {
  struct rl_task *task = rl_enter(L, engine);
  int ready;
  lua_settop(L, 1);
  if (in_use(selector))
    luaL_error(L, "another task waits on this selector; make one for each");
  if (selector->renews)
    renew_sources(L, selector);
  check_self(L, selector, task);
  ready = rille_select_ready(&engine->core, selector->waiters, selector->count,
                             selector->ordered);
  if (ready >= 0)
    return complete(L, engine, selector, (uint32_t)ready, false);
  if (selector->has_default)
    return use_default(L, task);
  if (timeout == 0)
    return rl_return(L, task, expire(L, engine));
  lay_out_values(L, selector);
  if (timeout != RILLE_FOREVER)
    timeout = rille_time_add(rille_now(&engine->core), timeout);
  return rl_wait(L, task, selector->waiters, selector->count, timeout,
                 selector->ordered ? 0 : RILLE_WAIT_EVEN, 0, wait_k);
}

/***
Waits until one of several things can happen, and does it. Suspends unless
one can happen now.
@function select
@tparam table cases list of `{source, [handler]}` and
`{channel, send = value, [handler]}`; false is never ready
@tparam[opt] table opts `timeout` (seconds), `default` (function or true),
`ordered` (boolean)
@return the index of the case and what was received, or what the handler
returned; 0 and what `default` returned; nil and an error of kind `timeout`
@raise closed, for a send; cancelled
@usage local i, v = rille.select{{results}, {quit}}
*/
static int l_select(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_selector *selector = new_selector(L, engine);
  selector->renews = false; /* they have just been asked */
  lua_replace(L, 1);
  return wait_for(L, engine, selector, selector->timeout);
}

/*** Selectors.
@type selector */

/***
Makes a selector, to wait on the same cases again and again without garbage.
Never suspends.
@function selector
@tparam table cases as for `select`; the list is copied
@tparam[opt] table opts as for `select`
@return the selector
*/
static int l_selector_new(lua_State *L) {
  new_selector(L, rl_engine(L));
  lua_settop(L, 3);
  return 1;
}

/***
Waits, as `select` does.
@function selector:wait
@tparam[opt] number timeout seconds, instead of the option's; 0 only looks
@return as `select`
*/
static int l_selector_wait(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_selector *selector = check_selector(L);
  int64_t timeout = selector->timeout;
  if (!lua_isnoneornil(L, 2))
    timeout = rl_check_span(L, 2);
  return wait_for(L, engine, selector, timeout);
}

static uint32_t check_index(lua_State *L, struct rl_selector *selector) {
  lua_Integer i = luaL_checkinteger(L, 2);
  luaL_argcheck(L, i >= 1 && i <= (lua_Integer)selector->count, 2,
                "no such case");
  luaL_argcheck(L, !in_use(selector), 1, "a task waits on this selector");
  return (uint32_t)i - 1;
}

/***
Changes the value of a send case. Never suspends.
@function selector:set_send
@tparam integer i the case
@param value anything but nil
*/
static int l_selector_set_send(lua_State *L) {
  struct rl_selector *selector = check_selector(L);
  uint32_t i = check_index(L, selector);
  luaL_argcheck(L, selector->cases[i].sends, 2, "not a send case");
  luaL_argcheck(L, !lua_isnoneornil(L, 3), 3, "nil cannot be sent");
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, SELECTOR_PARTS);
  lua_insert(L, 3);
  lua_rawseti(L, 3, (lua_Integer)i * PARTS + PART_VALUE);
  return 0;
}

/***
Switches a case off and on. Never suspends.
@function selector:enable
@tparam integer i the case
@tparam boolean on
*/
static int l_selector_enable(lua_State *L) {
  struct rl_selector *selector = check_selector(L);
  uint32_t i = check_index(L, selector);
  luaL_checktype(L, 3, LUA_TBOOLEAN);
  selector->waiters[i].source =
      lua_toboolean(L, 3) ? selector->cases[i].source : NULL;
  return 0;
}

static int l_selector_tostring(lua_State *L) {
  const struct rl_selector *selector = check_selector(L);
  lua_pushfstring(L, "rille.selector: %d cases%s", (int)selector->count,
                  in_use(selector) ? " (waiting)" : "");
  return 1;
}

const struct rl_type rl_selector_type = {"selector", sizeof(struct rl_selector),
                                         NULL, NULL};

void rl_open_select(lua_State *L) {
  static const luaL_Reg methods[] = {{"wait", l_selector_wait},
                                     {"set_send", l_selector_set_send},
                                     {"enable", l_selector_enable},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_selector_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"select", l_select}, {"selector", l_selector_new}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_new_type(L, RL_SELECTOR_META, "selector", methods, meta);
  rl_add_functions(L, functions);
  lua_settop(L, engine);
}
