/* lock_test.c - mutexes and read-write locks: who holds them. */
#include "engine_fixture.h"

#define TASKS 4
#define HOLDS 8
#define READ 1
#define WRITE RILLE_PERMITS_MAX

struct world {
  struct fixture *f;
  struct rille_lock mutex, rw;
  struct rille_task tasks[TASKS];
  struct rille_hold places[HOLDS];
};

static struct world *make_world(void **state) {
  struct world *w = test_calloc(1, sizeof *w);
  w->f = *state;
  rille_mutex_init(&w->mutex);
  rille_rwlock_init(&w->rw);
  rille_holds_grown(&w->f->engine.holds, w->places, HOLDS);
  for (int i = 0; i < TASKS; i++)
    start_task(&w->tasks[i], &w->f->top);
  return w;
}

static void wait_for(struct rille_task *task, struct rille_lock *lock,
                     int count) {
  task->wait.one.source = &lock->permits.source;
  task->wait.one.slot = count;
  rille_wait_start(task, &task->wait.one, 1, RILLE_FOREVER, 0);
}

static bool waits(const struct rille_task *task) {
  return task->status == RILLE_TASK_WAITING;
}

static struct rille_task *owner(const struct world *w) {
  return rille_mutex_owner(&w->mutex, &w->f->engine.holds);
}

/* Takes the lock for task i, or lets it wait for it. */
static void enter(struct world *w, int i, int count) {
  struct rille_task *task = &w->tasks[i];
  uint32_t number = rille_rwlock_ask(&w->rw, task);
  if (!rille_rwlock_take(&w->rw, task, number, count))
    wait_for(task, &w->rw, count);
}

static void leave(struct world *w, int i) {
  struct rille_task *task = &w->tasks[i];
  assert_true(rille_hold_close(task, rille_hold_find(task, &w->rw)));
}

static int32_t has(const struct world *w, int i) {
  uint32_t number = rille_hold_find(&w->tasks[i], &w->rw);
  return number != 0 ? w->places[number].count : -1;
}

static void a_free_mutex_has_no_owner(void **state) {
  struct world *w = make_world(state);
  assert_null(owner(w));
  assert_int_equal(0, w->mutex.hold);
  test_free(w);
}

static void who_takes_a_mutex_owns_it(void **state) {
  struct world *w = make_world(state);
  assert_true(rille_mutex_take(&w->mutex, &w->tasks[0]));
  assert_ptr_equal(&w->tasks[0], owner(w));
  assert_int_equal(w->mutex.hold, rille_hold_find(&w->tasks[0], &w->mutex));
  assert_int_equal(0, rille_hold_find(&w->tasks[1], &w->mutex));
  assert_false(rille_mutex_take(&w->mutex, &w->tasks[1]));
  test_free(w);
}

static void a_released_mutex_is_free(void **state) {
  struct world *w = make_world(state);
  assert_true(rille_mutex_take(&w->mutex, &w->tasks[0]));
  assert_true(rille_hold_close(&w->tasks[0], w->mutex.hold));
  assert_null(owner(w));
  assert_int_equal(0, w->tasks[0].holds);
  assert_true(rille_mutex_take(&w->mutex, &w->tasks[1]));
  test_free(w);
}

static void a_mutex_goes_from_owner_to_owner_with_its_hold(void **state) {
  struct world *w = make_world(state);
  uint32_t number;
  assert_true(rille_mutex_take(&w->mutex, &w->tasks[0]));
  number = w->mutex.hold;
  wait_for(&w->tasks[1], &w->mutex, 1);
  wait_for(&w->tasks[2], &w->mutex, 1);
  assert_false(rille_hold_close(&w->tasks[0], number));
  assert_ptr_equal(&w->tasks[1], owner(w));
  assert_int_equal(number, w->tasks[1].holds);
  assert_int_equal(0, w->tasks[0].holds);
  assert_true(waits(&w->tasks[2]));
  assert_false(rille_hold_close(&w->tasks[1], number));
  assert_true(rille_hold_close(&w->tasks[2], number));
  assert_null(owner(w));
  test_free(w);
}

static void a_mutex_given_to_a_select_is_owned(void **state) {
  struct world *w = make_world(state);
  struct rille_lock other;
  struct rille_waiter set[2] = {{.source = &w->mutex.permits.source, .slot = 1},
                                {.source = &other.permits.source, .slot = 1}};
  rille_mutex_init(&other);
  assert_true(rille_mutex_take(&w->mutex, &w->tasks[0]));
  assert_true(rille_mutex_take(&other, &w->tasks[0]));
  rille_wait_start(&w->tasks[1], set, 2, RILLE_FOREVER, 0);
  assert_false(rille_hold_close(&w->tasks[0], other.hold));
  assert_ptr_equal(&w->tasks[1],
                   rille_mutex_owner(&other, &w->f->engine.holds));
  assert_ptr_equal(&w->tasks[0], owner(w));
  assert_int_equal(0, w->mutex.permits.waiting);
  test_free(w);
}

