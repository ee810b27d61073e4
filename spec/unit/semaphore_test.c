/* semaphore_test.c - permits: who gets them, and what becomes of them. */
#include "engine_fixture.h"

#define TASKS 8

struct world {
  struct fixture *f;
  struct rille_semaphore s;
  struct rille_task tasks[TASKS];
};

static struct world *make_world(void **state, int32_t limit) {
  struct world *w = test_calloc(1, sizeof *w);
  w->f = *state;
  rille_semaphore_init(&w->s, limit);
  for (int i = 0; i < TASKS; i++)
    start_task(&w->tasks[i], &w->f->top);
  return w;
}

static void wait_for(struct rille_task *task, struct rille_semaphore *semaphore,
                     int count) {
  task->wait.one.source = &semaphore->source;
  task->wait.one.slot = count;
  rille_wait_start(task, &task->wait.one, 1, RILLE_FOREVER, 0);
}

static bool waits(const struct rille_task *task) {
  return task->status == RILLE_TASK_WAITING;
}

static bool granted(const struct rille_task *task) {
  return task->status == RILLE_TASK_READY && task->wait.outcome == RILLE_FIRED;
}

static void permits_are_taken_until_there_are_none(void **state) {
  struct world *w = make_world(state, 2);
  assert_true(rille_semaphore_take(&w->s, 1));
  assert_true(rille_semaphore_take(&w->s, 1));
  assert_false(rille_semaphore_take(&w->s, 1));
  assert_int_equal(0, w->s.available);
  test_free(w);
}

static void what_is_given_back_can_be_taken_again(void **state) {
  struct world *w = make_world(state, 2);
  assert_true(rille_semaphore_take(&w->s, 2));
  assert_true(rille_semaphore_give(&w->s, 2));
  assert_true(rille_semaphore_take(&w->s, 2));
  test_free(w);
}

static void more_than_were_taken_cannot_be_given_back(void **state) {
  struct world *w = make_world(state, 2);
  assert_false(rille_semaphore_give(&w->s, 1));
  assert_true(rille_semaphore_take(&w->s, 1));
  assert_false(rille_semaphore_give(&w->s, 2));
  assert_int_equal(1, w->s.available);
  test_free(w);
}

static void a_permit_given_back_is_the_first_waiters(void **state) {
  struct world *w = make_world(state, 1);
  assert_true(rille_semaphore_take(&w->s, 1));
  wait_for(&w->tasks[1], &w->s, 1);
  wait_for(&w->tasks[0], &w->s, 1);
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_true(granted(&w->tasks[1]));
  assert_true(waits(&w->tasks[0]));
  assert_int_equal(0, w->s.available);
  test_free(w);
}

static void several_waiters_are_served_at_once(void **state) {
  struct world *w = make_world(state, 4);
  assert_true(rille_semaphore_take(&w->s, 4));
  wait_for(&w->tasks[0], &w->s, 1);
  wait_for(&w->tasks[1], &w->s, 2);
  wait_for(&w->tasks[2], &w->s, 1);
  wait_for(&w->tasks[3], &w->s, 1);
  assert_true(rille_semaphore_give(&w->s, 4));
  run_ready(w->f);
  assert_int_equal(3, w->f->resumes);
  for (int i = 0; i < 3; i++)
    assert_ptr_equal(&w->tasks[i], w->f->resumed[i]);
  assert_int_equal(1, w->s.waiting);
  test_free(w);
}

static void nobody_overtakes_who_waits_for_many(void **state) {
  struct world *w = make_world(state, 3);
  assert_true(rille_semaphore_take(&w->s, 2));
  wait_for(&w->tasks[0], &w->s, 3);
  assert_false(rille_semaphore_take(&w->s, 1));
  assert_false(rille_semaphore_ready(&w->s.source));
  wait_for(&w->tasks[1], &w->s, 1);
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_true(waits(&w->tasks[0]));
  assert_true(waits(&w->tasks[1]));
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_true(granted(&w->tasks[0]));
  assert_true(waits(&w->tasks[1]));
  test_free(w);
}

