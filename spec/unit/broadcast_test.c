/*
 * broadcast_test.c - what a send to several subscriptions comes to.
 *
 * There are no values here, only counts: channel_test.c has those.
 */
#include "broadcast.h"
#include "engine_fixture.h"

#define MEMBERS 4
#define TASKS 8

struct member {
  struct rille_subscription subscription;
  struct rille_channel channel;
};

struct actor {
  struct rille_task task;
  struct rille_waiter waiters[MEMBERS];
};

struct world {
  struct fixture *f;
  struct rille_broadcast broadcast;
  struct member members[MEMBERS];
  struct actor actors[TASKS];
};

static void make_world(struct world *w, void **state) {
  memset(w, 0, sizeof *w);
  w->f = *state;
  rille_broadcast_init(&w->broadcast);
  for (int i = 0; i < TASKS; i++)
    start_task(&w->actors[i].task, &w->f->top);
}

static struct member *add(struct world *w, int i, uint32_t capacity,
                          enum rille_overflow overflow) {
  struct member *member = &w->members[i];
  memset(member, 0, sizeof *member);
  rille_list_init(&member->subscription.place);
  rille_channel_init(&member->channel, capacity, overflow);
  rille_broadcast_join(&w->broadcast, &member->subscription, &member->channel);
  return member;
}

/* The same, with a ring of the whole capacity and `size` values. */
static struct member *add_filled(struct world *w, int i, uint32_t capacity,
                                 enum rille_overflow overflow, uint32_t size) {
  struct member *member = add(w, i, capacity, overflow);
  rille_channel_grown(&member->channel, capacity);
  while (size-- > 0)
    rille_channel_send(&member->channel);
  return member;
}

static struct rille_plan foresee(struct world *w) {
  struct rille_plan plan = {.claim = ++w->f->engine.claims};
  rille_broadcast_foresee(&w->broadcast, &plan);
  return plan;
}

static enum rille_transfer_kind send_to(struct world *w, int i) {
  return rille_broadcast_send(&w->broadcast, &w->members[i].subscription).kind;
}

/* Actor `who` waits to receive from the members whose bits are set. */
static void select_from(struct world *w, int who, unsigned members) {
  struct actor *actor = &w->actors[who];
  uint32_t count = 0;
  for (int i = 0; i < MEMBERS; i++)
    if (members & 1u << i)
      actor->waiters[count++].source = &w->members[i].channel.receive;
  rille_wait_start(&actor->task, actor->waiters, count, RILLE_FOREVER, 0);
}

/* Actor `who` waits until members 0 to `count` - 1 have taken its value. */
static void wait_to_send(struct world *w, int who, uint32_t count) {
  struct actor *actor = &w->actors[who];
  for (uint32_t i = 0; i < count; i++)
    actor->waiters[i].source = &w->members[i].channel.send;
  rille_wait_start(&actor->task, actor->waiters, count, RILLE_FOREVER,
                   RILLE_WAIT_ALL);
}

static int status(const struct world *w, int who) {
  return w->actors[who].task.status;
}

static void subscriptions_are_in_the_order_of_joining(void **state) {
  struct world w;
  struct rille_subscription *each = NULL;
  make_world(&w, state);
  for (int i = 0; i < MEMBERS; i++)
    add(&w, i, 1, RILLE_BLOCK);
  for (int i = 0; i < MEMBERS; i++) {
    each = rille_broadcast_next(&w.broadcast, each);
    assert_ptr_equal(&w.members[i].subscription, each);
  }
  assert_null(rille_broadcast_next(&w.broadcast, each));
  assert_int_equal(MEMBERS, w.broadcast.count);
}

static void who_leaves_is_out_and_closed(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 1, RILLE_BLOCK);
  add(&w, 1, 1, RILLE_BLOCK);
  rille_broadcast_leave(&w.broadcast, &w.members[0].subscription);
  assert_int_equal(1, w.broadcast.count);
  assert_true(w.members[0].channel.closed);
  assert_false(w.members[1].channel.closed);
  assert_ptr_equal(&w.members[1].subscription,
                   rille_broadcast_next(&w.broadcast, NULL));
}

