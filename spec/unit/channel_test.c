/*
 * channel_test.c - who meets whom at a channel.
 *
 * The test stands in for the binding: it keeps the values, in a ring and with
 * the tasks that wait, and moves them as the channel decides.
 */
#include "channel.h"
#include "engine_fixture.h"

#define TASKS 8
#define SLOTS 2048

struct actor {
  struct rille_task task;
  uint32_t value; /* the one it sends, while it waits to */
};

struct world {
  struct fixture *f;
  struct rille_channel channel;
  uint32_t slots[SLOTS];
  struct actor actors[TASKS];
  uint32_t value; /* received, or dropped, by the last call */
  int peer;       /* the index of the actor that it met, or -1 */
};

static struct world *make_world(void **state, uint32_t capacity,
                                enum rille_overflow overflow) {
  struct world *w = test_calloc(1, sizeof *w);
  w->f = *state;
  rille_channel_init(&w->channel, capacity, overflow);
  for (int i = 0; i < TASKS; i++)
    start_task(&w->actors[i].task, &w->f->top);
  return w;
}

static void wait_on(struct rille_task *task, struct rille_source *source) {
  task->wait.one.source = source;
  rille_wait_start(task, &task->wait.one, 1, RILLE_FOREVER, 0);
}

static struct actor *meet(struct world *w, const struct rille_waiter *waiter) {
  struct actor *peer;
  if (waiter == NULL)
    return NULL;
  peer = RILLE_ENTRY(waiter->task, struct actor, task);
  w->peer = (int)(peer - w->actors);
  return peer;
}

/* Makes the ring larger by one. */
static void grow(struct world *w) {
  struct rille_channel *channel = &w->channel;
  uint32_t moved[SLOTS];
  for (uint32_t i = 0; i < channel->size; i++)
    moved[i] = w->slots[(channel->head + i) % channel->ring];
  memcpy(w->slots, moved, channel->size * sizeof *moved);
  assert_in_range(channel->ring, 0, SLOTS - 1);
  rille_channel_grown(channel, channel->ring + 1);
}

/* Actor `who` sends, and waits if it must. */
static enum rille_transfer_kind do_send(struct world *w, int who,
                                        uint32_t value) {
  struct rille_transfer transfer;
  w->peer = -1;
  w->value = 0;
  while ((transfer = rille_channel_send(&w->channel)).kind == RILLE_GROW)
    grow(w);
  if (transfer.kind == RILLE_TO_PEER)
    meet(w, transfer.peer);
  if (transfer.kind == RILLE_REPLACE)
    w->value = w->slots[transfer.slot];
  if (transfer.kind == RILLE_TO_SLOT || transfer.kind == RILLE_REPLACE) {
    assert_in_range(transfer.slot, 0, w->channel.ring - 1);
    w->slots[transfer.slot] = value;
  }
  if (transfer.kind == RILLE_MUST_WAIT) {
    w->actors[who].value = value;
    wait_on(&w->actors[who].task, &w->channel.send);
  }
  return transfer.kind;
}

/* Actor `who` receives, and waits if it must. */
static enum rille_transfer_kind do_recv(struct world *w, int who) {
  struct rille_transfer transfer = rille_channel_recv(&w->channel);
  const struct actor *peer;
  w->peer = -1;
  w->value = 0;
  peer = meet(w, transfer.peer);
  if (transfer.kind == RILLE_TO_PEER)
    w->value = peer->value;
  if (transfer.kind == RILLE_TO_SLOT) {
    w->value = w->slots[transfer.slot];
    if (peer != NULL)
      w->slots[transfer.refill] = peer->value;
  }
  if (transfer.kind == RILLE_MUST_WAIT)
    wait_on(&w->actors[who].task, &w->channel.receive);
  return transfer.kind;
}

static void a_receiver_waits_for_a_sender(void **state) {
  struct world *w = make_world(state, 0, RILLE_BLOCK);
  assert_int_equal(RILLE_MUST_WAIT, do_recv(w, 0));
  assert_int_equal(RILLE_TO_PEER, do_send(w, 1, 7));
  assert_int_equal(0, w->peer);
  assert_int_equal(RILLE_TRANSFERRED, w->actors[0].task.wait.event);
  test_free(w);
}

static void a_sender_waits_for_a_receiver(void **state) {
  struct world *w = make_world(state, 0, RILLE_BLOCK);
  assert_int_equal(RILLE_MUST_WAIT, do_send(w, 1, 7));
  assert_int_equal(RILLE_TO_PEER, do_recv(w, 0));
  assert_int_equal(1, w->peer);
  assert_int_equal(7, w->value);
  test_free(w);
}