static void a_cancelled_waiter_takes_nothing(void **state) {
  struct world *w = make_world(state, 1);
  assert_true(rille_semaphore_take(&w->s, 1));
  wait_for(&w->tasks[0], &w->s, 1);
  rille_wait_cancel(&w->tasks[0]);
  assert_int_equal(0, w->s.waiting);
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_int_equal(1, w->s.available);
  test_free(w);
}

static void the_next_goes_when_who_stood_before_it_is_cancelled(void **state) {
  struct world *w = make_world(state, 10);
  assert_true(rille_semaphore_take(&w->s, 1));
  wait_for(&w->tasks[0], &w->s, 10);
  wait_for(&w->tasks[1], &w->s, 1);
  wait_for(&w->tasks[2], &w->s, 8);
  wait_for(&w->tasks[3], &w->s, 1);
  rille_wait_cancel(&w->tasks[0]);
  assert_true(granted(&w->tasks[1]));
  assert_true(granted(&w->tasks[2]));
  assert_true(waits(&w->tasks[3]));
  assert_int_equal(0, w->s.available);
  test_free(w);
}

static void the_next_goes_when_the_deadline_of_the_first_comes(void **state) {
  struct world *w = make_world(state, 2);
  assert_true(rille_semaphore_take(&w->s, 1));
  w->tasks[0].wait.one.source = &w->s.source;
  w->tasks[0].wait.one.slot = 2;
  rille_wait_start(&w->tasks[0], &w->tasks[0].wait.one, 1, 10, 0);
  wait_for(&w->tasks[1], &w->s, 1);
  advance(w->f, 10);
  assert_true(granted(&w->tasks[1]));
  test_free(w);
}

static void a_permit_handed_over_outlives_a_cancellation(void **state) {
  struct world *w = make_world(state, 1);
  assert_true(rille_semaphore_take(&w->s, 1));
  wait_for(&w->tasks[0], &w->s, 1);
  assert_true(rille_semaphore_give(&w->s, 1));
  rille_wait_cancel(&w->tasks[0]);
  assert_true(granted(&w->tasks[0]));
  assert_int_equal(0, w->s.available);
  test_free(w);
}

static int32_t granted_count;

static void note_grant(struct rille_semaphore *semaphore,
                       struct rille_task *task, int32_t count) {
  assert_true(waits(task));
  assert_true(semaphore->available >= 0);
  granted_count += count;
}

static void it_is_granted_before_the_task_runs(void **state) {
  struct world *w = make_world(state, 3);
  w->s.granted = note_grant;
  granted_count = 0;
  assert_true(rille_semaphore_take(&w->s, 3));
  assert_int_equal(0, granted_count);
  wait_for(&w->tasks[0], &w->s, 2);
  assert_true(rille_semaphore_give(&w->s, 3));
  assert_int_equal(2, granted_count);
  test_free(w);
}

static void a_lower_limit_leaves_the_holders(void **state) {
  struct world *w = make_world(state, 2);
  assert_true(rille_semaphore_take(&w->s, 2));
  assert_true(rille_semaphore_resize(&w->s, 1));
  assert_int_equal(-1, w->s.available);
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_false(rille_semaphore_take(&w->s, 1));
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_false(rille_semaphore_give(&w->s, 1));
  assert_true(rille_semaphore_take(&w->s, 1));
  test_free(w);
}

static void a_higher_limit_serves_who_waits(void **state) {
  struct world *w = make_world(state, 1);
  assert_true(rille_semaphore_take(&w->s, 1));
  wait_for(&w->tasks[0], &w->s, 1);
  wait_for(&w->tasks[1], &w->s, 1);
  assert_true(rille_semaphore_resize(&w->s, 3));
  assert_true(granted(&w->tasks[0]));
  assert_true(granted(&w->tasks[1]));
  test_free(w);
}

static void a_limit_below_what_is_waited_for_is_refused(void **state) {
  struct world *w = make_world(state, 3);
  assert_true(rille_semaphore_take(&w->s, 1));
  wait_for(&w->tasks[0], &w->s, 3);
  assert_false(rille_semaphore_resize(&w->s, 2));
  assert_int_equal(3, w->s.limit);
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_true(granted(&w->tasks[0]));
  test_free(w);
}

