/* poll_test.c - polling, told what happened at invented times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "policy/poll.h"

#define HALF (RILLE_POLL_CHANCES / 2)

static struct rille_poll make_poll(int64_t interval) {
  struct rille_poll poll;
  rille_poll_init(&poll, interval);
  return poll;
}

static enum rille_poll_order at(struct rille_poll *poll, int64_t now,
                                enum rille_poll_event event) {
  return rille_poll_step(poll, event, now, HALF);
}

/* A poll whose loop makes its first call, at time 0. */
static struct rille_poll make_calling(int64_t interval) {
  struct rille_poll poll = make_poll(interval);
  at(&poll, 0, RILLE_POLL_START);
  at(&poll, 0, RILLE_POLL_TIME);
  return poll;
}

static void the_first_call_is_at_the_start(void **state) {
  struct rille_poll poll = make_poll(10);
  (void)state;
  assert_int_equal(RILLE_POLL_SPAWN, at(&poll, 5, RILLE_POLL_START));
  assert_int_equal(RILLE_POLL_CALL, at(&poll, 5, RILLE_POLL_TIME));
  assert_int_equal(5, poll.last);
}

static void the_first_call_is_an_interval_later_if_so_set(void **state) {
  struct rille_poll poll = make_poll(10);
  (void)state;
  poll.immediate = false;
  assert_int_equal(RILLE_POLL_SPAWN, at(&poll, 5, RILLE_POLL_START));
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 6, RILLE_POLL_TIME));
  assert_int_equal(15, poll.due);
  assert_int_equal(RILLE_POLL_CALL, at(&poll, 15, RILLE_POLL_TIME));
}

static void the_interval_counts_from_the_end_of_the_delivery(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  assert_int_equal(RILLE_POLL_GIVE_VALUE, at(&poll, 2, RILLE_POLL_VALUE));
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 3, RILLE_POLL_DELIVERED));
  assert_int_equal(13, poll.due);
}

static void a_wait_that_ended_early_goes_on(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 0, RILLE_POLL_VALUE);
  at(&poll, 0, RILLE_POLL_DELIVERED);
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 9, RILLE_POLL_TIME));
  assert_int_equal(RILLE_POLL_CALL, at(&poll, 10, RILLE_POLL_TIME));
}

static void a_clock_that_goes_back_only_waits_longer(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 100, RILLE_POLL_VALUE);
  at(&poll, 100, RILLE_POLL_DELIVERED);
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 50, RILLE_POLL_TIME));
  assert_int_equal(110, poll.due);
}

static void an_interval_of_nothing_lets_time_pass(void **state) {
  struct rille_poll poll = make_calling(0);
  (void)state;
  at(&poll, 7, RILLE_POLL_VALUE);
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 7, RILLE_POLL_DELIVERED));
  assert_int_equal(8, poll.due);
}

static void an_endless_interval_never_comes(void **state) {
  struct rille_poll poll = make_calling(RILLE_POLL_NEVER);
  (void)state;
  at(&poll, 7, RILLE_POLL_VALUE);
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 7, RILLE_POLL_DELIVERED));
  assert_int_equal(RILLE_POLL_NEVER, poll.due);
}

static void a_sum_that_is_too_large_never_comes(void **state) {
  struct rille_poll poll = make_calling(RILLE_POLL_NEVER - 10);
  (void)state;
  at(&poll, 11, RILLE_POLL_VALUE);
  at(&poll, 11, RILLE_POLL_DELIVERED);
  assert_int_equal(RILLE_POLL_NEVER, poll.due);
}

/* Starting and stopping */

static void a_second_start_changes_nothing(void **state) {
  struct rille_poll poll = make_poll(10);
  (void)state;
  at(&poll, 0, RILLE_POLL_START);
  assert_int_equal(RILLE_POLL_NOTHING, at(&poll, 5, RILLE_POLL_START));
  assert_int_equal(0, poll.due);
}

static void a_stop_of_what_is_stopped_changes_nothing(void **state) {
  struct rille_poll poll = make_poll(10);
  (void)state;
  assert_int_equal(RILLE_POLL_NOTHING, at(&poll, 0, RILLE_POLL_STOP));
}

static void a_stop_wakes_the_loop_that_waits(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 0, RILLE_POLL_VALUE);
  at(&poll, 0, RILLE_POLL_DELIVERED);
  assert_int_equal(RILLE_POLL_WAKE, at(&poll, 5, RILLE_POLL_STOP));
  assert_int_equal(RILLE_POLL_END, at(&poll, 5, RILLE_POLL_TIME));
}