static void waiting_receivers_are_served_in_order(void **state) {
  struct world *w = make_world(state, 4, RILLE_BLOCK);
  do_recv(w, 2);
  do_recv(w, 1);
  do_send(w, 0, 1);
  assert_int_equal(2, w->peer);
  do_send(w, 0, 2);
  assert_int_equal(1, w->peer);
  test_free(w);
}

static void the_ring_grows_before_it_takes_a_value(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  assert_int_equal(RILLE_GROW, rille_channel_send(&w->channel).kind);
  assert_int_equal(0, w->channel.size);
  rille_channel_grown(&w->channel, 1);
  assert_int_equal(RILLE_TO_SLOT, rille_channel_send(&w->channel).kind);
  assert_int_equal(1, w->channel.size);
  test_free(w);
}

static void a_buffer_gives_values_in_order(void **state) {
  struct world *w = make_world(state, 3, RILLE_BLOCK);
  for (uint32_t value = 1; value <= 3; value++)
    assert_int_equal(RILLE_TO_SLOT, do_send(w, 0, value));
  for (uint32_t value = 1; value <= 3; value++) {
    assert_int_equal(RILLE_TO_SLOT, do_recv(w, 0));
    assert_int_equal(value, w->value);
  }
  assert_int_equal(RILLE_MUST_WAIT, do_recv(w, 0));
  test_free(w);
}

static void a_ring_that_wraps_grows_in_order(void **state) {
  struct world *w = make_world(state, 4, RILLE_BLOCK);
  do_send(w, 0, 1);
  do_send(w, 0, 2);
  do_recv(w, 0);
  for (uint32_t value = 3; value <= 5; value++)
    assert_int_equal(RILLE_TO_SLOT, do_send(w, 0, value));
  for (uint32_t value = 2; value <= 5; value++) {
    do_recv(w, 0);
    assert_int_equal(value, w->value);
  }
  test_free(w);
}

static void a_freed_slot_is_refilled_from_a_waiting_sender(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  do_send(w, 0, 1);
  assert_int_equal(RILLE_MUST_WAIT, do_send(w, 1, 2));
  assert_int_equal(RILLE_TO_SLOT, do_recv(w, 0));
  assert_int_equal(1, w->value);
  assert_int_equal(1, w->peer);
  assert_int_equal(RILLE_TO_SLOT, do_recv(w, 0));
  assert_int_equal(2, w->value);
  test_free(w);
}

static void drop_oldest_replaces_the_oldest(void **state) {
  struct world *w = make_world(state, 2, RILLE_DROP_OLDEST);
  do_send(w, 0, 1);
  do_send(w, 0, 2);
  assert_int_equal(RILLE_REPLACE, do_send(w, 0, 3));
  assert_int_equal(1, w->value);
  do_recv(w, 0);
  assert_int_equal(2, w->value);
  do_recv(w, 0);
  assert_int_equal(3, w->value);
  test_free(w);
}

static void drop_newest_leaves_the_buffer(void **state) {
  struct world *w = make_world(state, 1, RILLE_DROP_NEWEST);
  do_send(w, 0, 1);
  assert_int_equal(RILLE_DROP, do_send(w, 0, 2));
  do_recv(w, 0);
  assert_int_equal(1, w->value);
  assert_int_equal(0, w->channel.size);
  test_free(w);
}

static void an_error_at_overflow_leaves_the_buffer(void **state) {
  struct world *w = make_world(state, 1, RILLE_OVERFLOW_ERROR);
  do_send(w, 0, 1);
  assert_int_equal(RILLE_FULL, do_send(w, 0, 2));
  assert_int_equal(1, w->channel.size);
  test_free(w);
}

static void a_closed_channel_takes_nothing(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  rille_channel_close(&w->channel);
  assert_int_equal(RILLE_CLOSED, do_send(w, 0, 1));
  assert_int_equal(RILLE_CLOSED, do_recv(w, 0));
  test_free(w);
}

static void a_closed_channel_gives_what_it_holds(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  do_send(w, 0, 1);
  rille_channel_close(&w->channel);
  assert_int_equal(RILLE_TO_SLOT, do_recv(w, 0));
  assert_int_equal(1, w->value);
  assert_int_equal(RILLE_CLOSED, do_recv(w, 0));
  test_free(w);
}

