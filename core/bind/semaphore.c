/*
 * semaphore.c - semaphores, as Lua sees them; a bulkhead is one with a bounded
 * queue, made in bulkhead.c.
 */
#include "bind.h"
#include <math.h>

struct rl_semaphore {
  struct rl_head head;
  struct rl_engine *engine; /* cheaper to have than to look up */
  struct rille_semaphore core;
  uint32_t queue; /* who may wait at most; UINT32_MAX: everybody */
};

/* Of either type, at the cost of one. */
static struct rl_semaphore *check_semaphore(lua_State *L) {
  const struct rl_semaphore *semaphore = lua_touserdata(L, 1);
  const struct rl_type *type = &rl_semaphore_type;
  if (semaphore != NULL && lua_rawlen(L, 1) >= sizeof *semaphore &&
      semaphore->head.type == &rl_bulkhead_type)
    type = &rl_bulkhead_type;
  return rl_check(L, 1, type);
}

/* A number of permits at `index`; 1 if there is none. */
static int32_t check_count(lua_State *L, int index, int32_t most) {
  int exact = 0;
  lua_Integer count = 1;
  if (lua_isnoneornil(L, index))
    return 1;
  if (lua_type(L, index) == LUA_TNUMBER)
    count = lua_tointegerx(L, index, &exact);
  if (!exact || count < 1)
    rl_type_error(L, index, "a whole number from 1");
  if (count > most)
    rl_arg_error(
        L, index,
        lua_pushfstring(L, "%I permits of %d cannot be had", count, (int)most));
  return (int32_t)count;
}

void rl_semaphore_new(lua_State *L, struct rl_engine *engine,
                      const struct rl_type *type, int meta, int32_t limit,
                      uint32_t queue) {
  struct rl_semaphore *semaphore = lua_newuserdatauv(L, sizeof *semaphore, 0);
  semaphore->head = rl_head(engine, type);
  semaphore->engine = engine;
  semaphore->queue = queue;
  rille_semaphore_init(&semaphore->core, limit);
  rl_push_slot(L, engine, meta);
  lua_setmetatable(L, -2);
}

/*** Semaphores.
@type semaphore */

/***
Makes a semaphore: a number of permits, given out in strict order. A source
for select, where it gives one permit. Never suspends.
@function semaphore
@tparam integer n how many permits, from 1
@return the semaphore
@usage local connections = rille.semaphore(10)
*/
static int l_semaphore_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  rl_check_type(L, 1, LUA_TNUMBER);
  rl_semaphore_new(L, engine, &rl_semaphore_type, RL_SEMAPHORE_META,
                   check_count(L, 1, RILLE_PERMITS_MAX), UINT32_MAX);
  return 1;
}

static bool queue_full(const struct rl_semaphore *semaphore) {
  return semaphore->core.waiting >= semaphore->queue;
}

static int refuse(lua_State *L, struct rl_task *task,
                  const struct rl_semaphore *semaphore) {
  lua_pushnil(L);
  rl_push_error(L, semaphore->engine, "bulkhead_full",
                "the bulkhead is full: %d at work, %d waiting",
                (int)(semaphore->core.limit - semaphore->core.available),
                (int)semaphore->core.waiting);
  return rl_return(L, task, 2);
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, acquire_k);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Takes permits. Suspends while there are too few, or somebody waits already.
@function semaphore:acquire
@tparam[opt=1] integer k how many
@treturn boolean true; of a bulkhead whose queue is full: nil and an error of
kind `bulkhead_full`
@raise cancelled; when `k` is more than there are
*/
static int l_semaphore_acquire(lua_State *L) {
  struct rl_semaphore *semaphore = check_semaphore(L);
  int32_t count = check_count(L, 2, semaphore->core.limit);
  struct rl_task *task = rl_enter(L, semaphore->engine);
  if (rille_semaphore_take(&semaphore->core, count)) {
    lua_pushboolean(L, 1);
    return rl_return(L, task, 1);
  }
  if (queue_full(semaphore))
    return refuse(L, task, semaphore);
  lua_settop(L, 1);
  return rl_wait_one(L, task, &semaphore->core.source, count, 0, acquire_k);
}

/***
Takes permits if that need not wait. Never suspends, never overtakes who
waits.
@function semaphore:try_acquire
@tparam[opt=1] integer k how many
@treturn boolean true; or nil and an error of kind `full`
@raise when `k` is more than there are
*/
static int l_semaphore_try_acquire(lua_State *L) {
  struct rl_semaphore *semaphore = check_semaphore(L);
  int32_t count = check_count(L, 2, semaphore->core.limit);
  if (rille_semaphore_take(&semaphore->core, count))
    return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  rl_push_error(L, semaphore->engine, "full", "the %s has no permit to give",
                semaphore->head.type->name);
  return 2;
}

static void give_back(lua_State *L, struct rl_semaphore *semaphore,
                      int32_t count) {
  if (!rille_semaphore_give(&semaphore->core, count))
    rl_error(L, "more permits given back than were taken: %d of %d", (int)count,
             (int)(semaphore->core.limit - semaphore->core.available));
}

/***
Gives permits back, from any task or callback. Never suspends.
@function semaphore:release
@tparam[opt=1] integer k how many
@raise when more are given back than were taken
*/
static int l_semaphore_release(lua_State *L) {
  struct rl_semaphore *semaphore = check_semaphore(L);
  give_back(L, semaphore, check_count(L, 2, RILLE_PERMITS_MAX));
  return 0;
}

