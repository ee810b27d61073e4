/*
 * bind.h - what the files of the binding share.
 *
 * One file binds one Lua type: it checks arguments, calls the core, pushes
 * results. The prefix rl_ is the binding's own; nothing here is public.
 *
 * Every function of the module has the engine's userdata as its first
 * upvalue. Every userdata begins with an rl_head: its rl_type, and the number
 * of the engine that made it. A receiver is known by that and by its size,
 * never by its metatable, which a script can change. A state has one open
 * engine at most, but objects of closed ones may still be about: what they
 * point to may be gone, so they are refused wherever they turn up.
 *
 * A struct that the core has linked somewhere is anchored while it is: a live
 * task and its coroutine in tables of the engine, an open scope likewise, a
 * channel or timer by the stack of the task that waits on it. So no finalizer
 * has to unlink anything, and what a script does with a metatable harms it
 * alone.
 */
#ifndef RILLE_BIND_H
#define RILLE_BIND_H

#include "../channel.h"
#include "../engine.h"
#include "../event.h"
#include "../rille.h"
#include "../select.h"
#include <lauxlib.h>
#include <lua.h>

struct rl_engine;

/*
 * Replaces the object at the top by what its source, which has fired, has for
 * the waiter: `waited` if it came while parked, with `event`, else it is ready
 * now. A value to send lies below the object; a value received while parked
 * does so too. Returns how many values.
 */
typedef int rl_push_case(lua_State *L, struct rl_engine *engine, void *object,
                         bool sends, bool waited, int event);

struct rl_type {
  const char *name; /* "channel" */
  size_t size;      /* at the least */
  /* As a case of a select; NULL: it cannot be one. The source is NULL where a
   * send is asked of what only gives. */
  struct rille_source *(*source)(void *object, bool sends);
  rl_push_case *push;
};

/* What every object begins with. */
struct rl_head {
  const struct rl_type *type;
  uint32_t engine; /* rl_engine.number */
};

extern const struct rl_type rl_engine_type, rl_task_type, rl_scope_type,
    rl_channel_type, rl_broadcast_type, rl_subscription_type, rl_alarm_type,
    rl_ticker_type, rl_await_type, rl_selector_type, rl_poll_type,
    rl_semaphore_type, rl_bulkhead_type, rl_mutex_type, rl_rwlock_type,
    rl_event_type, rl_breaker_type, rl_limiter_type, rl_retry_type,
    rl_budget_type, rl_inlet_type, rl_transfer_type;

/* User values of the engine. */
enum rl_engine_slot {
  RL_THREADS = 1, /* index -> coroutine, all there are */
  RL_TASKS,       /* the same index -> the task that runs in it, or false */
  RL_OWNED,       /* address -> true: coroutines that the engine resumes */
  RL_SCOPES,      /* address -> scope, the open ones */
  RL_HELD,        /* number of a hold -> the lock, or false */
  RL_LUA,         /* what the Lua part offers to the C part */
  RL_MODULE,      /* what `require "rille"` returns */
  RL_REPORT,      /* how the last run failed, or nil */
  RL_HOLDS,       /* the memory of the holds */
  RL_TRANSFERS,   /* address -> transfer, those that libcurl knows */
  RL_ERROR_META,
  RL_TASK_META,
  RL_SCOPE_META,
  RL_CHANNEL_META,
  RL_BROADCAST_META,
  RL_SUBSCRIPTION_META,
  RL_INLET_META,
  RL_ALARM_META,
  RL_TICKER_META,
  RL_AWAIT_META,
  RL_SELECTOR_META,
  RL_POLL_META,
  RL_SEMAPHORE_META,
  RL_BULKHEAD_META,
  RL_MUTEX_META,
  RL_RWLOCK_META,
  RL_EVENT_META,
  RL_BREAKER_META,
  RL_LIMITER_META,
  RL_RETRY_META,
  RL_BUDGET_META,
  RL_HTTP_POOL_META,
  RL_TRANSFER_META,
  RL_HANDLER, /* the message handler of every protected call */
  RL_BODY,    /* what runs in each task's coroutine */
  RL_GUARD,   /* what lies at the bottom of each task's coroutine */
  RL_TOP,     /* the scope at the top */
  RL_ENGINE_SLOTS = RL_TOP
};

