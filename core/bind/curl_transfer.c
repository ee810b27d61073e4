/*
 * curl_transfer.c - one HTTP request and the answer to it, as a Lua object.
 *
 *     core.curl_start(pool, options) -> transfer
 *     t:head()                 waits for the status and the header lines
 *     t:read()                 waits for bytes of the answer; a select can too
 *     t:send(bytes), t:sent()  the request's body, if it comes by and by
 *     t:close()                the end of it, wherever it stands
 *
 * The Lua part (http_exchange.lua, http_body.lua) is the only user. A transfer
 * stays in the engine's table until it is closed, so libcurl never points to
 * what is gone. While a task waits for it, something from outside is awaited.
 */
#ifdef HAVE_CURL

#include "curl.h"

static struct rl_transfer *check_transfer(lua_State *L) {
  return rl_check(L, 1, &rl_transfer_type);
}

/* Sources ---------------------------------------------------------------- */

static struct rl_transfer *body_of(struct rille_source *source) {
  return RILLE_ENTRY(source, struct rl_transfer, body);
}

static bool has_news(const struct rl_transfer *t) {
  return t->done || rl_bytes_count(&t->received) > 0;
}

/* What a woken task has not taken yet is his. */
static bool body_ready(struct rille_source *source) {
  const struct rl_transfer *t = body_of(source);
  return has_news(t) && !t->claimed && rille_list_empty(&source->waiters);
}

static bool head_ready(struct rille_source *source) {
  const struct rl_transfer *t =
      RILLE_ENTRY(source, struct rl_transfer, arrival);
  return t->head_done || t->done;
}

static bool room_ready(struct rille_source *source) {
  const struct rl_transfer *t = RILLE_ENTRY(source, struct rl_transfer, room);
  return t->done || t->sent_all ||
         rl_bytes_count(&t->sending) < RL_TRANSFER_ROOM;
}

static void want(struct rille_engine *engine, struct rille_source *source,
                 bool wanted) {
  (void)source;
  rille_loop_hold(engine, wanted);
}

static const struct rille_source_type head_source = {"http response",
                                                     head_ready, want, NULL};
static const struct rille_source_type body_source = {"http body", body_ready,
                                                     want, NULL};
static const struct rille_source_type room_source = {"http upload", room_ready,
                                                     want, NULL};

void rl_transfer_notify(struct rl_transfer *t) {
  if (!t->claimed && has_news(t))
    t->claimed = rille_source_fire(&t->body, 0) != NULL;
}

/* The end ---------------------------------------------------------------- */

/* libcurl forgets it: a connection that is in the middle of it is closed. */
static void free_easy(struct rl_transfer *t) {
  struct rl_pool *pool = t->pool;
  if (pool == NULL)
    return;
  rl_pool_remove(pool, t);
  if (t->easy != NULL)
    pool->curl.easy_cleanup(t->easy);
  pool->curl.slist_free_all(t->headers);
  t->easy = NULL;
  t->headers = NULL;
  t->pool = NULL;
  rl_pool_release(pool);
}

void rl_transfer_finish(struct rl_transfer *t, int result) {
  if (t->done)
    return;
  free_easy(t);
  t->done = true;
  if (t->result == 0)
    t->result = result;
  rl_bytes_free(&t->sending);
  rl_transfer_notify(t);
  rille_source_fire_all(&t->arrival, 0);
  rille_source_fire_all(&t->room, 0);
}

/* Lets the engine forget it; needs no memory. */
static void unanchor(lua_State *L, struct rl_transfer *t) {
  struct rl_engine *engine = rl_engine_find(L);
  if (engine == NULL)
    return;
  rl_push_slot(L, engine, RL_TRANSFERS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, t);
  lua_pop(L, 1);
}

/* t:close(): ends it, and drops what was not read. Idempotent; in finalizers
 * too. */
static int l_transfer_close(lua_State *L) {
  struct rl_transfer *t = check_transfer(L);
  if (t->closed)
    return 0;
  rl_transfer_finish(t, RL_TRANSFER_CLOSED);
  t->closed = true;
  rl_bytes_free(&t->received);
  rl_bytes_free(&t->head_text);
  rille_source_fire_all(&t->body, 0);
  unanchor(L, t);
  return 0;
}