static void every_change_of_the_list_is_counted(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 1, RILLE_BLOCK);
  rille_broadcast_leave(&w.broadcast, &w.members[0].subscription);
  assert_int_equal(2, w.broadcast.changes);
}

static void leaving_wakes_its_receiver(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 1, RILLE_BLOCK);
  select_from(&w, 0, 1);
  rille_broadcast_leave(&w.broadcast, &w.members[0].subscription);
  assert_int_equal(RILLE_TASK_READY, status(&w, 0));
  assert_int_equal(RILLE_CLOSED_EVENT, w.actors[0].task.wait.event);
}

static void leaving_is_not_counted_as_taken(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 0, RILLE_BLOCK);
  add(&w, 1, 0, RILLE_BLOCK);
  wait_to_send(&w, 0, 2);
  rille_broadcast_leave(&w.broadcast, &w.members[0].subscription);
  assert_int_equal(RILLE_TASK_WAITING, status(&w, 0));
  rille_channel_recv(&w.members[1].channel);
  assert_int_equal(RILLE_TASK_READY, status(&w, 0));
  assert_int_equal(1, w.actors[0].task.wait.event);
}

static void close_wakes_senders_and_receivers(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 0, RILLE_BLOCK);
  add(&w, 1, 0, RILLE_BLOCK);
  add(&w, 2, 0, RILLE_BLOCK);
  wait_to_send(&w, 0, 2);
  select_from(&w, 1, 4);
  rille_broadcast_close(&w.broadcast);
  rille_broadcast_close(&w.broadcast);
  assert_int_equal(RILLE_TASK_READY, status(&w, 0));
  assert_int_equal(0, w.actors[0].task.wait.event);
  assert_int_equal(RILLE_TASK_READY, status(&w, 1));
  assert_int_equal(0, w.broadcast.count);
}

static void the_plan_counts_what_a_send_needs(void **state) {
  struct world w;
  struct rille_plan plan;
  make_world(&w, state);
  add_filled(&w, 0, 1, RILLE_BLOCK, 1);
  add_filled(&w, 1, 1, RILLE_OVERFLOW_ERROR, 1);
  add_filled(&w, 2, 1, RILLE_DROP_NEWEST, 1)->subscription.tells = true;
  add_filled(&w, 3, 1, RILLE_DROP_OLDEST, 1)->subscription.labelled = true;
  plan = foresee(&w);
  assert_int_equal(1, plan.wait);
  assert_int_equal(1, plan.full);
  assert_int_equal(1, plan.tell);
  assert_int_equal(1, plan.labelled);
  assert_false(plan.grow || plan.closed);
}

static void the_plan_says_when_a_ring_must_grow(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 1, RILLE_BLOCK);
  assert_true(foresee(&w).grow);
  select_from(&w, 0, 1);
  assert_false(foresee(&w).grow);
}

static void the_plan_says_that_it_is_closed(void **state) {
  struct world w;
  make_world(&w, state);
  rille_broadcast_close(&w.broadcast);
  assert_true(foresee(&w).closed);
}

static void a_plan_changes_nothing(void **state) {
  struct world w;
  make_world(&w, state);
  add_filled(&w, 0, 1, RILLE_DROP_OLDEST, 1);
  add_filled(&w, 1, 2, RILLE_BLOCK, 1);
  select_from(&w, 0, 2);
  foresee(&w);
  assert_int_equal(1, w.members[1].channel.size);
  assert_int_equal(0, w.members[0].subscription.missed);
  assert_int_equal(RILLE_TASK_WAITING, status(&w, 0));
}

static void a_receiver_of_two_is_counted_on_once(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 0, RILLE_BLOCK);
  add(&w, 1, 0, RILLE_BLOCK);
  select_from(&w, 0, 3);
  assert_int_equal(1, foresee(&w).wait);
  assert_int_equal(RILLE_TO_PEER, send_to(&w, 0));
  assert_int_equal(RILLE_MUST_WAIT, send_to(&w, 1));
}

