/*
 * thread.c - the coroutines that run tasks.
 *
 * A coroutine runs one task after another: its body is a C trampoline that
 * takes a function from its stack, runs it under lua_pcallk, reports, and
 * yields until the next one comes.
 *
 *     1 guard   2 message handler   3 tasks   4 task   5 function   6 ...
 *
 * The protected call is inside the coroutine because Lua runs no <close>
 * handler for an error that escapes one. The guard is a to-be-closed value at
 * the bottom of the stack: its __close tells the engine that somebody closed
 * the coroutine under the task, be it a script or the engine itself. The tasks
 * are the engine's table of them, at hand here so that nobody looks it up.
 */
#include "bind.h"
#include <stdlib.h>

enum { GUARD = 1, HANDLER, TASKS, TASK, FUNCTION };

static int job_k(lua_State *L, int status, lua_KContext ctx);
static int left_open_k(lua_State *L, int status, lua_KContext ctx);

/* The block scopes of a task that is gone. */
static inline void abandon_blocks(struct rl_engine *engine,
                                  struct rl_task *task) {
  while (rille_task_block(&task->core) != NULL)
    rl_block_abandon(engine, task);
}

/* Reports the end of the job, whose results are where its function was, and
 * above. */
static int end_job(lua_State *L, struct rl_engine *engine, bool ok) {
  abandon_blocks(engine, rl_task_of(engine->core.current)); /* there are some
      only for lack of memory */
  rl_task_finish(L, engine, ok, TASK, FUNCTION);
  engine->ended = true;
  return lua_yieldk(L, 0, 0, job_k);
}

/* The function has returned or raised. Scopes that it left open are closed
 * by the Lua part first: leave_open(ok, results...). */
static int finish_job(lua_State *L, struct rl_engine *engine, int status) {
  bool ok = status == LUA_OK || status == LUA_YIELD;
  if (!RL_LIKELY(engine->core.loop != NULL))
    rl_closed_error(L); /* the function has closed it */
  if (rille_task_block(engine->core.current) == NULL)
    return end_job(L, engine, ok);
  luaL_checkstack(L, 4, NULL);
  rl_push_slot(L, engine, RL_LUA);
  lua_getfield(L, -1, "leave_open");
  lua_replace(L, -2);
  lua_insert(L, FUNCTION);
  lua_pushboolean(L, ok);
  lua_insert(L, FUNCTION + 1);
  status = lua_pcallk(L, lua_gettop(L) - FUNCTION, LUA_MULTRET, HANDLER, 0,
                      left_open_k);
  return left_open_k(L, status, 0);
}

static int left_open_k(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  return end_job(L, rl_engine(L), status == LUA_OK || status == LUA_YIELD);
}

static int done_k(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  return finish_job(L, rl_engine(L), status);
}

static int job_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)ctx;
  if (engine->running != L) { /* resumed by hand */
    lua_settop(L, TASKS);
    return lua_yieldk(L, 0, 0, job_k);
  }
  status =
      lua_pcallk(L, lua_gettop(L) - FUNCTION, LUA_MULTRET, HANDLER, 0, done_k);
  return finish_job(L, engine, status);
}

/* The first run: lays what stays. */
static int trampoline(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  rl_push_slot(L, engine, RL_GUARD);
  lua_toclose(L, GUARD);
  rl_push_slot(L, engine, RL_HANDLER);
  rl_push_slot(L, engine, RL_TASKS);
  return lua_yieldk(L, 0, 0, job_k);
}

/* Makes room for one more index in the list of the free ones, so that giving
 * one back never needs memory. */
static void reserve_index(lua_State *L, struct rl_engine *engine) {
  int size = engine->free_indices_size * 2 + 64;
  int *indices;
  if (engine->threads < engine->free_indices_size)
    return;
  indices = realloc(engine->free_indices, (size_t)size * sizeof *indices);
  if (indices == NULL)
    luaL_error(L, "not enough memory");
  engine->free_indices = indices;
  engine->free_indices_size = size;
}

/* The index that the next coroutine gets; take_index makes it taken. */
static int next_index(const struct rl_engine *engine) {
  if (engine->free_indices_count > 0)
    return engine->free_indices[engine->free_indices_count - 1];
  return engine->threads + 1;
}

static void take_index(struct rl_engine *engine) {
  if (engine->free_indices_count > 0)
    engine->free_indices_count--;
  else
    engine->threads++;
}

/* Pops the task, or false, of the coroutine with that index. */
static void set_task(lua_State *L, struct rl_engine *engine, int index) {
  rl_push_slot(L, engine, RL_TASKS);
  lua_insert(L, -2);
  lua_rawseti(L, -2, index);
  lua_pop(L, 1);
}

