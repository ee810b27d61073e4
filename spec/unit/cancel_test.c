/* cancel_test.c - what a cancellation reaches, and whose it is. */
#include "engine_fixture.h"

/* Nodes of scopes of which nothing else is used. */
static void open_scope(struct rille_cancel *node, struct rille_cancel *parent,
                       bool shield) {
  RILLE_ENTRY(node, struct rille_scope, cancel)->below = parent;
  rille_cancel_open(node, parent, RILLE_OWNER_SCOPE, shield);
}

static void open_node(struct rille_cancel *node, struct rille_cancel *parent) {
  open_scope(node, parent, false);
}

static void open_shield(struct rille_cancel *node,
                        struct rille_cancel *parent) {
  open_scope(node, parent, true);
}

/* root -- a -- b -- c, and a -- side */
struct tree {
  struct rille_scope root, a, b, c, side;
};

static void make_tree(struct tree *t, bool shield_b) {
  *t = (struct tree){0};
  open_node(&t->root.cancel, NULL);
  open_node(&t->a.cancel, &t->root.cancel);
  open_scope(&t->b.cancel, &t->a.cancel, shield_b);
  open_node(&t->c.cancel, &t->b.cancel);
  open_node(&t->side.cancel, &t->a.cancel);
}

static void a_cancellation_reaches_everything_below(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  assert_true(rille_cancel_call(&f->engine, &t.a.cancel));
  assert_ptr_equal(&t.a.cancel, t.a.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.b.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.c.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.side.cancel.by);
}

static void a_cancellation_reaches_nothing_above_or_beside(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  rille_cancel_call(&f->engine, &t.b.cancel);
  assert_ptr_equal(&t.b.cancel, t.c.cancel.by);
  assert_null(t.root.cancel.by);
  assert_null(t.a.cancel.by);
  assert_null(t.side.cancel.by);
}

static void only_the_node_that_was_cancelled_is_called(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  advance(f, 10);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_true(t.a.cancel.called);
  assert_int_equal(10, t.a.cancel.called_at);
  assert_false(t.b.cancel.called);
}

static void a_second_call_changes_nothing(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  advance(f, 10);
  rille_cancel_call(&f->engine, &t.a.cancel);
  advance(f, 20);
  assert_false(rille_cancel_call(&f->engine, &t.a.cancel));
  assert_int_equal(10, t.a.cancel.called_at);
}

static void a_shield_stops_a_cancellation(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, true);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_null(t.b.cancel.by);
  assert_null(t.c.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.side.cancel.by);
}

static void a_shield_can_be_cancelled_itself(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, true);
  rille_cancel_call(&f->engine, &t.b.cancel);
  assert_ptr_equal(&t.b.cancel, t.b.cancel.by);
  assert_ptr_equal(&t.b.cancel, t.c.cancel.by);
}

static void the_outer_takes_over_from_the_inner(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  rille_cancel_call(&f->engine, &t.b.cancel);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_ptr_equal(&t.a.cancel, t.b.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.c.cancel.by);
}

static void the_inner_does_not_take_over_from_the_outer(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_true(rille_cancel_call(&f->engine, &t.b.cancel));
  assert_true(t.b.cancel.called);
  assert_ptr_equal(&t.a.cancel, t.b.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.c.cancel.by);
}

static void the_outer_does_not_take_over_behind_a_shield(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, true);
  rille_cancel_call(&f->engine, &t.c.cancel);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_ptr_equal(&t.c.cancel, t.c.cancel.by);
}

static void a_node_opened_below_a_cancelled_one_is_cancelled(void **state) {
  struct fixture *f = *state;
  struct tree t;
  struct rille_scope late = {0};
  make_tree(&t, false);
  rille_cancel_call(&f->engine, &t.a.cancel);
  open_node(&late.cancel, &t.c.cancel);
  assert_ptr_equal(&t.a.cancel, late.cancel.by);
  assert_false(late.cancel.called);
}

