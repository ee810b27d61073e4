/* wait.c - see wait.h. */
#include "wait.h"
#include "engine.h"

void rille_source_init(struct rille_source *source,
                       const struct rille_source_type *type) {
  source->type = type;
  rille_list_init(&source->waiters);
}

bool rille_source_ready(struct rille_source *source) {
  return source->type->ready != NULL && source->type->ready(source);
}

static void link_waiter(struct rille_task *task, struct rille_waiter *waiter) {
  struct rille_source *source = waiter->source;
  bool first;
  waiter->task = task;
  rille_list_init(&waiter->node);
  if (source == NULL)
    return;
  first = rille_list_empty(&source->waiters);
  rille_list_append(&source->waiters, &waiter->node);
  if (first && source->type->wanted != NULL)
    source->type->wanted(task->scope->engine, source, true);
  if (source->type->moved != NULL)
    source->type->moved(task->scope->engine, source, true);
}

/* True if the source wants to hear of it. */
static bool unlink_waiter(struct rille_task *task,
                          struct rille_waiter *waiter) {
  struct rille_source *source = waiter->source;
  if (!rille_list_linked(&waiter->node))
    return false;
  rille_list_unlink(&waiter->node);
  if (source->type->wanted != NULL && rille_list_empty(&source->waiters))
    source->type->wanted(task->scope->engine, source, false);
  return source->type->moved != NULL;
}

static void tell_moved(struct rille_task *task, struct rille_waiter *waiter) {
  waiter->source->type->moved(task->scope->engine, waiter->source, false);
}

/* Only when all that leave together are out: what the sources do now may
 * wake other tasks, but not this one again. */
static void tell_left(struct rille_task *task, struct rille_node *left) {
  struct rille_node *node;
  while ((node = rille_list_take(left)) != NULL)
    tell_moved(task, RILLE_ENTRY(node, struct rille_waiter, node));
}

static void take_out_one(struct rille_task *task, struct rille_waiter *waiter) {
  if (unlink_waiter(task, waiter))
    tell_moved(task, waiter);
}

/* Takes out the `count` waiters from `first` on. */
static void take_out(struct rille_task *task, struct rille_waiter *first,
                     uint32_t count) {
  struct rille_node left;
  rille_list_init(&left);
  for (uint32_t i = 0; i < count; i++)
    if (unlink_waiter(task, &first[i]))
      rille_list_append(&left, &first[i].node);
  tell_left(task, &left);
}

static inline void leave_sources(struct rille_task *task) {
  struct rille_wait *wait = &task->wait;
  uint32_t count = wait->count;
  wait->count = 0;
  if (rille_timer_active(&wait->timer))
    rille_timer_stop(task->scope->engine, &wait->timer);
  if (count == 1)
    take_out_one(task, wait->waiters);
  else if (count > 1)
    take_out(task, wait->waiters, count);
}

void rille_wait_unlink(struct rille_task *task) { leave_sources(task); }

static inline void end_wait(struct rille_task *task,
                            enum rille_outcome outcome) {
  leave_sources(task);
  task->wait.outcome = outcome;
  rille_task_ready(task);
}

static inline void fire_waiter(struct rille_waiter *waiter, int event) {
  struct rille_task *task = waiter->task;
  struct rille_wait *wait = &task->wait;
  if (wait->flags & RILLE_WAIT_ALL) {
    wait->event += event == 0;
    if (++wait->fired < wait->count) {
      take_out_one(task, waiter);
      return;
    }
  } else {
    wait->fired = (uint32_t)(waiter - wait->waiters);
    wait->event = event;
  }
  end_wait(task, RILLE_FIRED);
}

/* One of the waiters that the task of `first` has on the same source, evenly
 * at random: reservoir sampling, as in select.c. */
static struct rille_waiter *choose_waiter(struct rille_waiter *first) {
  const struct rille_wait *wait = &first->task->wait;
  struct rille_waiter *choice = first;
  uint32_t seen = 0;
  for (uint32_t i = 0; i < wait->count; i++)
    if (wait->waiters[i].source == first->source &&
        rille_random(first->task->scope->engine, ++seen) == 0)
      choice = &wait->waiters[i];
  return choice;
}

struct rille_waiter *rille_source_fire(struct rille_source *source, int event) {
  struct rille_node *node = rille_list_first(&source->waiters);
  struct rille_waiter *waiter;
  if (node == NULL)
    return NULL;
  waiter = RILLE_ENTRY(node, struct rille_waiter, node);
  if (waiter->task->wait.flags & RILLE_WAIT_EVEN)
    waiter = choose_waiter(waiter);
  fire_waiter(waiter, event);
  return waiter;
}

void rille_source_fire_all(struct rille_source *source, int event) {
  while (rille_source_fire(source, event) != NULL)
    continue;
}

static void deadline_cb(struct rille_engine *engine,
                        struct rille_timer *timer) {
  struct rille_task *task = RILLE_ENTRY(timer, struct rille_task, wait.timer);
  (void)engine;
  end_wait(task, task->wait.limited ? RILLE_CANCELLED : RILLE_EXPIRED);
}

void rille_wait_start(struct rille_task *task, struct rille_waiter *waiters,
                      uint32_t count, int64_t due, int flags) {
  struct rille_wait *wait = &task->wait;
  wait->waiters = waiters;
  wait->count = count;
  wait->fired = 0;
  wait->event = 0;
  wait->flags = (uint8_t)flags;
  wait->limited = 0;
  task->since = task->scope->engine->turn_time;
  task->status = RILLE_TASK_WAITING;
  for (uint32_t i = 0; i < count; i++)
    link_waiter(task, &waiters[i]);
  if (due != RILLE_FOREVER)
    rille_timer_start(task->scope->engine, &wait->timer, due, deadline_cb);
}

void rille_wait_turn(struct rille_task *task) {
  task->wait.outcome = RILLE_TURN;
  task->since = task->scope->engine->turn_time;
  rille_task_ready(task);
}

void rille_wait_cancel(struct rille_task *task) {
  if (task->status == RILLE_TASK_WAITING &&
      !(task->wait.flags & RILLE_WAIT_SHIELDED))
    end_wait(task, RILLE_CANCELLED);
}

void rille_wait_limit(struct rille_task *task, int64_t due) {
  struct rille_wait *wait = &task->wait;
  if (rille_timer_active(&wait->timer) && wait->timer.due <= due)
    return;
  wait->limited = 1;
  rille_timer_start(task->scope->engine, &wait->timer, due, deadline_cb);
}