/* A coroutine that can run tasks, one after the other. */
struct rl_thread {
  lua_State *L;
  int index; /* in RL_THREADS and RL_TASKS */
};

/* A C function that protects a call, and where in its frame it keeps the
 * function that it calls. */
struct rl_protector {
  lua_CFunction caller;
  int slot;
};

#define RL_PROTECTORS 16 /* at most */

#define RL_POOL 1024 /* idle coroutines to keep */

struct rl_engine {
  const struct rl_type *type;
  uint32_t number; /* of the engines of its state, from 1 */
  struct rille_engine core;
  lua_State *main;
  lua_State *from;          /* who drives the loop */
  lua_State *running;       /* the coroutine that runs and may wait, or NULL */
  struct rille_scope *root; /* of rille.run, or of the host */
  struct rl_task *run;      /* the main task of rille.run */
  struct rl_task *dying;    /* the one that rl_thread_kill closes, or NULL */
  bool run_done;
  bool ended;    /* the job of the coroutine that just yielded has ended */
  bool waits;    /* it has yielded because its task waits */
  bool closing;  /* rille_close has begun */
  bool orphaned; /* the root ended before its tasks: no memory to leave it */
  int threads;   /* indices given out so far */
  int free_indices_size;
  int free_indices_count;
  int *free_indices;
  int idle_count;
  struct rl_thread idle[RL_POOL];
  struct rl_protector protectors[RL_PROTECTORS];
  int protectors_count;
  int caller_at;           /* see stack.c; 0: not known */
  struct rille_node pools; /* of the HTTP client, those that are open: curl.h */
};

/* User values of a task. */
enum rl_task_slot {
  RL_TASK_SCOPE = 1,
  RL_TASK_SITE,   /* the file that started it */
  RL_TASK_INFO,   /* nil, or {name=, cancelled=, noted=, trace=} */
  RL_TASK_RESULT, /* the result; a list if several; the error if it failed */
  RL_TASK_WAITER, /* the coroutine that waits, when that is a generator */
  RL_TASK_SLOTS = RL_TASK_WAITER
};

struct rl_task {
  struct rl_head head;
  struct rille_task core;
  struct rl_thread thread;
  lua_State *waiting; /* the coroutine in which it is parked, or NULL */
  int top;            /* the height of its stack there */
  int results;        /* how many; RL_NO_MEMORY when they could not be kept */
  int line;           /* where it was started; 0: unknown */
  bool doomed;        /* to be closed for good */
  bool misused;       /* it yielded a value that is not the engine's */
  bool main;          /* its failure is for rille.run to raise */
};

#define RL_NO_MEMORY (-1)

/* User values of a scope. */
enum rl_scope_slot {
  RL_SCOPE_PARENT = 1,
  RL_SCOPE_INFO, /* nil, or {name= reason= cancelled= errors= traces= lost=
                    defers= owned=} */
  RL_SCOPE_SLOTS = RL_SCOPE_INFO
};

/* A frame of a Lua stack, to be known again. */
struct rl_frame {
  const void *place;
  const void *function; /* NULL: the frame lasts, by whatever tail calls */
};

struct rl_scope {
  struct rl_head head;
  struct rille_scope core;
  struct rl_frame frame; /* whose block it is: see suspend.c */
  uint32_t failures;     /* in info.errors */
  bool keep_going;       /* on_error = "continue" */
  bool secluded;         /* inherit = "cancel": no services, no defaults */
  bool layered;          /* its tasks have policies by default */
  bool report;           /* failures go to stderr at once: the host's root */
  bool starved;          /* there was no memory to note a failure */
};

