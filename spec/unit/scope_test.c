/* scope_test.c - admission, the end, deadlines, scopes with two parents. */
#include "engine_fixture.h"

#define TASKS 4

/* An opener and its scope s; tasks for it, not yet started. */
struct world {
  struct fixture *f;
  struct rille_task opener;
  struct rille_scope s;
  struct rille_task tasks[TASKS];
};

static void make_world(struct world *w, void **state) {
  memset(w, 0, sizeof *w);
  w->f = *state;
  start_task(&w->opener, &w->f->top);
  rille_scope_open(&w->s, &w->f->top, &w->opener, false);
}

static void start_all(struct world *w, uint32_t limit) {
  w->s.limit = limit;
  for (int i = 0; i < TASKS; i++)
    rille_task_start(&w->tasks[i], &w->s);
  run_ready(w->f);
}

static void end_task(struct rille_task *task) {
  rille_task_end(task, RILLE_TASK_DONE);
}

/* The opener leaves s and waits for its tasks. */
static void join(struct world *w) {
  rille_scope_leave(&w->s);
  w->opener.wait.one.source = &w->s.idle;
  rille_wait_start(&w->opener, &w->opener.wait.one, 1, RILLE_FOREVER,
                   RILLE_WAIT_SHIELDED);
}

static void without_a_limit_all_tasks_start(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 0);
  assert_int_equal(TASKS, w.f->resumes);
  assert_int_equal(TASKS, w.s.active);
}

static void a_limit_admits_so_many_tasks(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 2);
  assert_int_equal(2, w.f->resumes);
  assert_int_equal(2, w.s.running);
  assert_int_equal(TASKS, w.s.active);
}

static void the_end_of_a_task_admits_the_next_in_order(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 2);
  end_task(&w.tasks[1]);
  run_ready(w.f);
  assert_int_equal(3, w.f->resumes);
  assert_ptr_equal(&w.tasks[2], w.f->resumed[2]);
  assert_int_equal(RILLE_TASK_PENDING, w.tasks[3].status);
}

static void a_pending_task_that_is_cancelled_frees_no_place(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 2);
  rille_cancel_call(&w.f->engine, &w.tasks[2].own);
  run_ready(w.f);
  assert_int_equal(RILLE_TASK_ENDED_CANCELLED, w.tasks[2].status);
  assert_int_equal(RILLE_TASK_PENDING, w.tasks[3].status);
  assert_int_equal(2, w.s.running);
}

static void pending_tasks_of_a_cancelled_scope_never_start(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 1);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  run_ready(w.f);
  assert_int_equal(1, w.f->resumes);
  assert_int_equal(1, w.s.active);
}

static void a_task_of_a_cancelled_scope_never_starts(void **state) {
  struct world w;
  make_world(&w, state);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  rille_task_start(&w.tasks[0], &w.s);
  run_ready(w.f);
  assert_int_equal(0, w.f->resumes);
  assert_int_equal(RILLE_TASK_ENDED_CANCELLED, w.tasks[0].status);
}

static void an_empty_scope_is_left_at_once(void **state) {
  struct world w;
  make_world(&w, state);
  assert_true(rille_scope_leave(&w.s));
  assert_true(rille_scope_leave(&w.s));
  assert_int_equal(RILLE_SCOPE_CLOSING, w.s.state);
}

static void a_scope_with_tasks_is_not_left_at_once(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 0);
  assert_false(rille_scope_leave(&w.s));
  assert_false(rille_source_ready(&w.s.idle));
}

static void the_join_ends_with_the_last_task(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 0);
  join(&w);
  for (int i = 0; i < TASKS; i++) {
    assert_int_equal(RILLE_TASK_WAITING, w.opener.status);
    end_task(&w.tasks[i]);
  }
  assert_int_equal(RILLE_TASK_READY, w.opener.status);
  assert_true(rille_source_ready(&w.s.idle));
}

static void the_join_waits_for_pending_tasks(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, TASKS - 1);
  join(&w);
  for (int i = 0; i < TASKS - 1; i++)
    end_task(&w.tasks[i]);
  run_ready(w.f);
  assert_int_equal(RILLE_TASK_WAITING, w.opener.status);
  end_task(&w.tasks[TASKS - 1]);
  assert_int_equal(RILLE_TASK_READY, w.opener.status);
}

