/*
 * mutex.c - mutexes, as Lua sees them: one task at a time, and only it can
 * release.
 */
#include "bind.h"

struct rl_mutex {
  struct rl_head head;
  struct rille_lock core;
};

static struct rl_mutex *check_mutex(lua_State *L) {
  return rl_check(L, 1, &rl_mutex_type);
}

static struct rl_task *owner_of(const struct rl_engine *engine,
                                const struct rl_mutex *mutex) {
  struct rille_task *owner =
      rille_mutex_owner(&mutex->core, &engine->core.holds);
  return owner != NULL ? rl_task_of(owner) : NULL;
}

/* Takes the mutex at `index`, if that need not wait. */
static bool take(lua_State *L, struct rl_engine *engine, struct rl_task *task,
                 int index) {
  struct rl_mutex *mutex = lua_touserdata(L, index);
  rl_hold_reserve(L, engine);
  if (!rille_mutex_take(&mutex->core, &task->core))
    return false;
  rl_hold_anchor(L, engine, mutex->core.hold, index);
  return true;
}

/* The running task, ready to wait for the mutex. */
static struct rl_task *enter(lua_State *L, struct rl_engine *engine,
                             const struct rl_mutex *mutex) {
  struct rl_task *task = rl_enter(L, engine);
  if (owner_of(engine, mutex) == task)
    rl_error(L, "this task holds the mutex already and would wait for "
                "itself: a mutex is not reentrant");
  return task;
}

static void give_back(lua_State *L, const struct rl_mutex *mutex) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *owner = owner_of(engine, mutex);
  if (owner == NULL)
    rl_error(L, "the mutex is not held by anybody");
  if (&owner->core != engine->core.current) {
    rl_push_task(L, engine, owner);
    rl_error(L, "the mutex is held by %s, which alone can release it",
             rl_push_task_name(L, lua_gettop(L)));
  }
  rl_hold_close(L, engine, owner, mutex->core.hold);
}

/*** Mutexes.
@type mutex */

/***
Makes a mutex: a lock that one task holds. It has an owner: only who took it
can release it, and cannot take it twice. A source for select. Never suspends.
@function mutex
@return the mutex
@usage local m = rille.mutex()
*/
static int l_mutex_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_mutex *mutex = lua_newuserdatauv(L, sizeof *mutex, 0);
  mutex->head = rl_head(engine, &rl_mutex_type);
  rille_mutex_init(&mutex->core);
  rl_push_slot(L, engine, RL_MUTEX_META);
  lua_setmetatable(L, -2);
  return 1;
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, acquire_k);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Takes the mutex. Suspends while another task holds it; in order.
@function mutex:acquire
@treturn boolean true
@raise cancelled; when this task holds it already
*/
static int l_mutex_acquire(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_mutex *mutex = check_mutex(L);
  struct rl_task *task = enter(L, engine, mutex);
  lua_settop(L, 1);
  if (!take(L, engine, task, 1))
    return rl_wait_one(L, task, &mutex->core.permits.source, 1, 0, acquire_k);
  lua_pushboolean(L, 1);
  return rl_return(L, task, 1);
}

/***
Takes the mutex if nobody holds it. Never suspends.
@function mutex:try_acquire
@treturn boolean true; or nil and an error of kind `full`
@raise outside a task
*/
static int l_mutex_try_acquire(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  check_mutex(L);
  if (engine->core.current == NULL)
    rl_error(L, "a mutex is held by a task: this is none");
  if (take(L, engine, rl_task_of(engine->core.current), 1))
    return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  rl_push_error(L, engine, "full", "the mutex is held");
  return 2;
}

/***
Releases the mutex; who has waited longest gets it. Never suspends.
@function mutex:release
@raise unless this task holds it
*/
static int l_mutex_release(lua_State *L) {
  give_back(L, check_mutex(L));
  return 0;
}

static int call_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, call_k);
  return rl_call_holding(L, rl_engine(L));
}

/***
Calls a function with the mutex held, which is released however the call ends.
Suspends for the mutex, and as `fn` does.
@function mutex:call
@tparam function fn
@param ... its arguments
@return its results
@raise what `fn` raises, unchanged; cancelled; when this task holds it already
@usage m:call(function() total = total + rate() end)
*/
static int l_mutex_call(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_mutex *mutex = check_mutex(L);
  struct rl_task *task;
  rl_check_type(L, 2, LUA_TFUNCTION);
  task = enter(L, engine, mutex);
  if (take(L, engine, task, 1))
    return rl_call_holding(L, engine);
  return rl_wait_one(L, task, &mutex->core.permits.source, 1, 0, call_k);
}

/***
@function mutex:locked
@treturn boolean whether a task holds it
*/
static int l_mutex_locked(lua_State *L) {
  return lua_pushboolean(L, check_mutex(L)->core.hold != 0), 1;
}

/***
@function mutex:stats
@treturn table `locked` (boolean), `owner` (the name of the task, or nil),
`waiting`
*/
static int l_mutex_stats(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_mutex *mutex = check_mutex(L);
  struct rl_task *owner = owner_of(engine, mutex);
  lua_createtable(L, 0, 3);
  lua_pushboolean(L, owner != NULL);
  lua_setfield(L, -2, "locked");
  if (owner != NULL) {
    rl_push_task(L, engine, owner);
    rl_push_task_name(L, lua_gettop(L));
    lua_setfield(L, -3, "owner");
    lua_pop(L, 1);
  }
  lua_pushinteger(L, mutex->core.permits.waiting);
  lua_setfield(L, -2, "waiting");
  return 1;
}

static int l_mutex_tostring(lua_State *L) {
  const struct rl_mutex *mutex = check_mutex(L);
  lua_pushfstring(L, "rille.mutex: %s, %d waiting",
                  mutex->core.hold != 0 ? "held" : "free",
                  (int)mutex->core.permits.waiting);
  return 1;
}

static struct rille_source *mutex_source(void *object, bool sends) {
  return sends ? NULL : &((struct rl_mutex *)object)->core.permits.source;
}

static int push_case(lua_State *L, struct rl_engine *engine, void *object,
                     bool sends, bool waited, int event) {
  (void)object, (void)sends, (void)event;
  if (!waited)
    take(L, engine, rl_task_of(engine->core.current), lua_gettop(L));
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  return 1;
}

const struct rl_type rl_mutex_type = {"mutex", sizeof(struct rl_mutex),
                                      mutex_source, push_case};

void rl_open_mutex(lua_State *L) {
  static const luaL_Reg methods[] = {{"acquire", l_mutex_acquire},
                                     {"try_acquire", l_mutex_try_acquire},
                                     {"release", l_mutex_release},
                                     {"call", l_mutex_call},
                                     {"locked", l_mutex_locked},
                                     {"stats", l_mutex_stats},
                                     {NULL, NULL}};
  /* __close releases: at the end of a block, or of a call. */
  static const luaL_Reg meta[] = {{"__close", l_mutex_release},
                                  {"__tostring", l_mutex_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"mutex", l_mutex_new}, {NULL, NULL}};
  rl_new_type(L, RL_MUTEX_META, "mutex", methods, meta);
  rl_add_functions(L, functions);
}
