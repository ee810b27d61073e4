/*
 * rwlock.c - read-write locks, as Lua sees them: any number of tasks that
 * read, or one that writes.
 *
 * A writer takes all the permits there are, a reader one: so the order of the
 * semaphore is the lock's. A task holds a lock once at most, for reading or
 * for writing; what it holds is found by the task, not by the lock.
 */
#include "bind.h"

struct rl_rwlock {
  struct rl_head head;
  struct rille_lock core;
};

#define READ 1
#define WRITE RILLE_PERMITS_MAX

static struct rl_rwlock *check_rwlock(lua_State *L) {
  return rl_check(L, 1, &rl_rwlock_type);
}

/* The permits that a task has through the hold `number`; 0: none yet. */
static int32_t held(const struct rl_engine *engine, uint32_t number) {
  return number != 0 ? engine->core.holds.places[number].count : 0;
}

/* A task that would have to wait for itself; `count` is what it asks for. */
static int refuse_twice(lua_State *L, int32_t has, int32_t count) {
  if (has == READ && count == WRITE)
    return rl_error(L, "this task holds the lock for reading and would wait "
                       "for itself: release it before writing");
  return rl_error(L,
                  "this task holds the lock for %s already: a read-write "
                  "lock is not reentrant",
                  has == READ ? "reading" : "writing");
}

/* Opens a hold of the task on the lock at 1, whose number is returned; of a
 * task that holds the lock already: 0, or an error if it `insists`. */
static uint32_t ask(lua_State *L, struct rl_engine *engine,
                    struct rl_task *task, int32_t count, bool insists) {
  struct rl_rwlock *lock = lua_touserdata(L, 1);
  uint32_t number = rille_hold_find(&task->core, &lock->core);
  int32_t has = held(engine, number);
  if (has > 0 && insists)
    refuse_twice(L, has, count);
  if (has > 0)
    return 0;
  if (number != 0) /* it had no memory to wait, before */
    rl_hold_close(L, engine, task, number);
  rl_hold_reserve(L, engine);
  number = rille_rwlock_ask(&lock->core, &task->core);
  rl_hold_anchor(L, engine, number, 1);
  return number;
}

/* Asks for the lock at 1, and takes it if that need not wait. */
static bool take(lua_State *L, struct rl_engine *engine, struct rl_task *task,
                 int32_t count) {
  struct rl_rwlock *lock = lua_touserdata(L, 1);
  uint32_t number = ask(L, engine, task, count, true);
  return rille_rwlock_take(&lock->core, &task->core, number, count);
}

/* How a wait for the lock at 1 ended: it is held, or this raises. */
static void resumed(lua_State *L, lua_KContext ctx, lua_KFunction k) {
  enum rille_outcome outcome = rl_outcome(L, rl_engine(L), ctx, k);
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task = rl_task_of(engine->core.current);
  struct rl_rwlock *lock = lua_touserdata(L, 1);
  if (outcome != RILLE_CANCELLED)
    return;
  rl_hold_close(L, engine, task, rille_hold_find(&task->core, &lock->core));
  rl_raise_cancellation(L, engine);
}

static int wait_for(lua_State *L, struct rl_task *task, int32_t count,
                    lua_KFunction k) {
  struct rl_rwlock *lock = lua_touserdata(L, 1);
  return rl_wait_one(L, task, &lock->core.permits.source, count, 0, k);
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  resumed(L, ctx, acquire_k);
  lua_pushboolean(L, 1);
  return 1;
}

static int acquire(lua_State *L, int32_t count) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task;
  check_rwlock(L);
  task = rl_enter(L, engine);
  lua_settop(L, 1);
  if (!take(L, engine, task, count))
    return wait_for(L, task, count, acquire_k);
  lua_pushboolean(L, 1);
  return rl_return(L, task, 1);
}

static int try_acquire(lua_State *L, int32_t count) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_rwlock *lock = check_rwlock(L);
  struct rl_task *task;
  uint32_t number;
  if (engine->core.current == NULL)
    rl_error(L, "a read-write lock is held by a task: this is none");
  task = rl_task_of(engine->core.current);
  number = ask(L, engine, task, count, false);
  if (number != 0 && rille_rwlock_take(&lock->core, &task->core, number, count))
    return lua_pushboolean(L, 1), 1;
  if (number != 0)
    rl_hold_close(L, engine, task, number);
  lua_pushnil(L);
  rl_push_error(L, engine, "full", "the lock is held");
  return 2;
}

/* `count`: READ, WRITE, or 0 for either. */
static int release(lua_State *L, int32_t count) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_rwlock *lock = check_rwlock(L);
  const struct rille_task *task = engine->core.current;
  uint32_t number = task != NULL ? rille_hold_find(task, &lock->core) : 0;
  int32_t has = held(engine, number);
  if (has == 0 || (count != 0 && has != count))
    return rl_error(L, "this task does not hold the lock%s",
                    count == READ    ? " for reading"
                    : count == WRITE ? " for writing"
                                     : "");
  rl_hold_close(L, engine, rl_task_of(engine->core.current), number);
  return 0;
}

static int call_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  resumed(L, ctx, call_k);
  return rl_call_holding(L, rl_engine(L));
}