static inline struct rl_head rl_head(const struct rl_engine *engine,
                                     const struct rl_type *type) {
  return (struct rl_head){type, engine->number};
}

static inline struct rl_task *rl_task_of(struct rille_task *task) {
  return RILLE_ENTRY(task, struct rl_task, core);
}

static inline struct rl_scope *rl_scope_of(struct rille_scope *scope) {
  return RILLE_ENTRY(scope, struct rl_scope, core);
}

static inline struct rl_engine *rl_engine_of(struct rille_engine *engine) {
  return RILLE_ENTRY(engine, struct rl_engine, core);
}

/*
 * What begins and ends each call that may wait is here, so that the ordinary
 * case costs no call; what is not ordinary is in the file named.
 */
#if defined(__GNUC__)
#define RL_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define RL_LIKELY(condition) (condition)
#endif

/* lua_settop, which costs more, where there is nothing to do. */
static inline void rl_settop(lua_State *L, int top) {
  if (lua_gettop(L) != top)
    lua_settop(L, top);
}

/* argument.c: what is wrong with a call */

/* True if the text begins with the name of a part, "rille.scope", and `end`. */
bool rl_names_part(const char *text, char end);

/* True if the frame, whose source was asked for, is of a part. */
bool rl_is_ours(const lua_Debug *frame);

/* As luaL_error, but the place is where a user's code made the call. */
int rl_error(lua_State *L, const char *format, ...);

/* As luaL_argerror, but with that place, and the name that was called there. */
int rl_arg_error(lua_State *L, int index, const char *message);

/* The same for a value that is not what is expected. */
int rl_type_error(lua_State *L, int index, const char *expected);

/* The same for the receiver, at 1, of what was called there. */
int rl_self_error(lua_State *L, const char *expected);

/* Pushes, and returns, a short text for a value that is wrong. */
const char *rl_push_shown(lua_State *L, int index);

/* Each raises an argument error unless the value is as it should be. */
void rl_check_type(lua_State *L, int index, int type);
void rl_check_arg(lua_State *L, bool good, int index, const char *message);
lua_Integer rl_check_integer(lua_State *L, int index);

/* Raises: no object of `type` is at `index`. */
int rl_object_error(lua_State *L, int index, const struct rl_type *type);

/* Raises that the engine is closed. */
int rl_closed_error(lua_State *L);

/* A span of time, in ns, from seconds at `index`: negative counts as 0. */
int64_t rl_check_span(lua_State *L, int index);

/* An instant likewise: never before 0. */
#define rl_check_instant rl_check_span

/* Converts the seconds at `index`; NULL, or what is wrong with them. */
const char *rl_to_span(lua_State *L, int index, int64_t *span);

/* helpers.c: options, times, types */

/* The engine of L's registry, which may be closed: pushed, set from the top,
 * or NULL. */
void rl_push_engine(lua_State *L);
void rl_keep_engine(lua_State *L);
struct rl_engine *rl_engine_find(lua_State *L);

/* The engine of L if it is open; else raises. For functions that are not the
 * module's. */
struct rl_engine *rl_engine_open(lua_State *L);

/* The engine at `index`, or NULL. */
struct rl_engine *rl_to_engine(lua_State *L, int index);

/* The engine of the running function, open or not; NULL without one. What a
 * function's upvalue is, only the debug library can change. */
static inline struct rl_engine *rl_engine_known(lua_State *L) {
  struct rl_engine *engine = lua_touserdata(L, lua_upvalueindex(1));
  if (RL_LIKELY(engine != NULL && engine->type == &rl_engine_type))
    return engine;
  return rl_engine_find(L); /* it is called by one of ours */
}

/* The same; raises when it is closed. */
static inline struct rl_engine *rl_engine(lua_State *L) {
  struct rl_engine *engine = rl_engine_known(L);
  if (!RL_LIKELY(engine != NULL && engine->core.loop != NULL))
    rl_closed_error(L);
  return engine;
}