static void the_largest_limit_does_not_overflow(void **state) {
  struct world *w = make_world(state, RILLE_PERMITS_MAX);
  assert_true(rille_semaphore_take(&w->s, RILLE_PERMITS_MAX));
  assert_true(rille_semaphore_resize(&w->s, 1));
  assert_true(rille_semaphore_resize(&w->s, RILLE_PERMITS_MAX));
  assert_false(rille_semaphore_take(&w->s, 1));
  assert_true(rille_semaphore_give(&w->s, RILLE_PERMITS_MAX));
  test_free(w);
}

/* Task 0 waits on both of two semaphores, then leaves both. */
static void a_select_takes_one_permit_of_one(void **state) {
  struct world *w = make_world(state, 1);
  struct rille_semaphore other;
  struct rille_waiter set[2] = {{.source = &w->s.source, .slot = 1},
                                {.source = &other.source, .slot = 1}};
  rille_semaphore_init(&other, 1);
  assert_true(rille_semaphore_take(&w->s, 1));
  assert_true(rille_semaphore_take(&other, 1));
  rille_wait_start(&w->tasks[0], set, 2, RILLE_FOREVER, 0);
  wait_for(&w->tasks[1], &w->s, 1);
  assert_true(rille_semaphore_give(&other, 1));
  assert_int_equal(1, w->tasks[0].wait.fired);
  assert_int_equal(1, w->s.waiting);
  assert_true(rille_semaphore_give(&w->s, 1));
  assert_true(granted(&w->tasks[1]));
  test_free(w);
}

static void a_task_may_wait_twice_on_one(void **state) {
  struct world *w = make_world(state, 2);
  struct rille_waiter set[2] = {{.source = &w->s.source, .slot = 1},
                                {.source = &w->s.source, .slot = 1}};
  assert_true(rille_semaphore_take(&w->s, 2));
  rille_wait_start(&w->tasks[0], set, 2, RILLE_FOREVER, RILLE_WAIT_EVEN);
  assert_int_equal(2, w->s.waiting);
  assert_true(rille_semaphore_give(&w->s, 2));
  assert_true(granted(&w->tasks[0]));
  assert_int_equal(0, w->s.waiting);
  assert_int_equal(1, w->s.available);
  test_free(w);
}

#define CHAIN 100000

struct link {
  struct rille_task task;
  struct rille_semaphore s; /* 1 of 2 permits is free */
  struct rille_waiter set[2];
};

/* Task i is in a select: for 1 permit of semaphore i, where it stands behind
 * task i - 1, or for 2 of semaphore i + 1. That it gets the former lets task
 * i + 1 go, and so on to the end. */
static void a_chain_of_selects_is_served_without_recursion(void **state) {
  struct fixture *f = *state;
  struct link *chain = test_calloc(CHAIN, sizeof *chain);
  struct rille_task first;
  for (int i = 0; i < CHAIN; i++) {
    start_task(&chain[i].task, &f->top);
    rille_semaphore_init(&chain[i].s, 2);
    assert_true(rille_semaphore_take(&chain[i].s, 1));
  }
  start_task(&first, &f->top);
  wait_for(&first, &chain[0].s, 2);
  for (int i = 0; i < CHAIN; i++) {
    struct link *link = &chain[i];
    bool last = i + 1 == CHAIN;
    link->set[0] = (struct rille_waiter){.source = &link->s.source, .slot = 1};
    link->set[1] = (struct rille_waiter){
        .source = last ? NULL : &link[1].s.source, .slot = 2};
    rille_wait_start(&link->task, link->set, 2, RILLE_FOREVER, 0);
  }
  rille_wait_cancel(&first);
  for (int i = 0; i < CHAIN; i++)
    assert_true(granted(&chain[i].task));
  test_free(chain);
}