static void what_is_missed_is_counted(void **state) {
  struct world w;
  make_world(&w, state);
  add_filled(&w, 0, 1, RILLE_DROP_OLDEST, 1);
  add_filled(&w, 1, 1, RILLE_DROP_NEWEST, 1);
  add_filled(&w, 2, 1, RILLE_OVERFLOW_ERROR, 1);
  add_filled(&w, 3, 1, RILLE_BLOCK, 1);
  for (int i = 0; i < MEMBERS; i++)
    send_to(&w, i);
  for (int i = 0; i < 3; i++)
    assert_int_equal(1, w.members[i].subscription.missed);
  assert_int_equal(0, w.members[3].subscription.missed);
  assert_int_equal(3, w.broadcast.missed);
}

static void a_sender_waits_for_the_slowest(void **state) {
  struct world w;
  make_world(&w, state);
  add_filled(&w, 0, 1, RILLE_BLOCK, 1);
  add(&w, 1, 0, RILLE_BLOCK);
  wait_to_send(&w, 0, 2);
  rille_channel_recv(&w.members[1].channel);
  assert_int_equal(RILLE_TASK_WAITING, status(&w, 0));
  rille_channel_recv(&w.members[0].channel);
  assert_int_equal(RILLE_TASK_READY, status(&w, 0));
  assert_int_equal(2, w.actors[0].task.wait.event);
}

static void two_senders_are_taken_in_one_order(void **state) {
  struct world w;
  make_world(&w, state);
  add(&w, 0, 0, RILLE_BLOCK);
  add(&w, 1, 0, RILLE_BLOCK);
  wait_to_send(&w, 1, 2);
  wait_to_send(&w, 0, 2);
  for (int i = 0; i < 2; i++) {
    struct rille_channel *channel = &w.members[i].channel;
    assert_ptr_equal(&w.actors[1].task, rille_channel_recv(channel).peer->task);
    assert_ptr_equal(&w.actors[0].task, rille_channel_recv(channel).peer->task);
  }
}

static uint32_t random_below(struct world *w, uint32_t n) {
  return rille_random(&w->f->engine, n);
}

/* A broadcast of random subscriptions, and random tasks that wait to receive
 * from some of those that have nothing to give. */
static void make_random(struct world *w) {
  unsigned empty = 0;
  rille_broadcast_close(&w->broadcast);
  rille_broadcast_init(&w->broadcast);
  for (int i = 0; i < MEMBERS; i++) {
    uint32_t capacity = random_below(w, 3);
    uint32_t overflow = capacity > 0 ? random_below(w, 4) : 0;
    struct member *member =
        add_filled(w, i, capacity, (enum rille_overflow)overflow,
                   random_below(w, 2) == 0 ? 0 : capacity);
    if (member->channel.size == 0)
      empty |= 1u << i;
  }
  for (int i = 0; i < TASKS; i++) {
    unsigned members = empty & random_below(w, 1u << MEMBERS);
    if (members != 0)
      select_from(w, i, members);
  }
}

static void the_sends_come_to_what_was_foreseen(void **state) {
  struct world w;
  make_world(&w, state);
  seed_engine(w.f);
  for (int round = 0; round < 2000; round++) {
    make_random(&w);
    foresee(&w);
    for (int i = 0; i < MEMBERS; i++)
      assert_int_equal(w.members[i].subscription.foreseen, send_to(&w, i));
    for (int i = 0; i < TASKS; i++)
      rille_wait_cancel(&w.actors[i].task);
    run_ready(w.f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(subscriptions_are_in_the_order_of_joining),
      ENGINE_TEST(who_leaves_is_out_and_closed),
      ENGINE_TEST(every_change_of_the_list_is_counted),
      ENGINE_TEST(leaving_wakes_its_receiver),
      ENGINE_TEST(leaving_is_not_counted_as_taken),
      ENGINE_TEST(close_wakes_senders_and_receivers),
      ENGINE_TEST(the_plan_counts_what_a_send_needs),
      ENGINE_TEST(the_plan_says_when_a_ring_must_grow),
      ENGINE_TEST(the_plan_says_that_it_is_closed),
      ENGINE_TEST(a_plan_changes_nothing),
      ENGINE_TEST(a_receiver_of_two_is_counted_on_once),
      ENGINE_TEST(what_is_missed_is_counted),
      ENGINE_TEST(a_sender_waits_for_the_slowest),
      ENGINE_TEST(two_senders_are_taken_in_one_order),
      ENGINE_TEST(the_sends_come_to_what_was_foreseen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
