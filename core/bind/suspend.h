/*
 * suspend.h - how a C function waits; the idea is told in suspend.c.
 *
 *     rl_enter ... try ... rl_wait(L, task, ..., ctx, k)
 *     k:  rl_resumed ... push results
 */
#ifndef RILLE_BIND_SUSPEND_H
#define RILLE_BIND_SUSPEND_H

#include "call.h"

/* What somebody gets who resumes by hand a coroutine that waits. */
#define RL_REFUSAL                                                             \
  "rille: this coroutine waits for the engine, which alone may resume it"

/* The running task; raises where a wait is impossible, and says why. */
struct rl_task *rl_can_wait(lua_State *L, struct rl_engine *engine);

/* Whether the running task is cancelled but stands in a cleanup that may
 * still wait. */
bool rl_cleans_up(lua_State *L, struct rl_task *task);

/* When the running task will be cancelled, as far as that is known, in ns:
 * the nearest deadline, or the end of the grace that its cleanup has. A wait
 * that cannot end before is no use. */
int64_t rl_deadline(const struct rl_task *task);

/* rl_enter, where it is not plain that the task may wait. */
struct rl_task *rl_enter_slowly(lua_State *L, struct rl_engine *engine);

/* The running task, ready to wait: raises where a wait is impossible, and
 * does not return where it is cancelled. Every blocking call begins so. */
static inline struct rl_task *rl_enter(lua_State *L, struct rl_engine *engine) {
  struct rille_task *task = engine->core.current;
  if (RL_LIKELY(engine->running == L && task != NULL && task->top->by == NULL &&
                lua_isyieldable(L)))
    return rl_task_of(task);
  return rl_enter_slowly(L, engine);
}

/* Parks the running task as rille_wait_start does, and suspends. */
int rl_wait(lua_State *L, struct rl_task *task, struct rille_waiter *waiters,
            uint32_t count, int64_t due, int flags, lua_KContext ctx,
            lua_KFunction k);

/* The same on one source, for as long as it takes. */
int rl_wait_one(lua_State *L, struct rl_task *task, struct rille_source *source,
                int slot, lua_KContext ctx, lua_KFunction k);

/* A wait that no cancellation interrupts, on one source. */
int rl_wait_shielded(lua_State *L, struct rl_task *task,
                     struct rille_source *source, lua_KContext ctx,
                     lua_KFunction k);

/* Suspends for a turn; then returns the `results` topmost values. */
int rl_turn(lua_State *L, struct rl_task *task, int results);

/* Gives up the turn if the schedule is random and says so. */
int rl_return_perhaps(lua_State *L, struct rl_task *task, int results);

/* Returns `results` from a call that did not wait: after many such calls in
 * a row it gives up a turn. */
static inline int rl_return(lua_State *L, struct rl_task *task, int results) {
  if (!RL_LIKELY(task->core.budget > 0))
    return rl_turn(L, task, results);
  task->core.budget--;
  if (RL_LIKELY(!task->core.scope->engine->shuffle))
    return results;
  return rl_return_perhaps(L, task, results);
}

/* Raises the cancellation of the running task. */
int rl_raise_cancellation(lua_State *L, struct rl_engine *engine);

/* rl_outcome, where that is not plain. */
enum rille_outcome rl_outcome_slowly(lua_State *L, struct rl_engine *engine,
                                     lua_KContext ctx, lua_KFunction k);

/* How the wait of the running task ended; does not return if somebody else
 * than the engine resumed. */
static inline enum rille_outcome rl_outcome(lua_State *L,
                                            struct rl_engine *engine,
                                            lua_KContext ctx, lua_KFunction k) {
  struct rille_task *current = engine->core.current;
  if (RL_LIKELY(engine->running == L && current != NULL &&
                current->wait.outcome != RILLE_CANCELLED &&
                current->top->by == NULL)) {
    struct rl_task *task = rl_task_of(current);
    if (RL_LIKELY(task->waiting == L && task->thread.L == L)) {
      task->waiting = NULL;
      current->swallowed = 0;
      return (enum rille_outcome)current->wait.outcome;
    }
  }
  return rl_outcome_slowly(L, engine, ctx, k);
}

/* First thing in each continuation: the same, but raises if cancelled. */
static inline enum rille_outcome rl_resumed(lua_State *L,
                                            struct rl_engine *engine,
                                            lua_KContext ctx, lua_KFunction k) {
  enum rille_outcome outcome = rl_outcome(L, engine, ctx, k);
  if (outcome == RILLE_CANCELLED)
    rl_raise_cancellation(L, engine);
  return outcome;
}

/* Moves the value at the top of L to the stack of a peer that was woken. */
void rl_give(lua_State *L, struct rille_waiter *peer);

/* Pushes the value that a woken peer offers. */
void rl_take(lua_State *L, struct rille_waiter *peer);

/* Whether a parked task stands in a <close> handler, and the scope whose
 * cancellation it meets was not opened in there. */
bool rl_in_cleanup(struct rille_task *task);

/* The frame at `level` of L; `lasts`: for as long as it will be asked for. */
struct rl_frame rl_frame_at(lua_State *L, int level, bool lasts);

/* stack.c: the frames of a stack, from the top */

struct rl_walk {
  lua_Debug frame; /* as of lua_getstack */
  int level;
};

/* Goes to the frame at the top; to the caller's. False if there is none. */
bool rl_frame_top(lua_State *L, struct rl_walk *walk);
bool rl_frame_next(lua_State *L, const struct rl_engine *engine,
                   struct rl_walk *walk);

#endif
