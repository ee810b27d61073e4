/*
 * lock.h - locks: semaphores that know which tasks hold them.
 *
 * A mutex has one permit; a read-write lock has as many as there can ever be
 * readers, and a writer takes all of them. So who waits is served in the
 * semaphore's order: no writer is starved, and readers that stand next to each
 * other enter together.
 *
 * What a task holds is a chain of holds, which are numbered places in a table
 * of the engine's:
 *
 *     task.holds --> 7: a mutex --> 3: an rwlock, 1 permit --> 0
 *
 * so its end can give back what it has kept, at no cost to who keeps nothing.
 * The core does not get memory: a hold is opened before the wait, while there
 * still is a task that can be told that there is none. That is so for an
 * rwlock; a mutex has one place as long as it is held, and hands it on from
 * owner to owner, so that it can be taken by a select.
 */
#ifndef RILLE_LOCK_H
#define RILLE_LOCK_H

#include "semaphore.h"

struct rille_lock {
  struct rille_semaphore permits;
  uint32_t hold; /* of a mutex, while it is held; else 0 */
};

struct rille_hold {
  struct rille_lock *lock; /* NULL: the place is free */
  struct rille_task *task; /* NULL: on its way from owner to owner */
  uint32_t next;           /* of its task, or the next free one; 0: none */
  int32_t count;           /* permits; 0: its task still waits for them */
};

/* The part of the engine that locks use. */
struct rille_holds {
  struct rille_hold *places; /* the binding's memory; [0] is not used */
  uint32_t size;             /* places there are, with [0] */
  uint32_t used;             /* places that have ever been used */
  uint32_t free;             /* the first that was given back; 0: none */
};

void rille_mutex_init(struct rille_lock *lock);
void rille_rwlock_init(struct rille_lock *lock);

/* True if a hold can be opened. */
bool rille_hold_room(const struct rille_holds *holds);

/* There are `size` places now, with what was in the former ones. */
void rille_holds_grown(struct rille_holds *holds, struct rille_hold *places,
                       uint32_t size);

/* The number of the hold of `task` on `lock`, or 0. */
uint32_t rille_hold_find(const struct rille_task *task,
                         const struct rille_lock *lock);

/* Who holds a mutex, or NULL. */
struct rille_task *rille_mutex_owner(const struct rille_lock *lock,
                                     const struct rille_holds *holds);

/* Takes a mutex for `task`, if that need not wait; there must be room for a
 * hold. It does not look who the owner is. */
bool rille_mutex_take(struct rille_lock *lock, struct rille_task *task);

/* Opens a hold of `task` on an rwlock, which it may then take or wait for;
 * there must be room. Returns its number. */
uint32_t rille_rwlock_ask(struct rille_lock *lock, struct rille_task *task);

/* Takes `count` permits for the hold `number`, if that need not wait. */
bool rille_rwlock_take(struct rille_lock *lock, struct rille_task *task,
                       uint32_t number, int32_t count);

/* Closes hold `number` of `task`, of any kind of lock, and gives back what it
 * has. True if the place is free now: a mutex may have passed it on. */
bool rille_hold_close(struct rille_task *task, uint32_t number);

/* Whose source it is, if that is a mutex's; or NULL. */
struct rille_lock *rille_mutex_of(struct rille_source *source);

#endif
