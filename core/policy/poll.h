/*
 * poll.h - polling: when to call, when to wait, and that there is one loop.
 *
 * A poll has at most one loop, which does as it is told: it reports what has
 * happened and gets the next order. Who starts and stops the poll reports
 * that too, and is told what to do about the loop.
 *
 *               START: spawn           TIME, due: call
 *     [no loop] -----------> [waits] -------------------> [calls]
 *         ^                   |   ^                          |
 *         '------ end --------'   '------- [delivers] <------'
 *            when not wanted      DELIVERED   VALUE, ERROR: value, error
 *
 * A stop leaves the loop in its phase and makes it unwanted: it ends when it
 * next reports. A start that finds the old loop not yet gone makes it wanted
 * again, with a new time for the next call: so there are never two. What
 * the call in flight at a stop still brings is stale: it is counted, and not
 * delivered.
 */
#ifndef RILLE_POLICY_POLL_H
#define RILLE_POLICY_POLL_H

#include <stdbool.h>
#include <stdint.h>

enum rille_poll_event {
  RILLE_POLL_START,     /* somebody wants it */
  RILLE_POLL_STOP,      /* somebody wants it no more */
  RILLE_POLL_TIME,      /* the loop is here: at its start, after a wait */
  RILLE_POLL_VALUE,     /* the call has brought a value */
  RILLE_POLL_ERROR,     /* the call has failed */
  RILLE_POLL_CANCELLED, /* the call was cancelled by a stop */
  RILLE_POLL_DELIVERED, /* whoever got value or error has done with it */
  RILLE_POLL_LOST       /* the loop is gone without having been told to end */
};

enum rille_poll_order {
  RILLE_POLL_NOTHING,
  RILLE_POLL_SPAWN, /* to who started it: begin a loop */
  RILLE_POLL_WAKE,  /* to who stopped it: end the loop's wait */
  RILLE_POLL_ABORT, /* to who stopped it: cancel the call */
  RILLE_POLL_WAIT,  /* to the loop, this and the following: until `due` */
  RILLE_POLL_CALL,
  RILLE_POLL_GIVE_VALUE,
  RILLE_POLL_GIVE_ERROR,
  RILLE_POLL_FAIL, /* one error too many: end with it */
  RILLE_POLL_END
};

enum rille_poll_phase {
  RILLE_POLL_NO_LOOP,
  RILLE_POLL_WAITS,
  RILLE_POLL_CALLS,
  RILLE_POLL_DELIVERS
};

#define RILLE_POLL_NEVER INT64_MAX

/* How many values the random number given to each step can have. */
#define RILLE_POLL_CHANCES (UINT32_C(1) << 31)

struct rille_poll {
  /* The caller's to set, before the first step. */
  int64_t interval;    /* from the end of a delivery to the next call, ns */
  double jitter;       /* the part of it by which it varies, from 0 to 1 */
  uint64_t max_errors; /* in a row; the last of them is one too many. 0: none */
  bool immediate;      /* the first call is due at the start */
  /* What has become of it; to be read. */
  bool wanted;    /* started, and not stopped since */
  bool stale;     /* stopped since what the loop does now began */
  uint8_t phase;  /* rille_poll_phase, of the loop */
  int64_t due;    /* when to call next, ns */
  int64_t last;   /* when the last call began, ns; RILLE_POLL_NEVER */
  uint64_t polls; /* calls that brought a value or an error */
  uint64_t errors;
  uint64_t row; /* errors since the last value or start */
};

/* Makes a poll that nobody has started: immediate, without jitter or limit. */
void rille_poll_init(struct rille_poll *poll, int64_t interval);

/* Reports `event`, at `now` (ns); returns what to do about it. `random`, below
 * RILLE_POLL_CHANCES, is for the jitter. */
enum rille_poll_order rille_poll_step(struct rille_poll *poll,
                                      enum rille_poll_event event, int64_t now,
                                      uint32_t random);

/* When the next call is due, if that is known: RILLE_POLL_NEVER while a call
 * or a delivery is going on, and when stopped. */
int64_t rille_poll_next(const struct rille_poll *poll);

#endif
