/*
 * rille.h - what an embedder of rille sees, and nothing else.
 *
 * An engine belongs to one main lua_State and to one libuv loop. Two ways to
 * drive it:
 *
 *   rille owns the loop:   rille_open(L, NULL); ... rille_run(L, nargs);
 *   the host owns it:      rille_open(L, loop); ... rille_spawn(L, nargs);
 *                          uv_run(loop, UV_RUN_DEFAULT);
 *
 * Every call here belongs on the thread of that loop, and none of them may be
 * made from inside a task, except rille_wait and what its continuation calls.
 * Several engines may live in one process, each with a state and a loop of
 * its own, in one thread or in many.
 */
#ifndef RILLE_H
#define RILLE_H

#include <lua.h>
#include <uv.h>

#define RILLE_VERSION "0.1.0"

/* Opens the module as `require "rille"` does; the engine gets the loop of a
 * luv that is already loaded, else one of its own. */
int luaopen_rille(lua_State *L);

/*
 * Opens the engine of L on `loop`, or, where that is NULL, on a loop as
 * luaopen_rille finds it. Afterwards `require "rille"` returns the module.
 * The host keeps its loop: it runs it, and closes it after rille_close.
 * Returns 0; UV_EEXIST when L has an open engine; UV_EBUSY when it is closed
 * but a call that drives it has not returned yet; another UV_E* when libuv
 * failed. Raises (unprotected) only for lack of memory.
 *
 * After rille_close, or after a failure, L can get another engine, as often as
 * one likes. The module is a new one: `require "rille"` returns that, and Lua
 * modules that hold the old one must be loaded anew.
 */
int rille_open(lua_State *L, uv_loop_t *loop);

/* The loop of L's engine, or NULL without one. */
uv_loop_t *rille_loop(lua_State *L);

/*
 * `rille.run` for C: expects [opts,] fn and arguments, `nargs` values in all,
 * on the stack, and replaces them as lua_pcall with LUA_MULTRET does: returns
 * LUA_OK and the results, or an error status and the error value.
 * Runs the loop until the root scope has ended.
 */
int rille_run(lua_State *L, int nargs);

/*
 * Starts fn(...) as a supervised task of the engine's root scope, for a host
 * that runs the loop itself: expects fn and arguments, `nargs` values in all,
 * on the stack and replaces them with the task (LUA_OK) or an error value.
 * A failure of such a task is written to stderr with its traceback, and the
 * other tasks go on.
 */
int rille_spawn(lua_State *L, int nargs);

/*
 * Cancels the root scope of L's engine, with an error of `kind` ("interrupted",
 * "shutdown") and `message` as the reason. Safe in any libuv callback; does
 * nothing when no root scope is open. Returns 1 if there was one, else 0.
 */
int rille_cancel(lua_State *L, const char *kind, const char *message);

/*
 * Pushes a readable report of how the last rille_run (or rille.run) failed:
 * the message, the traceback, the task's name and where it was started, and
 * the other failures; nil if it did not fail.
 */
void rille_report(lua_State *L);

/*
 * Closes the engine of L; lua_close does so too. Every task that is still
 * parked is closed: its <close> handlers run and cannot wait. Idempotent.
 * What the script still holds of it raises "the rille engine is closed", also
 * when it is given to the next engine; what only tells may go on telling.
 *
 * A loop of the engine's own is closed, with every handle that is left on it; a
 * host's only loses our handles, when it turns next. But if luv was loaded on a
 * loop of the engine's own, that loop and luv's handles live as long as L: an
 * engine that is opened next without a loop gets that one, and lua_close ends
 * it. luv itself is always on the loop of the engine opened last: where that
 * was a host's, keep it open until lua_close, and let it turn once before, when
 * luv's handles are closed: their callbacks look for L.
 */
void rille_close(lua_State *L);

/*
 * A wait of a C module's own. Lives in memory that outlasts the wait (a
 * userdata on the stack of the calling C function will do); init to zeros.
 */
struct rille_awaitable {
  void *private_[6];
  /* Called when the wait ends without a wake: it was cancelled. May be NULL. */
  void (*cancel)(struct rille_awaitable *awaitable);
};

/*
 * Suspends the running task until rille_wake; returns what `k` returns, which
 * runs when the task goes on. A cancellation is raised instead of calling
 * `k`, after `cancel`. Raises where the caller cannot wait. To be used as
 * `return rille_wait(L, &a, ctx, k)`.
 */
int rille_wait(lua_State *L, struct rille_awaitable *awaitable,
               lua_KContext ctx, lua_KFunction k);

/* Makes the task that waits on `awaitable` ready. From a libuv callback or
 * from inside a task; without a waiter it does nothing. */
void rille_wake(struct rille_awaitable *awaitable);

#endif
