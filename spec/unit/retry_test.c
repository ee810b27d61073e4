/*
 * Back-off and retry: the rows of other libraries' tests (cenkalti/backoff,
 * Polly, cockatiel) that are about what is offered here, in ms; then the rest.
 */
#include "policy_fixture.h"

#include "policy/retry.h"
#include <math.h>

static struct rille_backoff backoff(int64_t initial, double factor, int64_t max,
                                    enum rille_jitter jitter) {
  return (struct rille_backoff){.initial = initial,
                                .factor = factor,
                                .max = max,
                                .jitter = (uint8_t)jitter};
}

static void check(const struct rille_backoff *options, const int64_t *expected,
                  size_t count) {
  for (size_t i = 0; i < count; i++)
    assert_int_equal(expected[i] * MS,
                     rille_backoff_delay(options, (int64_t)i + 1, 0, 0.5));
}

static void it_grows_to_the_maximum(void **state) {
  static const int64_t cenkalti[] = {500, 1000, 2000, 4000, 5000, 5000, 5000};
  static const int64_t cockatiel[] = {128,  256,   512,   1024,  2048, 4096,
                                      8192, 16384, 30000, 30000, 30000};
  static const int64_t polly[] = {1000, 2000, 4000};
  static const int64_t constant[] = {1000, 1000, 1000};
  struct rille_backoff options;
  (void)state;
  options = backoff(500 * MS, 2, 5000 * MS, RILLE_JITTER_NONE);
  check(&options, cenkalti, COUNT(cenkalti));
  options = backoff(128 * MS, 2, 30000 * MS, RILLE_JITTER_NONE);
  check(&options, cockatiel, COUNT(cockatiel));
  options = backoff(1000 * MS, 2, RILLE_NEVER, RILLE_JITTER_NONE);
  check(&options, polly, COUNT(polly));
  options = backoff(1000 * MS, 1, RILLE_NEVER, RILLE_JITTER_NONE);
  check(&options, constant, COUNT(constant));
}

static void nothing_grows_to_nothing(void **state) {
  (void)state;
  for (int jitter = 0; jitter <= RILLE_JITTER_NONE; jitter++) {
    struct rille_backoff options =
        backoff(0, HUGE_VAL, SECOND, (enum rille_jitter)jitter);
    for (int i = 1; i <= 2000; i++)
      assert_int_equal(0, rille_backoff_delay(&options, i, 0, 0.9));
  }
}

static void what_overflows_is_the_maximum(void **state) {
  struct rille_backoff options =
      backoff(INT64_MAX / 2, 2.1, HOUR, RILLE_JITTER_NONE);
  (void)state;
  assert_int_equal(HOUR, rille_backoff_delay(&options, 2, 0, 0));
  options = backoff(24 * HOUR, 2, 30 * SECOND, RILLE_JITTER_NONE);
  assert_int_equal(30 * SECOND, rille_backoff_delay(&options, 1000, 0, 0));
  assert_int_equal(30 * SECOND, rille_backoff_delay(&options, INT64_MAX, 0, 0));
  options.max = RILLE_NEVER;
  assert_int_equal(RILLE_NEVER, rille_backoff_delay(&options, 1000, 0, 0));
  options.factor = HUGE_VAL;
  assert_int_equal(RILLE_NEVER, rille_backoff_delay(&options, 2, 0, 0));
}

/* At random 0, .5 and the most: for each jitter, of 4 s. */
static void jitter_spreads_it(void **state) {
  static const struct {
    enum rille_jitter jitter;
    int64_t low, middle, high;
  } rows[] = {{RILLE_JITTER_NONE, 4000, 4000, 4000},
              {RILLE_JITTER_FULL, 0, 2000, 4000},
              {RILLE_JITTER_EQUAL, 2000, 3000, 4000}};
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct rille_backoff options = backoff(1000 * MS, 2, HOUR, rows[i].jitter);
    assert_int_equal(rows[i].low * MS, rille_backoff_delay(&options, 3, 0, 0));
    assert_int_equal(rows[i].middle * MS,
                     rille_backoff_delay(&options, 3, 0, 0.5));
    assert_int_equal(rows[i].high * MS, rille_backoff_delay(&options, 3, 0, 1));
  }
}

static void decorrelated_times_follow_the_last(void **state) {
  struct rille_backoff options =
      backoff(100 * MS, 2, 1000 * MS, RILLE_JITTER_DECORRELATED);
  (void)state;
  assert_int_equal(100 * MS, rille_backoff_delay(&options, 1, 0, 0));
  assert_int_equal(300 * MS, rille_backoff_delay(&options, 1, 0, 1));
  assert_int_equal(100 * MS, rille_backoff_delay(&options, 2, 300 * MS, 0));
  assert_int_equal(500 * MS, rille_backoff_delay(&options, 2, 300 * MS, 0.5));
  assert_int_equal(1000 * MS, rille_backoff_delay(&options, 3, 900 * MS, 1));
  options.max = RILLE_NEVER;
  assert_int_equal(RILLE_NEVER,
                   rille_backoff_delay(&options, 3, RILLE_NEVER, 1));
}

