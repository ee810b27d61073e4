/* timer_test.c - timers on the virtual clock. */
#include "engine_fixture.h"

struct alarm {
  struct rille_timer timer;
  struct alarm *arms; /* armed by this one's firing, for now; or NULL */
};

/* What fired, in order. */
static struct rille_timer *fired[16];
static uint32_t fires;

static void fire(struct rille_engine *engine, struct rille_timer *timer) {
  struct alarm *alarm = RILLE_ENTRY(timer, struct alarm, timer);
  fired[fires++ % 16] = timer;
  if (alarm->arms != NULL)
    rille_timer_start(engine, &alarm->arms->timer, rille_now(engine), fire);
}

static void start(struct fixture *f, struct alarm *alarm, int64_t due) {
  rille_timer_start(&f->engine, &alarm->timer, due, fire);
}

static int set_up(void **state) {
  fires = 0;
  return open_engine(state);
}

static void timers_fire_in_order_of_time(void **state) {
  struct fixture *f = *state;
  struct alarm alarms[3] = {0};
  start(f, &alarms[0], 30);
  start(f, &alarms[1], 10);
  start(f, &alarms[2], 20);
  advance(f, 30);
  assert_int_equal(3, fires);
  assert_ptr_equal(&alarms[1].timer, fired[0]);
  assert_ptr_equal(&alarms[2].timer, fired[1]);
  assert_ptr_equal(&alarms[0].timer, fired[2]);
}

static void equal_deadlines_fire_in_order_of_arming(void **state) {
  struct fixture *f = *state;
  struct alarm alarms[8] = {0};
  for (int i = 0; i < 8; i++)
    start(f, &alarms[i], 10);
  advance(f, 10);
  assert_int_equal(8, fires);
  for (int i = 0; i < 8; i++)
    assert_ptr_equal(&alarms[i].timer, fired[i]);
}

static void arming_anew_goes_behind_equal_deadlines(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0}, b = {0};
  start(f, &a, 10);
  start(f, &b, 10);
  start(f, &a, 10);
  advance(f, 10);
  assert_ptr_equal(&b.timer, fired[0]);
  assert_ptr_equal(&a.timer, fired[1]);
}

static void a_timer_does_not_fire_before_it_is_due(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  start(f, &a, 10);
  advance(f, 9);
  assert_int_equal(0, fires);
  assert_true(rille_timer_active(&a.timer));
}

static void a_timer_fires_once(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  start(f, &a, 10);
  advance(f, 10);
  advance(f, 20);
  assert_int_equal(1, fires);
  assert_false(rille_timer_active(&a.timer));
}

static void a_restart_replaces_the_deadline(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  start(f, &a, 10);
  start(f, &a, 20);
  advance(f, 19);
  assert_int_equal(0, fires);
  advance(f, 20);
  assert_int_equal(1, fires);
}

static void a_stopped_timer_does_not_fire(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0}, b = {0};
  start(f, &a, 10);
  start(f, &b, 10);
  rille_timer_stop(&f->engine, &a.timer);
  advance(f, 10);
  assert_int_equal(1, fires);
  assert_ptr_equal(&b.timer, fired[0]);
}

static void stop_may_be_done_twice(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  start(f, &a, 10);
  rille_timer_stop(&f->engine, &a.timer);
  rille_timer_stop(&f->engine, &a.timer);
  assert_false(rille_timer_active(&a.timer));
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&f->engine));
}

static void forever_only_disarms(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  start(f, &a, 10);
  start(f, &a, RILLE_FOREVER);
  assert_false(rille_timer_active(&a.timer));
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&f->engine));
}

static void next_tells_the_first_deadline(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0}, b = {0};
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&f->engine));
  start(f, &a, 20);
  start(f, &b, 10);
  assert_int_equal(10, rille_timer_next(&f->engine));
}

static void a_timer_armed_by_a_firing_one_fires_in_a_later_run(void **state) {
  struct fixture *f = *state;
  struct alarm second = {0}, first = {.arms = &second};
  start(f, &first, 10);
  advance(f, 10);
  assert_int_equal(1, fires);
  advance(f, 10);
  assert_int_equal(2, fires);
  assert_ptr_equal(&second.timer, fired[1]);
}

static void a_timer_that_arms_itself_fires_once_a_run(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  a.arms = &a;
  start(f, &a, 10);
  advance(f, 10);
  assert_int_equal(1, fires);
}

static void a_time_that_has_passed_fires_in_the_next_run(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0};
  advance(f, 10);
  start(f, &a, 5);
  assert_int_equal(0, fires);
  advance(f, 10);
  assert_int_equal(1, fires);
}

static void the_loop_takes_the_virtual_clock_to_each_timer(void **state) {
  struct fixture *f = *state;
  struct alarm a = {0}, b = {0};
  const bool never = false;
  start(f, &a, 3600 * RILLE_SECOND);
  start(f, &b, 7200 * RILLE_SECOND);
  assert_false(rille_loop_run(&f->engine, &never));
  assert_int_equal(2, fires);
  assert_int_equal(7200 * RILLE_SECOND, rille_now(&f->engine));
}

static void time_add_adds(void **state) {
  (void)state;
  assert_int_equal(15, rille_time_add(10, 5));
  assert_int_equal(5, rille_time_add(10, -5));
  assert_int_equal(RILLE_FOREVER - 1, rille_time_add(10, RILLE_FOREVER - 11));
}

static void time_add_saturates(void **state) {
  (void)state;
  assert_int_equal(RILLE_FOREVER, rille_time_add(10, RILLE_FOREVER));
  assert_int_equal(RILLE_FOREVER, rille_time_add(10, RILLE_FOREVER - 10));
  assert_int_equal(RILLE_FOREVER, rille_time_add(10, RILLE_FOREVER - 9));
  assert_int_equal(RILLE_FOREVER, rille_time_add(RILLE_FOREVER, 1));
}

#define TIMER_TEST(test)                                                       \
  cmocka_unit_test_setup_teardown(test, set_up, close_engine)

int main(void) {
  const struct CMUnitTest tests[] = {
      TIMER_TEST(timers_fire_in_order_of_time),
      TIMER_TEST(equal_deadlines_fire_in_order_of_arming),
      TIMER_TEST(arming_anew_goes_behind_equal_deadlines),
      TIMER_TEST(a_timer_does_not_fire_before_it_is_due),
      TIMER_TEST(a_timer_fires_once),
      TIMER_TEST(a_restart_replaces_the_deadline),
      TIMER_TEST(a_stopped_timer_does_not_fire),
      TIMER_TEST(stop_may_be_done_twice),
      TIMER_TEST(forever_only_disarms),
      TIMER_TEST(next_tells_the_first_deadline),
      TIMER_TEST(a_timer_armed_by_a_firing_one_fires_in_a_later_run),
      TIMER_TEST(a_timer_that_arms_itself_fires_once_a_run),
      TIMER_TEST(a_time_that_has_passed_fires_in_the_next_run),
      TIMER_TEST(the_loop_takes_the_virtual_clock_to_each_timer),
      cmocka_unit_test(time_add_adds),
      cmocka_unit_test(time_add_saturates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
