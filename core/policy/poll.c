/* poll.c - see poll.h. */
#include "poll.h"

void rille_poll_init(struct rille_poll *poll, int64_t interval) {
  *poll = (struct rille_poll){.interval = interval > 0 ? interval : 1,
                              .immediate = true,
                              .last = RILLE_POLL_NEVER};
}

/* An interval after `now`: never at once, so that time passes between two
 * calls. */
static int64_t later(const struct rille_poll *poll, int64_t now,
                     uint32_t random) {
  int64_t span = poll->interval;
  if (poll->jitter > 0 && span != RILLE_POLL_NEVER) {
    double chance = (double)random / (double)RILLE_POLL_CHANCES;
    double shift = (double)span * poll->jitter * (2 * chance - 1);
    double least = 1, most = 9e18;
    double jittered = (double)span + shift;
    if (jittered > most)
      jittered = most;
    span = (int64_t)(jittered < least ? least : jittered);
  }
  return span >= RILLE_POLL_NEVER - now ? RILLE_POLL_NEVER : now + span;
}

/* What the loop does next, when it is in the middle of nothing. */
static enum rille_poll_order next_order(struct rille_poll *poll, int64_t now) {
  poll->stale = false;
  if (!poll->wanted) {
    poll->phase = RILLE_POLL_NO_LOOP;
    return RILLE_POLL_END;
  }
  if (now < poll->due) {
    poll->phase = RILLE_POLL_WAITS;
    return RILLE_POLL_WAIT;
  }
  poll->phase = RILLE_POLL_CALLS;
  poll->last = now;
  return RILLE_POLL_CALL;
}

static enum rille_poll_order start(struct rille_poll *poll, int64_t now,
                                   uint32_t random) {
  if (poll->wanted)
    return RILLE_POLL_NOTHING;
  poll->wanted = true;
  poll->row = 0;
  poll->due = poll->immediate ? now : later(poll, now, random);
  if (poll->phase != RILLE_POLL_NO_LOOP)
    return RILLE_POLL_NOTHING; /* the loop that was stopped goes on */
  poll->phase = RILLE_POLL_WAITS;
  return RILLE_POLL_SPAWN;
}

static enum rille_poll_order stop(struct rille_poll *poll) {
  bool again = poll->stale;
  if (!poll->wanted)
    return RILLE_POLL_NOTHING;
  poll->wanted = false;
  poll->stale = true;
  if (poll->phase == RILLE_POLL_WAITS)
    return RILLE_POLL_WAKE;
  if (poll->phase == RILLE_POLL_CALLS && !again)
    return RILLE_POLL_ABORT;
  return RILLE_POLL_NOTHING;
}

/* The call has ended, and not by a stop. */
static enum rille_poll_order call_ended(struct rille_poll *poll, bool failed,
                                        int64_t now) {
  poll->polls++;
  poll->errors += failed;
  poll->row = failed ? poll->row + 1 : 0;
  if (failed && poll->max_errors != 0 && poll->row >= poll->max_errors) {
    poll->wanted = false;
    next_order(poll, now);
    return RILLE_POLL_FAIL;
  }
  if (poll->stale)
    return next_order(poll, now);
  poll->phase = RILLE_POLL_DELIVERS;
  return failed ? RILLE_POLL_GIVE_ERROR : RILLE_POLL_GIVE_VALUE;
}

/* The round is over. If a start came meanwhile, the next call is due as that
 * said. */
static enum rille_poll_order round_ended(struct rille_poll *poll, int64_t now,
                                         uint32_t random) {
  if (!poll->stale)
    poll->due = later(poll, now, random);
  return next_order(poll, now);
}

enum rille_poll_order rille_poll_step(struct rille_poll *poll,
                                      enum rille_poll_event event, int64_t now,
                                      uint32_t random) {
  switch (event) {
  case RILLE_POLL_START:
    return start(poll, now, random);
  case RILLE_POLL_STOP:
    return stop(poll);
  case RILLE_POLL_TIME:
    return next_order(poll, now);
  case RILLE_POLL_VALUE:
  case RILLE_POLL_ERROR:
    return call_ended(poll, event == RILLE_POLL_ERROR, now);
  case RILLE_POLL_CANCELLED:
  case RILLE_POLL_DELIVERED:
    return round_ended(poll, now, random);
  case RILLE_POLL_LOST:
    poll->wanted = false;
    next_order(poll, now);
    return RILLE_POLL_NOTHING;
  }
  return RILLE_POLL_NOTHING;
}

int64_t rille_poll_next(const struct rille_poll *poll) {
  bool waits = poll->phase == RILLE_POLL_WAITS || poll->stale;
  return poll->wanted && waits ? poll->due : RILLE_POLL_NEVER;
}
