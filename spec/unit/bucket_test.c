/* The token bucket: exact arithmetic, and the ends of the number range. */
#include "policy_fixture.h"

#include "policy/bucket.h"
#include "policy/budget.h"
#include <math.h>

static struct rille_bucket make(double rate, int64_t per, int64_t size) {
  struct rille_bucket bucket;
  assert_true(rille_bucket_init(&bucket, rate, per, size));
  return bucket;
}

/* Takes tokens that are there. */
static bool take(struct rille_bucket *bucket, int64_t tokens, int64_t now) {
  int64_t units = rille_bucket_units(bucket, tokens);
  return rille_bucket_due(bucket, units, now) == now &&
         rille_bucket_take(bucket, units, now);
}

static void a_new_one_is_full(void **state) {
  struct rille_bucket bucket = make(10, SECOND, 3);
  (void)state;
  assert_true(rille_bucket_level(&bucket, 0) == 3);
  assert_true(take(&bucket, 3, 0));
  assert_false(take(&bucket, 1, 0));
}

static void it_fills_to_the_rim_and_no_further(void **state) {
  struct rille_bucket bucket = make(10, SECOND, 3);
  (void)state;
  take(&bucket, 3, 0);
  assert_true(rille_bucket_level(&bucket, 200 * MS) == 2);
  assert_true(rille_bucket_level(&bucket, HOUR) == 3);
}

static void a_token_is_there_at_its_nanosecond_and_not_before(void **state) {
  struct rille_bucket bucket = make(3, SECOND, 1);
  (void)state;
  take(&bucket, 1, 0);
  assert_int_equal(333333334, rille_bucket_due(&bucket, bucket.token, 0));
  assert_false(take(&bucket, 1, 333333333));
  assert_true(take(&bucket, 1, 333333334));
}

/* 3 a second never fall on a nanosecond: 10^7 of them must take as long as
 * they should, to the nanosecond. */
static void ten_million_refills_do_not_drift(void **state) {
  struct rille_bucket bucket = make(3, SECOND, 2);
  int64_t now = 0;
  (void)state;
  take(&bucket, 2, 0);
  for (int i = 0; i < 10000000; i++) {
    now = rille_bucket_due(&bucket, bucket.token, now);
    assert_true(rille_bucket_take(&bucket, bucket.token, now));
  }
  assert_int_equal(INT64_C(3333333333333334), now);
}

static void a_rate_of_a_fraction_is_exact_enough(void **state) {
  struct rille_bucket bucket = make(0.1, SECOND, 1);
  (void)state;
  take(&bucket, 1, 0);
  assert_int_equal(10 * SECOND, rille_bucket_due(&bucket, bucket.token, 0));
  bucket = make(2.5, SECOND, 1);
  take(&bucket, 1, 0);
  assert_int_equal(400 * MS, rille_bucket_due(&bucket, bucket.token, 0));
  bucket = make(0.7692307692307693, SECOND, 1);
  assert_true(take(&bucket, 1, 0));
}

static void a_long_period_is_exact(void **state) {
  struct rille_bucket bucket = make(1000, 24 * HOUR, 1000);
  (void)state;
  take(&bucket, 1000, 0);
  assert_int_equal(86400 * MS, rille_bucket_due(&bucket, bucket.token, 0));
}

static void a_rate_of_nothing_gives_the_first_tokens_only(void **state) {
  struct rille_bucket bucket = make(0, SECOND, 2);
  (void)state;
  assert_true(take(&bucket, 2, 0));
  assert_int_equal(RILLE_NEVER, rille_bucket_due(&bucket, bucket.token, 0));
  assert_false(take(&bucket, 1, 1000 * HOUR));
}

static void infinite_rates_and_sizes_never_run_dry(void **state) {
  struct rille_bucket rate = make(HUGE_VAL, SECOND, 0);
  struct rille_bucket size = make(1, SECOND, RILLE_NEVER);
  (void)state;
  for (int i = 0; i < 100; i++) {
    assert_true(take(&rate, INT64_C(1) << 40, 0));
    assert_true(take(&size, INT64_C(1) << 40, 0));
  }
}

static void very_high_rates_are_close(void **state) {
  struct rille_bucket bucket = make(1e10, SECOND, INT64_C(10000000000));
  (void)state;
  take(&bucket, INT64_C(10000000000), 0);
  assert_in_range(
      rille_bucket_due(&bucket, rille_bucket_units(&bucket, 1000), 0), 99, 101);
  assert_true(rille_bucket_level(&bucket, SECOND) >= 9999999000.0);
}

