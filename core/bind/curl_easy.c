/*
 * curl_easy.c - an easy handle: the options of a request, and what libcurl
 * calls while it runs.
 *
 * Redirections are followed in Lua, and time runs out on the engine's clock,
 * so libcurl is asked for neither. Bytes that nobody takes pause the transfer,
 * in both directions: libcurl asks again when it is told to (rl_easy_resume).
 */
#ifdef HAVE_CURL

#include "curl.h"
#include <sys/socket.h>

/* Callbacks -------------------------------------------------------------- */

static bool starts_response(const char *line, size_t size) {
  return size > 5 && memcmp(line, "HTTP/", 5) == 0;
}

/* The head is there; unless it is of an interim response, another follows. */
static void end_head(struct rl_transfer *t) {
  t->pool->curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
  if (t->status < 200)
    return;
  t->head_done = true;
  rille_source_fire_all(&t->arrival, 0);
}

/* Ends the transfer, from inside a callback, which returns what is no number of
 * bytes taken. */
static size_t fail(struct rl_transfer *t, int result) {
  t->result = result;
  return CURL_WRITEFUNC_ERROR;
}

/* A line of the head; after it, of the trailer, which nobody wants. */
static size_t header_cb(char *line, size_t one, size_t size, void *data) {
  struct rl_transfer *t = data;
  (void)one;
  if (t->head_done)
    return size;
  if (starts_response(line, size))
    rl_bytes_drop(&t->head_text, rl_bytes_count(&t->head_text));
  if (rl_bytes_count(&t->head_text) + size > t->max_head)
    return fail(t, RL_TRANSFER_TOO_LARGE);
  if (line[0] == '\r' || line[0] == '\n')
    end_head(t);
  else if (!rl_bytes_append(&t->head_text, line, size))
    return fail(t, CURLE_OUT_OF_MEMORY);
  return size;
}