/* The object of `type` at `index`, or NULL, in a function of `engine`; raises
 * if it is one of another engine, which is closed. A light userdata has no
 * length; what has one and is no userdata has no address. */
static inline void *rl_test_of(lua_State *L, const struct rl_engine *engine,
                               int index, const struct rl_type *type) {
  struct rl_head *object;
  if (lua_rawlen(L, index) < type->size)
    return NULL;
  object = lua_touserdata(L, index);
  if (object == NULL || object->type != type)
    return NULL;
  if (!RL_LIKELY(engine != NULL && object->engine == engine->number))
    rl_closed_error(L);
  return object;
}

/* The same; raises an argument error where there is none. */
static inline void *rl_check_of(lua_State *L, const struct rl_engine *engine,
                                int index, const struct rl_type *type) {
  void *object = rl_test_of(L, engine, index, type);
  if (!RL_LIKELY(object != NULL))
    rl_object_error(L, index, type);
  return object;
}

/* Both for the engine of the running function, open or not. */
static inline void *rl_test(lua_State *L, int index,
                            const struct rl_type *type) {
  return rl_test_of(L, rl_engine_known(L), index, type);
}

static inline void *rl_check(lua_State *L, int index,
                             const struct rl_type *type) {
  return rl_check_of(L, rl_engine_known(L), index, type);
}

/* Pushes the user value `slot` of the engine; false if there is none. */
void rl_push_slot(lua_State *L, struct rl_engine *engine, int slot);

/* A span of time, in ns, from seconds at `index`: negative counts as 0. */
int64_t rl_check_span(lua_State *L, int index);

/* An instant likewise: never before 0. */
#define rl_check_instant rl_check_span

/* Converts the seconds at `index`; NULL, or what is wrong with them. */
const char *rl_to_span(lua_State *L, int index, int64_t *span);

/* helpers.c: options, times, types */

void rl_push_seconds(lua_State *L, int64_t ns);

/* The clock as an object has last seen it that may outlive a run. */
struct rl_seen {
  uint32_t era;
  int64_t now; /* ns */
};

/* The time now. `*shift` is what to add to the object's own instants, because
 * another clock has begun since it last looked: else 0. */
int64_t rl_look(const struct rl_engine *engine, struct rl_seen *seen,
                int64_t *shift);

/* Raises an argument error for a key of the table at `index` that is not in
 * `known`, a list that ends with NULL; nil is an empty table. */
void rl_check_options(lua_State *L, int index, const char *const known[]);

/* Pushes option `name` of the table at `index` (or nil) and returns its type;
 * raises unless it is nil or of type `type`. */
int rl_option(lua_State *L, int index, const char *name, int type);

/* Pushes a table of those options at `index` that are in `names`, a list that
 * ends with NULL; or nil, if none is given. */
void rl_push_options(lua_State *L, int index, const char *const names[]);

/* An option that is a span or an instant; `fallback` if it is nil. */
int64_t rl_option_span(lua_State *L, int index, const char *name,
                       int64_t fallback);

/* An option that is one of the NULL-ended `names`; its index. */
int rl_option_choice(lua_State *L, int index, const char *name,
                     const char *const names[]);

/* Makes a metatable in engine slot `slot`: `meta` with the engine as upvalue,
 * __index = `methods`, __name, __metatable. The engine is at the top. */
void rl_new_type(lua_State *L, int slot, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *meta);

/* The name that is the user value `slot` of the object at `index`, for texts:
 * " 'name'", or "" if it has none. Pushes a value or two. */
const char *rl_push_label(lua_State *L, int index, int slot);

/* traceback.c */

/* As luaL_traceback, without the frames of the engine's own parts. Returns the
 * text. */
const char *rl_push_traceback(lua_State *L, lua_State *co, const char *head,
                              int level);

/* error.c: error objects */