static void a_shield_opened_below_a_cancelled_node_is_not(void **state) {
  struct fixture *f = *state;
  struct tree t;
  struct rille_scope late = {0};
  make_tree(&t, false);
  rille_cancel_call(&f->engine, &t.a.cancel);
  open_shield(&late.cancel, &t.c.cancel);
  assert_null(late.cancel.by);
}

static void a_closed_node_is_not_reached(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, false);
  rille_cancel_close(&t.side.cancel);
  rille_cancel_close(&t.side.cancel);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_null(t.side.cancel.by);
  assert_ptr_equal(&t.a.cancel, t.c.cancel.by);
}

/* Makes b a scope whose body runs below b of another tree. */
static void put_body(struct tree *t, struct tree *other, bool shield) {
  t->b.foreign = 1;
  t->b.parent = &t->a;
  t->b.below = &other->b.cancel;
  rille_cancel_open(&t->b.body, &other->b.cancel, RILLE_OWNER_BODY, shield);
}

static void a_body_is_reached_with_its_scope(void **state) {
  struct fixture *f = *state;
  struct tree t, other;
  make_tree(&t, false);
  make_tree(&other, false);
  put_body(&t, &other, false);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_ptr_equal(&t.a.cancel, t.b.body.by);
  assert_null(other.b.cancel.by);
}

static void a_body_is_not_reached_behind_a_shield(void **state) {
  struct fixture *f = *state;
  struct tree t, other;
  make_tree(&t, true);
  make_tree(&other, false);
  put_body(&t, &other, true);
  rille_cancel_call(&f->engine, &t.a.cancel);
  assert_null(t.b.body.by);
}

static void force_goes_through_shields(void **state) {
  struct fixture *f = *state;
  struct tree t;
  make_tree(&t, true);
  rille_cancel_force(&f->engine, &t.root.cancel);
  assert_ptr_equal(&t.root.cancel, t.b.cancel.by);
  assert_ptr_equal(&t.root.cancel, t.c.cancel.by);
}

#define DEEP 100000

struct deep {
  struct fixture *f;
  struct rille_scope *nodes;
};

static void cancel_deep(void *arg) {
  struct deep *deep = arg;
  open_node(&deep->nodes[0].cancel, NULL);
  for (int i = 1; i < DEEP; i++)
    open_node(&deep->nodes[i].cancel, &deep->nodes[i - 1].cancel);
  rille_cancel_call(&deep->f->engine, &deep->nodes[0].cancel);
}

/* On a stack with no room for a frame per node. */
static void a_deep_tree_needs_no_deep_stack(void **state) {
  const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, 512 * 1024};
  struct deep deep = {.f = *state};
  uv_thread_t thread;
  deep.nodes = calloc(DEEP, sizeof *deep.nodes);
  assert_non_null(deep.nodes);
  assert_int_equal(0,
                   uv_thread_create_ex(&thread, &options, cancel_deep, &deep));
  uv_thread_join(&thread);
  assert_ptr_equal(&deep.nodes[0].cancel, deep.nodes[DEEP - 1].cancel.by);
  free(deep.nodes);
}

