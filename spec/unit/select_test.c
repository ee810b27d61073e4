/* select_test.c - which of several sources, if any, would not have to wait. */
#include "engine_fixture.h"
#include "select.h"

#define CASES 4

static bool always(struct rille_source *source) {
  (void)source;
  return true;
}

static const struct rille_source_type ready_type = {"ready", always, NULL,
                                                    NULL};
static const struct rille_source_type unready_type = {"unready", NULL, NULL,
                                                      NULL};

struct cases {
  struct rille_source ready;
  struct rille_source unready;
  struct rille_waiter waiters[CASES];
};

/* One waiter for each letter of `kinds`: r(eady), u(nready), n(o source). */
static void make_cases(struct cases *cases, const char *kinds) {
  memset(cases, 0, sizeof *cases);
  rille_source_init(&cases->ready, &ready_type);
  rille_source_init(&cases->unready, &unready_type);
  for (int i = 0; i < CASES; i++)
    if (kinds[i] != 'n')
      cases->waiters[i].source =
          kinds[i] == 'r' ? &cases->ready : &cases->unready;
}

static int choose(struct fixture *f, const char *kinds, bool ordered) {
  struct cases cases;
  make_cases(&cases, kinds);
  return rille_select_ready(&f->engine, cases.waiters, CASES, ordered);
}

static void ordered_takes_the_first_that_is_ready(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 50; i++) {
    assert_int_equal(0, choose(f, "rrrr", true));
    assert_int_equal(2, choose(f, "uurr", true));
    assert_int_equal(3, choose(f, "unur", true));
  }
}

static void nothing_ready_is_told_by_minus_one(void **state) {
  struct fixture *f = *state;
  assert_int_equal(-1, choose(f, "uuuu", false));
  assert_int_equal(-1, choose(f, "uuuu", true));
}

static void waiters_without_a_source_are_passed_over(void **state) {
  struct fixture *f = *state;
  assert_int_equal(-1, choose(f, "nnnn", false));
  assert_int_equal(-1, choose(f, "nnnn", true));
  assert_int_equal(3, choose(f, "nnnr", false));
}

static void no_waiters_are_none_ready(void **state) {
  struct fixture *f = *state;
  assert_int_equal(-1, rille_select_ready(&f->engine, NULL, 0, false));
}

/* The bounds are seven standard deviations from the mean, and the numbers are
 * the same in each run. */
static void the_choice_is_even_among_the_ready(void **state) {
  struct fixture *f = *state;
  int chosen[CASES] = {0};
  rille_engine_seed(&f->engine, 1);
  for (int i = 0; i < 30000; i++)
    chosen[choose(f, "rurr", false)]++;
  assert_int_equal(0, chosen[1]);
  assert_in_range(chosen[0], 9430, 10570);
  assert_in_range(chosen[2], 9430, 10570);
  assert_in_range(chosen[3], 9430, 10570);
}

static void equal_seeds_choose_alike(void **state) {
  struct fixture *f = *state;
  int first[100];
  rille_engine_seed(&f->engine, 42);
  for (int i = 0; i < 100; i++)
    first[i] = choose(f, "rrrr", false);
  rille_engine_seed(&f->engine, 42);
  for (int i = 0; i < 100; i++)
    assert_int_equal(first[i], choose(f, "rrrr", false));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(ordered_takes_the_first_that_is_ready),
      ENGINE_TEST(nothing_ready_is_told_by_minus_one),
      ENGINE_TEST(waiters_without_a_source_are_passed_over),
      ENGINE_TEST(no_waiters_are_none_ready),
      ENGINE_TEST(the_choice_is_even_among_the_ready),
      ENGINE_TEST(equal_seeds_choose_alike),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
