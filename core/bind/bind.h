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
  RL_OWNED = 1, /* address -> coroutine, those that only the engine may
                   resume: all that run tasks, and generators that wait */
  RL_TASKS,     /* index of its coroutine -> the live task, or false */
  RL_SCOPES,    /* address -> scope, the open ones */
  RL_HELD,      /* number of a hold -> the lock, or false */
  RL_LUA,       /* what the Lua part offers to the C part */
  RL_MODULE,    /* what `require "rille"` returns */
  RL_REPORT,    /* how the last run failed, or nil */
  RL_HOLDS,     /* the memory of the holds */
  RL_TRANSFERS, /* address -> transfer, those that libcurl knows */
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
  int index; /* in RL_TASKS */
};

/* A C function that protects a call, and where in its frame it keeps the
 * function that it calls. */
struct rl_protector {
  lua_CFunction caller;
  int slot;
};

#define RL_PROTECTORS 16 /* at most */

/* See trace.c. */
struct rl_tracing {
  bool used;   /* by this state: there may be somebody to tell of events */
  bool seeded; /* ids come from `random`: a seed, or a virtual clock */
  uint64_t random;
};

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
  struct rl_tracing tracing;
};

/* User values of a task. */
enum rl_task_slot {
  RL_TASK_SCOPE = 1,
  RL_TASK_INFO,   /* the file that started it, or nil; as `site` of {name=,
                     cancelled=, noted=, trace=} if there is more to keep */
  RL_TASK_RESULT, /* the result; a list if several; the error if it failed */
  RL_TASK_SLOTS = RL_TASK_RESULT
};