/* t:abort(): the request's body has failed, and so it has. */
static int l_transfer_abort(lua_State *L) {
  rl_transfer_finish(check_transfer(L), RL_TRANSFER_ABORTED);
  return 0;
}

/* Making one ------------------------------------------------------------- */

static struct rl_transfer *new_transfer(lua_State *L,
                                        struct rl_engine *engine) {
  struct rl_transfer *t = lua_newuserdatauv(L, sizeof *t, RL_TRANSFER_SLOTS);
  *t = (struct rl_transfer){.head = rl_head(engine, &rl_transfer_type)};
  rille_list_init(&t->place);
  rille_source_init(&t->arrival, &head_source);
  rille_source_init(&t->body, &body_source);
  rille_source_init(&t->room, &room_source);
  rl_push_slot(L, engine, RL_TRANSFER_META);
  lua_setmetatable(L, -2);
  return t;
}

static void anchor(lua_State *L, struct rl_engine *engine, int index) {
  rl_push_slot(L, engine, RL_TRANSFERS);
  lua_pushvalue(L, index);
  lua_rawsetp(L, -2, lua_touserdata(L, index));
  lua_pop(L, 1);
}

/* Ends a transfer that could not be started, at 3. */
static int refuse_start(lua_State *L, struct rl_transfer *t, CURLcode code) {
  const char *text = code == CURLE_OUT_OF_MEMORY
                         ? "not enough memory"
                         : t->pool->curl.easy_strerror(code);
  lua_pushstring(L, text);
  rl_transfer_finish(t, (int)code);
  unanchor(L, t);
  return lua_error(L);
}

/* curl_start(pool, options): a transfer that runs; nil when the pool is
 * closed. The options are the Lua part's, and right. */
static int l_transfer_start(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_pool *pool = rl_check_pool(L);
  struct rl_transfer *t;
  CURLcode code;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  if (pool->multi == NULL)
    return lua_pushnil(L), 1;
  t = new_transfer(L, engine);
  lua_getfield(L, 2, "label");
  lua_setiuservalue(L, 3, RL_TRANSFER_LABEL);
  lua_insert(L, 2); /* 2 transfer, 3 options */
  t->pool = pool;
  pool->users++;
  t->easy = pool->curl.easy_init();
  if (t->easy == NULL)
    return luaL_error(L, "not enough memory");
  code = rl_easy_setup(L, t, 3);
  anchor(L, engine, 2);
  if (code == CURLE_OK && rl_pool_add(pool, t) != CURLM_OK)
    code = CURLE_OUT_OF_MEMORY;
  if (code != CURLE_OK)
    return refuse_start(L, t, code);
  lua_settop(L, 2);
  return 1;
}

/* The head --------------------------------------------------------------- */

static int push_head(lua_State *L, struct rl_engine *engine,
                     const struct rl_transfer *t) {
  if (!t->head_done || t->closed)
    return rl_transfer_push_failure(L, engine, 1, true);
  lua_pushinteger(L, t->status);
  lua_pushlstring(L, rl_bytes_first(&t->head_text),
                  rl_bytes_count(&t->head_text));
  return 2;
}

static int head_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, head_k);
  return push_head(L, engine, check_transfer(L));
}

/* t:head(): waits for the head: the status, the lines; nil and an error. */
static int l_transfer_head(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_transfer *t = check_transfer(L);
  struct rl_task *task = rl_enter(L, engine);
  lua_settop(L, 1);
  if (head_ready(&t->arrival))
    return rl_return(L, task, push_head(L, engine, t));
  return rl_wait_one(L, task, &t->arrival, 0, 0, head_k);
}

/* The body --------------------------------------------------------------- */

/* Pushes what there is, of the transfer at `index`. */
static int push_body(lua_State *L, struct rl_engine *engine, int index) {
  struct rl_transfer *t = lua_touserdata(L, index);
  size_t count = rl_bytes_count(&t->received);
  t->claimed = false;
  if (count == 0) {
    rl_transfer_notify(t); /* the end is there for all */
    if (t->closed)
      return rl_transfer_push_closed(L, engine, index, "is closed");
    if (t->result == CURLE_OK)
      return rl_transfer_push_closed(L, engine, index, "has ended");
    return rl_transfer_push_failure(L, engine, index, false);
  }
  lua_pushlstring(L, rl_bytes_first(&t->received), count);
  rl_bytes_drop(&t->received, count);
  if (t->recv_paused) {
    t->recv_paused = false;
    rl_easy_resume(t);
  }
  rl_transfer_notify(t);
  return 1;
}

