/*
 * suspend.c - how a C function waits.
 *
 *     rl_enter ... try ... rl_wait(L, task, ..., ctx, k)
 *     k:  rl_resumed ... push results
 *
 * A suspension yields, and says so to the engine (rl_engine.waits). The
 * scheduler, and the engine's own coroutine.resume, see that and pass it
 * outward; every coroutine on the way must be one that they resumed, or the
 * wait is refused beforehand. Whoever else resumes the coroutine meanwhile gets
 * a message and changes nothing.
 */
#include "bind.h"
#include <string.h>

/* In the build of scripts/torture gc: a full collection, and what finalizers
 * do, before each wait and after it. */
static void collect(lua_State *L) {
#ifdef RILLE_TORTURE_GC
  lua_gc(L, LUA_GCCOLLECT);
#else
  (void)L;
#endif
}

static int suspend(lua_State *L, struct rl_task *task, lua_KContext ctx,
                   lua_KFunction k) {
  rl_engine_of(task->core.scope->engine)->waits = true;
  return lua_yieldk(L, 0, ctx, k);
}

/* The name of the C function that keeps L from yielding, or NULL. */
static const char *blocking_function(lua_State *L, lua_Debug *frame) {
  for (int level = 1; lua_getstack(L, level, frame); level++) {
    lua_getinfo(L, "Sn", frame);
    if (strcmp(frame->what, "C") == 0)
      return frame->name != NULL ? frame->name : "a C function";
  }
  return NULL;
}

static int refuse_unyieldable(lua_State *L) {
  lua_Debug frame;
  const char *name = blocking_function(L, &frame);
  return rl_error(L,
                  "cannot wait here: '%s' is running and Lua cannot suspend "
                  "it (sort, gsub, tostring, require and finalizers are "
                  "such); do the waiting before or after it",
                  name != NULL ? name : "a finalizer");
}

static int refuse(lua_State *L, struct rl_engine *engine) {
  if (engine->core.current != NULL) {
    if (!lua_isyieldable(L) || engine->running == NULL)
      return refuse_unyieldable(L);
    return rl_error(
        L, "cannot wait here: this coroutine was resumed by Lua's own "
           "coroutine library, which would take the wait for a value; use "
           "rille.coroutine or call rille.install_coroutines() first");
  }
  if (rille_loop_running(&engine->core))
    return rl_error(
        L, "cannot wait here: this is a callback of the event loop, not a "
           "task; start one with scope:go(), or use a call that never waits");
  return rl_error(L, "cannot wait here: not inside a task; call this from "
                     "a function given to rille.run()");
}

static int cancelled_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_outcome(L, rl_engine_open(L), ctx, cancelled_k); /* of any function */
  return rl_raise_cancellation(L, rl_engine_open(L));
}

/* Notes where the task waits; nothing is noted if that takes more memory than
 * there is. */
static void park(lua_State *L, struct rl_task *task) {
  if (L != task->thread.L) /* a generator: nobody else may hold it */
    rl_set_owned(L, rl_engine_of(task->core.scope->engine), L, true);
  task->waiting = L;
  task->top = lua_gettop(L);
}

static bool shielded_now(struct rl_task *task) {
  const struct rille_cancel *by = task->core.top->by;
  return rl_in_cleanup(&task->core) &&
         rille_now(task->core.scope->engine) < rille_cancel_grace(by);
}

struct rl_task *rl_can_wait(lua_State *L, struct rl_engine *engine) {
  if (engine->core.current == NULL || engine->running != L ||
      !lua_isyieldable(L))
    refuse(L, engine);
  return rl_task_of(engine->core.current);
}

