/*
 * bucket.h - a token bucket: it fills evenly, and never beyond its rim.
 *
 * The contents are whole numbers of units, of which so many make a token and
 * so many come in each nanosecond: 3 tokens a second are 3 units a ns, and
 * 10^9 units a token. So however often it is asked, nothing is rounded and
 * nothing drifts. What is kept is not what is there but what is missing:
 *
 *     missing  0 ........... capacity ............
 *              full          empty     promised ahead of time
 *
 * A clock that goes back stands still until it has caught up: no tokens are
 * made of it.
 */
#ifndef RILLE_POLICY_BUCKET_H
#define RILLE_POLICY_BUCKET_H

#include "span.h"
#include <stdbool.h>

struct rille_bucket {
  int64_t token;    /* units that make a token */
  int64_t rate;     /* units that come in each ns; 0: none ever */
  int64_t capacity; /* units, when full */
  int64_t missing;  /* units, at `last` */
  int64_t last;     /* ns */
  bool endless;     /* it is always full */
};

/* Makes a full bucket for `size` tokens that gets `rate` tokens in each `per`
 * ns. A rate of infinity makes it endless, and so does a size of RILLE_NEVER.
 * False if it would take too long to fill, more than 73 years. */
bool rille_bucket_init(struct rille_bucket *bucket, double rate, int64_t per,
                       int64_t size);

/* The units in so many tokens; RILLE_NEVER if they are too many. */
int64_t rille_bucket_units(const struct rille_bucket *bucket, int64_t tokens);

/* The instant when `units` are there; RILLE_NEVER. Not before `now`. */
int64_t rille_bucket_due(const struct rille_bucket *bucket, int64_t units,
                         int64_t now);

/* Takes units, there or not. False, with nothing taken, if those that are
 * missing can no longer be told. */
bool rille_bucket_take(struct rille_bucket *bucket, int64_t units, int64_t now);

/* Puts units in, up to the rim. */
void rille_bucket_put(struct rille_bucket *bucket, int64_t units, int64_t now);

/* The tokens there are; below 0: promised. */
double rille_bucket_level(const struct rille_bucket *bucket, int64_t now);

/* Another clock is in use, on which now is `shift` ns later. */
void rille_bucket_shift(struct rille_bucket *bucket, int64_t shift);

#endif