static void close_wakes_receivers(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  do_recv(w, 0);
  do_recv(w, 1);
  rille_channel_close(&w->channel);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(RILLE_TASK_READY, w->actors[i].task.status);
    assert_int_equal(RILLE_CLOSED_EVENT, w->actors[i].task.wait.event);
  }
  test_free(w);
}

static void close_wakes_senders(void **state) {
  struct world *w = make_world(state, 0, RILLE_BLOCK);
  do_send(w, 0, 1);
  rille_channel_close(&w->channel);
  assert_int_equal(RILLE_TASK_READY, w->actors[0].task.status);
  assert_int_equal(RILLE_CLOSED_EVENT, w->actors[0].task.wait.event);
  assert_int_equal(RILLE_CLOSED, do_recv(w, 1));
  test_free(w);
}

static void close_wakes_who_waits_for_it(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  do_send(w, 0, 1);
  wait_on(&w->actors[1].task, &w->channel.close);
  assert_false(rille_source_ready(&w->channel.close));
  rille_channel_close(&w->channel);
  assert_int_equal(RILLE_CLOSED_EVENT, w->actors[1].task.wait.event);
  assert_true(rille_source_ready(&w->channel.close));
  test_free(w);
}

static void ready_tells_whether_a_call_would_wait(void **state) {
  struct world *w = make_world(state, 1, RILLE_BLOCK);
  assert_false(rille_source_ready(&w->channel.receive));
  assert_true(rille_source_ready(&w->channel.send));
  do_send(w, 0, 1);
  assert_true(rille_source_ready(&w->channel.receive));
  assert_false(rille_source_ready(&w->channel.send));
  rille_channel_close(&w->channel);
  assert_true(rille_source_ready(&w->channel.send));
  test_free(w);
}

/* A first in, first out queue, moved along at each step. */
struct queue {
  uint32_t items[SLOTS];
  uint32_t count;
};

static void push(struct queue *queue, uint32_t item) {
  queue->items[queue->count++] = item;
}

static uint32_t take_at(struct queue *queue, uint32_t at) {
  uint32_t item = queue->items[at];
  queue->count--;
  memmove(queue->items + at, queue->items + at + 1,
          (queue->count - at) * sizeof *queue->items);
  return item;
}

/* What a channel is, naively. */
struct model {
  struct queue buffer;             /* values */
  struct queue senders, receivers; /* actors that wait */
  uint32_t values[TASKS];          /* of the senders */
  uint32_t capacity, value;
  enum rille_overflow overflow;
  int peer;
};

static enum rille_transfer_kind model_overflow(struct model *m, int who,
                                               uint32_t value) {
  switch (m->overflow) {
  case RILLE_DROP_OLDEST:
    m->value = take_at(&m->buffer, 0);
    push(&m->buffer, value);
    return RILLE_REPLACE;
  case RILLE_DROP_NEWEST:
    return RILLE_DROP;
  case RILLE_OVERFLOW_ERROR:
    return RILLE_FULL;
  default:
    m->values[who] = value;
    push(&m->senders, (uint32_t)who);
    return RILLE_MUST_WAIT;
  }
}

static enum rille_transfer_kind model_send(struct model *m, int who,
                                           uint32_t value) {
  m->peer = -1;
  m->value = 0;
  if (m->receivers.count > 0) {
    m->peer = (int)take_at(&m->receivers, 0);
    return RILLE_TO_PEER;
  }
  if (m->buffer.count >= m->capacity)
    return model_overflow(m, who, value);
  push(&m->buffer, value);
  return RILLE_TO_SLOT;
}

static enum rille_transfer_kind model_recv(struct model *m, int who) {
  bool buffered = m->buffer.count > 0;
  m->peer = m->senders.count > 0 ? (int)take_at(&m->senders, 0) : -1;
  m->value = 0;
  if (m->peer >= 0)
    push(&m->buffer, m->values[m->peer]);
  if (m->buffer.count > 0) {
    m->value = take_at(&m->buffer, 0);
    return buffered ? RILLE_TO_SLOT : RILLE_TO_PEER;
  }
  push(&m->receivers, (uint32_t)who);
  return RILLE_MUST_WAIT;
}

static void model_cancel(struct queue *queue, int who) {
  for (uint32_t i = 0; i < queue->count; i++)
    if (queue->items[i] == (uint32_t)who) {
      take_at(queue, i);
      return;
    }
}

