/* wait_test.c - waits: what ends them, and what is left of them then. */
#include "engine_fixture.h"

static uint32_t wanted_calls, unwanted_calls;

static void count_wanted(struct rille_engine *engine,
                         struct rille_source *source, bool wanted) {
  (void)engine, (void)source;
  wanted_calls += wanted;
  unwanted_calls += !wanted;
}

static const struct rille_source_type plain_type = {"test", NULL, NULL, NULL};
static const struct rille_source_type counting_type = {"test", NULL,
                                                       count_wanted, NULL};

static int moved_sum;          /* how many have come, less those that left */
static bool left_while_linked; /* one of the task's waiters was still in */

static void count_moved(struct rille_engine *engine,
                        struct rille_source *source, bool came);

static const struct rille_source_type moving_type = {"test", NULL, NULL,
                                                     count_moved};

/* Two sources; two tasks that run. */
struct world {
  struct fixture *f;
  struct rille_source x, y;
  struct rille_task a, b;
  struct rille_waiter set[2]; /* of task a */
};

static void make_world(struct world *w, void **state) {
  memset(w, 0, sizeof *w);
  w->f = *state;
  rille_source_init(&w->x, &plain_type);
  rille_source_init(&w->y, &plain_type);
  start_task(&w->a, &w->f->top);
  start_task(&w->b, &w->f->top);
}

static struct world *watched; /* by count_moved */

static void count_moved(struct rille_engine *engine,
                        struct rille_source *source, bool came) {
  (void)engine, (void)source;
  moved_sum += came ? 1 : -1;
  if (!came)
    left_while_linked |=
        rille_list_first(&watched->x.waiters) == &watched->set[0].node ||
        rille_list_first(&watched->y.waiters) == &watched->set[1].node;
}

static void wait_one(struct rille_task *task, struct rille_source *source,
                     int64_t due, int flags) {
  task->wait.one.source = source;
  rille_wait_start(task, &task->wait.one, 1, due, flags);
}

/* Task a waits on x and y. */
static void wait_both(struct world *w, int64_t due) {
  w->set[0].source = &w->x;
  w->set[1].source = &w->y;
  rille_wait_start(&w->a, w->set, 2, due, 0);
}

static bool anyone_waits(const struct rille_source *source) {
  return !rille_list_empty(&source->waiters);
}

static void fire_wakes_who_came_first(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.b, &w.x, RILLE_FOREVER, 0);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  assert_ptr_equal(&w.b.wait.one, rille_source_fire(&w.x, 0));
  assert_ptr_equal(&w.a.wait.one, rille_source_fire(&w.x, 0));
}

static void fire_without_waiters_wakes_nobody(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  assert_null(rille_source_fire(&w.y, 0));
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
}

static void the_wait_tells_which_waiter_fired_and_the_event(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, RILLE_FOREVER);
  rille_source_fire(&w.y, 42);
  assert_int_equal(RILLE_FIRED, w.a.wait.outcome);
  assert_int_equal(1, w.a.wait.fired);
  assert_int_equal(42, w.a.wait.event);
}

static void fire_unlinks_all_waiters_of_the_task(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, RILLE_FOREVER);
  rille_source_fire(&w.x, 0);
  assert_false(anyone_waits(&w.x));
  assert_false(anyone_waits(&w.y));
}

static void fire_leaves_other_tasks_waiting(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, RILLE_FOREVER);
  wait_one(&w.b, &w.y, RILLE_FOREVER, 0);
  rille_source_fire(&w.x, 0);
  assert_ptr_equal(&w.b.wait.one.node, rille_list_first(&w.y.waiters));
  assert_int_equal(RILLE_TASK_WAITING, w.b.status);
}

static void fire_stops_the_deadline(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, 10);
  rille_source_fire(&w.x, 0);
  advance(w.f, 10);
  assert_int_equal(RILLE_FIRED, w.a.wait.outcome);
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&w.f->engine));
}

static void a_task_is_resumed_in_a_later_turn(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  rille_source_fire(&w.x, 0);
  assert_int_equal(0, w.f->resumes);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  run_ready(w.f);
  assert_int_equal(1, w.f->resumes);
}

static void tasks_are_resumed_in_order_of_waking(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  wait_one(&w.b, &w.y, RILLE_FOREVER, 0);
  rille_source_fire(&w.y, 0);
  rille_source_fire(&w.x, 0);
  run_ready(w.f);
  assert_int_equal(2, w.f->resumes);
  assert_ptr_equal(&w.b, w.f->resumed[0]);
  assert_ptr_equal(&w.a, w.f->resumed[1]);
}