static void a_waiting_task_is_interrupted(void **state) {
  struct fixture *f = *state;
  struct rille_task task;
  start_task(&task, &f->top);
  rille_wait_start(&task, NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_call(&f->engine, &f->top.cancel);
  assert_int_equal(RILLE_TASK_READY, task.status);
  assert_int_equal(RILLE_CANCELLED, task.wait.outcome);
}

static void a_task_in_a_shielded_block_is_not_interrupted(void **state) {
  struct fixture *f = *state;
  struct rille_task task;
  struct rille_scope block = {0};
  start_task(&task, &f->top);
  rille_scope_open(&block, &f->top, &task, true);
  rille_wait_start(&task, NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_call(&f->engine, &task.own);
  assert_int_equal(RILLE_TASK_WAITING, task.status);
}

static void force_interrupts_a_task_in_a_shielded_block(void **state) {
  struct fixture *f = *state;
  struct rille_task task;
  struct rille_scope block = {0};
  start_task(&task, &f->top);
  rille_scope_open(&block, &f->top, &task, true);
  rille_wait_start(&task, NULL, 0, RILLE_FOREVER, 0);
  rille_cancel_force(&f->engine, &f->top.cancel);
  assert_int_equal(RILLE_TASK_READY, task.status);
  assert_true(task.forced);
}

static void a_task_not_started_is_dropped(void **state) {
  struct fixture *f = *state;
  struct rille_task task = {0};
  rille_task_start(&task, &f->top);
  rille_cancel_call(&f->engine, &task.own);
  run_ready(f);
  assert_int_equal(0, f->resumes);
  assert_int_equal(RILLE_TASK_ENDED_CANCELLED, task.status);
}

/* A task that waits in a cleanup, cancelled at 10 by its scope. */
static void cancel_cleanup(struct fixture *f, struct rille_task *task,
                           int64_t grace) {
  f->top.grace = grace;
  start_task(task, &f->top);
  rille_wait_start(task, NULL, 0, RILLE_FOREVER, 0);
  f->cleaning = task;
  advance(f, 10);
  rille_cancel_call(&f->engine, &f->top.cancel);
}

static void a_cleanup_is_interrupted_at_the_end_of_the_grace(void **state) {
  struct fixture *f = *state;
  struct rille_task task;
  cancel_cleanup(f, &task, 5);
  advance(f, 14);
  assert_int_equal(RILLE_TASK_WAITING, task.status);
  advance(f, 15);
  assert_int_equal(RILLE_TASK_READY, task.status);
  assert_int_equal(RILLE_CANCELLED, task.wait.outcome);
}

static void force_interrupts_a_cleanup_at_once(void **state) {
  struct fixture *f = *state;
  struct rille_task task;
  cancel_cleanup(f, &task, RILLE_FOREVER);
  assert_int_equal(RILLE_TASK_WAITING, task.status);
  rille_cancel_force(&f->engine, &f->top.cancel);
  assert_int_equal(RILLE_TASK_READY, task.status);
}

static void the_grace_of_a_task_is_that_of_its_scope(void **state) {
  struct fixture *f = *state;
  struct rille_task task;
  f->top.grace = 5;
  start_task(&task, &f->top);
  advance(f, 10);
  rille_cancel_call(&f->engine, &task.own);
  assert_int_equal(15, rille_cancel_grace(&task.own));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(a_cancellation_reaches_everything_below),
      ENGINE_TEST(a_cancellation_reaches_nothing_above_or_beside),
      ENGINE_TEST(only_the_node_that_was_cancelled_is_called),
      ENGINE_TEST(a_second_call_changes_nothing),
      ENGINE_TEST(a_shield_stops_a_cancellation),
      ENGINE_TEST(a_shield_can_be_cancelled_itself),
      ENGINE_TEST(the_outer_takes_over_from_the_inner),
      ENGINE_TEST(the_inner_does_not_take_over_from_the_outer),
      ENGINE_TEST(the_outer_does_not_take_over_behind_a_shield),
      ENGINE_TEST(a_node_opened_below_a_cancelled_one_is_cancelled),
      ENGINE_TEST(a_shield_opened_below_a_cancelled_node_is_not),
      ENGINE_TEST(a_closed_node_is_not_reached),
      ENGINE_TEST(a_body_is_reached_with_its_scope),
      ENGINE_TEST(a_body_is_not_reached_behind_a_shield),
      ENGINE_TEST(force_goes_through_shields),
      ENGINE_TEST(a_deep_tree_needs_no_deep_stack),
      ENGINE_TEST(a_waiting_task_is_interrupted),
      ENGINE_TEST(a_task_in_a_shielded_block_is_not_interrupted),
      ENGINE_TEST(force_interrupts_a_task_in_a_shielded_block),
      ENGINE_TEST(a_task_not_started_is_dropped),
      ENGINE_TEST(a_cleanup_is_interrupted_at_the_end_of_the_grace),
      ENGINE_TEST(force_interrupts_a_cleanup_at_once),
      ENGINE_TEST(the_grace_of_a_task_is_that_of_its_scope),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