bool rl_cleans_up(lua_State *L, struct rl_task *task) {
  bool shielded = false;
  if (task->core.top->by != NULL) {
    task->waiting = L;
    shielded = shielded_now(task);
    task->waiting = NULL;
  }
  return shielded;
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

/* A block with a parent elsewhere obeys that, and what encloses it here. */
int64_t rl_deadline(const struct rl_task *task) {
  const struct rille_scope *block = rille_task_block(&task->core);
  int64_t nearest = RILLE_FOREVER;
  if (task->core.top->by != NULL)
    return rille_cancel_grace(task->core.top->by);
  for (; block != NULL; block = rille_scope_under(block)) {
    nearest = earlier(nearest, block->foreign ? rille_scope_deadline(block)
                                              : block->deadline);
    if (block->cancel.shield)
      return nearest;
  }
  return earlier(nearest, rille_scope_deadline(task->core.scope));
}

struct rl_task *rl_enter_slowly(lua_State *L, struct rl_engine *engine) {
  struct rl_task *task = rl_can_wait(L, engine);
  collect(L);
  if (task->core.top->by != NULL && !rl_cleans_up(L, task)) {
    park(L, task);
    rille_wait_turn(&task->core); /* through the queue: nobody may spin */
    suspend(L, task, 0, cancelled_k);
  }
  return task;
}

int rl_wait(lua_State *L, struct rl_task *task, struct rille_waiter *waiters,
            uint32_t count, int64_t due, int flags, lua_KContext ctx,
            lua_KFunction k) {
  const struct rille_cancel *by = task->core.top->by;
  park(L, task);
  rille_wait_start(&task->core, waiters, count, due, flags);
  if (by != NULL && !(flags & RILLE_WAIT_SHIELDED)) {
    if (shielded_now(task))
      rille_wait_limit(&task->core, rille_cancel_grace(by));
    else
      rille_wait_cancel(&task->core);
  }
  return suspend(L, task, ctx, k);
}

int rl_wait_one(lua_State *L, struct rl_task *task, struct rille_source *source,
                int slot, lua_KContext ctx, lua_KFunction k) {
  struct rille_waiter *one = &task->core.wait.one;
  one->source = source;
  one->slot = slot;
  return rl_wait(L, task, one, 1, RILLE_FOREVER, 0, ctx, k);
}

int rl_wait_shielded(lua_State *L, struct rl_task *task,
                     struct rille_source *source, lua_KContext ctx,
                     lua_KFunction k) {
  struct rille_waiter *one = &task->core.wait.one;
  one->source = source;
  return rl_wait(L, task, one, 1, RILLE_FOREVER, RILLE_WAIT_SHIELDED, ctx, k);
}

static int turn_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_outcome(L, rl_engine(L), ctx, turn_k);
  return (int)ctx;
}

int rl_turn(lua_State *L, struct rl_task *task, int results) {
  park(L, task);
  rille_wait_turn(&task->core);
  return suspend(L, task, results, turn_k);
}

/* One call in four gives up its turn. */
int rl_return_perhaps(lua_State *L, struct rl_task *task, int results) {
  if (rille_random(task->core.scope->engine, 4) != 0)
    return results;
  return rl_turn(L, task, results);
}

/* Somebody resumed a parked coroutine by hand. It stays parked. */
static int refuse_resume(lua_State *L, struct rl_engine *engine,
                         lua_KContext ctx, lua_KFunction k) {
  struct rl_task *task = rl_thread_task(engine, L);
  if (task != NULL)
    lua_settop(L, task->top);
  lua_pushliteral(L, RL_REFUSAL);
  return lua_yieldk(L, 1, ctx, k);
}

enum rille_outcome rl_outcome_slowly(lua_State *L, struct rl_engine *engine,
                                     lua_KContext ctx, lua_KFunction k) {
  struct rille_task *current = engine->core.current;
  struct rl_task *task = current != NULL ? rl_task_of(current) : NULL;
  if (task == NULL || task->waiting != L || engine->running != L)
    refuse_resume(L, engine, ctx, k);
  task->waiting = NULL;
  if (L != task->thread.L)
    rl_set_owned(L, engine, L, false);
  if (current->wait.outcome != RILLE_CANCELLED && current->top->by == NULL)
    current->swallowed = 0;
  collect(L);
  return (enum rille_outcome)current->wait.outcome;
}

int rl_raise_cancellation(lua_State *L, struct rl_engine *engine) {
  struct rille_task *task = engine->core.current;
  struct rille_cancel *by = task->top->by;
  by->delivered = 1;
  if (++task->swallowed > RILLE_TASK_SWALLOWS) {
    rl_task_of(task)->doomed = true;
    park(L, rl_task_of(task));
    return suspend(L, rl_task_of(task), 0,
                   cancelled_k); /* never resumed: the end */
  }
  rl_push_cancellation(L, engine, by);
  return lua_error(L);
}

void rl_give(lua_State *L, struct rille_waiter *peer) {
  struct rl_task *task = rl_task_of(peer->task);
  lua_xmove(L, task->waiting, 1);
  task->top++;
}