/* Pushes a new error object. */
void rl_push_error(lua_State *L, struct rl_engine *engine, const char *kind,
                   const char *format, ...);

/* True if the value at `index` is an error object, of `kind` if not NULL. */
bool rl_is_error(lua_State *L, struct rl_engine *engine, int index,
                 const char *kind);

/* Pushes a line of text for any value; never raises, but for memory. */
void rl_push_text(lua_State *L, int index);

/* Pushes the error that the cancelled `node` raises: always the same one. */
void rl_push_cancellation(lua_State *L, struct rl_engine *engine,
                          struct rille_cancel *node);

/* True if the value at `index` is the cancellation of a scope that `task` is
 * still in, or of the task. */
bool rl_is_cancellation(lua_State *L, const struct rille_task *task, int index);

/* suspend.c: how a C function waits */

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
  if (RL_LIKELY(!task->core.engine->shuffle))
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

/* protect.c: calling a user's function under protection */

/*
 * Calls the function at 2, with the arguments above it, and goes on with `k`,
 * as lua_pcallk does: the status is LUA_OK, LUA_YIELD or an error; what came of
 * it is at 3 and above. The function that runs must be a known protector, with
 * slot 3.
 */
int rl_protect(lua_State *L, struct rl_engine *engine, lua_KContext ctx,
               lua_KFunction k);

/* Calls a hook, which lies below its `count` arguments at the top, and pops
 * all. It cannot wait; if it raises, that is a warning and no more. */
void rl_call_hook(lua_State *L, const char *name, int count);

/* Makes `caller` a known protector: rl_in_cleanup must know its frames. */
void rl_add_protector(struct rl_engine *engine, lua_CFunction caller, int slot);

/* The slot of a known protector, or 0. */
int rl_protected_slot(const struct rl_engine *engine, lua_CFunction caller);

/* True if a call that returned the values at `base` and above has failed:
 * nil or false, and then a value other than a `closed` error; one that was
 * raised before is a failure, though. */
bool rl_returned_failure(lua_State *L, struct rl_engine *engine, int base);

/* permit.c */

/* Calls the function at 2 with the arguments above it, and then gives back
 * what is held through the object at 1, whose __close does that: however the
 * call ends. Returns the function's results. */
int rl_call_holding(lua_State *L, struct rl_engine *engine);

/* semaphore.c */

/* Pushes a semaphore of `type`, with room for `queue` who wait. */
void rl_semaphore_new(lua_State *L, struct rl_engine *engine,
                      const struct rl_type *type, int meta, int32_t limit,
                      uint32_t queue);

/* Makes the metatable of such a type, as rl_new_type does. */
void rl_semaphore_new_type(lua_State *L, int slot, const char *name);

/* hold.c: the locks that tasks hold */

/* Makes room for one more hold; may raise. */
void rl_hold_reserve(lua_State *L, struct rl_engine *engine);

/* Anchors the lock at `index`, from the bottom, while it is held through hold
 * `number`. */
void rl_hold_anchor(lua_State *L, struct rl_engine *engine, uint32_t number,
                    int index);

/* Closes a hold of `task`, as rille_hold_close does. Never raises. */
void rl_hold_close(lua_State *L, struct rl_engine *engine, struct rl_task *task,
                   uint32_t number);

/* The end of `task`: gives back all the locks that it has kept. Returns what
 * one of them is, or NULL if it held none. Never raises. */
const char *rl_holds_abandon(lua_State *L, struct rl_engine *engine,
                             struct rl_task *task);

/* Pushes the error of the task at `index` which so ended holding a `lock`;
 * `cause` is where its cancellation is, or 0. */
void rl_hold_push_error(lua_State *L, struct rl_engine *engine, int index,
                        int cause, const char *lock);

/* Adds that to what is told of another failure of that task. */
void rl_hold_add_text(lua_State *L, int index, const char *lock);

/* thread.c: the coroutines that run tasks */

