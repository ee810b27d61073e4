/*
 * The limiter: the tables of golang.org/x/time/rate for what is taken at once
 * and what is reserved; then the queue of those who wait. In the tables a
 * tick is 100 ms, t0 is some time after the clock's beginning. The rows on a
 * clock that goes back are ours: it stands still, no tokens are made.
 */
#include "policy_fixture.h"

#include "policy/limiter.h"

#define TICK (100 * MS)
#define START (1000 * SECOND)

static int64_t at(double tick) { return START + (int64_t)(tick * TICK); }

#define MAKE(name, rate, burst)                                                \
  struct rille_limiter name;                                                   \
  assert_true(rille_limiter_init(&name, rate, SECOND, burst))

struct row {
  int tick;
  double level; /* tokens before */
  int tokens;
  bool ok;
};

static void check_takes(struct rille_limiter *limiter, const struct row *rows,
                        size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct row *row = &rows[i];
    double level = rille_bucket_level(&limiter->bucket, at(row->tick));
    bool ok = rille_limiter_take(limiter, row->tokens, at(row->tick));
    if (level != row->level || ok != row->ok)
      fail_msg("row %d: level %g, %s", (int)i, level, ok ? "taken" : "refused");
  }
}

#define CHECK_TAKES(limiter, ...)                                              \
  do {                                                                         \
    const struct row rows[] = {__VA_ARGS__};                                   \
    check_takes(limiter, rows, COUNT(rows));                                   \
  } while (0)

static void burst_1(void **state) {
  MAKE(limiter, 10, 1);
  (void)state;
  CHECK_TAKES(&limiter, {0, 1, 1, true}, {0, 0, 1, false}, {0, 0, 1, false},
              {1, 1, 1, true}, {1, 0, 1, false}, {1, 0, 1, false},
              {2, 1, 2, false}, {2, 1, 1, true}, {2, 0, 1, false});
}

static void burst_3(void **state) {
  MAKE(limiter, 10, 3);
  (void)state;
  CHECK_TAKES(&limiter, {0, 3, 2, true}, {0, 1, 2, false}, {0, 1, 1, true},
              {0, 0, 1, false}, {1, 1, 4, false}, {2, 2, 1, true},
              {3, 2, 1, true}, {4, 2, 1, true}, {4, 1, 1, true},
              {4, 0, 1, false}, {4, 0, 1, false}, {9, 3, 3, true},
              {9, 0, 0, true});
}

static void jump_back(void **state) {
  MAKE(limiter, 10, 3);
  (void)state;
  CHECK_TAKES(&limiter, {1, 3, 1, true}, {0, 2, 1, true}, {0, 1, 1, true},
              {0, 0, 1, false}, {0, 0, 1, false}, {1, 0, 1, false},
              {2, 1, 1, true}, {2, 0, 1, false}, {2, 0, 1, false});
}

static void of_15_at_once_5_are_let_through(void **state) {
  MAKE(limiter, 10, 5);
  int taken = 0;
  (void)state;
  for (int i = 0; i < 15; i++)
    taken += rille_limiter_take(&limiter, 1, at(0));
  assert_int_equal(5, taken);
}

static void a_long_run_gives_neither_more_nor_less(void **state) {
  MAKE(limiter, 100, 100);
  int taken = 0;
  (void)state;
  for (int64_t now = START; now < START + 5 * SECOND; now += 2 * MS)
    taken += rille_limiter_take(&limiter, 1, now);
  assert_in_range(taken, 599, 601);
}

/* Reservations: when each is due, in ticks; -1: refused. */

static struct rille_promise reserve(struct rille_limiter *limiter, int tick,
                                    int tokens, int due) {
  struct rille_promise promise = {0};
  bool ok =
      rille_limiter_reserve(limiter, tokens, at(tick), RILLE_NEVER, &promise);
  assert_int_equal(due >= 0, ok);
  if (ok)
    assert_int_equal(at(due), promise.due);
  return promise;
}

/* What is done at a tick: 'r' reserves tokens, due at another, 't' takes
 * them at once (1) or not (0), 'c' gives the reservation of that number back.
 */
struct step {
  char what;
  int tick, tokens, result;
};