void rl_take(lua_State *L, struct rille_waiter *peer) {
  lua_State *from = rl_task_of(peer->task)->waiting;
  lua_pushvalue(from, peer->slot);
  lua_xmove(from, L, 1);
}

/*
 * True if the C function `caller` protects a call and has entered the frame
 * above it otherwise than by that call: an error is being unwound through
 * <close> variables. The protected function stands in a known slot of the
 * caller's frame, which ends below the frame above it: so the slot can be
 * read only if the frame above is not that function's, or if that is a vararg
 * function, whose frame Lua moves up: then the two are equal.
 */
static bool unwinds(lua_State *L, struct rl_engine *engine, lua_Debug *frame,
                    lua_Debug *caller) {
  int slot, same;
  lua_getinfo(L, "f", caller);
  slot = rl_protected_slot(engine, lua_tocfunction(L, -1));
  lua_pop(L, 1);
  if (slot == 0 || lua_getlocal(L, caller, slot) == NULL)
    return false;
  lua_getinfo(L, "f", frame);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return !same;
}

static bool is_handler(lua_State *L, struct rl_engine *engine,
                       const struct rl_walk *walk) {
  struct rl_walk caller = *walk;
  lua_Debug frame = walk->frame;
  lua_getinfo(L, "nt", &frame);
  if (strcmp(frame.namewhat, "metamethod") == 0 && frame.name != NULL &&
      strcmp(frame.name, "close") == 0)
    return true;
  if (*frame.namewhat != '\0' || frame.istailcall ||
      !rl_frame_next(L, engine, &caller))
    return false;
  lua_getinfo(L, "S", &caller.frame);
  return strcmp(caller.frame.what, "C") == 0 &&
         unwinds(L, engine, &frame, &caller.frame);
}

static const void *function_of(lua_State *L, lua_Debug *frame) {
  const void *function;
  lua_getinfo(L, "f", frame);
  function = lua_topointer(L, -1);
  lua_pop(L, 1);
  return function;
}

struct rl_frame rl_frame_at(lua_State *L, int level, bool lasts) {
  struct rl_frame found = {NULL, NULL};
  lua_Debug frame;
  if (lua_getstack(L, level, &frame)) {
    found.place = frame.i_ci;
    found.function = lasts ? NULL : function_of(L, &frame);
  }
  return found;
}

static bool is_frame(lua_State *L, lua_Debug *frame,
                     const struct rl_frame *known) {
  return known != NULL && frame->i_ci == known->place &&
         (known->function == NULL || function_of(L, frame) == known->function);
}

/* The block of the scope that the cancellation `by` is of, if it is a block
 * of `task`. */
static const struct rl_frame *block_of(const struct rille_task *task,
                                       const struct rille_cancel *by) {
  const struct rille_scope *block = rille_task_block(task);
  while (block != NULL && &block->cancel != by)
    block = rille_scope_under(block);
  return block != NULL ? &rl_scope_of((struct rille_scope *)block)->frame
                       : NULL;
}

enum stand { IN_NEITHER, IN_HANDLER, IN_BLOCK };

/* What comes first from the top of the stack: a handler, or the frame `block`
 * (NULL: none), in which the scope was opened that is cancelled. */
static enum stand find_stand(lua_State *L, struct rl_engine *engine,
                             const struct rl_frame *block) {
  struct rl_walk walk;
  bool more = rl_frame_top(L, &walk);
  for (; more; more = rl_frame_next(L, engine, &walk)) {
    if (is_frame(L, &walk.frame, block))
      return IN_BLOCK;
    if (is_handler(L, engine, &walk))
      return IN_HANDLER;
  }
  return IN_NEITHER;
}

bool rl_in_cleanup(struct rille_task *core) {
  struct rl_task *task = rl_task_of(core);
  struct rl_engine *engine = rl_engine_of(core->scope->engine);
  lua_State *L = task->waiting;
  const struct rl_frame *block = block_of(core, core->top->by);
  enum stand stand;
  if (core->forced || L == NULL)
    return false;
  stand = find_stand(L, engine, block);
  if (stand == IN_NEITHER && L != task->thread.L)
    stand = find_stand(task->thread.L, engine, block);
  return stand == IN_HANDLER;
}
