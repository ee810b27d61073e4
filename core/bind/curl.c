/*
 * curl.c - libcurl's multi handle on the engine's loop: a pool of connections.
 *
 *     uv_poll_t of a socket --+
 *     uv_timer_t -------------+--> curl_multi_socket_action --> collect
 *
 * libcurl says which sockets it wants watched and when it wants to be called
 * again; libuv does both, with handles that do not keep the loop alive: what
 * does is a task that waits for a transfer (curl_transfer.c). Names are
 * resolved by libcurl in a thread of its own.
 *
 * A pool closes with its userdata or with the engine, whichever ends first.
 */
#include "bind.h"

#ifdef HAVE_CURL

#include "curl.h"
#include <pthread.h>

struct rl_pool_box {
  struct rl_head head;
  struct rl_pool *pool; /* NULL: never opened, or given back */
};

/* A socket of libcurl's that is watched. */
struct watch {
  uv_poll_t poll;
  struct rille_node place; /* in pool->watches */
  struct rl_pool *pool;
  curl_socket_t fd;
  int events; /* UV_* */
};

static const struct rl_type pool_type = {
    "http pool", sizeof(struct rl_pool_box), NULL, NULL};

void rl_pool_release(struct rl_pool *pool) {
  if (--pool->users == 0)
    free(pool);
}

static void act(struct rl_pool *pool, curl_socket_t fd, int mask);

/* Sockets ---------------------------------------------------------------- */

static void watch_closed_cb(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  rl_pool_release(watch->pool);
  free(watch);
}

static void close_watch(struct watch *watch) {
  rille_list_unlink(&watch->place);
  uv_close((uv_handle_t *)&watch->poll, watch_closed_cb);
}

static void poll_cb(uv_poll_t *poll, int status, int events);

static bool start_watch(struct watch *watch) {
  return uv_poll_start(&watch->poll, watch->events, poll_cb) == 0;
}

/* After an error libuv does not watch a socket any more; libcurl, which reads
 * or writes to learn which error, may want it to. */
static void poll_cb(uv_poll_t *poll, int status, int events) {
  struct watch *watch = poll->data;
  struct rl_pool *pool = watch->pool;
  int mask = 0;
  if (status < 0 || (events & UV_READABLE))
    mask |= CURL_CSELECT_IN;
  if (status < 0 || (events & UV_WRITABLE))
    mask |= CURL_CSELECT_OUT;
  act(pool, watch->fd, mask);
  if (!uv_is_closing((uv_handle_t *)poll) && !uv_is_active((uv_handle_t *)poll))
    pool->starved |= !start_watch(watch);
}

static struct watch *new_watch(struct rl_pool *pool, curl_socket_t fd) {
  uv_loop_t *loop = rille_loop_uv(&pool->engine->core);
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL)
    return NULL;
  if (uv_poll_init(loop, &watch->poll, fd) < 0) {
    free(watch);
    return NULL;
  }
  uv_unref((uv_handle_t *)&watch->poll);
  watch->poll.data = watch;
  watch->fd = fd;
  watch->pool = pool;
  pool->users++;
  rille_list_append(&pool->watches, &watch->place);
  pool->curl.multi_assign(pool->multi, fd, watch);
  return watch;
}

/* libcurl wants a socket watched, for other events, or no more. An error
 * returned from here would be the end of the multi handle. */