struct rl_task {
  struct rl_head head;
  struct rille_task core;
  struct rl_thread thread;
  lua_State *waiting; /* the coroutine in which it is parked, or NULL */
  union {
    int top;     /* of one that is parked: the height of its stack there */
    int results; /* of one that has ended: how many; RL_NO_MEMORY when they
                    could not be kept */
  };
  unsigned line : 29;  /* where it was started; 0: unknown */
  unsigned traced : 1; /* its end is told: see trace.c */
  unsigned doomed : 1; /* to be closed for good */
  unsigned main : 1;   /* its failure is for rille.run to raise */
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

enum rl_layers {
  RL_POLICIES = 1, /* lua/rille/layers.lua */
  RL_TRACER = 2    /* lua/rille/tracing.lua */
};

struct rl_scope {
  struct rl_head head;
  struct rille_scope core;
  struct rl_frame frame; /* whose block it is: see suspend.c */
  uint32_t failures;     /* in info.errors */
  bool keep_going;       /* on_error = "continue" */
  bool secluded;         /* inherit = "cancel": no services, no defaults */
  uint8_t layered;       /* what its tasks have by default: rl_layers */
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

#include "call.h"
#include "suspend.h"

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

/* Notes that, which keeps `co` alive; or forgets it. Only the first raises,
 * for lack of memory, and not if it was noted. */
void rl_set_owned(lua_State *L, struct rl_engine *engine, lua_State *co,
                  bool owned);

/* The live task that runs in or waits in coroutine `co`, or NULL. */
struct rl_task *rl_thread_task(struct rl_engine *engine, lua_State *co);

/* Resumes a task: a rille_hooks function. */
void rl_thread_resume(struct rille_task *task);

/* Makes the engine at the top of the stack ready to have coroutines. */
void rl_thread_open(lua_State *L);

/* coroutine.c */

/* The coroutine in which `co` waits because it has resumed it, or NULL. */
lua_State *rl_resumed_by(lua_State *co);

/* task_life.c */

struct rl_spawn {
  struct rl_scope *scope;
  int scope_index;   /* on the stack */
  int name_index;    /* 0: none */
  int options_index; /* the same: what the user has given */
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

/* task.c */

/* Pushes the userdata of a live task. */
void rl_push_task(lua_State *L, struct rl_engine *engine, struct rl_task *task);

/* Pushes the info table of the task at `index`; made if there is none. */
void rl_push_task_info(lua_State *L, int index);

/* Pushes the file in which the task at `index` was started, or nil. */
void rl_push_task_file(lua_State *L, int index);

/* Pushes where the task at `index` was started, ", started at file:line"; or
 * "", if that was no line of Lua. */
void rl_push_task_site(lua_State *L, int index);

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

/* Raises `closed` if the scope at `index` has ended. To be asked again after
 * whatever has taken memory: a finalizer may have closed it. */
void rl_scope_check_open(lua_State *L, struct rl_engine *engine, int index);

/* The receiver, a scope that has not ended; else raises. */
struct rl_scope *rl_check_open(lua_State *L, struct rl_engine *engine);

/* Enters the scope at `index` among the open ones: it is about to be opened.
 * Its end takes it out again. */
void rl_scope_anchor(lua_State *L, struct rl_engine *engine, int index);

/* A failure of the scope, and no memory to say which. Needs none. */
void rl_scope_starve(struct rl_engine *engine, struct rille_scope *core);

/* Gives the scope at `index` the reason at `reason`, if it has none yet. */
void rl_scope_set_reason(lua_State *L, int index, int reason);

/* Takes a failure, at `error`, with its text for people at `trace`, into the
 * list of the scope at `index`. */
void rl_scope_note(lua_State *L, int index, int error, int trace);

/* The same, and cancels the scope unless it goes on after errors. */
void rl_scope_fail(lua_State *L, struct rl_engine *engine, int index, int error,
                   int trace);

/* start.c */

/* Pushes the function `name` of the Lua part rille.layers. */
void rl_push_layers(lua_State *L, struct rl_engine *engine, const char *name);

/* leave.c */

/* Cancels and ends the innermost block scope of `task`, which cannot leave it
 * as it should; the scope around it waits for its tasks. Needs no memory. */
void rl_block_abandon(struct rl_engine *engine, struct rl_task *task);

/* trace.c: telling tracers, where there is one */

/* The task at `index` has started, in a scope whose tasks are traced; what it
 * runs lies under the `count` topmost values of its coroutine. Never raises. */
RL_COLD void rl_trace_task(lua_State *L, int index,
                           const struct rl_spawn *spawn, int count);

/* The traced task at `index` is about to end so; its error, if it has one, is
 * at `error`. Never raises. */
RL_COLD void rl_trace_end(lua_State *L, int index,
                          enum rille_task_status status, int error);

/* Something has happened in the running task: an event of its span, with the
 * value at the top, which is popped, as its attribute `key`. Never raises. */
RL_COLD void rl_trace_event(lua_State *L, const char *event, const char *key);

/* A run begins, with a seed or on a virtual clock; or not so, or ends. */
void rl_trace_seed(struct rl_engine *engine, bool seeded, uint64_t seed);

/* dump.c */

/* Pushes the tree of scopes and tasks as text. */
void rl_push_dump(lua_State *L, struct rl_engine *engine);

/* curl.c */

/* Closes what the HTTP client of the engine has open. Never raises. */
void rl_curl_close(struct rl_engine *engine);

/* library.c */

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

/* Raises if no file can be opened at all: then nothing that was not found is
 * known to be missing. */
void rl_check_descriptors(lua_State *L, const char *name);

/* luv.c */

/* The loop for an engine that is given none: that of a luv which was loaded
 * before, or the one that luv was left with by the last engine; or NULL. */
uv_loop_t *rl_luv_loop(lua_State *L);

/* The engine has been opened: a luv that another engine had on its loop comes
 * along. */
void rl_luv_follow(lua_State *L, struct rl_engine *engine);

/* The engine is about to be closed: a loop of its own that luv is on stays. */
void rl_luv_keep(lua_State *L, struct rl_engine *engine);

/* The files of the binding, each opens what it binds: the module is at -2, the
 * engine at -1. */
void rl_open_argument(lua_State *L);
void rl_open_traceback(lua_State *L);
void rl_open_helpers(lua_State *L);
void rl_open_error(lua_State *L);
void rl_open_protect(lua_State *L);
void rl_open_task(lua_State *L);
void rl_open_scope(lua_State *L);
void rl_open_start(lua_State *L);
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
void rl_open_trace(lua_State *L);
void rl_open_luv(lua_State *L);
void rl_open_socket(lua_State *L);
void rl_open_curl(lua_State *L);
void rl_open_http_parser(lua_State *L);
void rl_open_run(lua_State *L);
void rl_open_stack(lua_State *L);

/* helpers.c */

/* Adds functions to the module: module at -2, engine at -1. */
void rl_add_functions(lua_State *L, const luaL_Reg *functions);

/* Adds functions to what the Lua part is offered: engine at -1. */
void rl_add_inner(lua_State *L, const luaL_Reg *functions);

#endif
