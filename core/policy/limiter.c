/* limiter.c - see limiter.h. */
#include "limiter.h"

bool rille_limiter_init(struct rille_limiter *limiter, double rate, int64_t per,
                        int64_t burst) {
  *limiter = (struct rille_limiter){0};
  rille_list_init(&limiter->queue);
  return rille_bucket_init(&limiter->bucket, rate, per, burst);
}

static struct rille_place *place_of(struct rille_node *node) {
  return RILLE_ENTRY(node, struct rille_place, node);
}

static struct rille_place *first_place(const struct rille_limiter *limiter) {
  struct rille_node *node = rille_list_first(&limiter->queue);
  return node != NULL ? place_of(node) : NULL;
}

static int64_t units(const struct rille_limiter *limiter, int64_t tokens) {
  return rille_bucket_units(&limiter->bucket, tokens);
}

/* The promises that nobody stands in front of any more are taken from the
 * bucket. */
static void settle(struct rille_limiter *limiter, int64_t now) {
  struct rille_place *first = first_place(limiter);
  int64_t *gap = first != NULL ? &first->gap : &limiter->tail;
  if (*gap == 0)
    return;
  rille_bucket_take(&limiter->bucket, units(limiter, *gap), now);
  if (first != NULL)
    limiter->queued -= *gap;
  *gap = 0;
}

bool rille_limiter_take(struct rille_limiter *limiter, int64_t tokens,
                        int64_t now) {
  return rille_list_empty(&limiter->queue) &&
         rille_limiter_due(limiter, tokens, now) == now &&
         rille_bucket_take(&limiter->bucket, units(limiter, tokens), now);
}

int64_t rille_limiter_due(const struct rille_limiter *limiter, int64_t tokens,
                          int64_t now) {
  int64_t ahead = rille_span_add(limiter->queued, limiter->tail);
  return rille_bucket_due(&limiter->bucket,
                          units(limiter, rille_span_add(ahead, tokens)), now);
}

void rille_limiter_join(struct rille_limiter *limiter,
                        struct rille_place *place, int64_t tokens) {
  place->tokens = tokens;
  place->gap = limiter->tail;
  place->order = ++limiter->order;
  limiter->queued = rille_span_add(limiter->queued, place->gap + tokens);
  limiter->tail = 0;
  rille_list_append(&limiter->queue, &place->node);
}

void rille_limiter_leave(struct rille_limiter *limiter,
                         struct rille_place *place, int64_t now) {
  int64_t rest = place->gap;
  if (!rille_list_linked(&place->node))
    return;
  if (place->order < limiter->promised) /* who were told a time keep to it */
    rest += place->tokens;
  limiter->queued -= place->gap + place->tokens;
  if (place->node.next == &limiter->queue) {
    limiter->tail += rest;
  } else {
    place_of(place->node.next)->gap += rest;
    limiter->queued += rest;
  }
  rille_list_unlink(&place->node);
  settle(limiter, now);
}

struct rille_place *rille_limiter_admit(struct rille_limiter *limiter,
                                        int64_t now) {
  struct rille_place *first = first_place(limiter);
  if (first == NULL || rille_limiter_next(limiter, now) > now)
    return NULL;
  rille_bucket_take(&limiter->bucket, units(limiter, first->tokens), now);
  limiter->queued -= first->tokens;
  rille_list_unlink(&first->node);
  settle(limiter, now);
  return first;
}

int64_t rille_limiter_next(const struct rille_limiter *limiter, int64_t now) {
  const struct rille_place *first = first_place(limiter);
  if (first == NULL)
    return RILLE_NEVER;
  return rille_bucket_due(&limiter->bucket, units(limiter, first->tokens), now);
}

static bool beyond(const struct rille_limiter *limiter, int64_t tokens) {
  return !limiter->bucket.endless &&
         units(limiter, tokens) > limiter->bucket.capacity;
}

bool rille_limiter_reserve(struct rille_limiter *limiter, int64_t tokens,
                           int64_t now, int64_t latest,
                           struct rille_promise *promise) {
  int64_t due = rille_limiter_due(limiter, tokens, now);
  if (due == RILLE_NEVER || due > latest || beyond(limiter, tokens))
    return false;
  limiter->tail += tokens;
  limiter->promised = ++limiter->order;
  if (due > limiter->last_due)
    limiter->last_due = due;
  if (rille_list_empty(&limiter->queue))
    settle(limiter, now);
  *promise = (struct rille_promise){tokens, due, limiter->order};
  return true;
}

/* Gives back `restored` units of a promise in the bucket. */
static void restore(struct rille_limiter *limiter, int64_t restored,
                    const struct rille_promise *promise, int64_t now) {
  struct rille_bucket *bucket = &limiter->bucket;
  if (restored > 0)
    rille_bucket_put(bucket, restored, now);
  if (promise->due == limiter->last_due && bucket->rate > 0) {
    int64_t before =
        promise->due - units(limiter, promise->tokens) / bucket->rate;
    if (before >= now)
      limiter->last_due = before;
  }
}

void rille_limiter_cancel(struct rille_limiter *limiter,
                          const struct rille_promise *promise, int64_t now) {
  const struct rille_place *first = first_place(limiter);
  if (now > promise->due || limiter->bucket.endless)
    return;
  if (first == NULL || promise->order < first->order)
    restore(
        limiter,
        units(limiter, promise->tokens) -
            rille_span_times(rille_span_since(promise->due, limiter->last_due),
                             limiter->bucket.rate),
        promise, now);
  else if (promise->order == limiter->order) /* it is the tail's end */
    limiter->tail -= promise->tokens;
}

void rille_limiter_shift(struct rille_limiter *limiter, int64_t shift) {
  rille_bucket_shift(&limiter->bucket, shift);
  limiter->last_due += shift;
}