static struct rl_thread make_thread(lua_State *L, struct rl_engine *engine) {
  struct rl_thread thread;
  int results;
  reserve_index(L, engine);
  thread.L = lua_newthread(L);
  rl_push_slot(L, engine, RL_BODY);
  lua_xmove(L, thread.L, 1);
  if (lua_resume(thread.L, L, 0, &results) != LUA_YIELD) {
    lua_xmove(thread.L, L, 1);
    lua_error(L);
  }
  thread.index = next_index(engine);
  lua_pushboolean(L, 0);
  set_task(L, engine, thread.index);
  rl_set_owned(L, engine, thread.L, true);
  lua_pop(L, 1);
  take_index(engine); /* now that nothing can fail any more */
  return thread;
}

bool rl_is_owned(lua_State *L, struct rl_engine *engine, lua_State *co) {
  bool owned;
  rl_push_slot(L, engine, RL_OWNED);
  owned = lua_rawgetp(L, -1, co) != LUA_TNIL;
  lua_pop(L, 2);
  return owned;
}

void rl_set_owned(lua_State *L, struct rl_engine *engine, lua_State *co,
                  bool owned) {
  rl_push_slot(L, engine, RL_OWNED);
  if (owned) {
    lua_pushthread(co);
    lua_xmove(co, L, 1);
  } else {
    lua_pushnil(L);
  }
  lua_rawsetp(L, -2, co);
  lua_pop(L, 1);
}

/* Makes the task whose userdata is at `index` of L the one of its coroutine,
 * with the `count` topmost values, which move there. */
void rl_thread_load(lua_State *L, const struct rl_task *task, int index,
                    int count) {
  lua_State *co = task->thread.L;
  lua_pushvalue(L, index);
  lua_xmove(L, co, 1);
  lua_pushvalue(co, TASK);
  lua_rawseti(co, TASKS, task->thread.index);
  lua_xmove(L, co, count);
}

struct rl_thread rl_thread_acquire(lua_State *L, struct rl_engine *engine) {
  while (engine->idle_count > 0) {
    struct rl_thread thread = engine->idle[--engine->idle_count];
    if (lua_status(thread.L) == LUA_YIELD)
      return thread;
    rl_thread_drop(engine, thread); /* closed by hand */
  }
  return make_thread(L, engine);
}

void rl_thread_drop(struct rl_engine *engine, struct rl_thread thread) {
  lua_State *L = engine->main;
  lua_pushboolean(L, 0);
  set_task(L, engine, thread.index);
  rl_set_owned(L, engine, thread.L, false);
  engine->free_indices[engine->free_indices_count++] = thread.index;
}

void rl_thread_release(struct rl_engine *engine, struct rl_thread thread) {
  if (engine->idle_count == RL_POOL) {
    rl_thread_drop(engine, thread);
    return;
  }
  lua_settop(thread.L, TASKS);
  if (lua_gethook(thread.L) != NULL) /* the task's; or, as it began, main's */
    lua_sethook(thread.L, lua_gethook(engine->main),
                lua_gethookmask(engine->main), lua_gethookcount(engine->main));
  lua_pushboolean(thread.L, 0);
  lua_rawseti(thread.L, TASKS, thread.index);
  engine->idle[engine->idle_count++] = thread;
}