/* A coroutine for a task; raises for lack of memory. */
struct rl_thread rl_thread_acquire(lua_State *L, struct rl_engine *engine);

/* Gives the coroutine of the task at `index` its job: the function and the
 * arguments that are the `count` topmost values, which move there. */
void rl_thread_load(lua_State *L, const struct rl_task *task, int index,
                    int count);

/* Gives one back whose job is done, or was never begun. */
void rl_thread_release(struct rl_engine *engine, struct rl_thread thread);

/* Forgets a dead one. */
void rl_thread_drop(struct rl_engine *engine, struct rl_thread thread);

/* Closes the coroutine of a parked task for good: its <close> handlers run. */
void rl_thread_kill(struct rl_engine *engine, struct rl_task *task);

/* True if only the engine may resume the suspended coroutine `co`. */
bool rl_is_owned(lua_State *L, struct rl_engine *engine, lua_State *co);

/* Notes that, or forgets it. */
void rl_set_owned(lua_State *L, struct rl_engine *engine, lua_State *co,
                  bool owned);

/* The live task that runs in or waits in coroutine `co`, or NULL. */
struct rl_task *rl_thread_task(struct rl_engine *engine, lua_State *co);

/* Resumes a task: a rille_hooks function. */
void rl_thread_resume(struct rille_task *task);

/* Makes the engine at the top of the stack ready to have coroutines. */
void rl_thread_open(lua_State *L);

/* task.c */

struct rl_spawn {
  struct rl_scope *scope;
  int scope_index; /* on the stack */
  int name_index;  /* 0: none */
  bool daemon, supervised, main;
};

/* Starts function and arguments, the `count` topmost values; they are
 * replaced by the task. */
struct rl_task *rl_task_spawn(lua_State *L, struct rl_engine *engine,
                              const struct rl_spawn *spawn, int count);

/* The end of the function, which returned or raised, of the task whose userdata
 * is at `index`: its results are at `base` and above. */
void rl_task_finish(lua_State *L, struct rl_engine *engine, bool ok, int index,
                    int base);

/* The end of a task that has no results because there is no memory for them. */
void rl_task_lose(struct rl_engine *engine, struct rl_task *task,
                  enum rille_task_status status);

/* A task that was cancelled before it started. */
void rl_task_skip(struct rl_engine *engine, struct rl_task *task);

/* Pushes the userdata of a live task. */
void rl_push_task(lua_State *L, struct rl_engine *engine, struct rl_task *task);

/* Pushes the info table of the task at `index`; made if there is none. */
void rl_push_task_info(lua_State *L, int index);

/* Pushes the name of the task at `index`. */
const char *rl_push_task_name(lua_State *L, int index);

/* Pushes what `await` returns for the ended task at `index`. */
int rl_push_task_result(lua_State *L, struct rl_engine *engine, int index);

/* Pushes the text for people about the failure, at `error`, of the task at
 * `index`: the message, the task, where it was started, the traceback. */
void rl_push_failure_text(lua_State *L, int index, int error);

/* scope.c */

/* Pushes the userdata of a scope that is open. */
void rl_push_scope(lua_State *L, struct rl_engine *engine,
                   struct rille_scope *scope);

/* Pushes the info table of the scope at `index`; made if there is none. */
void rl_push_scope_info(lua_State *L, int index);

const char *rl_push_scope_name(lua_State *L, int index);

#define RL_GRACE (5 * RILLE_SECOND) /* unless it is told */

/* Pushes a new scope, not yet open. */
struct rl_scope *rl_scope_new(lua_State *L, struct rl_engine *engine);

/* Enters the scope at `index` among the open ones: it is about to be opened.
 * Its end takes it out again. */
void rl_scope_anchor(lua_State *L, struct rl_engine *engine, int index);

/* Cancels and ends the innermost block scope of `task`, which cannot leave it
 * as it should; its tasks are left to themselves. Needs no memory. */
void rl_block_abandon(struct rl_engine *engine, struct rl_task *task);