static int read_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, read_k);
  check_transfer(L);
  return push_body(L, engine, 1);
}

/* t:read(): waits for bytes; nil and `closed` at the end, nil and an error. */
static int l_transfer_read(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_transfer *t = check_transfer(L);
  struct rl_task *task = rl_enter(L, engine);
  lua_settop(L, 1);
  if (body_ready(&t->body))
    return rl_return(L, task, push_body(L, engine, 1));
  return rl_wait_one(L, task, &t->body, 0, 0, read_k);
}

/* t:unread(bytes): puts back what was read and not used. */
static int l_transfer_unread(lua_State *L) {
  struct rl_transfer *t = check_transfer(L);
  size_t count;
  const char *bytes = luaL_checklstring(L, 2, &count);
  rl_engine(L);
  if (t->closed)
    return 0;
  if (!rl_bytes_prepend(&t->received, bytes, count))
    luaL_error(L, "not enough memory");
  rl_transfer_notify(t);
  return 0;
}

static struct rille_source *source_of(void *object, bool sends) {
  return sends ? NULL : &((struct rl_transfer *)object)->body;
}

static int push_case(lua_State *L, struct rl_engine *engine, void *object,
                     bool sends, bool waited, int event) {
  int index = lua_gettop(L);
  int count = push_body(L, engine, index);
  (void)object, (void)sends, (void)waited, (void)event;
  lua_remove(L, index);
  return count;
}

/* The request's body ----------------------------------------------------- */

static int put(lua_State *L, struct rl_transfer *t) {
  size_t count;
  const char *bytes = luaL_checklstring(L, 2, &count);
  bool wanted = !t->done && !t->sent_all;
  if (wanted && !rl_bytes_append(&t->sending, bytes, count))
    luaL_error(L, "not enough memory");
  if (t->send_paused) {
    t->send_paused = false;
    rl_easy_resume(t);
  }
  lua_pushboolean(L, wanted);
  return 1;
}

static int send_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, send_k);
  return put(L, check_transfer(L));
}

/* t:send(bytes): waits for room; false when they are not wanted any more. */
static int l_transfer_send(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_transfer *t = check_transfer(L);
  struct rl_task *task = rl_enter(L, engine);
  luaL_checktype(L, 2, LUA_TSTRING);
  lua_settop(L, 2);
  if (room_ready(&t->room))
    return rl_return(L, task, put(L, t));
  return rl_wait_one(L, task, &t->room, 0, 0, send_k);
}

/* t:sent(): no more will come; who wants to send more, is told so. */
static int l_transfer_sent(lua_State *L) {
  struct rl_transfer *t = check_transfer(L);
  rl_engine(L);
  t->sent_all = true;
  rille_source_fire_all(&t->room, 0);
  if (t->send_paused) {
    t->send_paused = false;
    rl_easy_resume(t);
  }
  return 0;
}

const struct rl_type rl_transfer_type = {
    "http_body", sizeof(struct rl_transfer), source_of, push_case};

void rl_open_transfer(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"head", l_transfer_head},     {"read", l_transfer_read},
      {"unread", l_transfer_unread}, {"send", l_transfer_send},
      {"abort", l_transfer_abort},   {"sent", l_transfer_sent},
      {"close", l_transfer_close},   {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", l_transfer_close}, {"__close", l_transfer_close}, {NULL, NULL}};
  static const luaL_Reg inner[] = {{"curl_start", l_transfer_start},
                                   {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_new_type(L, RL_TRANSFER_META, "http_transfer", methods, meta);
  lua_newtable(L);
  lua_setiuservalue(L, engine, RL_TRANSFERS);
  rl_add_inner(L, inner);
}

#else

/* An empty file is no C. */
typedef int rl_no_transfer;

#endif
