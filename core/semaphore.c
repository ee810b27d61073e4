/* semaphore.c - see semaphore.h. */
#include "semaphore.h"
#include "engine.h"

static const struct rille_source_type acquire_type = {
    "acquire", rille_semaphore_ready, NULL, rille_semaphore_moved};

static struct rille_semaphore *semaphore_of(struct rille_source *source) {
  return RILLE_ENTRY(source, struct rille_semaphore, source);
}

void rille_semaphore_init(struct rille_semaphore *semaphore, int32_t limit) {
  *semaphore = (struct rille_semaphore){.limit = limit, .available = limit};
  rille_source_init(&semaphore->source, &acquire_type);
  rille_list_init(&semaphore->place);
}

static struct rille_waiter *first_waiter(struct rille_semaphore *semaphore) {
  struct rille_node *node = rille_list_first(&semaphore->source.waiters);
  return node != NULL ? RILLE_ENTRY(node, struct rille_waiter, node) : NULL;
}

/* The first waiter, if there are as many permits as it wants; or NULL. */
static struct rille_waiter *next_due(struct rille_semaphore *semaphore) {
  struct rille_waiter *first = first_waiter(semaphore);
  return first != NULL && first->slot <= semaphore->available ? first : NULL;
}

/* Gives the first waiter what it wants, if it can be given. That it leaves
 * makes the semaphore unserved again if the next one can be served too. */
static void serve_one(struct rille_semaphore *semaphore) {
  struct rille_waiter *waiter = next_due(semaphore);
  if (waiter == NULL)
    return;
  semaphore->available -= waiter->slot;
  if (semaphore->granted != NULL)
    semaphore->granted(semaphore, waiter->task, waiter->slot);
  rille_source_fire(&semaphore->source, 0);
}

/* Serves who can be served, here and wherever that leads. */
static void serve(struct rille_semaphore *semaphore) {
  struct rille_waiter *waiter = next_due(semaphore);
  struct rille_permits *permits;
  struct rille_node *node;
  if (waiter == NULL)
    return;
  permits = &waiter->task->scope->engine->permits;
  if (!rille_list_linked(&semaphore->place))
    rille_list_append(&permits->unserved, &semaphore->place);
  if (permits->serving)
    return;
  permits->serving = true;
  while ((node = rille_list_take(&permits->unserved)) != NULL)
    serve_one(RILLE_ENTRY(node, struct rille_semaphore, place));
  permits->serving = false;
}

bool rille_semaphore_ready(struct rille_source *source) {
  const struct rille_semaphore *semaphore = semaphore_of(source);
  return semaphore->available > 0 && semaphore->waiting == 0;
}

void rille_semaphore_moved(struct rille_engine *engine,
                           struct rille_source *source, bool came) {
  struct rille_semaphore *semaphore = semaphore_of(source);
  (void)engine;
  if (came) {
    semaphore->waiting++;
  } else {
    semaphore->waiting--;
    serve(semaphore);
  }
}

bool rille_semaphore_take(struct rille_semaphore *semaphore, int32_t count) {
  if (semaphore->waiting > 0 || semaphore->available < count)
    return false;
  semaphore->available -= count;
  return true;
}

bool rille_semaphore_give(struct rille_semaphore *semaphore, int32_t count) {
  if (count > (int64_t)semaphore->limit - semaphore->available)
    return false;
  semaphore->available += count;
  serve(semaphore);
  return true;
}

bool rille_semaphore_resize(struct rille_semaphore *semaphore, int32_t limit) {
  struct rille_node *waiters = &semaphore->source.waiters;
  for (struct rille_node *n = waiters->next; n != waiters; n = n->next)
    if (RILLE_ENTRY(n, struct rille_waiter, node)->slot > limit)
      return false;
  semaphore->available += limit - semaphore->limit;
  semaphore->limit = limit;
  serve(semaphore);
  return true;
}