static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *known) {
  struct rl_pool *pool = data;
  struct watch *watch = known;
  (void)easy;
  if (what == CURL_POLL_REMOVE) {
    if (watch != NULL)
      close_watch(watch);
    return 0;
  }
  if (watch == NULL)
    watch = new_watch(pool, fd);
  if (watch != NULL)
    watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                    (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  if (watch == NULL || !start_watch(watch))
    pool->starved = true;
  return 0;
}

/* The timer -------------------------------------------------------------- */

static void timeout_cb(uv_timer_t *timer) {
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int timer_cb(CURLM *multi, long milliseconds, void *data) {
  struct rl_pool *pool = data;
  (void)multi;
  if (milliseconds < 0) {
    uv_timer_stop(&pool->timer);
    return 0;
  }
  uv_update_time(pool->timer.loop);
  uv_timer_start(&pool->timer, timeout_cb, (uint64_t)milliseconds, 0);
  return 0;
}

static void timer_closed_cb(uv_handle_t *handle) {
  rl_pool_release(handle->data);
}

/* The pool --------------------------------------------------------------- */

/* Ends all transfers: with their pool, or because it cannot go on. */
static void finish_all(struct rl_pool *pool, int result) {
  struct rille_node *node;
  while ((node = rille_list_first(&pool->transfers)) != NULL)
    rl_transfer_finish(RILLE_ENTRY(node, struct rl_transfer, place), result);
}

void rl_pool_collect(struct rl_pool *pool) {
  CURLMsg *message;
  int left;
  if (pool->starved) {
    pool->starved = false;
    finish_all(pool, CURLE_OUT_OF_MEMORY);
  }
  while ((message = pool->curl.multi_info_read(pool->multi, &left)) != NULL) {
    CURLcode result = message->data.result;
    struct rl_transfer *t = NULL;
    if (message->msg != CURLMSG_DONE)
      continue;
    pool->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
    rl_transfer_finish(t, rl_transfer_result(t, result));
  }
}

static void act(struct rl_pool *pool, curl_socket_t fd, int mask) {
  int running;
  if (pool->multi == NULL)
    return;
  if (pool->curl.multi_socket_action(pool->multi, fd, mask, &running) !=
      CURLM_OK)
    pool->starved = true;
  rl_pool_collect(pool);
}

CURLMcode rl_pool_add(struct rl_pool *pool, struct rl_transfer *t) {
  CURLMcode code = pool->curl.multi_add_handle(pool->multi, t->easy);
  if (code == CURLM_OK) {
    rille_list_append(&pool->transfers, &t->place);
    pool->running++;
    pool->requests++;
  }
  return code;
}

void rl_pool_remove(struct rl_pool *pool, struct rl_transfer *t) {
  long connects = 0;
  if (!rille_list_linked(&t->place))
    return;
  rille_list_unlink(&t->place);
  pool->running--;
  if (pool->curl.easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects) ==
      CURLE_OK)
    pool->connects += connects;
  pool->curl.multi_remove_handle(pool->multi, t->easy);
}

static void close_pool(struct rl_pool *pool) {
  struct rille_node *node;
  if (pool->multi == NULL)
    return;
  finish_all(pool, RL_TRANSFER_CLOSED);
  while ((node = rille_list_first(&pool->watches)) != NULL)
    close_watch(RILLE_ENTRY(node, struct watch, place));
  pool->curl.multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, NULL);
  pool->curl.multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, NULL);
  pool->curl.multi_cleanup(pool->multi);
  pool->multi = NULL;
  rille_list_unlink(&pool->place);
  uv_close((uv_handle_t *)&pool->timer, timer_closed_cb);
}

void rl_curl_close(struct rl_engine *engine) {
  struct rille_node *node;
  while ((node = rille_list_first(&engine->pools)) != NULL)
    close_pool(RILLE_ENTRY(node, struct rl_pool, place));
}

/* libcurl and the TLS library below it are set up once in a process, whichever
 * engine is first, in whichever thread. */
static bool init_libcurl(const struct rl_curl *curl) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static bool done;
  bool is_done;
  pthread_mutex_lock(&mutex);
  if (!done)
    done = curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  is_done = done;
  pthread_mutex_unlock(&mutex);
  return is_done;
}

static void load_libcurl(lua_State *L, struct rl_curl *curl) {
  static const char *const functions[] = {"curl_global_init",
                                          "curl_multi_init",
                                          "curl_multi_cleanup",
                                          "curl_multi_setopt",
                                          "curl_multi_add_handle",
                                          "curl_multi_remove_handle",
                                          "curl_multi_socket_action",
                                          "curl_multi_info_read",
                                          "curl_multi_assign",
                                          "curl_easy_init",
                                          "curl_easy_cleanup",
                                          "curl_easy_setopt",
                                          "curl_easy_getinfo",
                                          "curl_easy_pause",
                                          "curl_easy_strerror",
                                          "curl_slist_append",
                                          "curl_slist_free_all",
                                          "curl_url",
                                          "curl_url_cleanup",
                                          "curl_url_set",
                                          "curl_url_get",
                                          "curl_url_strerror",
                                          "curl_free",
                                          NULL};
  static const struct rl_library library = {"libcurl", "libcurl.so.4",
                                            "libcurl4", functions};
  _Static_assert(sizeof functions / sizeof *functions - 1 ==
                     sizeof(struct rl_curl) / sizeof(void (*)(void)),
                 "a name for each function");
  rl_load_library(L, &library, curl);
  if (!init_libcurl(curl))
    luaL_error(L, "libcurl cannot be set up");
}