static int call(lua_State *L, int32_t count) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task;
  check_rwlock(L);
  rl_check_type(L, 2, LUA_TFUNCTION);
  task = rl_enter(L, engine);
  if (take(L, engine, task, count))
    return rl_call_holding(L, engine);
  return wait_for(L, task, count, call_k);
}

/*** Read-write locks.
@type rwlock */

/***
Makes a read-write lock: many tasks may hold it for reading, or one for
writing. Strictly in order: no writer is starved, and readers that wait next
to each other enter together. Never suspends.
@function rwlock
@return the lock
@usage local config = rille.rwlock()
*/
static int l_rwlock_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_rwlock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
  lock->head = rl_head(engine, &rl_rwlock_type);
  rille_rwlock_init(&lock->core);
  rl_push_slot(L, engine, RL_RWLOCK_META);
  lua_setmetatable(L, -2);
  return 1;
}

/***
Calls a function with the lock held for reading, which is released however the
call ends. Suspends for the lock, and as `fn` does.
@function rwlock:read
@tparam function fn
@param ... its arguments
@return its results
@raise what `fn` raises, unchanged; cancelled; when this task holds the lock
@usage local port = config:read(function() return settings.port end)
*/
static int l_rwlock_read(lua_State *L) { return call(L, READ); }

/***
The same, held for writing.
@function rwlock:write
@tparam function fn
@param ... its arguments
@return its results
@raise what `fn` raises, unchanged; cancelled; when this task holds the lock
*/
static int l_rwlock_write(lua_State *L) { return call(L, WRITE); }

/***
Takes the lock for reading. Suspends while a task writes, or waits before this
one.
@function rwlock:acquire_read
@treturn boolean true
@raise cancelled; when this task holds the lock
*/
static int l_rwlock_acquire_read(lua_State *L) { return acquire(L, READ); }

/***
Takes the lock for writing. Suspends while a task holds it, or waits before
this one.
@function rwlock:acquire_write
@treturn boolean true
@raise cancelled; when this task holds the lock, be it for reading
*/
static int l_rwlock_acquire_write(lua_State *L) { return acquire(L, WRITE); }

/***
Takes the lock for reading if that need not wait. Never suspends.
@function rwlock:try_acquire_read
@treturn boolean true; or nil and an error of kind `full`
@raise outside a task
*/
static int l_rwlock_try_acquire_read(lua_State *L) {
  return try_acquire(L, READ);
}

/***
Takes the lock for writing if that need not wait. Never suspends.
@function rwlock:try_acquire_write
@treturn boolean true; or nil and an error of kind `full`
@raise outside a task
*/
static int l_rwlock_try_acquire_write(lua_State *L) {
  return try_acquire(L, WRITE);
}

/***
Releases the lock that this task holds for reading. Never suspends.
@function rwlock:release_read
@raise unless it does
*/
static int l_rwlock_release_read(lua_State *L) { return release(L, READ); }

/***
Releases the lock that this task holds for writing. Never suspends.
@function rwlock:release_write
@raise unless it does
*/
static int l_rwlock_release_write(lua_State *L) { return release(L, WRITE); }

/* __close: at the end of a block, or of a call. */
static int l_rwlock_close(lua_State *L) { return release(L, 0); }

static bool written(const struct rl_rwlock *lock) {
  return lock->core.permits.available == 0;
}

static lua_Integer readers(const struct rl_rwlock *lock) {
  const struct rille_semaphore *permits = &lock->core.permits;
  return written(lock) ? 0 : permits->limit - permits->available;
}

/***
@function rwlock:stats
@treturn table `readers` (how many hold it), `writer` (boolean), `waiting`
*/
static int l_rwlock_stats(lua_State *L) {
  const struct rl_rwlock *lock = check_rwlock(L);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, readers(lock));
  lua_setfield(L, -2, "readers");
  lua_pushboolean(L, written(lock));
  lua_setfield(L, -2, "writer");
  lua_pushinteger(L, lock->core.permits.waiting);
  lua_setfield(L, -2, "waiting");
  return 1;
}

static int l_rwlock_tostring(lua_State *L) {
  const struct rl_rwlock *lock = check_rwlock(L);
  if (written(lock))
    lua_pushliteral(L, "a writer");
  else if (readers(lock) > 0)
    lua_pushfstring(L, "%d readers", (int)readers(lock));
  else
    lua_pushliteral(L, "free");
  lua_pushfstring(L, "rille.rwlock: %s, %d waiting", lua_tostring(L, -1),
                  (int)lock->core.permits.waiting);
  return 1;
}

const struct rl_type rl_rwlock_type = {"rwlock", sizeof(struct rl_rwlock), NULL,
                                       NULL};

void rl_open_rwlock(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", l_rwlock_read},
      {"write", l_rwlock_write},
      {"acquire_read", l_rwlock_acquire_read},
      {"acquire_write", l_rwlock_acquire_write},
      {"try_acquire_read", l_rwlock_try_acquire_read},
      {"try_acquire_write", l_rwlock_try_acquire_write},
      {"release_read", l_rwlock_release_read},
      {"release_write", l_rwlock_release_write},
      {"stats", l_rwlock_stats},
      {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_rwlock_close},
                                  {"__tostring", l_rwlock_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"rwlock", l_rwlock_new}, {NULL, NULL}};
  rl_new_type(L, RL_RWLOCK_META, "rwlock", methods, meta);
  rl_add_functions(L, functions);
}
