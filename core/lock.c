/* lock.c - see lock.h. */
#include "lock.h"
#include "engine.h"

static const struct rille_source_type mutex_type = {
    "lock", rille_semaphore_ready, NULL, rille_semaphore_moved};
static const struct rille_source_type rwlock_type = {
    "read or write", rille_semaphore_ready, NULL, rille_semaphore_moved};

static struct rille_lock *lock_of(struct rille_semaphore *permits) {
  return RILLE_ENTRY(permits, struct rille_lock, permits);
}

static struct rille_hold *hold_at(const struct rille_task *task,
                                  uint32_t number) {
  return &task->scope->engine->holds.places[number];
}

/* Holds */

bool rille_hold_room(const struct rille_holds *holds) {
  return holds->free != 0 || holds->used + 1 < holds->size;
}

void rille_holds_grown(struct rille_holds *holds, struct rille_hold *places,
                       uint32_t size) {
  holds->places = places;
  holds->size = size;
}

static void chain_hold(struct rille_task *task, uint32_t number) {
  struct rille_hold *hold = hold_at(task, number);
  hold->task = task;
  hold->next = task->holds;
  task->holds = number;
}

static void unchain_hold(struct rille_task *task, uint32_t number) {
  struct rille_hold *hold = hold_at(task, number);
  uint32_t *link = &task->holds;
  while (*link != number)
    link = &hold_at(task, *link)->next;
  *link = hold->next;
  hold->task = NULL;
}

static uint32_t open_hold(struct rille_lock *lock, struct rille_task *task) {
  struct rille_holds *holds = &task->scope->engine->holds;
  uint32_t number = holds->free;
  if (number != 0)
    holds->free = holds->places[number].next;
  else
    number = ++holds->used;
  holds->places[number] = (struct rille_hold){.lock = lock};
  chain_hold(task, number);
  return number;
}

static void free_hold(struct rille_holds *holds, uint32_t number) {
  holds->places[number].lock = NULL;
  holds->places[number].next = holds->free;
  holds->free = number;
}

uint32_t rille_hold_find(const struct rille_task *task,
                         const struct rille_lock *lock) {
  uint32_t number = task->holds;
  while (number != 0 && hold_at(task, number)->lock != lock)
    number = hold_at(task, number)->next;
  return number;
}

/* Gives the mutex on; its hold is the next owner's, or free. */
static bool pass_mutex(struct rille_lock *lock, struct rille_holds *holds) {
  uint32_t number = lock->hold;
  rille_semaphore_give(&lock->permits, 1);
  if (holds->places[number].task != NULL)
    return false;
  lock->hold = 0;
  free_hold(holds, number);
  return true;
}

bool rille_hold_close(struct rille_task *task, uint32_t number) {
  struct rille_holds *holds = &task->scope->engine->holds;
  struct rille_lock *lock = holds->places[number].lock;
  int32_t count = holds->places[number].count;
  unchain_hold(task, number);
  if (lock->hold == number)
    return pass_mutex(lock, holds);
  free_hold(holds, number);
  rille_semaphore_give(&lock->permits, count);
  return true;
}

/* Mutexes */

static void own_mutex(struct rille_semaphore *permits, struct rille_task *task,
                      int32_t count) {
  (void)count;
  chain_hold(task, lock_of(permits)->hold);
}

void rille_mutex_init(struct rille_lock *lock) {
  rille_semaphore_init(&lock->permits, 1);
  lock->permits.source.type = &mutex_type;
  lock->permits.granted = own_mutex;
  lock->hold = 0;
}

struct rille_task *rille_mutex_owner(const struct rille_lock *lock,
                                     const struct rille_holds *holds) {
  return lock->hold != 0 ? holds->places[lock->hold].task : NULL;
}

bool rille_mutex_take(struct rille_lock *lock, struct rille_task *task) {
  if (!rille_semaphore_take(&lock->permits, 1))
    return false;
  lock->hold = open_hold(lock, task);
  hold_at(task, lock->hold)->count = 1;
  return true;
}

struct rille_lock *rille_mutex_of(struct rille_source *source) {
  return source->type == &mutex_type
             ? RILLE_ENTRY(source, struct rille_lock, permits.source)
             : NULL;
}

/* Read-write locks */

static void own_rwlock(struct rille_semaphore *permits, struct rille_task *task,
                       int32_t count) {
  hold_at(task, rille_hold_find(task, lock_of(permits)))->count = count;
}

void rille_rwlock_init(struct rille_lock *lock) {
  rille_semaphore_init(&lock->permits, RILLE_PERMITS_MAX);
  lock->permits.source.type = &rwlock_type;
  lock->permits.granted = own_rwlock;
  lock->hold = 0;
}

uint32_t rille_rwlock_ask(struct rille_lock *lock, struct rille_task *task) {
  return open_hold(lock, task);
}

bool rille_rwlock_take(struct rille_lock *lock, struct rille_task *task,
                       uint32_t number, int32_t count) {
  if (!rille_semaphore_take(&lock->permits, count))
    return false;
  hold_at(task, number)->count = count;
  return true;
}