/* What a semaphore is, naively: tasks in a queue, with what they want. */
struct model {
  int limit, available, size;
  struct {
    int who, count;
  } queue[TASKS];
};

static bool model_take(struct model *m, int who, int count) {
  if (m->size == 0 && m->available >= count) {
    m->available -= count;
    return true;
  }
  m->queue[m->size].who = who;
  m->queue[m->size++].count = count;
  return false;
}

static void model_remove(struct model *m, int index) {
  memmove(&m->queue[index], &m->queue[index + 1],
          (size_t)(--m->size - index) * sizeof m->queue[0]);
}

/* Adds what each one has got to `has`. */
static void model_serve(struct model *m, int *has) {
  while (m->size > 0 && m->queue[0].count <= m->available) {
    m->available -= m->queue[0].count;
    has[m->queue[0].who] += m->queue[0].count;
    model_remove(m, 0);
  }
}

static void step_model(struct world *w, struct model *m, int *has) {
  struct rille_engine *engine = &w->f->engine;
  int who = (int)rille_random(engine, TASKS);
  struct rille_task *task = &w->tasks[who];
  int count = 1 + (int)rille_random(engine, (uint32_t)m->limit);
  if (task->status == RILLE_TASK_RUNNING && has[who] == 0) {
    if (model_take(m, who, count)) {
      assert_true(rille_semaphore_take(&w->s, count));
      has[who] = count;
    } else {
      assert_false(rille_semaphore_take(&w->s, count));
      wait_for(task, &w->s, count);
    }
  } else if (task->status == RILLE_TASK_RUNNING) {
    assert_true(rille_semaphore_give(&w->s, has[who]));
    m->available += has[who];
    has[who] = 0;
  } else if (waits(task) && rille_random(engine, 3) == 0) {
    rille_wait_cancel(task);
    for (int i = 0; i < m->size; i++)
      if (m->queue[i].who == who)
        model_remove(m, i);
  }
  model_serve(m, has);
}

static void it_does_what_the_model_does(void **state) {
  struct world *w = make_world(state, 5);
  struct model m = {.limit = 5, .available = 5};
  int has[TASKS] = {0};
  seed_engine(w->f);
  for (int step = 0; step < 200000; step++) {
    int out = 0;
    step_model(w, &m, has);
    for (int i = 0; i < TASKS; i++)
      out += has[i];
    assert_int_equal(m.available, w->s.available);
    assert_int_equal(m.limit - out, w->s.available);
    assert_int_equal(m.size, w->s.waiting);
    for (int i = 0; i < m.size; i++)
      assert_true(waits(&w->tasks[m.queue[i].who]));
    if (step % 3 == 0)
      run_ready(w->f);
  }
  test_free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(permits_are_taken_until_there_are_none),
      ENGINE_TEST(what_is_given_back_can_be_taken_again),
      ENGINE_TEST(more_than_were_taken_cannot_be_given_back),
      ENGINE_TEST(a_permit_given_back_is_the_first_waiters),
      ENGINE_TEST(several_waiters_are_served_at_once),
      ENGINE_TEST(nobody_overtakes_who_waits_for_many),
      ENGINE_TEST(a_cancelled_waiter_takes_nothing),
      ENGINE_TEST(the_next_goes_when_who_stood_before_it_is_cancelled),
      ENGINE_TEST(the_next_goes_when_the_deadline_of_the_first_comes),
      ENGINE_TEST(a_permit_handed_over_outlives_a_cancellation),
      ENGINE_TEST(it_is_granted_before_the_task_runs),
      ENGINE_TEST(a_lower_limit_leaves_the_holders),
      ENGINE_TEST(a_higher_limit_serves_who_waits),
      ENGINE_TEST(a_limit_below_what_is_waited_for_is_refused),
      ENGINE_TEST(the_largest_limit_does_not_overflow),
      ENGINE_TEST(a_select_takes_one_permit_of_one),
      ENGINE_TEST(a_task_may_wait_twice_on_one),
      ENGINE_TEST(a_chain_of_selects_is_served_without_recursion),
      ENGINE_TEST(it_does_what_the_model_does),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
