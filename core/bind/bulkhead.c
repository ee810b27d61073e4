/*
 * bulkhead.c - a bulkhead: a semaphore whose queue is bounded.
 *
 * All it does is semaphore.c's; here it is made.
 */
#include "bind.h"
#include <math.h>

/* Option `name` of the table at 1: a whole number from `least`. */
static uint32_t count_option(lua_State *L, const char *name, int least,
                             const char *expected) {
  int exact = 0;
  lua_Integer count = 0;
  if (rl_option(L, 1, name, LUA_TNUMBER) == LUA_TNUMBER)
    count = lua_tointegerx(L, -1, &exact);
  if (!exact || count < least || count > RILLE_PERMITS_MAX)
    rl_arg_error(L, 1,
                 lua_pushfstring(L, "option '%s': %s expected, got %s", name,
                                 expected, luaL_tolstring(L, -1, NULL)));
  lua_pop(L, 1);
  return (uint32_t)count;
}

static uint32_t queue_option(lua_State *L) {
  uint32_t queue = 0;
  int type = rl_option(L, 1, "queue", LUA_TNUMBER);
  if (type == LUA_TNUMBER && lua_tonumber(L, -1) == HUGE_VAL)
    queue = UINT32_MAX;
  else if (type != LUA_TNIL)
    queue = count_option(L, "queue", 0, "a whole number from 0, or math.huge");
  lua_pop(L, 1);
  return queue;
}

/*** Bulkheads.
@type bulkhead */

/***
Makes a bulkhead: a semaphore whose queue is bounded. Beyond it `acquire` and
`call` return nil and an error of kind `bulkhead_full`. It has the methods of a
semaphore, but is no source for select. Never suspends.
@function bulkhead
@tparam table opts `max` (how many at once, from 1), `queue` (how many may
wait, from 0 to math.huge; 0 unless told)
@return the bulkhead
@usage local page, err = rille.bulkhead{max = 10, queue = 20}:call(fetch, url)
*/
static int l_bulkhead_new(lua_State *L) {
  static const char *const names[] = {"max", "queue", NULL};
  struct rl_engine *engine = rl_engine(L);
  uint32_t max, queue;
  rl_check_type(L, 1, LUA_TTABLE);
  rl_check_options(L, 1, names);
  max = count_option(L, "max", 1, "a whole number from 1");
  queue = queue_option(L);
  rl_semaphore_new(L, engine, &rl_bulkhead_type, RL_BULKHEAD_META, (int32_t)max,
                   queue);
  return 1;
}

void rl_open_bulkhead(lua_State *L) {
  static const luaL_Reg functions[] = {{"bulkhead", l_bulkhead_new},
                                       {NULL, NULL}};
  rl_semaphore_new_type(L, RL_BULKHEAD_META, "bulkhead");
  rl_add_functions(L, functions);
}
