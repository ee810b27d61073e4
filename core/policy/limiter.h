/*
 * limiter.h - a rate limiter: a token bucket, and who waits for it.
 *
 * Whoever must wait stands in a queue, and takes its tokens when its turn has
 * come: so if one leaves the queue, those behind it move up. A promise is for
 * tokens of the future, taken now: it says when they are there, and cannot
 * move. One that is made while somebody waits stands in the queue as a gap:
 *
 *     bucket <- [place: n] <- gap [place: n] <- [place: n] <- tail
 *                 first          '- promises made between the two
 *
 * When all in front of a gap have gone, its tokens are taken. The reckoning
 * of promises and of what giving one back restores is that of Go's
 * golang.org/x/time/rate; of the places it has none.
 */
#ifndef RILLE_POLICY_LIMITER_H
#define RILLE_POLICY_LIMITER_H

#include "../list.h"
#include "bucket.h"

struct rille_limiter {
  struct rille_bucket bucket;
  struct rille_node queue; /* of rille_place.node, first come first */
  int64_t queued;          /* tokens: the places, and the gaps between them */
  int64_t tail;            /* tokens promised behind the last place */
  int64_t last_due;        /* of the latest promise, ns */
  uint64_t order;          /* places and promises so far */
  uint64_t promised;       /* order of the latest promise; 0: none */
};

/* Somebody who waits; in the caller's memory. */
struct rille_place {
  struct rille_node node; /* in limiter->queue */
  int64_t tokens;
  int64_t gap; /* tokens promised between the place in front and this one */
  uint64_t order;
};

struct rille_promise {
  int64_t tokens;
  int64_t due; /* when they are there, ns */
  uint64_t order;
};

/* Makes one as rille_bucket_init does, with a full bucket. */
bool rille_limiter_init(struct rille_limiter *limiter, double rate, int64_t per,
                        int64_t burst);

/* Takes tokens if they are there and nobody waits. */
bool rille_limiter_take(struct rille_limiter *limiter, int64_t tokens,
                        int64_t now);

/* When somebody who comes now would get `tokens`: ns; RILLE_NEVER. */
int64_t rille_limiter_due(const struct rille_limiter *limiter, int64_t tokens,
                          int64_t now);

/* Joins the queue. */
void rille_limiter_join(struct rille_limiter *limiter,
                        struct rille_place *place, int64_t tokens);

/* Leaves it, without tokens; idempotent. Those behind move up. */
void rille_limiter_leave(struct rille_limiter *limiter,
                         struct rille_place *place, int64_t now);

/* Takes the first place out of the queue, with its tokens, if they are there;
 * else NULL. */
struct rille_place *rille_limiter_admit(struct rille_limiter *limiter,
                                        int64_t now);

/* When the first place is to be admitted, ns; RILLE_NEVER: nobody waits. */
int64_t rille_limiter_next(const struct rille_limiter *limiter, int64_t now);

/* Promises `tokens`, if they are there by `latest` (ns), and are not more than
 * the bucket holds. */
bool rille_limiter_reserve(struct rille_limiter *limiter, int64_t tokens,
                           int64_t now, int64_t latest,
                           struct rille_promise *promise);

/* Gives a promise back that is not due yet: restores the tokens, except those
 * that later promises have been reckoned with. */
void rille_limiter_cancel(struct rille_limiter *limiter,
                          const struct rille_promise *promise, int64_t now);

/* Another clock is in use, on which now is `shift` ns later. */
void rille_limiter_shift(struct rille_limiter *limiter, int64_t shift);

#endif