/* A failure of the scope, and no memory to say which. Needs none. */
void rl_scope_starve(struct rl_engine *engine, struct rille_scope *core);

/* Gives the scope at `index` the reason at `reason`, if it has none yet. */
void rl_scope_set_reason(lua_State *L, int index, int reason);

/* Pushes the function `name` of the Lua part rille.layers. */
void rl_push_layers(lua_State *L, struct rl_engine *engine, const char *name);

/* Takes a failure, at `error`, with its text for people at `trace`, into the
 * list of the scope at `index`. */
void rl_scope_note(lua_State *L, int index, int error, int trace);

/* The same, and cancels the scope unless it goes on after errors. */
void rl_scope_fail(lua_State *L, struct rl_engine *engine, int index, int error,
                   int trace);

/* dump.c */

/* Pushes the tree of scopes and tasks as text. */
void rl_push_dump(lua_State *L, struct rl_engine *engine);

/* Each opens its type: the module is at -2, the engine at -1. */
void rl_open_argument(lua_State *L);
void rl_open_traceback(lua_State *L);
void rl_open_helpers(lua_State *L);
void rl_open_error(lua_State *L);
void rl_open_protect(lua_State *L);
void rl_open_task(lua_State *L);
void rl_open_scope(lua_State *L);
void rl_open_block(lua_State *L);
void rl_open_leave(lua_State *L);
void rl_open_channel(lua_State *L);
void rl_open_broadcast(lua_State *L);
void rl_open_subscription(lua_State *L);
void rl_open_inlet(lua_State *L);
void rl_open_select(lua_State *L);
void rl_open_semaphore(lua_State *L);
void rl_open_bulkhead(lua_State *L);
void rl_open_mutex(lua_State *L);
void rl_open_rwlock(lua_State *L);
void rl_open_event(lua_State *L);
void rl_open_timer(lua_State *L);
void rl_open_await(lua_State *L);
void rl_open_poll(lua_State *L);
void rl_open_breaker(lua_State *L);
void rl_open_limiter(lua_State *L);
void rl_open_retry(lua_State *L);
void rl_open_budget(lua_State *L);
void rl_open_coroutine(lua_State *L);
void rl_open_dump(lua_State *L);
void rl_open_testing(lua_State *L);
void rl_open_luv(lua_State *L);
void rl_open_socket(lua_State *L);
void rl_open_curl(lua_State *L);
void rl_open_http_parser(lua_State *L);
void rl_open_run(lua_State *L);
void rl_open_stack(lua_State *L);

/* Adds functions to the module: module at -2, engine at -1. */
void rl_add_functions(lua_State *L, const luaL_Reg *functions);

/* A shared library that is used only if it is there. `functions` are the names
 * of what is called in it, in the order of the caller's struct of pointers,
 * with NULL at the end. */
struct rl_library {
  const char *name;
  const char *file;
  const char *package;
  const char *const *functions;
};

/* Loads the library and fills the struct of pointers `functions`; raises, with
 * the name of the package, when that cannot be. */
void rl_load_library(lua_State *L, const struct rl_library *wanted,
                     void *functions);

/* curl.c */

/* Closes what the HTTP client of the engine has open. Never raises. */
void rl_curl_close(struct rl_engine *engine);

/* Raises if no file can be opened at all: then nothing that was not found is
 * known to be missing. */
void rl_check_descriptors(lua_State *L, const char *name);

/* The loop for an engine that is given none: that of a luv which was loaded
 * before, or the one that luv was left with by the last engine; or NULL. */
uv_loop_t *rl_luv_loop(lua_State *L);

/* The engine has been opened: a luv that another engine had on its loop comes
 * along. */
void rl_luv_follow(lua_State *L, struct rl_engine *engine);

/* The engine is about to be closed: a loop of its own that luv is on stays. */
void rl_luv_keep(lua_State *L, struct rl_engine *engine);

#endif
