/*
 * loop.h - the engine on a libuv loop.
 *
 * A turn fires the timers that are due, resumes what is ready, within a
 * budget, and lets libuv poll: without blocking while tasks are ready, else
 * until the next timer or event. It hangs on three handles, so it runs under
 * any uv_run, ours or a host's:
 *
 *     prepare  runs the turn; does not keep the loop alive
 *     idle     active while tasks are ready: libuv must not block
 *     timer    armed for the first of the engine's timers, if time is real
 *
 * When none of this and no other handle is active, the loop is dead; if
 * tasks are still parked then, nothing can ever wake them.
 */
#ifndef RILLE_LOOP_H
#define RILLE_LOOP_H

#include <stdbool.h>

struct rille_engine;
struct rille_loop;
typedef struct uv_loop_s uv_loop_t;

/* Tasks resumed in one turn before libuv is polled. */
#define RILLE_TURN_BUDGET 256

/* Attaches the engine to `uv`, or to a loop of its own if that is NULL.
 * 0, or UV_E* with nothing changed. */
int rille_loop_open(struct rille_engine *engine, uv_loop_t *uv);

/* Detaches; closes a loop of the engine's own, and whatever others have left
 * on it. Idempotent. Any other loop must turn once more to be rid of us. */
void rille_loop_close(struct rille_engine *engine);

/* Makes a loop of the engine's own the caller's, to be ended by him when the
 * engine is closed; NULL if it has none. */
uv_loop_t *rille_loop_release(struct rille_engine *engine);

/* Closes and frees such a loop, with whatever is left on it. */
void rille_loop_end(uv_loop_t *uv);

uv_loop_t *rille_loop_uv(const struct rille_engine *engine);

/* Something became ready or a timer was armed: the loop must not sleep
 * through it. Cheap, and called often. */
void rille_loop_alert(struct rille_engine *engine);

/* Runs the loop until `*done`. Returns true then; false when it is dead. */
bool rille_loop_run(struct rille_engine *engine, const bool *done);

/* True inside rille_loop_run and inside a turn. */
bool rille_loop_running(const struct rille_engine *engine);

/* Something from outside is awaited: until it is let go of, as often as it was
 * held, the loop is not dead, and virtual time stands still. */
void rille_loop_hold(struct rille_engine *engine, bool held);

typedef void rille_handle_cb(const char *type, void *data);

/* Visits every handle of the loop that is open and not the engine's, but for
 * those that do not keep a loop alive (uv_unref). */
void rille_loop_handles(const struct rille_engine *engine,
                        rille_handle_cb *visit, void *data);

/* Makes rille_loop_run return soon. */
void rille_loop_stop(struct rille_engine *engine);

#endif