static void fire_all_wakes_everybody_in_order(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.b, &w.x, RILLE_FOREVER, 0);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  rille_source_fire_all(&w.x, 7);
  run_ready(w.f);
  assert_int_equal(2, w.f->resumes);
  assert_ptr_equal(&w.b, w.f->resumed[0]);
  assert_ptr_equal(&w.a, w.f->resumed[1]);
  assert_int_equal(7, w.a.wait.event);
  assert_int_equal(7, w.b.wait.event);
}

static void the_deadline_ends_the_wait(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, 10);
  advance(w.f, 9);
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
  advance(w.f, 10);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  assert_int_equal(RILLE_EXPIRED, w.a.wait.outcome);
}

static void the_deadline_unlinks_all_waiters(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, 10);
  advance(w.f, 10);
  assert_false(anyone_waits(&w.x));
  assert_false(anyone_waits(&w.y));
}

static void a_wait_on_no_source_is_a_sleep(void **state) {
  struct world w;
  make_world(&w, state);
  rille_wait_start(&w.a, NULL, 0, 10, 0);
  advance(w.f, 10);
  assert_int_equal(RILLE_EXPIRED, w.a.wait.outcome);
}

static void a_waiter_without_a_source_never_fires(void **state) {
  struct world w;
  make_world(&w, state);
  w.set[0].source = NULL;
  w.set[1].source = &w.y;
  rille_wait_start(&w.a, w.set, 2, RILLE_FOREVER, 0);
  assert_ptr_equal(&w.set[1], rille_source_fire(&w.y, 0));
  assert_int_equal(1, w.a.wait.fired);
}

static void cancel_ends_the_wait(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, 10);
  rille_wait_cancel(&w.a);
  assert_int_equal(RILLE_CANCELLED, w.a.wait.outcome);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  assert_false(anyone_waits(&w.x));
  assert_false(anyone_waits(&w.y));
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&w.f->engine));
}

static void cancel_leaves_a_task_that_was_woken(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, RILLE_FOREVER);
  rille_source_fire(&w.x, 0);
  rille_wait_cancel(&w.a);
  assert_int_equal(RILLE_FIRED, w.a.wait.outcome);
  run_ready(w.f);
  assert_int_equal(1, w.f->resumes);
}

static void cancel_leaves_a_shielded_wait(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, RILLE_WAIT_SHIELDED);
  rille_wait_cancel(&w.a);
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
  assert_ptr_equal(&w.a.wait.one, rille_source_fire(&w.x, 0));
}

static void a_turn_goes_behind_what_is_ready(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.b, &w.x, RILLE_FOREVER, 0);
  rille_source_fire(&w.x, 0);
  rille_wait_turn(&w.a);
  run_ready(w.f);
  assert_int_equal(2, w.f->resumes);
  assert_ptr_equal(&w.b, w.f->resumed[0]);
  assert_ptr_equal(&w.a, w.f->resumed[1]);
  assert_int_equal(RILLE_TURN, w.a.wait.outcome);
}

static void unlink_may_be_done_twice(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, 10);
  rille_wait_unlink(&w.a);
  rille_wait_unlink(&w.a);
  assert_false(anyone_waits(&w.x));
  assert_false(anyone_waits(&w.y));
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
}

static void a_source_hears_of_its_first_and_last_waiter_only(void **state) {
  struct world w;
  make_world(&w, state);
  rille_source_init(&w.x, &counting_type);
  wanted_calls = unwanted_calls = 0;
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  wait_one(&w.b, &w.x, RILLE_FOREVER, 0);
  assert_int_equal(1, wanted_calls);
  rille_source_fire(&w.x, 0);
  assert_int_equal(0, unwanted_calls);
  rille_source_fire(&w.x, 0);
  assert_int_equal(1, unwanted_calls);
  assert_int_equal(1, wanted_calls);
}

static void a_source_hears_of_each_that_comes_and_leaves(void **state) {
  struct world w;
  make_world(&w, state);
  watched = &w;
  moved_sum = 0;
  left_while_linked = false;
  rille_source_init(&w.x, &moving_type);
  rille_source_init(&w.y, &moving_type);
  wait_both(&w, 10);
  wait_one(&w.b, &w.x, RILLE_FOREVER, 0);
  assert_int_equal(3, moved_sum);
  rille_source_fire(&w.y, 0);
  assert_int_equal(1, moved_sum);
  assert_false(left_while_linked);
  rille_wait_cancel(&w.b);
  rille_wait_unlink(&w.b);
  assert_int_equal(0, moved_sum);
}

static void a_limit_ends_the_wait_as_cancelled(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  rille_wait_limit(&w.a, 10);
  advance(w.f, 9);
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
  advance(w.f, 10);
  assert_int_equal(RILLE_CANCELLED, w.a.wait.outcome);
}

static void a_limit_replaces_a_later_deadline(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, 20, 0);
  rille_wait_limit(&w.a, 10);
  advance(w.f, 10);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  assert_int_equal(RILLE_CANCELLED, w.a.wait.outcome);
}

