/* scope.c - see scope.h. */
#include "scope.h"
#include "engine.h"

static bool idle_ready(struct rille_source *source) {
  return rille_scope_idle(RILLE_ENTRY(source, struct rille_scope, idle));
}

static const struct rille_source_type idle_type = {"join", idle_ready, NULL,
                                                   NULL};

bool rille_scope_idle(const struct rille_scope *scope) {
  return scope->active == 0 && scope->guests == 0;
}

static void init_scope(struct rille_scope *scope, struct rille_engine *engine) {
  scope->engine = engine;
  scope->id = ++engine->scopes_made;
  scope->state = RILLE_SCOPE_OPEN;
  scope->deadline = RILLE_FOREVER;
  rille_list_init(&scope->pending);
  rille_list_init(&scope->children);
  rille_list_init(&scope->sibling);
  rille_source_init(&scope->idle, &idle_type);
}

void rille_scope_open_top(struct rille_engine *engine,
                          struct rille_scope *scope) {
  init_scope(scope, engine);
  rille_cancel_open(&scope->cancel, NULL, RILLE_OWNER_SCOPE, false);
}

void rille_scope_open(struct rille_scope *scope, struct rille_scope *parent,
                      struct rille_task *opener, bool shield) {
  init_scope(scope, opener->scope->engine);
  scope->parent = parent;
  scope->opener = opener;
  scope->below = opener->top;
  scope->foreign = parent != rille_task_innermost(opener);
  rille_list_append(&parent->children, &scope->sibling);
  if (scope->foreign) {
    parent->guests++;
    rille_cancel_open(&scope->cancel, &parent->cancel, RILLE_OWNER_SCOPE,
                      shield);
    rille_cancel_open(&scope->body, opener->top, RILLE_OWNER_BODY, shield);
    if (scope->body.by == NULL)
      scope->body.by = scope->cancel.by;
    opener->top = &scope->body;
  } else {
    rille_cancel_open(&scope->cancel, opener->top, RILLE_OWNER_SCOPE, shield);
    opener->top = &scope->cancel;
  }
}

static void deadline_cb(struct rille_engine *engine,
                        struct rille_timer *timer) {
  struct rille_scope *scope = RILLE_ENTRY(timer, struct rille_scope, timer);
  if (!scope->cancel.called)
    scope->cancel.expired = 1;
  rille_cancel_call(engine, &scope->cancel);
}

void rille_scope_set_deadline(struct rille_scope *scope, int64_t deadline) {
  scope->deadline = deadline;
  rille_timer_stop(scope->engine, &scope->timer);
  if (deadline <= rille_now(scope->engine))
    deadline_cb(scope->engine, &scope->timer);
  else
    rille_timer_start(scope->engine, &scope->timer, deadline, deadline_cb);
}

int64_t rille_scope_deadline(const struct rille_scope *scope) {
  int64_t nearest = RILLE_FOREVER;
  for (; scope != NULL; scope = scope->parent) {
    if (scope->deadline < nearest)
      nearest = scope->deadline;
    if (scope->cancel.shield)
      break;
  }
  return nearest;
}

struct rille_task *rille_scope_next_task(const struct rille_scope *scope,
                                         const struct rille_task *last) {
  const struct rille_node *end = &scope->cancel.children;
  struct rille_node *link = last != NULL ? last->own.sibling.next : end->next;
  for (; link != end; link = link->next) {
    struct rille_cancel *node = RILLE_ENTRY(link, struct rille_cancel, sibling);
    if (node->owner == RILLE_OWNER_TASK)
      return RILLE_ENTRY(node, struct rille_task, own);
  }
  return NULL;
}

static void cancel_daemons(struct rille_scope *scope) {
  struct rille_task *task = NULL;
  while ((task = rille_scope_next_task(scope, task)) != NULL)
    rille_cancel_call(scope->engine, &task->own);
}

/* What follows from the scope's having fewer tasks or being left. */
static void settle(struct rille_scope *scope) {
  while (scope->abandoned) {
    if (!rille_scope_idle(scope))
      return;
    scope->abandoned = 0;
    rille_cancel_close(&scope->cancel);
    scope = scope->parent;
    scope->guests--;
  }
  if (scope->state != RILLE_SCOPE_CLOSING)
    return;
  if (rille_scope_idle(scope))
    rille_source_fire_all(&scope->idle, 0);
  else if (scope->active == scope->daemons && scope->guests == 0)
    cancel_daemons(scope);
}

bool rille_scope_leave(struct rille_scope *scope) {
  if (scope->state == RILLE_SCOPE_ENDED)
    return true;
  scope->state = RILLE_SCOPE_CLOSING;
  settle(scope); /* each time: a cleanup may have started daemons */
  return rille_scope_idle(scope);
}

void rille_scope_end(struct rille_scope *scope) {
  struct rille_task *opener = scope->opener;
  scope->state = RILLE_SCOPE_ENDED;
  rille_timer_stop(scope->engine, &scope->timer);
  rille_cancel_close(&scope->cancel);
  rille_list_unlink(&scope->sibling);
  if (opener == NULL)
    return;
  opener->top = scope->below;
  scope->opener = NULL;
  if (scope->foreign) {
    rille_cancel_close(&scope->body);
    scope->parent->guests--;
    settle(scope->parent);
  }
}

void rille_scope_abandon(struct rille_scope *scope) {
  scope->abandoned = !rille_scope_idle(scope);
  scope->parent->guests += scope->abandoned;
  rille_cancel_call(scope->engine, &scope->cancel);
  rille_scope_end(scope);
  if (!scope->abandoned)
    return;
  scope->below = &scope->parent->cancel; /* what was may be gone before it */
  rille_cancel_move(scope->engine, &scope->cancel, scope->below);
}

/* Makes as many pending tasks ready as the limit allows. */
static void fill_places(struct rille_scope *scope) {
  while (scope->limit == 0 || scope->running < scope->limit) {
    struct rille_node *node = rille_list_take(&scope->pending);
    struct rille_task *task;
    if (node == NULL)
      return;
    task = rille_task_at(node);
    task->slot = 1;
    scope->running++;
    rille_task_ready(task);
  }
}

void rille_scope_admit(struct rille_scope *scope, struct rille_task *task) {
  scope->active++;
  scope->daemons += task->daemon;
  rille_list_append(&scope->pending, rille_task_place(task));
  fill_places(scope);
}

void rille_scope_dismiss(struct rille_scope *scope, struct rille_task *task) {
  scope->active--;
  scope->daemons -= task->daemon;
  scope->running -= task->slot;
  task->slot = 0;
  fill_places(scope);
  settle(scope);
}
