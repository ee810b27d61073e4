/*
 * The circuit breaker, with invented time: the rows of other libraries' tests
 * (gobreaker, resilience4j, Failsafe), then our own rules. A row is a text:
 *
 *     s f x   a call that succeeds, fails, is neutral
 *     -       a call that is refused
 *     .       a second goes by
 *     C O H I the state is closed, open, half open, isolated
 */
#include "policy_fixture.h"

#include "policy/breaker.h"
#include <string.h>

struct world {
  struct rille_breaker breaker;
  struct rille_tally cells[64];
  int64_t now;
  int64_t duration; /* of each call */
};

static struct world make(void) {
  struct world w = {.now = HOUR};
  w.breaker.failure_threshold = 5;
  w.breaker.failure_rate = 0.5;
  w.breaker.slow_rate = 1;
  w.breaker.slow_call = RILLE_NEVER;
  w.breaker.reset_timeout = 60 * SECOND;
  w.breaker.half_open_max = 1;
  w.breaker.success_threshold = 1;
  return w;
}

static void with_window(struct world *w, enum rille_window_kind kind,
                        uint32_t size, int64_t slice, uint32_t min_calls,
                        double rate) {
  w->breaker.window.kind = (uint8_t)kind;
  w->breaker.window.size = size;
  w->breaker.window.slice = slice;
  w->breaker.min_calls = min_calls;
  w->breaker.failure_rate = rate;
}

/* The breaker; a world may have been moved, and its cells with it. */
static struct rille_breaker *of(struct world *w) {
  w->breaker.window.cells = w->cells;
  return &w->breaker;
}

static void start(struct world *w) { rille_breaker_init(of(w)); }

static uint32_t acquire(struct world *w) {
  assert_true(rille_breaker_acquire(of(w), w->now));
  return w->breaker.generation;
}

static void refuse(struct world *w) {
  assert_false(rille_breaker_acquire(of(w), w->now));
}

static void end(struct world *w, uint32_t generation,
                enum rille_call_outcome outcome) {
  rille_breaker_record(of(w), generation, outcome, w->duration, w->now);
}

static void call(struct world *w, enum rille_call_outcome outcome) {
  end(w, acquire(w), outcome);
}

static void is(struct world *w, enum rille_breaker_state state) {
  assert_int_equal(state, w->breaker.state);
}

static void play(struct world *w, const char *row) {
  static const char states[] = "COHI";
  for (; *row != '\0'; row++) {
    const char *state = strchr(states, *row);
    if (state != NULL)
      is(w, (enum rille_breaker_state)(state - states));
    else if (*row == 's')
      call(w, RILLE_CALL_SUCCEEDED);
    else if (*row == 'f')
      call(w, RILLE_CALL_FAILED);
    else if (*row == 'x')
      call(w, RILLE_CALL_NEUTRAL);
    else if (*row == '-')
      refuse(w);
    else if (*row == '.')
      w->now += SECOND;
    else
      assert_int_equal(' ', *row);
  }
}

static void counts(struct world *w, unsigned calls, unsigned failures,
                   unsigned neutral, unsigned row) {
  const struct rille_tally *total = rille_window_total(&of(w)->window, w->now);
  assert_int_equal(calls, total->calls);
  assert_int_equal(failures, total->failures);
  assert_int_equal(neutral, w->breaker.neutral);
  assert_int_equal(row, w->breaker.row);
}

/* gobreaker */

static void more_than_5_failures_in_a_row(void **state) {
  struct world w = make();
  (void)state;
  w.breaker.failure_threshold = 6;
  start(&w);
  play(&w, "fffff C");
  counts(&w, 5, 5, 0, 5);
  play(&w, "s");
  counts(&w, 6, 5, 0, 0);
  play(&w, "f");
  counts(&w, 7, 6, 0, 1);
  play(&w, "fffff O");
  counts(&w, 0, 0, 0, 0);
  play(&w, "--");
  counts(&w, 0, 0, 0, 0);
  w.now += 60 * SECOND - MS;
  play(&w, "- O");
  w.now += MS;
  play(&w, "f O");
  w.now += 60 * SECOND;
  play(&w, "s C");
  counts(&w, 0, 0, 0, 0);
}

