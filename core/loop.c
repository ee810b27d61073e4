/* loop.c - see loop.h. */
#include "loop.h"
#include "engine.h"
#include <stdlib.h>
#include <uv.h>

/* Apart from the engine, because libuv holds it until the handles have
 * closed. */
struct rille_loop {
  uv_loop_t *uv;
  bool own; /* the loop is ours, to close and to free */
  uv_prepare_t prepare;
  uv_idle_t idle;
  uv_timer_t timer;
  struct rille_engine *engine; /* NULL once detached */
  int64_t armed;               /* what the uv_timer_t is set for, ns */
  int open_handles;
  int holds;    /* what rille_loop_hold has counted */
  bool awake;   /* the idle handle is active */
  bool turning; /* turn_cb is on the stack */
  bool running; /* rille_loop_run is */
  bool orphan;  /* freed by its last close callback */
};

static void timer_cb(uv_timer_t *timer) {
  struct rille_loop *loop = timer->data;
  loop->armed = RILLE_FOREVER;
}

static void idle_cb(uv_idle_t *idle) { (void)idle; }

static void set_awake(struct rille_loop *loop, bool awake) {
  if (loop->awake == awake)
    return;
  loop->awake = awake;
  if (awake)
    uv_idle_start(&loop->idle, idle_cb);
  else
    uv_idle_stop(&loop->idle);
}

/* Sets the uv_timer_t for the first timer. It is left alone when it is set
 * for an earlier time: then it only wakes the loop once too often. */
static void arm_timer(struct rille_loop *loop) {
  struct rille_engine *engine = loop->engine;
  int64_t next = rille_timer_next(engine), wait;
  if (next == RILLE_FOREVER || engine->clock.is_virtual) {
    loop->armed = RILLE_FOREVER;
    uv_timer_stop(&loop->timer);
    return;
  }
  if (loop->armed <= next && uv_is_active((uv_handle_t *)&loop->timer))
    return;
  loop->armed = next;
  wait = next - rille_now(engine);
  uv_update_time(loop->uv);
  uv_timer_start(&loop->timer, timer_cb,
                 wait <= 0 ? 0 : (uint64_t)(wait + 999999) / 1000000, 0);
}

/* Virtual time passes when nothing else can happen: nothing is ready and no
 * handle is active. */
static void advance_clock(struct rille_loop *loop) {
  struct rille_engine *engine = loop->engine;
  if (!engine->clock.is_virtual)
    return;
  while (rille_list_empty(&engine->ready)) {
    int64_t next = rille_timer_next(engine);
    set_awake(loop, false);
    if (next == RILLE_FOREVER || uv_loop_alive(loop->uv))
      return;
    if (next > engine->clock.instant)
      engine->clock.instant = next;
    rille_timer_run(engine);
  }
}

/* One of the first few of a list, evenly at random: reservoir sampling, as in
 * select.c. */
static struct rille_node *choose_node(struct rille_engine *engine) {
  struct rille_node *choice = NULL, *node = engine->ready.next;
  for (uint32_t n = 1; n <= 8 && node != &engine->ready; n++) {
    if (rille_random(engine, n) == 0)
      choice = node;
    node = node->next;
  }
  return choice;
}

/* The task to resume next, taken from the ready queue. */
static struct rille_node *take_ready(struct rille_engine *engine) {
  struct rille_node *node;
  if (!engine->shuffle)
    return rille_list_take(&engine->ready);
  node = choose_node(engine);
  if (node != NULL)
    rille_list_unlink(node);
  return node;
}

static void resume_ready(struct rille_engine *engine) {
  for (int left = RILLE_TURN_BUDGET; left > 0; left--) {
    struct rille_node *node = take_ready(engine);
    if (node == NULL)
      return;
    engine->hooks->resume(rille_task_at(node));
  }
}

static void turn_cb(uv_prepare_t *prepare) {
  struct rille_loop *loop = prepare->data;
  struct rille_engine *engine = loop->engine;
  if (loop->turning || engine == NULL)
    return;
  loop->turning = true;
  engine->turn_time = rille_now(engine);
  rille_timer_run(engine);
  resume_ready(engine);
  if (loop->engine != NULL) { /* nobody closed it meanwhile */
    if (rille_list_empty(&engine->ready))
      rille_source_fire_all(&engine->quiet, 0);
    advance_clock(loop);
    set_awake(loop, !rille_list_empty(&engine->ready));
    arm_timer(loop);
  }
  loop->turning = false;
}

static void close_cb(uv_handle_t *handle) {
  struct rille_loop *loop = handle->data;
  if (--loop->open_handles == 0 && loop->orphan)
    free(loop);
}

static void close_handles(struct rille_loop *loop) {
  uv_close((uv_handle_t *)&loop->prepare, close_cb);
  uv_close((uv_handle_t *)&loop->idle, close_cb);
  uv_close((uv_handle_t *)&loop->timer, close_cb);
}

