/* The rolling windows of calls and of time. */
#include "policy_fixture.h"

#include "policy/window.h"
#include <string.h>

#define CELLS 64

struct world {
  struct rille_window window;
  struct rille_tally cells[CELLS];
};

static void make_world(struct world *w, enum rille_window_kind kind,
                       uint32_t size, int64_t slice) {
  memset(w, 0xff, sizeof *w); /* clear must do its work */
  w->window.kind = (uint8_t)kind;
  w->window.size = size;
  w->window.slice = slice;
  w->window.cells = w->cells;
  assert_true(rille_window_bytes(kind, size) <= sizeof w->cells);
  rille_window_clear(&w->window);
}

static void check(struct world *w, int64_t now, unsigned calls,
                  unsigned failures, unsigned slow) {
  const struct rille_tally *total = rille_window_total(&w->window, now);
  assert_int_equal(calls, total->calls);
  assert_int_equal(failures, total->failures);
  assert_int_equal(slow, total->slow);
}

static void without_a_ring_all_calls_count(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_ALL, 0, 0);
  for (int i = 0; i < 1000; i++)
    rille_window_add(&w.window, i % 2 == 0, i % 4 == 0, 0);
  check(&w, HOUR, 1000, 500, 250);
  rille_window_clear(&w.window);
  check(&w, HOUR, 0, 0, 0);
}

/* resilience4j: the rates of a window of 4 calls, in percent. */
static void a_window_of_4_calls(void **state) {
  static const struct {
    bool failed;
    int percent;
  } rows[] = {{true, 10000}, {false, 5000}, {false, 3333}, {false, 2500},
              {false, 0},    {true, 2500},  {true, 5000}};
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_COUNT, 4, 0);
  for (size_t i = 0; i < COUNT(rows); i++) {
    const struct rille_tally *total;
    rille_window_add(&w.window, rows[i].failed, false, 0);
    total = rille_window_total(&w.window, 0);
    assert_int_equal(rows[i].percent, total->failures * 10000 / total->calls);
  }
}

static void a_call_may_be_failed_and_slow(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_COUNT, 2, 0);
  rille_window_add(&w.window, true, true, 0);
  rille_window_add(&w.window, false, true, 0);
  check(&w, 0, 2, 1, 2);
  rille_window_add(&w.window, false, false, 0);
  check(&w, 0, 2, 0, 1);
}

/* resilience4j: a window of 5 s, here of 5 slices. */
static void a_window_of_5_seconds(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_TIME, 5, SECOND);
  rille_window_add(&w.window, true, false, 0);
  rille_window_add(&w.window, false, false, 100 * MS);
  rille_window_add(&w.window, true, true, 800 * MS);
  check(&w, 800 * MS, 3, 2, 1);
  check(&w, 4800 * MS, 3, 2, 1);
  check(&w, 5800 * MS, 0, 0, 0);
}

/* cockatiel: in second i there are i failures and 2 i successes. */
static void buckets_leave_one_by_one(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_TIME, 5, SECOND);
  for (int i = 0; i <= 6; i++)
    for (int n = 0; n < 3 * i; n++)
      rille_window_add(&w.window, n < i, false, i * SECOND);
  check(&w, 6 * SECOND, 60, 20, 0);
  check(&w, 7 * SECOND, 54, 18, 0);
  check(&w, 10 * SECOND, 18, 6, 0);
  check(&w, 11 * SECOND, 0, 0, 0);
}

static void a_long_silence_empties_all_of_it(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_TIME, 10, MS);
  rille_window_add(&w.window, true, false, 0);
  check(&w, 100000 * HOUR, 0, 0, 0);
  rille_window_add(&w.window, true, false, 100000 * HOUR);
  check(&w, 100000 * HOUR, 1, 1, 0);
}

static void a_clock_that_goes_back_empties_nothing(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_TIME, 5, SECOND);
  rille_window_add(&w.window, true, false, HOUR);
  rille_window_add(&w.window, true, false, 0);
  check(&w, 0, 2, 2, 0);
  check(&w, HOUR + 4 * SECOND, 2, 2, 0);
  check(&w, HOUR + 5 * SECOND, 0, 0, 0);
}

static void a_shift_takes_it_to_another_clock(void **state) {
  struct world w;
  (void)state;
  make_world(&w, RILLE_WINDOW_TIME, 5, SECOND);
  rille_window_add(&w.window, true, false, HOUR);
  rille_window_shift(&w.window, -HOUR);
  check(&w, 4 * SECOND, 1, 1, 0);
  check(&w, 5 * SECOND, 0, 0, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_ring_all_calls_count),
      cmocka_unit_test(a_window_of_4_calls),
      cmocka_unit_test(a_call_may_be_failed_and_slow),
      cmocka_unit_test(a_window_of_5_seconds),
      cmocka_unit_test(buckets_leave_one_by_one),
      cmocka_unit_test(a_long_silence_empties_all_of_it),
      cmocka_unit_test(a_clock_that_goes_back_empties_nothing),
      cmocka_unit_test(a_shift_takes_it_to_another_clock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