static void a_limit_leaves_an_earlier_deadline(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, 10, 0);
  rille_wait_limit(&w.a, 20);
  advance(w.f, 10);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  assert_int_equal(RILLE_EXPIRED, w.a.wait.outcome);
}

static void a_limit_is_forgotten_by_the_next_wait(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, 0);
  rille_wait_limit(&w.a, 10);
  advance(w.f, 10);
  run_ready(w.f);
  wait_one(&w.a, &w.x, 20, 0);
  advance(w.f, 20);
  assert_int_equal(RILLE_EXPIRED, w.a.wait.outcome);
}

/* How often the first of two waiters on x fires, in 1000 waits. */
static int count_first(struct world *w, int flags) {
  int first = 0;
  for (int i = 0; i < 1000; i++) {
    w->set[0].source = w->set[1].source = &w->x;
    rille_wait_start(&w->a, w->set, 2, RILLE_FOREVER, flags);
    first += rille_source_fire(&w->x, 0) == &w->set[0];
    assert_false(anyone_waits(&w->x));
    run_ready(w->f);
  }
  return first;
}

static void of_two_waiters_on_a_source_the_first_fires(void **state) {
  struct world w;
  make_world(&w, state);
  assert_int_equal(1000, count_first(&w, 0));
}

static void of_two_even_waiters_on_a_source_either_fires(void **state) {
  struct world w;
  make_world(&w, state);
  rille_engine_seed(&w.f->engine, 1);
  assert_in_range(count_first(&w, RILLE_WAIT_EVEN), 400, 600);
}

/* Task a waits for both x and y. */
static void wait_for_all(struct world *w, int64_t due) {
  w->set[0].source = &w->x;
  w->set[1].source = &w->y;
  rille_wait_start(&w->a, w->set, 2, due, RILLE_WAIT_ALL);
}

static void a_wait_for_all_ends_with_the_last_that_fires(void **state) {
  struct world w;
  make_world(&w, state);
  wait_for_all(&w, RILLE_FOREVER);
  assert_ptr_equal(&w.set[1], rille_source_fire(&w.y, 0));
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
  assert_ptr_equal(&w.set[0], rille_source_fire(&w.x, 0));
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  assert_int_equal(RILLE_FIRED, w.a.wait.outcome);
}

static void a_wait_for_all_unlinks_what_has_fired_alone(void **state) {
  struct world w;
  make_world(&w, state);
  wait_for_all(&w, RILLE_FOREVER);
  rille_source_fire(&w.x, 0);
  assert_false(anyone_waits(&w.x));
  assert_true(anyone_waits(&w.y));
  assert_null(rille_source_fire(&w.x, 0));
}

static void a_wait_for_all_counts_the_events_of_0(void **state) {
  struct world w;
  make_world(&w, state);
  wait_for_all(&w, RILLE_FOREVER);
  rille_source_fire(&w.x, 1);
  rille_source_fire(&w.y, 0);
  assert_int_equal(1, w.a.wait.event);
  assert_int_equal(2, w.a.wait.fired);
}

static void a_wait_for_all_may_have_two_waiters_on_a_source(void **state) {
  struct world w;
  make_world(&w, state);
  w.set[0].source = w.set[1].source = &w.x;
  rille_wait_start(&w.a, w.set, 2, RILLE_FOREVER, RILLE_WAIT_ALL);
  rille_source_fire_all(&w.x, 0);
  assert_int_equal(2, w.a.wait.event);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
}

static void a_wait_for_all_on_one_source_ends_with_it(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.x, RILLE_FOREVER, RILLE_WAIT_ALL);
  rille_source_fire(&w.x, 0);
  assert_int_equal(RILLE_TASK_READY, w.a.status);
  assert_int_equal(1, w.a.wait.event);
}

static void a_wait_for_all_forgets_the_count_of_the_last(void **state) {
  struct world w;
  make_world(&w, state);
  wait_for_all(&w, RILLE_FOREVER);
  rille_source_fire(&w.x, 0);
  rille_wait_cancel(&w.a);
  run_ready(w.f);
  wait_for_all(&w, RILLE_FOREVER);
  rille_source_fire(&w.y, 0);
  assert_int_equal(RILLE_TASK_WAITING, w.a.status);
}

static void cancel_unlinks_what_a_wait_for_all_still_has(void **state) {
  struct world w;
  make_world(&w, state);
  wait_for_all(&w, 10);
  rille_source_fire(&w.x, 0);
  rille_wait_cancel(&w.a);
  assert_int_equal(RILLE_CANCELLED, w.a.wait.outcome);
  assert_false(anyone_waits(&w.y));
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&w.f->engine));
}

