/*
 * The limiter under random use: takes, waits, reservations, and all of them
 * given up. What must hold, whatever is done:
 *
 * - the rate: in no span of time more tokens go than the burst and what comes
 *   in that time, reservations counted when they are due;
 * - the order: who waits is admitted first come, first served;
 * - no waste: as long as nothing is reserved, the first is admitted in the
 *   nanosecond in which a bucket without queue would have its tokens.
 */
#include "policy_fixture.h"

#include "policy/limiter.h"
#include <stdlib.h>
#include <time.h>

#define INTERVAL INT64_C(1000) /* ns for a token */
#define STEPS 400
#define PLACES 16

struct grant {
  int64_t at, tokens;
};

struct world {
  struct rille_limiter limiter;
  int64_t burst, now;
  struct rille_place places[PLACES];
  bool waits[PLACES];
  uint64_t arrival[PLACES], arrivals, admitted; /* to check the order */
  struct rille_promise promise; /* the last one that may be given up */
  bool promised;
  struct grant grants[2 * STEPS];
  int count;
};

static uint64_t random_state;

/* SplitMix64, as the engine has it. */
static uint32_t roll(uint32_t n) {
  uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (uint32_t)((z ^ (z >> 31)) % n);
}

static void note(struct world *w, int64_t at, int64_t tokens) {
  w->grants[w->count++] = (struct grant){at, tokens};
}

static int place_of(struct world *w, bool waits) {
  int i = (int)roll(PLACES);
  for (int n = 0; n < PLACES; n++, i = (i + 1) % PLACES)
    if (w->waits[i] == waits)
      return i;
  return -1;
}

static void admit(struct world *w) {
  struct rille_place *place;
  while ((place = rille_limiter_admit(&w->limiter, w->now)) != NULL) {
    int i = (int)(place - w->places);
    assert_true(w->waits[i]);
    assert_true(w->arrival[i] > w->admitted);
    w->admitted = w->arrival[i];
    w->waits[i] = false;
    note(w, w->now, place->tokens);
  }
}

static void join_or_take(struct world *w) {
  int64_t tokens = 1 + roll((uint32_t)w->burst);
  int i = place_of(w, false);
  if (rille_limiter_take(&w->limiter, tokens, w->now)) {
    note(w, w->now, tokens);
  } else if (i >= 0) {
    rille_limiter_join(&w->limiter, &w->places[i], tokens);
    w->waits[i] = true;
    w->arrival[i] = ++w->arrivals;
  }
}

static void leave(struct world *w) {
  int i = place_of(w, true);
  if (i < 0)
    return;
  rille_limiter_leave(&w->limiter, &w->places[i], w->now);
  w->waits[i] = false;
}

/* The promise that stands can no longer be given up. */
static void keep_promise(struct world *w) {
  if (w->promised)
    note(w, w->promise.due, w->promise.tokens);
  w->promised = false;
}

static void reserve(struct world *w) {
  keep_promise(w);
  w->promised = rille_limiter_reserve(&w->limiter, 1 + roll((uint32_t)w->burst),
                                      w->now, RILLE_NEVER, &w->promise);
  assert_true(w->promised);
}

/* Given up in time; the reservation is the last, but places may have come. */
static void cancel(struct world *w) {
  if (!w->promised)
    return;
  if (w->now > w->promise.due)
    keep_promise(w);
  rille_limiter_cancel(&w->limiter, &w->promise, w->now);
  w->promised = false;
}

/* The clock goes on, but over nobody's time. */
static void wait(struct world *w) {
  int64_t next = rille_limiter_next(&w->limiter, w->now);
  w->now += roll(3 * INTERVAL);
  if (w->now > next)
    w->now = next;
}

static int by_time(const void *a, const void *b) {
  const struct grant *x = a, *y = b;
  return (x->at > y->at) - (x->at < y->at);
}

static void check_rate(struct world *w) {
  keep_promise(w);
  qsort(w->grants, (size_t)w->count, sizeof *w->grants, by_time);
  for (int i = 0; i < w->count; i++) {
    int64_t sum = 0;
    for (int j = i; j < w->count; j++) {
      int64_t span = w->grants[j].at - w->grants[i].at;
      sum += w->grants[j].tokens;
      if (sum * INTERVAL > w->burst * INTERVAL + span)
        fail_msg("%d tokens in %d ns, burst %d", (int)sum, (int)span,
                 (int)w->burst);
    }
  }
}

static void run(void (*const steps[])(struct world *), uint32_t count) {
  struct world w = {.burst = 1 + roll(5)};
  assert_true(rille_limiter_init(&w.limiter, 1, INTERVAL, w.burst));
  for (int i = 0; i < STEPS; i++) {
    steps[roll(count)](&w);
    admit(&w);
  }
  while (place_of(&w, true) >= 0) { /* everybody's turn comes */
    w.now = rille_limiter_next(&w.limiter, w.now);
    assert_int_not_equal(RILLE_NEVER, w.now);
    admit(&w);
  }
  assert_int_equal(0, w.limiter.queued);
  assert_int_equal(0, w.limiter.tail);
  check_rate(&w);
}

static void the_rate_and_the_order_hold(void **state) {
  static void (*const steps[])(struct world *) = {
      wait, wait, wait, join_or_take, join_or_take, leave, reserve, cancel};
  (void)state;
  for (int i = 0; i < 300; i++)
    run(steps, COUNT(steps));
}

/* Replays the grants of a run without reservations on a plain bucket. */
static void nothing_is_wasted(void **state) {
  (void)state;
  for (int round = 0; round < 300; round++) {
    struct world w = {.burst = 1 + roll(5)};
    struct rille_bucket bucket;
    int done = 0;
    assert_true(rille_limiter_init(&w.limiter, 1, INTERVAL, w.burst));
    assert_true(rille_bucket_init(&bucket, 1, INTERVAL, w.burst));
    for (int i = 0; i < STEPS; i++) {
      static void (*const steps[])(struct world *) = {wait, wait, join_or_take,
                                                      leave};
      steps[roll(COUNT(steps))](&w);
      admit(&w);
      for (; done < w.count; done++)
        assert_true(rille_bucket_take(
            &bucket, rille_bucket_units(&bucket, w.grants[done].tokens),
            w.grants[done].at));
      if (!rille_list_empty(&w.limiter.queue)) {
        const struct rille_place *first =
            RILLE_ENTRY(w.limiter.queue.next, struct rille_place, node);
        assert_int_equal(
            rille_bucket_due(&bucket,
                             rille_bucket_units(&bucket, first->tokens), w.now),
            rille_limiter_next(&w.limiter, w.now));
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_rate_and_the_order_hold),
      cmocka_unit_test(nothing_is_wasted),
  };
  const char *given = getenv("RILLE_SEED");
  random_state =
      given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
  print_message("RILLE_SEED=%llu\n", (unsigned long long)random_state);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