static void what_takes_too_long_to_fill_is_refused(void **state) {
  struct rille_bucket bucket;
  (void)state;
  assert_false(rille_bucket_init(&bucket, 1, 24 * HOUR, 1000000));
  assert_false(rille_bucket_init(&bucket, 1e-300, SECOND, 1));
}

static void what_cannot_be_told_any_more_is_not_taken(void **state) {
  struct rille_bucket bucket = make(1, SECOND, INT64_C(1) << 30);
  int64_t units = rille_bucket_units(&bucket, INT64_C(1) << 32);
  (void)state;
  assert_true(rille_bucket_take(&bucket, units, 0));
  assert_true(rille_bucket_take(&bucket, units, 0));
  assert_false(rille_bucket_take(&bucket, units, 0));
  assert_int_equal(RILLE_NEVER, rille_bucket_due(&bucket, units, 0));
  assert_int_equal(RILLE_NEVER, rille_bucket_units(&bucket, RILLE_NEVER));
}

static void a_clock_that_goes_back_makes_no_tokens(void **state) {
  struct rille_bucket bucket = make(1, SECOND, 5);
  int64_t now = HOUR;
  (void)state;
  take(&bucket, 5, now);
  for (int i = 0; i < 1000; i++) {
    assert_false(take(&bucket, 1, now - 100 * SECOND));
    assert_false(take(&bucket, 1, now));
  }
  assert_int_equal(now + SECOND,
                   rille_bucket_due(&bucket, bucket.token, now - SECOND));
  assert_true(take(&bucket, 1, now + SECOND));
}

static void a_shift_goes_on_where_it_was_on_another_clock(void **state) {
  struct rille_bucket bucket = make(1, SECOND, 5);
  (void)state;
  take(&bucket, 5, HOUR);
  rille_bucket_shift(&bucket, -HOUR);
  assert_true(rille_bucket_level(&bucket, 0) == 0);
  assert_true(rille_bucket_level(&bucket, 2 * SECOND) == 2);
}

static void a_budget_gives_a_fifth_of_the_calls(void **state) {
  struct rille_budget budget;
  int retries = 0;
  (void)state;
  assert_true(rille_budget_init(&budget, 0.2, 0, 10));
  for (int i = 0; i < 10; i++)
    assert_true(rille_budget_withdraw(&budget, 0));
  assert_false(rille_budget_withdraw(&budget, 0));
  for (int i = 0; i < 1000; i++) {
    rille_budget_deposit(&budget, 0);
    retries += rille_budget_withdraw(&budget, 0);
  }
  assert_int_equal(200, retries);
  assert_int_equal(210, budget.withdrawals);
  assert_int_equal(801, budget.refused);
}

static void a_budget_grows_with_time(void **state) {
  struct rille_budget budget;
  (void)state;
  rille_budget_init(&budget, 0, 3, 1);
  assert_true(rille_budget_withdraw(&budget, 0));
  assert_false(rille_budget_withdraw(&budget, 333 * MS));
  assert_true(rille_budget_withdraw(&budget, 334 * MS));
}

static void a_budget_takes_back_what_was_not_used(void **state) {
  struct rille_budget budget;
  (void)state;
  rille_budget_init(&budget, 0, 0, 1);
  assert_true(rille_budget_withdraw(&budget, 0));
  rille_budget_give_back(&budget, 0);
  assert_true(rille_budget_withdraw(&budget, 0));
  assert_false(rille_budget_withdraw(&budget, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_one_is_full),
      cmocka_unit_test(it_fills_to_the_rim_and_no_further),
      cmocka_unit_test(a_token_is_there_at_its_nanosecond_and_not_before),
      cmocka_unit_test(ten_million_refills_do_not_drift),
      cmocka_unit_test(a_rate_of_a_fraction_is_exact_enough),
      cmocka_unit_test(a_long_period_is_exact),
      cmocka_unit_test(a_rate_of_nothing_gives_the_first_tokens_only),
      cmocka_unit_test(infinite_rates_and_sizes_never_run_dry),
      cmocka_unit_test(very_high_rates_are_close),
      cmocka_unit_test(what_takes_too_long_to_fill_is_refused),
      cmocka_unit_test(what_cannot_be_told_any_more_is_not_taken),
      cmocka_unit_test(a_clock_that_goes_back_makes_no_tokens),
      cmocka_unit_test(a_shift_goes_on_where_it_was_on_another_clock),
      cmocka_unit_test(a_budget_gives_a_fifth_of_the_calls),
      cmocka_unit_test(a_budget_grows_with_time),
      cmocka_unit_test(a_budget_takes_back_what_was_not_used),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