/* libcurl keeps what it is not allowed to give, and does not read on. */
static size_t write_cb(char *bytes, size_t one, size_t size, void *data) {
  struct rl_transfer *t = data;
  (void)one;
  if (rl_bytes_count(&t->received) >= RL_TRANSFER_HIGH) {
    t->recv_paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (!rl_bytes_append(&t->received, bytes, size))
    return fail(t, CURLE_OUT_OF_MEMORY);
  rl_transfer_notify(t);
  return size;
}

static size_t read_cb(char *bytes, size_t one, size_t size, void *data) {
  struct rl_transfer *t = data;
  size_t count = rl_bytes_count(&t->sending);
  (void)one;
  if (count == 0 && !t->sent_all) {
    t->send_paused = true;
    rille_source_fire_all(&t->room, 0);
    return CURL_READFUNC_PAUSE;
  }
  if (count > size * one)
    count = size * one;
  if (count == 0)
    return 0;
  memcpy(bytes, rl_bytes_first(&t->sending), count);
  rl_bytes_drop(&t->sending, count);
  t->sent_some = true;
  rille_source_fire_all(&t->room, 0);
  return count;
}

/* A program that is started meanwhile must not hold the connection open. */
static curl_socket_t socket_cb(void *data, curlsocktype purpose,
                               struct curl_sockaddr *address) {
  (void)data, (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
}

/* On a connection that turns out to be dead libcurl begins anew. */
static int seek_cb(void *data, curl_off_t offset, int origin) {
  const struct rl_transfer *t = data;
  return origin == SEEK_SET && offset == 0 && !t->sent_some
             ? CURL_SEEKFUNC_OK
             : CURL_SEEKFUNC_CANTSEEK;
}

void rl_easy_resume(struct rl_transfer *t) {
  struct rl_pool *pool = t->pool;
  int mask = (t->recv_paused ? CURLPAUSE_RECV : 0) |
             (t->send_paused ? CURLPAUSE_SEND : 0);
  if (t->done)
    return;
  if (pool->curl.easy_pause(t->easy, mask) == CURLE_OUT_OF_MEMORY)
    rl_transfer_finish(t, CURLE_OUT_OF_MEMORY);
  rl_pool_collect(pool);
}

/* Options ---------------------------------------------------------------- */

/* The first option that is refused is remembered, the others are not set. */
struct setup {
  lua_State *L;
  int index; /* of the table of options */
  struct rl_transfer *t;
  CURLcode code;
};

static void set_long(struct setup *s, CURLoption option, long value) {
  if (s->code == CURLE_OK)
    s->code = s->t->pool->curl.easy_setopt(s->t->easy, option, value);
}

static void set_size(struct setup *s, CURLoption option, curl_off_t value) {
  if (s->code == CURLE_OK)
    s->code = s->t->pool->curl.easy_setopt(s->t->easy, option, value);
}

/* For what libcurl copies, and for data of its callbacks. */
static void set_pointer(struct setup *s, CURLoption option, const void *value) {
  if (s->code == CURLE_OK)
    s->code = s->t->pool->curl.easy_setopt(s->t->easy, option, value);
}

static bool flag(struct setup *s, const char *name) {
  bool value;
  lua_getfield(s->L, s->index, name);
  value = lua_toboolean(s->L, -1);
  lua_pop(s->L, 1);
  return value;
}

/* A text, left on the stack, or NULL. */
static const char *text(struct setup *s, const char *name) {
  lua_getfield(s->L, s->index, name);
  return lua_tostring(s->L, -1);
}

static void set_text(struct setup *s, CURLoption option, const char *name) {
  const char *value = text(s, name);
  if (value != NULL)
    set_pointer(s, option, value);
  lua_pop(s->L, 1);
}

static void set_headers(struct setup *s) {
  struct rl_transfer *t = s->t;
  lua_getfield(s->L, s->index, "headers");
  for (lua_Integer i = 1; s->code == CURLE_OK; i++) {
    struct curl_slist *longer;
    if (lua_rawgeti(s->L, -1, i) != LUA_TSTRING)
      break;
    longer = t->pool->curl.slist_append(t->headers, lua_tostring(s->L, -1));
    if (longer == NULL)
      s->code = CURLE_OUT_OF_MEMORY;
    else
      t->headers = longer;
    lua_pop(s->L, 1);
  }
  lua_settop(s->L, s->index);
  set_pointer(s, CURLOPT_HTTPHEADER, t->headers);
}

/* A body that is there is copied: then it can be sent again. */
static void set_body(struct setup *s) {
  size_t size;
  const char *body;
  lua_getfield(s->L, s->index, "body");
  body = lua_tolstring(s->L, -1, &size);
  set_size(s, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
  set_pointer(s, CURLOPT_COPYPOSTFIELDS, body);
  lua_pop(s->L, 1);
}

/* A body that comes by and by, of a size that is perhaps known. */
static void set_upload(struct setup *s, lua_Integer size) {
  set_long(s, CURLOPT_UPLOAD, 1);
  set_size(s, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
  if (s->code == CURLE_OK)
    s->code = s->t->pool->curl.easy_setopt(s->t->easy, CURLOPT_READFUNCTION,
                                           (curl_read_callback)read_cb);
  if (s->code == CURLE_OK)
    s->code = s->t->pool->curl.easy_setopt(s->t->easy, CURLOPT_SEEKFUNCTION,
                                           (curl_seek_callback)seek_cb);
  set_pointer(s, CURLOPT_READDATA, s->t);
  set_pointer(s, CURLOPT_SEEKDATA, s->t);
}

static void set_method(struct setup *s) {
  const char *method = text(s, "method");
  bool has_body = lua_getfield(s->L, s->index, "body") == LUA_TSTRING;
  bool uploads = lua_getfield(s->L, s->index, "upload") == LUA_TNUMBER;
  lua_Integer size = lua_tointeger(s->L, -1);
  lua_pop(s->L, 2);
  if (has_body)
    set_body(s);
  else if (uploads)
    set_upload(s, size);
  else if (strcmp(method, "HEAD") == 0)
    set_long(s, CURLOPT_NOBODY, 1);
  set_pointer(s, CURLOPT_CUSTOMREQUEST, method);
  lua_pop(s->L, 1);
}

static void set_tls(struct setup *s) {
  bool verify = flag(s, "verify");
  set_long(s, CURLOPT_SSL_VERIFYPEER, verify);
  set_long(s, CURLOPT_SSL_VERIFYHOST, verify ? 2 : 0);
  set_text(s, CURLOPT_CAINFO, "ca_file");
  set_text(s, CURLOPT_CAPATH, "ca_path");
  set_text(s, CURLOPT_SSLCERT, "cert_file");
  set_text(s, CURLOPT_SSLKEY, "key_file");
}

static void set_version(struct setup *s) {
  const char *version = text(s, "version");
  if (version != NULL)
    set_long(s, CURLOPT_HTTP_VERSION,
             strcmp(version, "2") == 0 ? CURL_HTTP_VERSION_2TLS
                                       : CURL_HTTP_VERSION_1_1);
  lua_pop(s->L, 1);
}

/* A cancelled transfer whose host name is being looked up is not waited for:
 * QUICK_EXIT. */
static void set_basics(struct setup *s) {
  struct rl_transfer *t = s->t;
  set_long(s, CURLOPT_NOSIGNAL, 1);
  set_long(s, CURLOPT_QUICK_EXIT, 1);
  set_pointer(s, CURLOPT_ERRORBUFFER, t->message);
  set_pointer(s, CURLOPT_PRIVATE, t);
  set_pointer(s, CURLOPT_PROTOCOLS_STR, "http,https");
  set_pointer(s, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set_long(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
  set_long(s, CURLOPT_BUFFERSIZE, 64 * 1024);
  if (flag(s, "decompress"))
    set_pointer(s, CURLOPT_ACCEPT_ENCODING, "");
}

static void set_callbacks(struct setup *s) {
  struct rl_transfer *t = s->t;
  const struct rl_curl *curl = &t->pool->curl;
  if (s->code == CURLE_OK)
    s->code = curl->easy_setopt(t->easy, CURLOPT_HEADERFUNCTION,
                                (curl_write_callback)header_cb);
  if (s->code == CURLE_OK)
    s->code = curl->easy_setopt(t->easy, CURLOPT_WRITEFUNCTION,
                                (curl_write_callback)write_cb);
  if (s->code == CURLE_OK)
    s->code = curl->easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION,
                                (curl_opensocket_callback)socket_cb);
  set_pointer(s, CURLOPT_HEADERDATA, t);
  set_pointer(s, CURLOPT_WRITEDATA, t);
}

CURLcode rl_easy_setup(lua_State *L, struct rl_transfer *t, int index) {
  struct setup s = {L, index, t, CURLE_OK};
  lua_settop(L, index);
  lua_getfield(L, index, "max_head");
  t->max_head = (size_t)lua_tonumber(L, -1);
  lua_settop(L, index);
  set_basics(&s);
  set_callbacks(&s);
  set_text(&s, CURLOPT_URL, "url");
  set_text(&s, CURLOPT_PROXY, "proxy");
  set_tls(&s);
  set_version(&s);
  set_method(&s);
  set_headers(&s);
  return s.code;
}

#else

/* An empty file is no C. */
typedef int rl_no_curl_easy;

#endif