static void a_loop_that_has_ended_may_be_followed_by_another(void **state) {
  struct rille_poll poll = make_poll(10);
  (void)state;
  at(&poll, 0, RILLE_POLL_START);
  at(&poll, 0, RILLE_POLL_STOP);
  assert_int_equal(RILLE_POLL_END, at(&poll, 0, RILLE_POLL_TIME));
  assert_int_equal(RILLE_POLL_SPAWN, at(&poll, 1, RILLE_POLL_START));
}

static void a_stop_aborts_the_call_once(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  assert_int_equal(RILLE_POLL_ABORT, at(&poll, 1, RILLE_POLL_STOP));
  at(&poll, 1, RILLE_POLL_START);
  assert_int_equal(RILLE_POLL_NOTHING, at(&poll, 1, RILLE_POLL_STOP));
  assert_int_equal(RILLE_POLL_END, at(&poll, 2, RILLE_POLL_CANCELLED));
}

static void an_aborted_call_is_not_counted(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 1, RILLE_POLL_STOP);
  at(&poll, 2, RILLE_POLL_CANCELLED);
  assert_int_equal(0, poll.polls);
  assert_int_equal(0, poll.errors);
}

static void a_value_after_a_stop_is_counted_and_kept_back(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 1, RILLE_POLL_STOP);
  assert_int_equal(RILLE_POLL_END, at(&poll, 2, RILLE_POLL_VALUE));
  assert_int_equal(1, poll.polls);
}

static void a_delivery_goes_on_after_a_stop(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 1, RILLE_POLL_VALUE);
  assert_int_equal(RILLE_POLL_NOTHING, at(&poll, 2, RILLE_POLL_STOP));
  assert_int_equal(RILLE_POLL_END, at(&poll, 3, RILLE_POLL_DELIVERED));
}

static void a_start_takes_over_the_loop_that_was_stopped(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 1, RILLE_POLL_STOP);
  assert_int_equal(RILLE_POLL_NOTHING, at(&poll, 1, RILLE_POLL_START));
  assert_int_equal(RILLE_POLL_CALL, at(&poll, 4, RILLE_POLL_CANCELLED));
  assert_int_equal(4, poll.last);
}

static void a_stale_value_does_not_move_the_next_call(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.immediate = false;
  at(&poll, 1, RILLE_POLL_STOP);
  at(&poll, 1, RILLE_POLL_START);
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 4, RILLE_POLL_VALUE));
  assert_int_equal(11, poll.due);
}

static void nor_does_the_end_of_a_stale_delivery(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.immediate = false;
  at(&poll, 1, RILLE_POLL_VALUE);
  at(&poll, 2, RILLE_POLL_STOP);
  at(&poll, 2, RILLE_POLL_START);
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 4, RILLE_POLL_DELIVERED));
  assert_int_equal(12, poll.due);
}

static void the_call_after_a_stale_one_is_delivered(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 1, RILLE_POLL_STOP);
  at(&poll, 1, RILLE_POLL_START);
  at(&poll, 2, RILLE_POLL_VALUE);
  assert_int_equal(RILLE_POLL_GIVE_VALUE, at(&poll, 3, RILLE_POLL_VALUE));
}

static void a_lost_loop_makes_room_for_another(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  assert_int_equal(RILLE_POLL_NOTHING, at(&poll, 1, RILLE_POLL_LOST));
  assert_false(poll.wanted);
  assert_int_equal(RILLE_POLL_SPAWN, at(&poll, 2, RILLE_POLL_START));
}

/* Failures */

static void an_error_is_given_and_polling_goes_on(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  assert_int_equal(RILLE_POLL_GIVE_ERROR, at(&poll, 1, RILLE_POLL_ERROR));
  assert_int_equal(RILLE_POLL_WAIT, at(&poll, 2, RILLE_POLL_DELIVERED));
  assert_int_equal(1, poll.polls);
  assert_int_equal(1, poll.errors);
}

static void fail_times(struct rille_poll *poll, int times) {
  for (int i = 0; i < times; i++) {
    assert_int_equal(RILLE_POLL_GIVE_ERROR, at(poll, 0, RILLE_POLL_ERROR));
    at(poll, 0, RILLE_POLL_DELIVERED);
    at(poll, poll->due, RILLE_POLL_TIME);
  }
}

static void the_last_error_allowed_in_a_row_ends_it(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.max_errors = 3;
  fail_times(&poll, 2);
  assert_int_equal(RILLE_POLL_FAIL, at(&poll, 100, RILLE_POLL_ERROR));
  assert_false(poll.wanted);
  assert_int_equal(3, poll.errors);
}

static void a_value_ends_the_row(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.max_errors = 3;
  fail_times(&poll, 2);
  at(&poll, 50, RILLE_POLL_VALUE);
  at(&poll, 50, RILLE_POLL_DELIVERED);
  at(&poll, 60, RILLE_POLL_TIME);
  fail_times(&poll, 2);
  assert_int_equal(4, poll.errors);
}