static void a_scope_that_is_open_does_not_fire_idle(void **state) {
  struct world w;
  make_world(&w, state);
  start_all(&w, 0);
  w.opener.wait.one.source = &w.s.idle;
  rille_wait_start(&w.opener, &w.opener.wait.one, 1, RILLE_FOREVER, 0);
  for (int i = 0; i < TASKS; i++)
    end_task(&w.tasks[i]);
  assert_int_equal(RILLE_TASK_WAITING, w.opener.status);
}

/* Starts task 0, and task 1 as a daemon that waits. */
static void start_daemon(struct world *w) {
  w->tasks[1].daemon = 1;
  rille_task_start(&w->tasks[0], &w->s);
  rille_task_start(&w->tasks[1], &w->s);
  run_ready(w->f);
  rille_wait_start(&w->tasks[1], NULL, 0, RILLE_FOREVER, 0);
}

static void daemons_live_while_another_task_does(void **state) {
  struct world w;
  make_world(&w, state);
  start_daemon(&w);
  join(&w);
  assert_null(w.tasks[1].own.by);
  assert_int_equal(RILLE_TASK_WAITING, w.tasks[1].status);
}

static void daemons_are_cancelled_when_only_they_are_left(void **state) {
  struct world w;
  make_world(&w, state);
  start_daemon(&w);
  join(&w);
  end_task(&w.tasks[0]);
  assert_ptr_equal(&w.tasks[1].own, w.tasks[1].own.by);
  assert_int_equal(RILLE_TASK_READY, w.tasks[1].status);
  assert_int_equal(RILLE_TASK_WAITING, w.opener.status);
}

static void
leaving_cancels_the_daemons_of_an_otherwise_empty_scope(void **state) {
  struct world w;
  make_world(&w, state);
  start_daemon(&w);
  end_task(&w.tasks[0]);
  assert_null(w.tasks[1].own.by);
  assert_false(rille_scope_leave(&w.s));
  assert_ptr_equal(&w.tasks[1].own, w.tasks[1].own.by);
}

static void the_join_waits_for_the_end_of_daemons(void **state) {
  struct world w;
  make_world(&w, state);
  start_daemon(&w);
  join(&w);
  end_task(&w.tasks[0]);
  end_task(&w.tasks[1]);
  assert_int_equal(RILLE_TASK_READY, w.opener.status);
  assert_int_equal(0, w.s.daemons);
}

static void the_end_restores_what_the_opener_obeyed(void **state) {
  struct world w;
  make_world(&w, state);
  assert_ptr_equal(&w.s, rille_task_innermost(&w.opener));
  assert_ptr_equal(&w.s.cancel, w.opener.top);
  rille_scope_end(&w.s);
  assert_ptr_equal(&w.f->top, rille_task_innermost(&w.opener));
  assert_ptr_equal(&w.opener.own, w.opener.top);
  assert_true(rille_list_empty(&w.f->top.children));
}