/* A ratio of failures, calls that are not to count, three probes. */
static struct world make_custom(void) {
  struct world w = make();
  with_window(&w, RILLE_WINDOW_TIME, 10, 3 * SECOND, 3, 0.6);
  w.breaker.reset_timeout = 90 * SECOND;
  w.breaker.half_open_max = 3;
  w.breaker.success_threshold = 3;
  start(&w);
  return w;
}

static void neutral_calls_are_no_part_of_the_ratio(void **state) {
  struct world w = make_custom();
  (void)state;
  play(&w, "sfx sfx sfx sfx sfx C");
  counts(&w, 10, 5, 5, 1);
  w.now += 29 * SECOND;
  play(&w, "s");
  counts(&w, 11, 5, 5, 0);
  w.now += 2 * SECOND;
  counts(&w, 1, 0, 5, 0);
  w.now += 28 * SECOND;
  play(&w, "fs C f O");
}

static void three_successes_close_it(void **state) {
  struct world w = make_custom();
  uint32_t generation;
  (void)state;
  play(&w, "sff O");
  w.now += 90 * SECOND;
  play(&w, "xxxx H f O");
  w.now += 90 * SECOND;
  play(&w, "ss H");
  generation = acquire(&w);
  acquire(&w);
  acquire(&w);
  refuse(&w);
  end(&w, generation, RILLE_CALL_SUCCEEDED);
  is(&w, RILLE_BREAKER_CLOSED);
}

static void the_window_rolls(void **state) {
  struct world w = make_custom();
  (void)state;
  for (int i = 0; i < 9; i++) {
    play(&w, "sf C");
    w.now += 3 * SECOND;
  }
  counts(&w, 18, 9, 0, 1);
  play(&w, "sf");
  counts(&w, 20, 10, 0, 1);
  w.now += 3 * SECOND;
  counts(&w, 18, 9, 0, 1);
  play(&w, "ffff C f O"); /* 13 of 22, 14 of 23 */
}

static void a_call_of_an_old_generation_is_not_heard(void **state) {
  struct world w = make();
  uint32_t generation;
  (void)state;
  start(&w);
  generation = acquire(&w);
  play(&w, "fffff O");
  end(&w, generation, RILLE_CALL_SUCCEEDED);
  play(&w, "O");
  w.now += 60 * SECOND;
  acquire(&w);
  end(&w, generation, RILLE_CALL_FAILED);
  play(&w, "H");
  assert_int_equal(1, w.breaker.probes);
  assert_int_equal(2, w.breaker.late);
}

/* resilience4j */

static struct world make_time(void) {
  struct world w = make();
  with_window(&w, RILLE_WINDOW_TIME, 20, SECOND, 5, 0.5);
  w.breaker.half_open_max = 4;
  w.breaker.reset_timeout = 5 * SECOND;
  start(&w);
  return w;
}

static void half_of_the_calls_are_enough(void **state) {
  struct world w = make_time();
  (void)state;
  play(&w, "s.s.s.f.f. C f O");
}

static void too_few_calls_decide_nothing(void **state) {
  struct world w = make_time();
  (void)state;
  play(&w, "fffs C s O -");
  assert_int_equal(1, w.breaker.refused);
}

static void slow_calls_open_it(void **state) {
  static const int64_t durations[] = {5 * SECOND, 5 * SECOND, 100 * MS,
                                      100 * MS, 5 * SECOND};
  struct world w = make_time();
  (void)state;
  w.breaker.slow_call = 4 * SECOND;
  w.breaker.slow_rate = 0.5;
  for (size_t i = 0; i < COUNT(durations); i++) {
    is(&w, RILLE_BREAKER_CLOSED);
    w.duration = durations[i];
    play(&w, "s");
  }
  is(&w, RILLE_BREAKER_OPEN);
}

static void a_call_as_long_as_slow_call_is_not_slow(void **state) {
  struct world w = make_time();
  (void)state;
  w.breaker.slow_call = SECOND;
  w.breaker.slow_rate = 0.1;
  w.duration = SECOND;
  play(&w, "ssssssssss C");
}