static void readers_share_the_lock(void **state) {
  struct world *w = make_world(state);
  enter(w, 0, READ);
  enter(w, 1, READ);
  assert_int_equal(READ, has(w, 0));
  assert_int_equal(READ, has(w, 1));
  test_free(w);
}

static void a_writer_waits_for_the_readers_before_it(void **state) {
  struct world *w = make_world(state);
  enter(w, 0, READ);
  enter(w, 1, READ);
  enter(w, 2, WRITE);
  assert_int_equal(0, has(w, 2));
  leave(w, 0);
  assert_true(waits(&w->tasks[2]));
  leave(w, 1);
  assert_int_equal(WRITE, has(w, 2));
  test_free(w);
}

static void a_reader_does_not_overtake_a_waiting_writer(void **state) {
  struct world *w = make_world(state);
  enter(w, 0, READ);
  enter(w, 1, WRITE);
  enter(w, 2, READ);
  enter(w, 3, READ);
  assert_int_equal(0, has(w, 2));
  leave(w, 0);
  assert_int_equal(WRITE, has(w, 1));
  leave(w, 1);
  assert_int_equal(READ, has(w, 2));
  assert_int_equal(READ, has(w, 3));
  test_free(w);
}

static void a_cancelled_writer_lets_the_readers_behind_it_in(void **state) {
  struct world *w = make_world(state);
  enter(w, 0, READ);
  enter(w, 1, WRITE);
  enter(w, 2, READ);
  rille_wait_cancel(&w->tasks[1]);
  assert_int_equal(READ, has(w, 2));
  assert_int_equal(0, has(w, 1));
  leave(w, 1);
  assert_int_equal(WRITE - 2, w->rw.permits.available);
  test_free(w);
}

static void a_task_may_hold_several_locks(void **state) {
  struct world *w = make_world(state);
  assert_true(rille_mutex_take(&w->mutex, &w->tasks[0]));
  enter(w, 0, WRITE);
  assert_true(rille_hold_close(&w->tasks[0], w->mutex.hold));
  assert_int_equal(WRITE, has(w, 0));
  leave(w, 0);
  assert_int_equal(0, w->tasks[0].holds);
  test_free(w);
}

static void the_places_of_holds_are_used_again(void **state) {
  struct world *w = make_world(state);
  for (int i = 0; i < 100; i++) {
    enter(w, 0, READ);
    enter(w, 1, READ);
    leave(w, i % 2);
    leave(w, 1 - i % 2);
  }
  assert_int_equal(2, w->f->engine.holds.used);
  test_free(w);
}

static void there_is_room_until_every_place_is_used(void **state) {
  struct world *w = make_world(state);
  struct rille_holds *holds = &w->f->engine.holds;
  struct rille_hold more[HOLDS * 2];
  struct rille_lock locks[HOLDS];
  for (int i = 1; i < HOLDS; i++) {
    assert_true(rille_hold_room(holds));
    rille_mutex_init(&locks[i]);
    assert_true(rille_mutex_take(&locks[i], &w->tasks[0]));
  }
  assert_false(rille_hold_room(holds));
  memcpy(more, w->places, sizeof w->places);
  rille_holds_grown(holds, more, HOLDS * 2);
  assert_true(rille_hold_room(holds));
  assert_true(rille_hold_close(&w->tasks[0], locks[3].hold));
  assert_int_equal(0, rille_hold_find(&w->tasks[0], &locks[3]));
  assert_int_not_equal(0, rille_hold_find(&w->tasks[0], &locks[4]));
  test_free(w);
}

static void only_a_mutex_is_known_by_its_source(void **state) {
  struct world *w = make_world(state);
  assert_ptr_equal(&w->mutex, rille_mutex_of(&w->mutex.permits.source));
  assert_null(rille_mutex_of(&w->rw.permits.source));
  assert_null(rille_mutex_of(&w->tasks[0].ended));
  test_free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(a_free_mutex_has_no_owner),
      ENGINE_TEST(who_takes_a_mutex_owns_it),
      ENGINE_TEST(a_released_mutex_is_free),
      ENGINE_TEST(a_mutex_goes_from_owner_to_owner_with_its_hold),
      ENGINE_TEST(a_mutex_given_to_a_select_is_owned),
      ENGINE_TEST(readers_share_the_lock),
      ENGINE_TEST(a_writer_waits_for_the_readers_before_it),
      ENGINE_TEST(a_reader_does_not_overtake_a_waiting_writer),
      ENGINE_TEST(a_cancelled_writer_lets_the_readers_behind_it_in),
      ENGINE_TEST(a_task_may_hold_several_locks),
      ENGINE_TEST(the_places_of_holds_are_used_again),
      ENGINE_TEST(there_is_room_until_every_place_is_used),
      ENGINE_TEST(only_a_mutex_is_known_by_its_source),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
