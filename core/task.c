/* task.c - see task.h. */
#include "task.h"
#include "engine.h"

static const struct rille_source_type ended_type;

static bool ended_ready(struct rille_source *source) {
  return rille_task_ended(RILLE_ENTRY(source, struct rille_task, ended));
}

static const struct rille_source_type ended_type = {"await", ended_ready, NULL,
                                                    NULL};

void rille_task_start(struct rille_task *task, struct rille_scope *scope) {
  task->id = ++scope->engine->tasks_made;
  task->scope = scope;
  task->status = RILLE_TASK_PENDING;
  task->since = scope->engine->turn_time;
  rille_list_init(rille_task_place(task));
  rille_source_init(&task->ended, &ended_type);
  rille_cancel_open(&task->own, &scope->cancel, RILLE_OWNER_TASK, false);
  task->top = &task->own;
  rille_scope_admit(scope, task);
}

void rille_task_ready(struct rille_task *task) {
  struct rille_engine *engine = task->scope->engine;
  if (task->started)
    task->status = RILLE_TASK_READY;
  rille_list_append(&engine->ready, rille_task_place(task));
  rille_loop_alert(engine);
}

static void limit_cleanup(struct rille_task *task) {
  rille_wait_limit(task, rille_cancel_grace(task->top->by));
}

void rille_task_interrupt(struct rille_task *task, bool force) {
  const struct rille_hooks *hooks = task->scope->engine->hooks;
  if (force)
    task->forced = 1;
  if (!task->started) {
    rille_list_unlink(rille_task_place(task));
    rille_task_ready(task);
  } else if (task->status == RILLE_TASK_WAITING) {
    if (!force && hooks->in_cleanup(task))
      limit_cleanup(task);
    else
      rille_wait_cancel(task);
  }
}

void rille_task_end(struct rille_task *task, enum rille_task_status status) {
  rille_wait_unlink(task);
  rille_list_unlink(rille_task_place(task));
  task->status = (uint8_t)status;
  rille_cancel_close(&task->own);
  rille_source_fire_all(&task->ended, 0);
  rille_scope_dismiss(task->scope, task);
}

struct rille_scope *rille_task_innermost(const struct rille_task *task) {
  struct rille_scope *block = rille_task_block(task);
  return block != NULL ? block : task->scope;
}

const char *rille_task_status_name(const struct rille_task *task) {
  static const char *const names[] = {
      "pending", "ready", "waiting", "running", "done", "failed", "cancelled"};
  if (task->status == RILLE_TASK_PENDING && task->slot)
    return names[RILLE_TASK_READY];
  return names[task->status];
}