static void it_stays_open_for_its_time(void **state) {
  struct world w = make_time();
  (void)state;
  play(&w, "fffff O ... --");
  assert_int_equal(2, w.breaker.refused);
  play(&w, "...");
  acquire(&w);
  play(&w, "H");
  counts(&w, 0, 0, 0, 0);
}

static void so_many_probes_and_no_more(void **state) {
  struct world w = make_time();
  uint32_t generation = 0;
  (void)state;
  for (int round = 0; round < 2; round++) {
    play(&w, round == 0 ? "fffff O" : "O");
    w.now += 5 * SECOND;
    for (int i = 0; i < 4; i++)
      generation = acquire(&w);
    play(&w, "--");
    end(&w, generation, RILLE_CALL_NEUTRAL);
    acquire(&w);
    play(&w, "- H");
    end(&w, generation, RILLE_CALL_FAILED);
  }
}

static void a_window_of_calls_with_slow_ones(void **state) {
  struct world w = make();
  (void)state;
  with_window(&w, RILLE_WINDOW_COUNT, 5, 0, 5, 1);
  w.breaker.slow_call = 4 * SECOND;
  w.breaker.slow_rate = 0.4;
  start(&w);
  w.duration = 10 * SECOND;
  play(&w, "s");
  w.duration = 100 * MS;
  play(&w, "sss C");
  w.duration = 10 * SECOND;
  play(&w, "s O");
}

/* Failsafe, for the rules that are ours: any probe that fails opens it. */

