/*
 * select.c - select, as Lua sees it.
 *
 * rille.select makes a selector and waits on it once; a hot loop makes one and
 * waits on it often. How it is made of a list of cases is in cases.c.
 */
#include "select.h"

static struct rl_selector *check_selector(lua_State *L) {
  return rl_check(L, 1, &rl_selector_type);
}

static bool in_use(const struct rl_selector *selector) {
  for (uint32_t i = 0; i < selector->count; i++)
    if (rille_list_linked(&selector->waiters[i].node))
      return true;
  return false;
}

/* Waiting: the selector is at 1, its parts at 2 */

static void push_part(lua_State *L, uint32_t i, int part) {
  lua_rawgeti(L, 2, (lua_Integer)i * PARTS + part);
}

static int handled_k(lua_State *L, int status, lua_KContext base) {
  struct rl_engine *engine = rl_engine(L);
  int results = lua_gettop(L) - (int)base;
  (void)status;
  if (engine->core.current == NULL)
    return results;
  return rl_return(L, rl_task_of(engine->core.current), results);
}

/* Calls the handler of case i, or another function, which is at the top, with
 * the `count` values below it; returns the index and what that returns. */
static int call_handler(lua_State *L, lua_Integer index, int count) {
  int base = lua_gettop(L);
  lua_pushinteger(L, index);
  lua_pushvalue(L, base);
  for (int i = 0; i < count; i++)
    lua_pushvalue(L, base - count + i);
  lua_callk(L, count, LUA_MULTRET, (lua_KContext)base, handled_k);
  return handled_k(L, LUA_OK, (lua_KContext)base);
}

/* Case i has fired. A value received while parked is at the top. */
static int complete(lua_State *L, struct rl_engine *engine,
                    struct rl_selector *selector, uint32_t i, bool waited) {
  struct rl_case *c = &selector->cases[i];
  int event = waited ? engine->core.current->wait.event : 0, count, base;
  if (c->sends && !waited)
    push_part(L, i, PART_VALUE);
  push_part(L, i, PART_SOURCE);
  count = c->push(L, engine, lua_touserdata(L, -1), c->sends, waited, event);
  luaL_checkstack(L, count + 4, "too many values");
  if (c->handles) {
    push_part(L, i, PART_HANDLER);
    return call_handler(L, (lua_Integer)i + 1, count);
  }
  base = lua_gettop(L) - count;
  lua_pushinteger(L, (lua_Integer)i + 1);
  for (int k = 1; k <= count; k++)
    lua_pushvalue(L, base + k);
  return rl_return(L, rl_task_of(engine->core.current), count + 1);
}

static int expire(lua_State *L, struct rl_engine *engine) {
  lua_pushnil(L);
  rl_push_error(L, engine, "timeout", "select timed out");
  return 2;
}

static int use_default(lua_State *L, struct rl_task *task) {
  if (lua_getiuservalue(L, 1, SELECTOR_DEFAULT) == LUA_TFUNCTION)
    return call_handler(L, 0, 0);
  lua_pushinteger(L, 0);
  return rl_return(L, task, 1);
}

static int wait_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  if (rl_resumed(L, engine, ctx, wait_k) == RILLE_EXPIRED)
    return expire(L, engine);
  return complete(L, engine, lua_touserdata(L, 1),
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
      rl_error(L, "a task cannot await itself (case %d)", (int)i + 1);
    if (holds_mutex(task, source))
      rl_error(L, "this task holds the mutex already (case %d)", (int)i + 1);
  }
}

/* How many waiters to link: none where no case can fire, for then nothing
 * shows that the selector is in use, and another task may come to use it. */
static uint32_t count_waiters(const struct rl_selector *selector) {
  for (uint32_t i = 0; i < selector->count; i++)
    if (selector->waiters[i].source != NULL)
      return selector->count;
  return 0;
}

static int wait_for(lua_State *L, struct rl_engine *engine,
                    struct rl_selector *selector, int64_t timeout) {
  struct rl_task *task = rl_enter(L, engine);
  int ready;
  lua_settop(L, 1);
  if (in_use(selector))
    rl_error(L, "another task waits on this selector; make one for each");
  lua_getiuservalue(L, 1, SELECTOR_PARTS);
  if (selector->renews)
    rl_selector_renew(L, selector);
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
  return rl_wait(L, task, selector->waiters, count_waiters(selector), timeout,
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
  struct rl_selector *selector = rl_selector_new(L, engine);
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
  rl_selector_new(L, rl_engine(L));
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
  lua_Integer i = rl_check_integer(L, 2);
  rl_check_arg(L, i >= 1 && i <= (lua_Integer)selector->count, 2,
               "no such case");
  rl_check_arg(L, !in_use(selector), 1, "a task waits on this selector");
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
  rl_check_arg(L, selector->cases[i].sends, 2, "not a send case");
  rl_check_arg(L, !lua_isnoneornil(L, 3), 3, "nil cannot be sent");
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
  rl_check_type(L, 3, LUA_TBOOLEAN);
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
