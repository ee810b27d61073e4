/* event_test.c - events: who waits and who need not. */
#include "engine_fixture.h"
#include "event.h"

static void wait_for(struct rille_task *task, struct rille_event *event) {
  task->wait.one.source = &event->source;
  rille_wait_start(task, &task->wait.one, 1, RILLE_FOREVER, 0);
}

static void a_new_event_is_not_set(void **state) {
  struct rille_event event;
  (void)state;
  rille_event_init(&event);
  assert_false(event.set);
  assert_false(rille_source_ready(&event.source));
}

static void setting_it_wakes_everybody_in_order(void **state) {
  struct fixture *f = *state;
  struct rille_event event;
  struct rille_task a, b;
  rille_event_init(&event);
  start_task(&a, &f->top);
  start_task(&b, &f->top);
  wait_for(&b, &event);
  wait_for(&a, &event);
  rille_event_set(&event);
  run_ready(f);
  assert_int_equal(2, f->resumes);
  assert_ptr_equal(&b, f->resumed[0]);
  assert_ptr_equal(&a, f->resumed[1]);
  assert_true(rille_source_ready(&event.source));
}

static void who_was_woken_has_seen_it_though_it_is_cleared(void **state) {
  struct fixture *f = *state;
  struct rille_event event;
  struct rille_task a;
  rille_event_init(&event);
  start_task(&a, &f->top);
  wait_for(&a, &event);
  rille_event_set(&event);
  event.set = false;
  assert_int_equal(RILLE_FIRED, a.wait.outcome);
  assert_false(rille_source_ready(&event.source));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(a_new_event_is_not_set),
      ENGINE_TEST(setting_it_wakes_everybody_in_order),
      ENGINE_TEST(who_was_woken_has_seen_it_though_it_is_cleared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