static void the_deadline_unlinks_what_a_wait_for_all_still_has(void **state) {
  struct world w;
  make_world(&w, state);
  wait_for_all(&w, 10);
  rille_source_fire(&w.y, 0);
  advance(w.f, 10);
  assert_int_equal(RILLE_EXPIRED, w.a.wait.outcome);
  assert_false(anyone_waits(&w.x));
}

static void a_source_hears_when_a_wait_for_all_leaves_it(void **state) {
  struct world w;
  make_world(&w, state);
  rille_source_init(&w.x, &counting_type);
  wanted_calls = unwanted_calls = 0;
  wait_for_all(&w, RILLE_FOREVER);
  rille_source_fire(&w.x, 0);
  assert_int_equal(1, unwanted_calls);
  rille_source_fire(&w.y, 0);
  assert_int_equal(1, unwanted_calls);
}

static void a_source_without_a_test_is_never_ready(void **state) {
  struct world w;
  make_world(&w, state);
  assert_false(rille_source_ready(&w.x));
}

static void the_end_of_a_task_wakes_who_awaits_it(void **state) {
  struct world w;
  make_world(&w, state);
  wait_one(&w.a, &w.b.ended, RILLE_FOREVER, 0);
  assert_false(rille_source_ready(&w.b.ended));
  rille_task_end(&w.b, RILLE_TASK_DONE);
  assert_true(rille_source_ready(&w.b.ended));
  assert_int_equal(RILLE_FIRED, w.a.wait.outcome);
}

static void the_end_of_a_task_ends_its_wait(void **state) {
  struct world w;
  make_world(&w, state);
  wait_both(&w, 10);
  rille_task_end(&w.a, RILLE_TASK_FAILED);
  assert_false(anyone_waits(&w.x));
  assert_false(anyone_waits(&w.y));
  advance(w.f, 10);
  run_ready(w.f);
  assert_int_equal(0, w.f->resumes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(fire_wakes_who_came_first),
      ENGINE_TEST(fire_without_waiters_wakes_nobody),
      ENGINE_TEST(the_wait_tells_which_waiter_fired_and_the_event),
      ENGINE_TEST(fire_unlinks_all_waiters_of_the_task),
      ENGINE_TEST(fire_leaves_other_tasks_waiting),
      ENGINE_TEST(fire_stops_the_deadline),
      ENGINE_TEST(a_task_is_resumed_in_a_later_turn),
      ENGINE_TEST(tasks_are_resumed_in_order_of_waking),
      ENGINE_TEST(fire_all_wakes_everybody_in_order),
      ENGINE_TEST(the_deadline_ends_the_wait),
      ENGINE_TEST(the_deadline_unlinks_all_waiters),
      ENGINE_TEST(a_wait_on_no_source_is_a_sleep),
      ENGINE_TEST(a_waiter_without_a_source_never_fires),
      ENGINE_TEST(cancel_ends_the_wait),
      ENGINE_TEST(cancel_leaves_a_task_that_was_woken),
      ENGINE_TEST(cancel_leaves_a_shielded_wait),
      ENGINE_TEST(a_turn_goes_behind_what_is_ready),
      ENGINE_TEST(unlink_may_be_done_twice),
      ENGINE_TEST(a_source_hears_of_its_first_and_last_waiter_only),
      ENGINE_TEST(a_source_hears_of_each_that_comes_and_leaves),
      ENGINE_TEST(a_limit_ends_the_wait_as_cancelled),
      ENGINE_TEST(a_limit_replaces_a_later_deadline),
      ENGINE_TEST(a_limit_leaves_an_earlier_deadline),
      ENGINE_TEST(a_limit_is_forgotten_by_the_next_wait),
      ENGINE_TEST(of_two_waiters_on_a_source_the_first_fires),
      ENGINE_TEST(of_two_even_waiters_on_a_source_either_fires),
      ENGINE_TEST(a_wait_for_all_ends_with_the_last_that_fires),
      ENGINE_TEST(a_wait_for_all_unlinks_what_has_fired_alone),
      ENGINE_TEST(a_wait_for_all_counts_the_events_of_0),
      ENGINE_TEST(a_wait_for_all_may_have_two_waiters_on_a_source),
      ENGINE_TEST(a_wait_for_all_on_one_source_ends_with_it),
      ENGINE_TEST(a_wait_for_all_forgets_the_count_of_the_last),
      ENGINE_TEST(cancel_unlinks_what_a_wait_for_all_still_has),
      ENGINE_TEST(the_deadline_unlinks_what_a_wait_for_all_still_has),
      ENGINE_TEST(a_source_hears_when_a_wait_for_all_leaves_it),
      ENGINE_TEST(a_source_without_a_test_is_never_ready),
      ENGINE_TEST(the_end_of_a_task_wakes_who_awaits_it),
      ENGINE_TEST(the_end_of_a_task_ends_its_wait),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