static void a_start_ends_the_row(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.max_errors = 2;
  fail_times(&poll, 1);
  at(&poll, 50, RILLE_POLL_STOP);
  at(&poll, 50, RILLE_POLL_CANCELLED);
  at(&poll, 50, RILLE_POLL_START);
  at(&poll, 50, RILLE_POLL_TIME);
  fail_times(&poll, 1);
}

static void an_aborted_call_does_not_end_the_row(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.max_errors = 2;
  fail_times(&poll, 1);
  at(&poll, 50, RILLE_POLL_CANCELLED);
  assert_int_equal(1, poll.row);
}

static void after_a_stop_one_error_too_many_is_one_still(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.max_errors = 1;
  at(&poll, 1, RILLE_POLL_STOP);
  assert_int_equal(RILLE_POLL_FAIL, at(&poll, 2, RILLE_POLL_ERROR));
}

static void after_a_stop_an_error_is_not_given(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  at(&poll, 1, RILLE_POLL_STOP);
  assert_int_equal(RILLE_POLL_END, at(&poll, 2, RILLE_POLL_ERROR));
  assert_int_equal(1, poll.errors);
}

/* Jitter */

static int64_t jittered(double jitter, uint32_t random) {
  struct rille_poll poll = make_poll(1000);
  poll.jitter = jitter;
  poll.immediate = false;
  rille_poll_step(&poll, RILLE_POLL_START, 0, random);
  return poll.due;
}

static void jitter_varies_the_interval_both_ways(void **state) {
  (void)state;
  assert_int_equal(750, jittered(0.25, 0));
  assert_int_equal(1000, jittered(0.25, HALF));
  assert_int_equal(1125, jittered(0.25, HALF + HALF / 2));
  assert_in_range(jittered(0.25, RILLE_POLL_CHANCES - 1), 1249, 1250);
}

static void full_jitter_still_lets_time_pass(void **state) {
  (void)state;
  assert_int_equal(1, jittered(1, 0));
}

static void jitter_keeps_an_endless_interval(void **state) {
  struct rille_poll poll = make_poll(RILLE_POLL_NEVER);
  (void)state;
  poll.jitter = 0.5;
  poll.immediate = false;
  rille_poll_step(&poll, RILLE_POLL_START, 0, 0);
  assert_int_equal(RILLE_POLL_NEVER, poll.due);
}

static void jitter_of_a_huge_interval_does_not_overflow(void **state) {
  struct rille_poll poll = make_poll(RILLE_POLL_NEVER - 1);
  (void)state;
  poll.jitter = 1;
  poll.immediate = false;
  rille_poll_step(&poll, RILLE_POLL_START, 0, RILLE_POLL_CHANCES - 1);
  assert_true(poll.due > RILLE_POLL_NEVER / 2);
}

/* What is known of the next call */

static void the_next_call_is_known_while_the_loop_waits(void **state) {
  struct rille_poll poll = make_poll(10);
  (void)state;
  assert_int_equal(RILLE_POLL_NEVER, rille_poll_next(&poll));
  at(&poll, 3, RILLE_POLL_START);
  assert_int_equal(3, rille_poll_next(&poll));
  at(&poll, 3, RILLE_POLL_TIME);
  assert_int_equal(RILLE_POLL_NEVER, rille_poll_next(&poll));
  at(&poll, 4, RILLE_POLL_VALUE);
  assert_int_equal(RILLE_POLL_NEVER, rille_poll_next(&poll));
  at(&poll, 5, RILLE_POLL_DELIVERED);
  assert_int_equal(15, rille_poll_next(&poll));
  at(&poll, 6, RILLE_POLL_STOP);
  assert_int_equal(RILLE_POLL_NEVER, rille_poll_next(&poll));
}

static void the_next_call_is_known_once_started_anew(void **state) {
  struct rille_poll poll = make_calling(10);
  (void)state;
  poll.immediate = false;
  at(&poll, 1, RILLE_POLL_STOP);
  at(&poll, 2, RILLE_POLL_START);
  assert_int_equal(12, rille_poll_next(&poll));
}

/* A random history: whoever drives the poll obeys, and checks that there is
 * never more than one loop, and that what is counted adds up. */

struct driver {
  struct rille_poll poll;
  enum rille_poll_order order; /* the loop's last */
  int loops;
  uint64_t values, errors;
};

static void obey(struct driver *d, enum rille_poll_order order) {
  d->order = order;
  if (order == RILLE_POLL_END || order == RILLE_POLL_FAIL)
    d->loops--;
}