/* Where the values went. */
struct account {
  uint32_t sent, received, dropped, refused, withdrawn;
};

static void step_send(struct world *w, struct model *m, struct account *account,
                      int who) {
  uint32_t value = ++account->sent;
  enum rille_transfer_kind kind = do_send(w, who, value);
  assert_int_equal(model_send(m, who, value), kind);
  account->received += kind == RILLE_TO_PEER;
  account->dropped += kind == RILLE_DROP || kind == RILLE_REPLACE;
  account->refused += kind == RILLE_FULL;
}

static void step_recv(struct world *w, struct model *m, struct account *account,
                      int who) {
  enum rille_transfer_kind kind = do_recv(w, who);
  assert_int_equal(model_recv(m, who), kind);
  account->received += kind == RILLE_TO_SLOT || kind == RILLE_TO_PEER;
}

static void step_cancel(struct world *w, struct model *m,
                        struct account *account, int who) {
  struct rille_task *task = &w->actors[who].task;
  account->withdrawn += task->wait.one.source == &w->channel.send;
  rille_wait_cancel(task);
  model_cancel(&m->senders, who);
  model_cancel(&m->receivers, who);
  w->peer = m->peer = -1;
  w->value = m->value = 0;
}

static void step(struct world *w, struct model *m, struct account *account) {
  int who = (int)rille_random(&w->f->engine, TASKS);
  if (w->actors[who].task.status == RILLE_TASK_WAITING) {
    if (rille_random(&w->f->engine, 4) == 0)
      step_cancel(w, m, account, who);
  } else if (rille_random(&w->f->engine, 2) == 0) {
    step_send(w, m, account, who);
  } else {
    step_recv(w, m, account, who);
  }
  assert_int_equal(m->peer, w->peer);
  assert_int_equal(m->value, w->value);
  assert_int_equal(m->buffer.count, w->channel.size);
  run_ready(w->f);
  if (w->peer >= 0)
    assert_int_equal(RILLE_TASK_RUNNING, w->actors[w->peer].task.status);
}

/* 100 channels, 1000 operations each. */
static void a_random_run_agrees_with_a_naive_channel(void **state) {
  struct fixture *f = *state;
  static struct model m;
  seed_engine(f);
  for (int round = 0; round < 100; round++) {
    struct account account = {0};
    uint32_t capacity = rille_random(&f->engine, 6);
    uint32_t overflow = capacity > 0 ? rille_random(&f->engine, 4) : 0;
    struct world *w;
    if (capacity == 5)
      capacity = RILLE_UNBOUNDED;
    w = make_world(state, capacity, (enum rille_overflow)overflow);
    memset(&m, 0, sizeof m);
    m.capacity = capacity;
    m.overflow = (enum rille_overflow)overflow;
    for (int i = 0; i < 1000; i++)
      step(w, &m, &account);
    assert_int_equal(account.sent, account.received + account.dropped +
                                       account.refused + account.withdrawn +
                                       w->channel.size + m.senders.count);
    for (int i = 0; i < TASKS; i++)
      rille_task_end(&w->actors[i].task, RILLE_TASK_DONE);
    assert_true(rille_list_empty(&w->channel.send.waiters));
    assert_true(rille_list_empty(&w->channel.receive.waiters));
    test_free(w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(a_receiver_waits_for_a_sender),
      ENGINE_TEST(a_sender_waits_for_a_receiver),
      ENGINE_TEST(waiting_receivers_are_served_in_order),
      ENGINE_TEST(the_ring_grows_before_it_takes_a_value),
      ENGINE_TEST(a_buffer_gives_values_in_order),
      ENGINE_TEST(a_ring_that_wraps_grows_in_order),
      ENGINE_TEST(a_freed_slot_is_refilled_from_a_waiting_sender),
      ENGINE_TEST(drop_oldest_replaces_the_oldest),
      ENGINE_TEST(drop_newest_leaves_the_buffer),
      ENGINE_TEST(an_error_at_overflow_leaves_the_buffer),
      ENGINE_TEST(a_closed_channel_takes_nothing),
      ENGINE_TEST(a_closed_channel_gives_what_it_holds),
      ENGINE_TEST(close_wakes_receivers),
      ENGINE_TEST(close_wakes_senders),
      ENGINE_TEST(close_wakes_who_waits_for_it),
      ENGINE_TEST(ready_tells_whether_a_call_would_wait),
      ENGINE_TEST(a_random_run_agrees_with_a_naive_channel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