static bool set_up_multi(struct rl_pool *pool, long max_total, long max_host) {
  const struct rl_curl *curl = &pool->curl;
  CURLM *multi = pool->multi;
  return curl->multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_cb) == 0 &&
         curl->multi_setopt(multi, CURLMOPT_SOCKETDATA, pool) == 0 &&
         curl->multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_cb) == 0 &&
         curl->multi_setopt(multi, CURLMOPT_TIMERDATA, pool) == 0 &&
         curl->multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max_total) ==
             0 &&
         curl->multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, max_host) ==
             0;
}

/* Opens the pool in its box; false if there is no memory. */
static bool open_pool(struct rl_engine *engine, struct rl_pool_box *box,
                      const struct rl_curl *curl, long max_total,
                      long max_host) {
  struct rl_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL)
    return false;
  pool->curl = *curl;
  pool->engine = engine;
  pool->multi = curl->multi_init();
  if (pool->multi == NULL || !set_up_multi(pool, max_total, max_host)) {
    if (pool->multi != NULL)
      curl->multi_cleanup(pool->multi);
    free(pool);
    return false;
  }
  rille_list_init(&pool->transfers);
  rille_list_init(&pool->watches);
  uv_timer_init(rille_loop_uv(&engine->core), &pool->timer);
  uv_unref((uv_handle_t *)&pool->timer);
  pool->timer.data = pool;
  pool->users = 2; /* the timer, the box */
  rille_list_append(&engine->pools, &pool->place);
  box->pool = pool;
  return true;
}

struct rl_pool *rl_check_pool(lua_State *L) {
  struct rl_pool_box *box = rl_check(L, 1, &pool_type);
  if (box->pool == NULL)
    luaL_argerror(L, 1, "the pool is closed");
  return box->pool;
}

/* curl_pool(max_connections, max_per_host): a pool; 0 is no limit. */
static int l_pool_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  long max_total = (long)luaL_checkinteger(L, 1);
  long max_host = (long)luaL_checkinteger(L, 2);
  struct rl_curl curl;
  struct rl_pool_box *box;
  load_libcurl(L, &curl);
  box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct rl_pool_box){rl_head(engine, &pool_type), NULL};
  rl_push_slot(L, engine, RL_HTTP_POOL_META);
  lua_setmetatable(L, -2);
  if (!open_pool(engine, box, &curl, max_total, max_host))
    luaL_error(L, "not enough memory");
  return 1;
}

/* pool:close(): ends what runs, closes the connections. Idempotent. */
static int l_pool_close(lua_State *L) {
  struct rl_pool_box *box = rl_check(L, 1, &pool_type);
  if (box->pool != NULL)
    close_pool(box->pool);
  return 0;
}

static int l_pool_gc(lua_State *L) {
  struct rl_pool_box *box = rl_check(L, 1, &pool_type);
  struct rl_pool *pool = box->pool;
  if (pool == NULL)
    return 0;
  box->pool = NULL;
  close_pool(pool);
  rl_pool_release(pool);
  return 0;
}

/* pool:stats(): running, requests, connects. */
static int l_pool_stats(lua_State *L) {
  const struct rl_pool *pool = rl_check_pool(L);
  lua_pushinteger(L, pool->running);
  lua_pushinteger(L, pool->requests);
  lua_pushinteger(L, pool->connects);
  return 3;
}

void rl_open_curl(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"close", l_pool_close}, {"stats", l_pool_stats}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", l_pool_gc}, {NULL, NULL}};
  static const luaL_Reg inner[] = {{"curl_pool", l_pool_new}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rille_list_init(&((struct rl_engine *)lua_touserdata(L, engine))->pools);
  rl_new_type(L, RL_HTTP_POOL_META, "http_pool", methods, meta);
  rl_add_inner(L, inner);
  rl_open_transfer(L);
  rl_open_curl_url(L);
}

#else /* no libcurl where this was built */

const struct rl_type rl_transfer_type = {"http_body", SIZE_MAX, NULL, NULL};

static int l_pool_new(lua_State *L) {
  return luaL_error(L, "rille was built without libcurl: install "
                       "libcurl4-openssl-dev and build again");
}

void rl_curl_close(struct rl_engine *engine) { (void)engine; }

void rl_open_curl(lua_State *L) {
  static const luaL_Reg inner[] = {{"curl_pool", l_pool_new}, {NULL, NULL}};
  rl_add_inner(L, inner);
}

#endif