static void open_handles(struct rille_loop *loop) {
  uv_prepare_init(loop->uv, &loop->prepare);
  uv_idle_init(loop->uv, &loop->idle);
  uv_timer_init(loop->uv, &loop->timer);
  loop->prepare.data = loop->idle.data = loop->timer.data = loop;
  loop->open_handles = 3;
  uv_prepare_start(&loop->prepare, turn_cb);
  uv_unref((uv_handle_t *)&loop->prepare);
}

/* A new loop in `*made`; 0, or UV_E*. */
static int make_loop(uv_loop_t **made) {
  uv_loop_t *uv = malloc(sizeof *uv);
  int status = uv != NULL ? uv_loop_init(uv) : UV_ENOMEM;
  if (status < 0)
    free(uv);
  else
    *made = uv;
  return status;
}

int rille_loop_open(struct rille_engine *engine, uv_loop_t *uv) {
  struct rille_loop *loop = calloc(1, sizeof *loop);
  int status = 0;
  if (loop == NULL)
    return UV_ENOMEM;
  loop->own = uv == NULL;
  if (loop->own)
    status = make_loop(&uv);
  if (status < 0) {
    free(loop);
    return status;
  }
  loop->uv = uv;
  loop->engine = engine;
  loop->armed = RILLE_FOREVER;
  open_handles(loop);
  engine->loop = loop;
  return 0;
}

static void close_foreign(uv_handle_t *handle, void *data) {
  (void)data;
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

void rille_loop_end(uv_loop_t *uv) {
  if (uv_loop_close(uv) == UV_EBUSY) {
    uv_walk(uv, close_foreign, NULL);
    uv_run(uv, UV_RUN_DEFAULT);
    uv_loop_close(uv);
  }
  free(uv);
}

/* Closes our handles, and the loop if it is ours. One that goes on frees the
 * rest when it turns. */
static void dispose(struct rille_loop *loop) {
  uv_loop_t *uv = loop->uv;
  bool own = loop->own;
  close_handles(loop);
  loop->orphan = true;
  if (own)
    rille_loop_end(uv);
}

void rille_loop_close(struct rille_engine *engine) {
  struct rille_loop *loop = engine->loop;
  if (loop == NULL)
    return;
  engine->loop = NULL;
  loop->engine = NULL;
  if (loop->turning || loop->running) { /* in a task: see rille_loop_run */
    uv_stop(loop->uv);
    return;
  }
  dispose(loop);
}

uv_loop_t *rille_loop_release(struct rille_engine *engine) {
  struct rille_loop *loop = engine->loop;
  if (loop == NULL || !loop->own)
    return NULL;
  loop->own = false;
  return loop->uv;
}

uv_loop_t *rille_loop_uv(const struct rille_engine *engine) {
  return engine->loop != NULL ? engine->loop->uv : NULL;
}

void rille_loop_alert(struct rille_engine *engine) {
  struct rille_loop *loop = engine->loop;
  if (loop != NULL && !loop->turning)
    set_awake(loop, true);
}

bool rille_loop_run(struct rille_engine *engine, const bool *done) {
  struct rille_loop *loop = engine->loop;
  bool alive = true;
  loop->running = true;
  while (!*done && alive) {
    uv_run(loop->uv, UV_RUN_DEFAULT);
    if (loop->engine == NULL) { /* closed by a task */
      dispose(loop);
      return true;
    }
    alive = uv_loop_alive(loop->uv);
    if (!alive && rille_timer_next(engine) != RILLE_FOREVER) {
      set_awake(loop, true); /* time is virtual: the next turn moves it */
      alive = true;
    }
  }
  loop->running = false;
  return *done;
}

bool rille_loop_running(const struct rille_engine *engine) {
  return engine->loop != NULL &&
         (engine->loop->running || engine->loop->turning);
}

void rille_loop_hold(struct rille_engine *engine, bool held) {
  struct rille_loop *loop = engine->loop;
  if (loop == NULL)
    return;
  if (held && loop->holds++ == 0)
    uv_ref((uv_handle_t *)&loop->prepare);
  else if (!held && --loop->holds == 0)
    uv_unref((uv_handle_t *)&loop->prepare);
}

struct visit {
  const struct rille_loop *loop;
  rille_handle_cb *visit;
  void *data;
};

static void visit_handle(uv_handle_t *handle, void *data) {
  const struct visit *visit = data;
  if (handle->data != visit->loop && !uv_is_closing(handle) &&
      uv_has_ref(handle))
    visit->visit(uv_handle_type_name(handle->type), visit->data);
}

void rille_loop_handles(const struct rille_engine *engine,
                        rille_handle_cb *visit, void *data) {
  struct visit context = {engine->loop, visit, data};
  if (engine->loop != NULL)
    uv_walk(engine->loop->uv, visit_handle, &context);
}

void rille_loop_stop(struct rille_engine *engine) {
  if (engine->loop != NULL)
    uv_stop(engine->loop->uv);
}
