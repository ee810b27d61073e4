/* bucket.c - see bucket.h. */
#include "bucket.h"
#include <math.h>

#define MOST (INT64_C(1) << 61) /* units in a bucket */
#define SCALE 30                /* units a ns, at most: 2^30 */

/* As many units for a token as there are ns in `per`: exact. */
static bool set_exactly(struct rille_bucket *bucket, double rate, int64_t per,
                        int64_t size) {
  if (rate > 9e15 || rate != floor(rate) || per > MOST / (size + 1))
    return false;
  bucket->rate = (int64_t)rate;
  bucket->token = per;
  return true;
}

/* A power of two of units for each ns, the largest that fits. */
static bool set_closely(struct rille_bucket *bucket, double rate, int64_t per,
                        int64_t size) {
  double interval = rate > 0 ? (double)per / rate : 1;
  int scale = SCALE;
  while (scale >= 0 && ldexp(interval, scale) * (double)size > (double)MOST)
    scale--;
  if (scale < 0 || ldexp(interval, scale) > (double)MOST)
    return false;
  bucket->rate = rate > 0 ? INT64_C(1) << scale : 0;
  bucket->token = llround(ldexp(interval, scale));
  bucket->endless = bucket->token == 0; /* faster than can be told */
  return true;
}

bool rille_bucket_init(struct rille_bucket *bucket, double rate, int64_t per,
                       int64_t size) {
  *bucket = (struct rille_bucket){.token = 1};
  if (isinf(rate) || size == RILLE_NEVER) {
    bucket->endless = true;
    return true;
  }
  if (!set_exactly(bucket, rate, per, size) &&
      !set_closely(bucket, rate, per, size))
    return false;
  bucket->capacity = bucket->token * size;
  return true;
}

int64_t rille_bucket_units(const struct rille_bucket *bucket, int64_t tokens) {
  return rille_span_times(bucket->token, tokens);
}

static int64_t missing_at(const struct rille_bucket *bucket, int64_t now) {
  int64_t elapsed = rille_span_since(bucket->last, now);
  if (bucket->rate == 0)
    return bucket->missing;
  if (elapsed > bucket->missing / bucket->rate)
    return 0;
  return bucket->missing - elapsed * bucket->rate;
}

int64_t rille_bucket_due(const struct rille_bucket *bucket, int64_t units,
                         int64_t now) {
  int64_t over;
  if (bucket->endless)
    return now;
  over = rille_span_add(missing_at(bucket, now), units);
  if (over <= bucket->capacity)
    return now;
  if (bucket->rate == 0 || over == RILLE_NEVER)
    return RILLE_NEVER;
  over = (over - bucket->capacity - 1) / bucket->rate + 1; /* ns, rounded up */
  return rille_span_add(now > bucket->last ? now : bucket->last, over);
}

/* Sets what is missing now. */
static void set_missing(struct rille_bucket *bucket, int64_t missing,
                        int64_t now) {
  bucket->missing = missing;
  if (now > bucket->last)
    bucket->last = now;
}

bool rille_bucket_take(struct rille_bucket *bucket, int64_t units,
                       int64_t now) {
  int64_t missing;
  if (bucket->endless)
    return true;
  missing = rille_span_add(missing_at(bucket, now), units);
  if (missing == RILLE_NEVER)
    return false;
  set_missing(bucket, missing, now);
  return true;
}

void rille_bucket_put(struct rille_bucket *bucket, int64_t units, int64_t now) {
  int64_t missing = missing_at(bucket, now);
  set_missing(bucket, missing > units ? missing - units : 0, now);
}

double rille_bucket_level(const struct rille_bucket *bucket, int64_t now) {
  if (bucket->endless)
    return (double)INFINITY;
  return ((double)bucket->capacity - (double)missing_at(bucket, now)) /
         (double)bucket->token;
}

void rille_bucket_shift(struct rille_bucket *bucket, int64_t shift) {
  bucket->last += shift;
}