static void probes(void **state) {
  static const struct {
    uint32_t failures, successes;
    const char *row;
  } rows[] = {
      {1, 1, "f O . f O . s C"},
      {3, 1, "ff C f O . f O . s C"},
      {1, 3, "f O . s H f O . ss H s C"},
      {1, 2, "f O . x H s H x H s C"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct world w = make();
    w.breaker.reset_timeout = SECOND;
    w.breaker.failure_threshold = rows[i].failures;
    w.breaker.success_threshold = rows[i].successes;
    start(&w);
    play(&w, rows[i].row);
  }
}

/* Ours */

static struct world make_open(int64_t reset_timeout) {
  struct world w = make();
  w.breaker.failure_threshold = 1;
  w.breaker.reset_timeout = reset_timeout;
  start(&w);
  play(&w, "f O");
  return w;
}

static void a_cancelled_probe_gives_its_permit_back(void **state) {
  struct world w = make_open(SECOND);
  (void)state;
  play(&w, ". x H x H");
  assert_int_equal(0, w.breaker.probes);
  play(&w, "s C");
}

static void a_lost_probe_gives_way_after_the_reset_time(void **state) {
  struct world w = make_open(5 * SECOND);
  uint32_t lost;
  (void)state;
  play(&w, ".....");
  lost = acquire(&w);
  play(&w, ".... -");
  assert_int_equal(SECOND, rille_breaker_wait(&w.breaker, w.now));
  play(&w, ".");
  acquire(&w);
  play(&w, "-");
  end(&w, lost, RILLE_CALL_FAILED);
  play(&w, "H");
  assert_int_equal(1, w.breaker.lost);
  assert_int_equal(1, w.breaker.late);
  assert_int_equal(1, w.breaker.probes);
}

/* A call for each second, each of which takes 12. */
static void probes_slower_than_the_reset_time_are_heard(void **state) {
  struct world w = make_open(5 * SECOND);
  struct {
    int64_t ends;
    uint32_t generation;
  } calls[200];
  int made = 0, ended = 0;
  (void)state;
  for (int i = 0; i < 200 && w.breaker.state != RILLE_BREAKER_CLOSED; i++) {
    w.now += SECOND;
    if (rille_breaker_acquire(&w.breaker, w.now)) {
      calls[made].generation = w.breaker.generation;
      calls[made++].ends = w.now + 12 * SECOND;
    }
    for (; ended < made && calls[ended].ends <= w.now; ended++)
      end(&w, calls[ended].generation, RILLE_CALL_SUCCEEDED);
  }
  is(&w, RILLE_BREAKER_CLOSED);
  assert_int_equal(3, made);
}

static void a_probe_that_is_slow_is_no_recovery(void **state) {
  struct world w = make();
  (void)state;
  with_window(&w, RILLE_WINDOW_COUNT, 1, 0, 1, 1);
  w.breaker.slow_call = SECOND;
  start(&w);
  play(&w, "f O");
  w.now += 60 * SECOND;
  w.duration = 2 * SECOND;
  play(&w, "s O");
}

static void openings_are_counted_until_it_closes(void **state) {
  struct world w = make_open(SECOND);
  (void)state;
  play(&w, ". f O . f O");
  assert_int_equal(3, w.breaker.openings);
  play(&w, ". s C");
  assert_int_equal(0, w.breaker.openings);
}

static void an_hour_back_makes_it_neither_early_nor_late(void **state) {
  struct world w = make_open(60 * SECOND);
  int64_t opened = w.now;
  (void)state;
  w.now = opened - HOUR;
  play(&w, "- O");
  assert_int_equal(60 * SECOND, rille_breaker_wait(&w.breaker, w.now));
  w.now = opened + 60 * SECOND - 1;
  play(&w, "- O");
  w.now++;
  play(&w, "s C");
}

static void ten_years_on_it_is_half_open(void **state) {
  struct world w = make_open(60 * SECOND);
  (void)state;
  w.now += 87600 * HOUR;
  play(&w, "s C");
}

static void another_clock_goes_on_where_the_last_was(void **state) {
  struct world w = make_open(60 * SECOND);
  (void)state;
  w.now += 20 * SECOND;
  rille_breaker_shift(&w.breaker, -w.now);
  w.now = 39 * SECOND;
  play(&w, "- .s C");
}

static void isolated_it_refuses_until_it_is_reset(void **state) {
  struct world w = make();
  uint32_t generation;
  (void)state;
  start(&w);
  generation = acquire(&w);
  rille_breaker_isolate(of(&w));
  play(&w, "I -");
  assert_int_equal(RILLE_NEVER, rille_breaker_wait(&w.breaker, w.now));
  w.now += 10 * HOUR;
  play(&w, "- I");
  end(&w, generation, RILLE_CALL_FAILED);
  rille_breaker_isolate(of(&w));
  rille_breaker_reset(of(&w));
  play(&w, "C s");
  counts(&w, 1, 0, 0, 0);
}

static void it_may_stay_open_for_no_time_or_for_ever(void **state) {
  struct world w = make_open(0);
  (void)state;
  acquire(&w);
  play(&w, "- H");
  w = make_open(RILLE_NEVER);
  w.now += 1000000 * HOUR;
  play(&w, "- O");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(more_than_5_failures_in_a_row),
      cmocka_unit_test(neutral_calls_are_no_part_of_the_ratio),
      cmocka_unit_test(three_successes_close_it),
      cmocka_unit_test(the_window_rolls),
      cmocka_unit_test(a_call_of_an_old_generation_is_not_heard),
      cmocka_unit_test(half_of_the_calls_are_enough),
      cmocka_unit_test(too_few_calls_decide_nothing),
      cmocka_unit_test(slow_calls_open_it),
      cmocka_unit_test(a_call_as_long_as_slow_call_is_not_slow),
      cmocka_unit_test(it_stays_open_for_its_time),
      cmocka_unit_test(so_many_probes_and_no_more),
      cmocka_unit_test(a_window_of_calls_with_slow_ones),
      cmocka_unit_test(probes),
      cmocka_unit_test(a_cancelled_probe_gives_its_permit_back),
      cmocka_unit_test(a_lost_probe_gives_way_after_the_reset_time),
      cmocka_unit_test(probes_slower_than_the_reset_time_are_heard),
      cmocka_unit_test(a_probe_that_is_slow_is_no_recovery),
      cmocka_unit_test(openings_are_counted_until_it_closes),
      cmocka_unit_test(an_hour_back_makes_it_neither_early_nor_late),
      cmocka_unit_test(ten_years_on_it_is_half_open),
      cmocka_unit_test(another_clock_goes_on_where_the_last_was),
      cmocka_unit_test(isolated_it_refuses_until_it_is_reset),
      cmocka_unit_test(it_may_stay_open_for_no_time_or_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