/* The loop comes to the end of what it does. */
static void drive(struct driver *d, int64_t now) {
  enum rille_poll_event event = RILLE_POLL_TIME;
  if (d->loops == 0)
    return;
  if (d->order == RILLE_POLL_CALL) {
    event = (enum rille_poll_event)(RILLE_POLL_VALUE + rand() % 3);
    if (event == RILLE_POLL_CANCELLED && !d->poll.stale)
      event = RILLE_POLL_VALUE; /* only a stop cancels */
    d->values += event == RILLE_POLL_VALUE;
    d->errors += event == RILLE_POLL_ERROR;
  } else if (d->order == RILLE_POLL_GIVE_VALUE ||
             d->order == RILLE_POLL_GIVE_ERROR) {
    event = RILLE_POLL_DELIVERED;
  }
  obey(d, at(&d->poll, now, event));
}

static void check_driver(const struct driver *d) {
  assert_in_range(d->loops, 0, 1);
  assert_int_equal(d->values + d->errors, d->poll.polls);
  assert_int_equal(d->errors, d->poll.errors);
  assert_int_equal(d->loops == 0, d->poll.phase == RILLE_POLL_NO_LOOP);
  if (d->loops == 0)
    assert_false(d->poll.wanted);
}

static void a_random_history_never_has_two_loops(void **state) {
  const char *given = getenv("RILLE_SEED");
  unsigned seed =
      given != NULL ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
  struct driver d = {.poll = make_poll(3)};
  (void)state;
  print_message("RILLE_SEED=%u\n", seed);
  srand(seed);
  d.poll.max_errors = 4;
  for (int64_t now = 0; now < 200000; now++) {
    int dice = rand() % 12;
    if (dice == 0) {
      at(&d.poll, now, RILLE_POLL_STOP);
      assert_false(d.poll.wanted);
    } else if (dice < 3) {
      if (at(&d.poll, now, RILLE_POLL_START) == RILLE_POLL_SPAWN) {
        d.loops++;
        d.order = RILLE_POLL_WAIT;
      }
      assert_true(d.poll.wanted);
    } else if (dice == 3 && d.loops > 0) {
      at(&d.poll, now, RILLE_POLL_LOST);
      d.loops--;
    } else {
      drive(&d, now);
    }
    check_driver(&d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_call_is_at_the_start),
      cmocka_unit_test(the_first_call_is_an_interval_later_if_so_set),
      cmocka_unit_test(the_interval_counts_from_the_end_of_the_delivery),
      cmocka_unit_test(a_wait_that_ended_early_goes_on),
      cmocka_unit_test(a_clock_that_goes_back_only_waits_longer),
      cmocka_unit_test(an_interval_of_nothing_lets_time_pass),
      cmocka_unit_test(an_endless_interval_never_comes),
      cmocka_unit_test(a_sum_that_is_too_large_never_comes),
      cmocka_unit_test(a_second_start_changes_nothing),
      cmocka_unit_test(a_stop_of_what_is_stopped_changes_nothing),
      cmocka_unit_test(a_stop_wakes_the_loop_that_waits),
      cmocka_unit_test(a_loop_that_has_ended_may_be_followed_by_another),
      cmocka_unit_test(a_stop_aborts_the_call_once),
      cmocka_unit_test(an_aborted_call_is_not_counted),
      cmocka_unit_test(a_value_after_a_stop_is_counted_and_kept_back),
      cmocka_unit_test(a_delivery_goes_on_after_a_stop),
      cmocka_unit_test(a_start_takes_over_the_loop_that_was_stopped),
      cmocka_unit_test(a_stale_value_does_not_move_the_next_call),
      cmocka_unit_test(nor_does_the_end_of_a_stale_delivery),
      cmocka_unit_test(the_call_after_a_stale_one_is_delivered),
      cmocka_unit_test(a_lost_loop_makes_room_for_another),
      cmocka_unit_test(an_error_is_given_and_polling_goes_on),
      cmocka_unit_test(the_last_error_allowed_in_a_row_ends_it),
      cmocka_unit_test(a_value_ends_the_row),
      cmocka_unit_test(a_start_ends_the_row),
      cmocka_unit_test(an_aborted_call_does_not_end_the_row),
      cmocka_unit_test(after_a_stop_one_error_too_many_is_one_still),
      cmocka_unit_test(after_a_stop_an_error_is_not_given),
      cmocka_unit_test(jitter_varies_the_interval_both_ways),
      cmocka_unit_test(full_jitter_still_lets_time_pass),
      cmocka_unit_test(jitter_keeps_an_endless_interval),
      cmocka_unit_test(jitter_of_a_huge_interval_does_not_overflow),
      cmocka_unit_test(the_next_call_is_known_while_the_loop_waits),
      cmocka_unit_test(the_next_call_is_known_once_started_anew),
      cmocka_unit_test(a_random_history_never_has_two_loops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