static void reservations(void **state) {
  static const struct {
    int burst;
    struct step steps[8];
  } tables[] = {
      {2, {{'r', 0, 2, 0}, {'r', 0, 2, 2}, {'r', 3, 2, 4}}},
      {2, /* mixed with takes; more than the burst */
       {{'r', 0, 3, -1},
        {'r', 0, 2, 0},
        {'t', 1, 2, 0},
        {'r', 1, 2, 2},
        {'t', 1, 1, 0},
        {'t', 3, 1, 1}}},
      {2, {{'r', 0, 2, 0}, {'r', 0, 2, 2}, {'c', 1, 2, 0}, {'r', 1, 2, 2}}},
      {2, /* too late */
       {{'r', 0, 2, 0}, {'r', 0, 2, 2}, {'c', 3, 2, 0}, {'r', 3, 2, 4}}},
      {2, /* nothing left to give back */
       {{'r', 0, 2, 0},
        {'r', 0, 1, 1},
        {'r', 0, 1, 2},
        {'c', 0, 2, 0},
        {'r', 0, 1, 3}}},
      {2, /* one of two */
       {{'r', 0, 2, 0},
        {'r', 0, 2, 2},
        {'r', 0, 1, 3},
        {'c', 2, 2, 0},
        {'r', 2, 2, 4}}},
      {4, /* several */
       {{'r', 0, 4, 0},
        {'r', 0, 3, 3},
        {'r', 0, 1, 4},
        {'r', 0, 1, 5},
        {'c', 1, 4, 0},
        {'c', 1, 2, 0},
        {'r', 1, 3, 5}}},
      {2, /* the clock goes back */
       {{'r', 1, 2, 1},
        {'r', 0, 1, 2},
        {'r', 2, 2, 4},
        {'r', 0, 3, -1},
        {'r', 2, 1, 5}}},
      {2, /* it goes back, and a reservation is given back */
       {{'r', 1, 2, 1},
        {'r', 1, 2, 3},
        {'r', 1, 1, 4},
        {'c', 0, 2, 0},
        {'r', 1, 2, 5}}},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(tables); i++) {
    MAKE(limiter, 10, tables[i].burst);
    struct rille_promise promises[8];
    int count = 0;
    for (const struct step *step = tables[i].steps; step->what != 0; step++) {
      if (step->what == 'r')
        promises[count++] =
            reserve(&limiter, step->tick, step->tokens, step->result);
      else if (step->what == 'c')
        rille_limiter_cancel(&limiter, &promises[step->tokens - 1],
                             at(step->tick));
      else
        assert_int_equal(
            step->result,
            rille_limiter_take(&limiter, step->tokens, at(step->tick)));
    }
  }
}

static void no_later_than(void **state) {
  MAKE(limiter, 10, 2);
  struct rille_promise promise;
  (void)state;
  reserve(&limiter, 0, 2, 0);
  assert_true(rille_limiter_reserve(&limiter, 1, at(0), at(1), &promise));
  assert_false(rille_limiter_reserve(&limiter, 1, at(0), at(1), &promise));
}

/* The queue */

#define PLACES 4

struct world {
  struct rille_limiter limiter;
  struct rille_place places[PLACES];
};

static void make_world(struct world *w, double rate, int64_t burst) {
  assert_true(rille_limiter_init(&w->limiter, rate, SECOND, burst));
  rille_limiter_take(&w->limiter, burst, at(0));
}

static void join(struct world *w, int i, int tokens) {
  rille_limiter_join(&w->limiter, &w->places[i], tokens);
}

static void leave(struct world *w, int i, double tick) {
  rille_limiter_leave(&w->limiter, &w->places[i], at(tick));
}

/* The first place, i, is admitted at `tick` and not a nanosecond before. */
static void check_next(struct world *w, int i, double tick) {
  int64_t due = at(tick);
  assert_int_equal(due, rille_limiter_next(&w->limiter, at(0)));
  assert_null(rille_limiter_admit(&w->limiter, due - 1));
  assert_ptr_equal(&w->places[i], rille_limiter_admit(&w->limiter, due));
}

static void check_no_more(struct world *w) {
  assert_int_equal(RILLE_NEVER, rille_limiter_next(&w->limiter, at(100)));
  assert_null(rille_limiter_admit(&w->limiter, at(100)));
  assert_int_equal(0, w->limiter.queued);
  assert_int_equal(0, w->limiter.tail);
}

static void who_waits_is_admitted_in_order(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 1);
  join(&w, 0, 1);
  join(&w, 1, 1);
  join(&w, 2, 1);
  check_next(&w, 0, 1);
  check_next(&w, 1, 2);
  check_next(&w, 2, 3);
  check_no_more(&w);
}

static void a_small_wish_does_not_overtake_a_large_one(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 3);
  join(&w, 0, 3);
  join(&w, 1, 1);
  check_next(&w, 0, 3);
  check_next(&w, 1, 4);
}

static void nobody_overtakes_who_waits(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 3);
  join(&w, 0, 3);
  assert_false(rille_limiter_take(&w.limiter, 1, at(2)));
  assert_false(rille_limiter_take(&w.limiter, 0, at(2)));
  check_next(&w, 0, 3);
  assert_true(rille_limiter_take(&w.limiter, 1, at(4)));
}

static void nobody_overtakes_who_is_admitted_late(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 3);
  join(&w, 0, 1);
  assert_false(rille_limiter_take(&w.limiter, 1, at(3)));
  assert_ptr_equal(&w.places[0], rille_limiter_admit(&w.limiter, at(3)));
  assert_true(rille_limiter_take(&w.limiter, 2, at(3)));
}

static void who_comes_is_told_of_those_in_front(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 3);
  join(&w, 0, 3);
  join(&w, 1, 2);
  assert_int_equal(at(6), rille_limiter_due(&w.limiter, 1, at(0)));
}