static int call_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, call_k);
  return rl_call_holding(L, rl_engine(L));
}

/***
Calls a function with one permit held, which is given back however the call
ends. Suspends for the permit, and as `fn` does.
@function semaphore:call
@tparam function fn
@param ... its arguments
@return its results; of a bulkhead whose queue is full: nil and an error of
kind `bulkhead_full`
@raise what `fn` raises, unchanged; cancelled
@usage local page = connections:call(fetch, url)
*/
static int l_semaphore_call(lua_State *L) {
  struct rl_semaphore *semaphore = check_semaphore(L);
  struct rl_task *task;
  rl_check_type(L, 2, LUA_TFUNCTION);
  task = rl_enter(L, semaphore->engine);
  if (rille_semaphore_take(&semaphore->core, 1))
    return rl_call_holding(L, semaphore->engine);
  if (queue_full(semaphore))
    return refuse(L, task, semaphore);
  return rl_wait_one(L, task, &semaphore->core.source, 1, 0, call_k);
}

/***
Changes the number of permits. Who holds more than there are now keeps them
until they are given back. Never suspends.
@function semaphore:resize
@tparam integer n from 1
@raise when somebody waits for more than `n` permits
*/
static int l_semaphore_resize(lua_State *L) {
  struct rl_semaphore *semaphore = check_semaphore(L);
  int32_t limit;
  rl_check_type(L, 2, LUA_TNUMBER);
  limit = check_count(L, 2, RILLE_PERMITS_MAX);
  if (!rille_semaphore_resize(&semaphore->core, limit))
    rl_arg_error(L, 2, "somebody waits for more permits than that");
  return 0;
}

/* What can be taken: none while more are out than there are now. */
static lua_Integer available(const struct rl_semaphore *semaphore) {
  int32_t count = semaphore->core.available;
  return count > 0 ? count : 0;
}

/***
@function semaphore:available
@treturn integer permits that nobody holds
*/
static int l_semaphore_available(lua_State *L) {
  return lua_pushinteger(L, available(check_semaphore(L))), 1;
}

/***
@function semaphore:waiting
@treturn integer how many tasks wait
*/
static int l_semaphore_waiting(lua_State *L) {
  return lua_pushinteger(L, check_semaphore(L)->core.waiting), 1;
}

/***
@function semaphore:stats
@treturn table `limit`, `available`, `waiting`; of a bulkhead also `queue`
*/
static int l_semaphore_stats(lua_State *L) {
  const struct rl_semaphore *semaphore = check_semaphore(L);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, semaphore->core.limit);
  lua_setfield(L, -2, "limit");
  lua_pushinteger(L, available(semaphore));
  lua_setfield(L, -2, "available");
  lua_pushinteger(L, semaphore->core.waiting);
  lua_setfield(L, -2, "waiting");
  if (semaphore->head.type == &rl_bulkhead_type) {
    if (semaphore->queue == UINT32_MAX)
      lua_pushnumber(L, HUGE_VAL);
    else
      lua_pushinteger(L, semaphore->queue);
    lua_setfield(L, -2, "queue");
  }
  return 1;
}

/* __close: gives one permit back, for `local _ <close> = semaphore` after an
 * acquire, and at the end of a call. */
static int l_semaphore_close(lua_State *L) {
  give_back(L, check_semaphore(L), 1);
  return 0;
}

static int l_semaphore_tostring(lua_State *L) {
  const struct rl_semaphore *semaphore = check_semaphore(L);
  lua_pushfstring(L, "rille.%s: %d of %d free, %d waiting",
                  semaphore->head.type->name, (int)available(semaphore),
                  (int)semaphore->core.limit, (int)semaphore->core.waiting);
  return 1;
}

static struct rille_source *semaphore_source(void *object, bool sends) {
  return sends ? NULL : &((struct rl_semaphore *)object)->core.source;
}

static int push_case(lua_State *L, struct rl_engine *engine, void *object,
                     bool sends, bool waited, int event) {
  struct rl_semaphore *semaphore = object;
  (void)engine, (void)sends, (void)event;
  if (!waited)
    rille_semaphore_take(&semaphore->core, 1);
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  return 1;
}

const struct rl_type rl_semaphore_type = {
    "semaphore", sizeof(struct rl_semaphore), semaphore_source, push_case};
const struct rl_type rl_bulkhead_type = {
    "bulkhead", sizeof(struct rl_semaphore), NULL, NULL};

void rl_semaphore_new_type(lua_State *L, int slot, const char *name) {
  static const luaL_Reg methods[] = {{"acquire", l_semaphore_acquire},
                                     {"try_acquire", l_semaphore_try_acquire},
                                     {"release", l_semaphore_release},
                                     {"call", l_semaphore_call},
                                     {"resize", l_semaphore_resize},
                                     {"available", l_semaphore_available},
                                     {"waiting", l_semaphore_waiting},
                                     {"stats", l_semaphore_stats},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_semaphore_close},
                                  {"__tostring", l_semaphore_tostring},
                                  {NULL, NULL}};
  rl_new_type(L, slot, name, methods, meta);
}

void rl_open_semaphore(lua_State *L) {
  static const luaL_Reg functions[] = {{"semaphore", l_semaphore_new},
                                       {NULL, NULL}};
  rl_semaphore_new_type(L, RL_SEMAPHORE_META, "semaphore");
  rl_add_functions(L, functions);
}