static void no_jitter_goes_beyond_its_bounds(void **state) {
  (void)state;
  for (int jitter = 0; jitter <= RILLE_JITTER_NONE; jitter++) {
    struct rille_backoff options =
        backoff(10 * MS, 3, SECOND, (enum rille_jitter)jitter);
    int64_t last = 0;
    for (int i = 1; i <= 1000; i++) {
      last = rille_backoff_delay(&options, i, last, (i * 37 % 101) / 100.0);
      assert_in_range(last, 0, SECOND);
    }
  }
}

/* Retry */

static struct rille_retry make(int64_t max_retries) {
  return (struct rille_retry){.backoff =
                                  backoff(SECOND, 2, HOUR, RILLE_JITTER_NONE),
                              .max_retries = max_retries,
                              .max_elapsed = RILLE_NEVER};
}

static struct rille_retry_run run_at(int64_t now) {
  return (struct rille_retry_run){.started = now, .deadline = RILLE_NEVER};
}

static void it_calls_once_and_so_many_times_more(void **state) {
  struct rille_retry retry = make(5);
  struct rille_retry_run run = run_at(0);
  int calls = 1;
  (void)state;
  while (rille_retry_fail(&retry, &run) == RILLE_RETRY_AGAIN)
    calls++;
  assert_int_equal(6, calls);
  assert_int_equal(5, run.attempt);
}

static void no_retries_is_one_call(void **state) {
  struct rille_retry retry = make(0);
  struct rille_retry_run run = run_at(0);
  (void)state;
  assert_int_equal(RILLE_RETRY_SPENT, rille_retry_fail(&retry, &run));
}

static void there_may_be_no_limit(void **state) {
  struct rille_retry retry = make(INT64_MAX);
  struct rille_retry_run run = run_at(0);
  (void)state;
  run.attempt = INT64_MAX - 1;
  assert_int_equal(RILLE_RETRY_AGAIN, rille_retry_fail(&retry, &run));
}

static enum rille_retry_decision ask(const struct rille_retry *retry,
                                     struct rille_retry_run *run, int64_t delay,
                                     int64_t now, int64_t *wait) {
  rille_retry_fail(retry, run);
  return rille_retry_delay(retry, run, delay, now, 0, wait);
}

static void the_delay_is_the_users_or_the_back_off(void **state) {
  struct rille_retry retry = make(10);
  struct rille_retry_run run = run_at(0);
  int64_t wait = -1;
  (void)state;
  ask(&retry, &run, RILLE_RETRY_BACKOFF, 0, &wait);
  assert_int_equal(SECOND, wait);
  ask(&retry, &run, 7, 0, &wait);
  assert_int_equal(7, wait);
  ask(&retry, &run, RILLE_RETRY_BACKOFF, 0, &wait);
  assert_int_equal(4 * SECOND, wait);
}

static void it_does_not_wait_beyond_max_elapsed(void **state) {
  struct rille_retry retry = make(10);
  struct rille_retry_run run = run_at(HOUR);
  int64_t wait = -1;
  (void)state;
  retry.max_elapsed = 10 * SECOND;
  assert_int_equal(RILLE_RETRY_AGAIN,
                   ask(&retry, &run, 4 * SECOND, HOUR + 6 * SECOND, &wait));
  assert_int_equal(RILLE_RETRY_ELAPSED,
                   ask(&retry, &run, 4 * SECOND, HOUR + 6 * SECOND + 1, &wait));
}

static void it_does_not_wait_for_the_deadline(void **state) {
  struct rille_retry retry = make(10);
  struct rille_retry_run run = run_at(0);
  int64_t wait = -1;
  (void)state;
  run.deadline = 10 * SECOND;
  assert_int_equal(RILLE_RETRY_AGAIN,
                   ask(&retry, &run, 4 * SECOND - 1, 6 * SECOND, &wait));
  assert_int_equal(RILLE_RETRY_ELAPSED,
                   ask(&retry, &run, 4 * SECOND, 6 * SECOND, &wait));
}

static void it_does_not_wait_for_ever(void **state) {
  struct rille_retry retry = make(10);
  struct rille_retry_run run = run_at(0);
  int64_t wait = -1;
  (void)state;
  assert_int_equal(RILLE_RETRY_ELAPSED,
                   ask(&retry, &run, RILLE_NEVER, 0, &wait));
  assert_int_equal(-1, wait);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_grows_to_the_maximum),
      cmocka_unit_test(nothing_grows_to_nothing),
      cmocka_unit_test(what_overflows_is_the_maximum),
      cmocka_unit_test(jitter_spreads_it),
      cmocka_unit_test(decorrelated_times_follow_the_last),
      cmocka_unit_test(no_jitter_goes_beyond_its_bounds),
      cmocka_unit_test(it_calls_once_and_so_many_times_more),
      cmocka_unit_test(no_retries_is_one_call),
      cmocka_unit_test(there_may_be_no_limit),
      cmocka_unit_test(the_delay_is_the_users_or_the_back_off),
      cmocka_unit_test(it_does_not_wait_beyond_max_elapsed),
      cmocka_unit_test(it_does_not_wait_for_the_deadline),
      cmocka_unit_test(it_does_not_wait_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