struct rl_task *rl_thread_task(struct rl_engine *engine, lua_State *co) {
  lua_State *L = engine->main;
  struct rl_task *found = NULL;
  rl_push_slot(L, engine, RL_TASKS);
  for (int i = 1; i <= engine->threads && found == NULL; i++) {
    struct rl_task *task;
    lua_rawgeti(L, -1, i);
    task = lua_touserdata(L, -1);
    if (task != NULL && (task->thread.L == co || task->waiting == co))
      found = task;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found;
}

/* Why a coroutine was closed under its task. */
static void push_kill_reason(lua_State *L, struct rl_engine *engine,
                             struct rl_task *task, const char *name) {
  if (task->doomed)
    rl_push_error(L, engine, "invalid",
                  "%s caught its own cancellation %d times in a row and was "
                  "closed; let the error pass, or leave the cancelled scope",
                  name, RILLE_TASK_SWALLOWS);
  else if (engine->closing)
    rl_push_error(L, engine, "cancelled", "%s was closed with its engine",
                  name);
  else
    rl_push_error(L, engine, "invalid",
                  "the coroutine of %s was closed by hand", name);
}

/* __close of the guard: the coroutine L is being closed. */
static int l_guard_close(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task = engine->dying;
  if (task == NULL || task->thread.L != L)
    task = rl_thread_task(engine, L); /* which looks at every task there is */
  if (task == NULL || rille_task_ended(&task->core))
    return 0;
  lua_settop(L, 2);
  rille_wait_unlink(&task->core);
  abandon_blocks(engine, task);
  rl_push_task(L, engine, task);
  rl_push_task_name(L, 3);
  if (lua_isnil(L, 2) || task->doomed || engine->closing)
    push_kill_reason(L, engine, task, lua_tostring(L, 4));
  else
    lua_pushvalue(L, 2); /* no memory to end the job, say */
  rl_task_finish(L, engine, false, 3, 5);
  return 0;
}

/* Makes the task of a dead coroutine end, whatever happened to it. */
static void bury(struct rl_engine *engine, struct rl_task *task) {
  struct rl_thread thread = task->thread;
  lua_resetthread(thread.L);
  if (!rille_task_ended(&task->core)) { /* no memory even for its error */
    abandon_blocks(engine, task);
    if (task->core.supervised)
      rl_scope_starve(engine, task->core.scope);
    rl_task_lose(engine, task, RILLE_TASK_FAILED);
  }
  rl_thread_drop(engine, thread);
}

/* The coroutines inside that of a task which is going to be closed are
 * anybody's again: nobody will take them up. */
static void disown_generators(struct rl_engine *engine, struct rl_task *task) {
  lua_State *co = task->thread.L;
  while ((co = rl_resumed_by(co)) != NULL)
    rl_set_owned(engine->main, engine, co, false);
}

void rl_thread_kill(struct rl_engine *engine, struct rl_task *task) {
  lua_State *inner = task->waiting;
  rille_wait_unlink(&task->core); /* while its stack is still whole */
  disown_generators(engine, task);
  if (inner != NULL && inner != task->thread.L)
    lua_resetthread(inner);
  engine->dying = task;
  bury(engine, task);
  engine->dying = NULL;
}

/* Runs before the next instruction of a task that yielded a value which is
 * not the engine's: the error appears where the yield is. */
static void misuse_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "a task yielded a value to the engine, which takes none; to "
                "let other tasks run call rille.yield(), to hand values on "
                "use a channel or a generator");
}

static void after_yield(struct rl_engine *engine, struct rl_task *task,
                        lua_State *co, int results) {
  bool waits = engine->waits;
  engine->waits = false;
  if (task->doomed) {
    rl_thread_kill(engine, task);
  } else if (!waits) {
    lua_pop(co, results);
    lua_sethook(co, misuse_hook, LUA_MASKCOUNT, 1);
    rille_task_ready(&task->core);
  }
}

/*
 * Where tasks are many, the next one's memory is in no cache. So, while one
 * runs, the processor is told to fetch the object of the third after it, and
 * the coroutine of the second, whose object has come by now and says where that
 * is. What a coroutine points to, only Lua knows.
 */
static void look_ahead(const struct rille_node *ready) {
  struct rille_node *node = ready->next->next;
  const struct rl_task *task;
  if (node == ready || ready->next == ready)
    return;
  task = rl_task_of(rille_task_at(node));
  RL_PREFETCH(task->thread.L);
  RL_PREFETCH((const char *)task->thread.L + 64); /* a line of the cache */
  node = node->next;
  if (node == ready)
    return;
  task = rl_task_of(rille_task_at(node));
  RL_PREFETCH(node);
  RL_PREFETCH(&task->core.since);
  RL_PREFETCH(&task->thread);
}

void rl_thread_resume(struct rille_task *core) {
  struct rl_task *task = rl_task_of(core);
  struct rl_engine *engine = rl_engine_of(core->scope->engine);
  struct rl_thread thread = task->thread;
  int status, results = 0;
  look_ahead(&engine->core.ready);
  if (!core->started && core->top->by != NULL) {
    rl_task_skip(engine, task);
    return;
  }
  core->started = 1;
  core->status = RILLE_TASK_RUNNING;
  core->budget = RILLE_TASK_BUDGET;
  engine->core.current = core;
  engine->running = thread.L;
  status = lua_resume(thread.L, engine->from, 0, &results);
  engine->core.current = NULL;
  engine->running = NULL;
  if (engine->core.loop == NULL) /* closed from inside */
    return;
  if (status == LUA_YIELD && engine->ended)
    rl_thread_release(engine, thread);
  else if (status == LUA_YIELD)
    after_yield(engine, task, thread.L, results);
  else
    bury(engine, task);
  engine->ended = false;
}

void rl_thread_open(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_guard_close}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_add_protector(lua_touserdata(L, engine), trampoline, FUNCTION);
  lua_pushvalue(L, engine);
  lua_pushcclosure(L, trampoline, 1);
  lua_setiuservalue(L, engine, RL_BODY);
  rl_new_type(L, RL_GUARD, "guard", none, meta);
  lua_newuserdatauv(L, 0, 0);
  lua_getiuservalue(L, engine, RL_GUARD);
  lua_setmetatable(L, -2);
  lua_setiuservalue(L, engine, RL_GUARD);
}