static void a_cancelled_scope_interrupts_its_opener(void **state) {
  struct world w;
  make_world(&w, state);
  rille_wait_start(&w.opener, NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  assert_int_equal(RILLE_CANCELLED, w.opener.wait.outcome);
  assert_null(w.opener.own.by);
}

static void an_outer_scope_interrupts_the_opener_of_an_inner(void **state) {
  struct world w;
  struct rille_scope inner = {0};
  make_world(&w, state);
  rille_scope_open(&inner, &w.s, &w.opener, false);
  rille_wait_start(&w.opener, NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  assert_int_equal(RILLE_TASK_READY, w.opener.status);
  assert_ptr_equal(&w.s.cancel, inner.cancel.by);
}

static void the_deadline_cancels(void **state) {
  struct world w;
  make_world(&w, state);
  rille_scope_set_deadline(&w.s, 10);
  advance(w.f, 9);
  assert_null(w.s.cancel.by);
  advance(w.f, 10);
  assert_ptr_equal(&w.s.cancel, w.s.cancel.by);
  assert_true(w.s.cancel.expired);
}

static void a_deadline_that_has_passed_cancels_at_once(void **state) {
  struct world w;
  make_world(&w, state);
  advance(w.f, 10);
  rille_scope_set_deadline(&w.s, 10);
  assert_ptr_equal(&w.s.cancel, w.s.cancel.by);
  assert_true(w.s.cancel.expired);
}

static void a_deadline_can_be_moved(void **state) {
  struct world w;
  make_world(&w, state);
  rille_scope_set_deadline(&w.s, 10);
  rille_scope_set_deadline(&w.s, 20);
  advance(w.f, 19);
  assert_null(w.s.cancel.by);
  advance(w.f, 20);
  assert_true(w.s.cancel.expired);
}

static void a_deadline_can_be_taken_away(void **state) {
  struct world w;
  make_world(&w, state);
  rille_scope_set_deadline(&w.s, 10);
  rille_scope_set_deadline(&w.s, RILLE_FOREVER);
  advance(w.f, 10);
  assert_null(w.s.cancel.by);
}

static void what_was_cancelled_before_does_not_expire(void **state) {
  struct world w;
  make_world(&w, state);
  rille_scope_set_deadline(&w.s, 10);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  advance(w.f, 10);
  assert_false(w.s.cancel.expired);
}

static void the_end_stops_the_deadline(void **state) {
  struct world w;
  make_world(&w, state);
  rille_scope_set_deadline(&w.s, 10);
  rille_scope_end(&w.s);
  assert_int_equal(RILLE_FOREVER, rille_timer_next(&w.f->engine));
}

static void the_nearest_deadline_counts(void **state) {
  struct world w;
  struct rille_scope inner = {0};
  make_world(&w, state);
  rille_scope_open(&inner, &w.s, &w.opener, false);
  assert_int_equal(RILLE_FOREVER, rille_scope_deadline(&inner));
  rille_scope_set_deadline(&inner, 20);
  assert_int_equal(20, rille_scope_deadline(&inner));
  rille_scope_set_deadline(&w.s, 10);
  assert_int_equal(10, rille_scope_deadline(&inner));
  rille_scope_set_deadline(&inner, 5);
  assert_int_equal(5, rille_scope_deadline(&inner));
  assert_int_equal(10, rille_scope_deadline(&w.s));
}

static void a_deadline_does_not_count_behind_a_shield(void **state) {
  struct world w;
  struct rille_scope shield = {0}, inner = {0};
  make_world(&w, state);
  rille_scope_open(&shield, &w.s, &w.opener, true);
  rille_scope_open(&inner, &shield, &w.opener, false);
  rille_scope_set_deadline(&w.s, 10);
  assert_int_equal(RILLE_FOREVER, rille_scope_deadline(&inner));
  rille_scope_set_deadline(&shield, 20);
  assert_int_equal(20, rille_scope_deadline(&inner));
}

/* Task 0 of the top opens a scope under s, which is not its own. */
static void open_guest(struct world *w, struct rille_scope *guest,
                       bool shield) {
  start_task(&w->tasks[0], &w->f->top);
  rille_scope_open(guest, &w->s, &w->tasks[0], shield);
}

static void a_guest_is_waited_for(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  open_guest(&w, &guest, false);
  assert_int_equal(1, w.s.guests);
  join(&w);
  assert_int_equal(RILLE_TASK_WAITING, w.opener.status);
  rille_scope_end(&guest);
  assert_int_equal(RILLE_TASK_READY, w.opener.status);
}

static void daemons_live_while_a_guest_does(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  open_guest(&w, &guest, false);
  w.tasks[1].daemon = 1;
  rille_task_start(&w.tasks[1], &w.s);
  rille_scope_leave(&w.s);
  assert_null(w.tasks[1].own.by);
  rille_scope_end(&guest);
  assert_ptr_equal(&w.tasks[1].own, w.tasks[1].own.by);
}

static void a_scope_opened_in_its_place_is_no_guest(void **state) {
  struct world w;
  struct rille_scope inner = {0};
  make_world(&w, state);
  rille_scope_open(&inner, &w.s, &w.opener, false);
  assert_int_equal(0, w.s.guests);
}

static void the_parent_of_a_guest_cancels_its_opener(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  open_guest(&w, &guest, false);
  rille_wait_start(&w.tasks[0], NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  assert_ptr_equal(&w.s.cancel, guest.cancel.by);
  assert_ptr_equal(&w.s.cancel, w.tasks[0].top->by);
  assert_int_equal(RILLE_CANCELLED, w.tasks[0].wait.outcome);
  assert_null(w.tasks[0].own.by);
}

static void the_opener_of_a_guest_is_cancelled_without_its_tasks(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  open_guest(&w, &guest, false);
  rille_wait_start(&w.tasks[0], NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_call(&w.f->engine, &w.tasks[0].own);
  assert_int_equal(RILLE_CANCELLED, w.tasks[0].wait.outcome);
  assert_null(guest.cancel.by);
}

static void a_guest_under_a_cancelled_parent_is_cancelled(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  open_guest(&w, &guest, false);
  assert_ptr_equal(&w.s.cancel, guest.cancel.by);
  assert_ptr_equal(&w.s.cancel, w.tasks[0].top->by);
}

static void a_shielded_guest_is_not_cancelled_by_its_parent(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  open_guest(&w, &guest, true);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  assert_null(guest.cancel.by);
  assert_null(w.tasks[0].top->by);
}

static void the_end_of_a_guest_restores_what_its_opener_obeyed(void **state) {
  struct world w;
  struct rille_scope guest = {0};
  make_world(&w, state);
  open_guest(&w, &guest, false);
  rille_scope_end(&guest);
  rille_cancel_call(&w.f->engine, &w.s.cancel);
  assert_ptr_equal(&w.tasks[0].own, w.tasks[0].top);
  assert_null(w.tasks[0].top->by);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(without_a_limit_all_tasks_start),
      ENGINE_TEST(a_limit_admits_so_many_tasks),
      ENGINE_TEST(the_end_of_a_task_admits_the_next_in_order),
      ENGINE_TEST(a_pending_task_that_is_cancelled_frees_no_place),
      ENGINE_TEST(pending_tasks_of_a_cancelled_scope_never_start),
      ENGINE_TEST(a_task_of_a_cancelled_scope_never_starts),
      ENGINE_TEST(an_empty_scope_is_left_at_once),
      ENGINE_TEST(a_scope_with_tasks_is_not_left_at_once),
      ENGINE_TEST(the_join_ends_with_the_last_task),
      ENGINE_TEST(the_join_waits_for_pending_tasks),
      ENGINE_TEST(a_scope_that_is_open_does_not_fire_idle),
      ENGINE_TEST(daemons_live_while_another_task_does),
      ENGINE_TEST(daemons_are_cancelled_when_only_they_are_left),
      ENGINE_TEST(leaving_cancels_the_daemons_of_an_otherwise_empty_scope),
      ENGINE_TEST(the_join_waits_for_the_end_of_daemons),
      ENGINE_TEST(the_end_restores_what_the_opener_obeyed),
      ENGINE_TEST(a_cancelled_scope_interrupts_its_opener),
      ENGINE_TEST(an_outer_scope_interrupts_the_opener_of_an_inner),
      ENGINE_TEST(the_deadline_cancels),
      ENGINE_TEST(a_deadline_that_has_passed_cancels_at_once),
      ENGINE_TEST(a_deadline_can_be_moved),
      ENGINE_TEST(a_deadline_can_be_taken_away),
      ENGINE_TEST(what_was_cancelled_before_does_not_expire),
      ENGINE_TEST(the_end_stops_the_deadline),
      ENGINE_TEST(the_nearest_deadline_counts),
      ENGINE_TEST(a_deadline_does_not_count_behind_a_shield),
      ENGINE_TEST(a_guest_is_waited_for),
      ENGINE_TEST(daemons_live_while_a_guest_does),
      ENGINE_TEST(a_scope_opened_in_its_place_is_no_guest),
      ENGINE_TEST(the_parent_of_a_guest_cancels_its_opener),
      ENGINE_TEST(the_opener_of_a_guest_is_cancelled_without_its_tasks),
      ENGINE_TEST(a_guest_under_a_cancelled_parent_is_cancelled),
      ENGINE_TEST(a_shielded_guest_is_not_cancelled_by_its_parent),
      ENGINE_TEST(the_end_of_a_guest_restores_what_its_opener_obeyed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