static void when_the_first_leaves_the_next_moves_up(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 3);
  join(&w, 0, 3);
  join(&w, 1, 1);
  join(&w, 2, 1);
  leave(&w, 0, 0.5);
  leave(&w, 0, 0.5);
  check_next(&w, 1, 1);
  check_next(&w, 2, 2);
  check_no_more(&w);
}

static void when_one_in_the_middle_leaves_those_behind_move_up(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 3);
  join(&w, 0, 1);
  join(&w, 1, 3);
  join(&w, 2, 1);
  leave(&w, 1, 0);
  check_next(&w, 0, 1);
  check_next(&w, 2, 2);
}

static void who_was_admitted_late_delays_nobody(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 2);
  join(&w, 0, 1);
  join(&w, 1, 1);
  assert_ptr_equal(&w.places[0], rille_limiter_admit(&w.limiter, at(2)));
  assert_ptr_equal(&w.places[1], rille_limiter_admit(&w.limiter, at(2)));
}

/* Reservations made while somebody waits. */

static void a_reservation_stands_behind_who_waits(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 1);
  join(&w, 0, 1);
  reserve(&w.limiter, 0, 1, 2);
  join(&w, 1, 1);
  reserve(&w.limiter, 0, 1, 4);
  check_next(&w, 0, 1);
  check_next(&w, 1, 3);
  assert_int_equal(at(5), rille_limiter_due(&w.limiter, 1, at(3)));
  check_no_more(&w);
}

static void a_large_reservation_delays_who_comes_later(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 2);
  join(&w, 0, 1);
  reserve(&w.limiter, 0, 2, 3);
  reserve(&w.limiter, 0, 2, 5);
  join(&w, 1, 1);
  check_next(&w, 0, 1);
  check_next(&w, 1, 6);
}

static void who_leaves_in_front_of_a_reservation_leaves_a_hole(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 1);
  join(&w, 0, 1);
  join(&w, 1, 1);
  reserve(&w.limiter, 0, 1, 3);
  join(&w, 2, 1);
  leave(&w, 1, 0);
  check_next(&w, 0, 1);
  check_next(&w, 2, 4);
}

static void who_leaves_behind_it_leaves_none(void **state) {
  struct world w;
  (void)state;
  make_world(&w, 10, 1);
  join(&w, 0, 1);
  reserve(&w.limiter, 0, 1, 2);
  join(&w, 1, 1);
  join(&w, 2, 1);
  leave(&w, 1, 0);
  check_next(&w, 0, 1);
  check_next(&w, 2, 3);
}

static void
the_last_reservation_behind_who_waits_can_be_cancelled(void **state) {
  struct world w;
  struct rille_promise promise;
  (void)state;
  make_world(&w, 10, 1);
  join(&w, 0, 1);
  promise = reserve(&w.limiter, 0, 1, 2);
  rille_limiter_cancel(&w.limiter, &promise, at(0));
  join(&w, 1, 1);
  check_next(&w, 0, 1);
  check_next(&w, 1, 2);
}

static void a_reservation_in_front_of_who_waits_can_be_cancelled(void **state) {
  struct world w;
  struct rille_promise promise;
  (void)state;
  make_world(&w, 10, 1);
  promise = reserve(&w.limiter, 0, 1, 1);
  join(&w, 0, 1);
  assert_int_equal(at(2), rille_limiter_next(&w.limiter, at(0)));
  rille_limiter_cancel(&w.limiter, &promise, at(0));
  check_next(&w, 0, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(burst_1),
      cmocka_unit_test(burst_3),
      cmocka_unit_test(jump_back),
      cmocka_unit_test(of_15_at_once_5_are_let_through),
      cmocka_unit_test(a_long_run_gives_neither_more_nor_less),
      cmocka_unit_test(reservations),
      cmocka_unit_test(no_later_than),
      cmocka_unit_test(who_waits_is_admitted_in_order),
      cmocka_unit_test(a_small_wish_does_not_overtake_a_large_one),
      cmocka_unit_test(nobody_overtakes_who_waits),
      cmocka_unit_test(nobody_overtakes_who_is_admitted_late),
      cmocka_unit_test(who_comes_is_told_of_those_in_front),
      cmocka_unit_test(when_the_first_leaves_the_next_moves_up),
      cmocka_unit_test(when_one_in_the_middle_leaves_those_behind_move_up),
      cmocka_unit_test(who_was_admitted_late_delays_nobody),
      cmocka_unit_test(a_reservation_stands_behind_who_waits),
      cmocka_unit_test(a_large_reservation_delays_who_comes_later),
      cmocka_unit_test(who_leaves_in_front_of_a_reservation_leaves_a_hole),
      cmocka_unit_test(who_leaves_behind_it_leaves_none),
      cmocka_unit_test(the_last_reservation_behind_who_waits_can_be_cancelled),
      cmocka_unit_test(a_reservation_in_front_of_who_waits_can_be_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
