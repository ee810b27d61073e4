/*
 * http_parser.c - requests of HTTP/1.1, taken out of the bytes that come.
 *
 * The grammar is that of http-parser, the library, which is given bytes and
 * calls back. Its callbacks note places in those bytes, or pause it, and no
 * more: they cannot raise, and no memory is taken while it runs. One call of
 * `http_head` takes the head of a request, one of `http_chunk` a piece of a
 * chunked body; where the length is known, the Lua part cuts the body itself.
 *
 *     GET /x HTTP/1.1 CR LF  name: value CR LF  CR LF  ...
 *     |-------------- head, at most max_head ------|
 *
 * A head that comes in pieces is parsed once: the caller keeps its bytes
 * together and gives them again, longer; what was parsed is skipped.
 *
 * Who may take two requests for one, or one for two, can be made to serve what
 * nobody has asked for (RFC 9112, 11.2). As it is packaged, http-parser is not
 * built to be strict: it takes any byte after a CR, any two after a chunk,
 * blanks in names. So everything but the bodies is looked at here again: lines
 * end with CR LF, which stand nowhere else; no line continues another; names
 * are tokens; there is one Host, one length, and no other coding than chunked.
 */
#include "bind.h"
#include "http_fields.h"

#ifdef HAVE_HTTP_PARSER
#include <http_parser.h>
#include <limits.h>
#include <string.h>

/* In the order of `names` below. */
struct http_functions {
  void (*init)(http_parser *, enum http_parser_type);
  size_t (*execute)(http_parser *, const http_parser_settings *, const char *,
                    size_t);
  void (*pause)(http_parser *, int);
  int (*keeps_alive)(const http_parser *);
  const char *(*method)(enum http_method);
  const char *(*error)(enum http_errno);
};

static const char *const names[] = {"http_parser_init",
                                    "http_parser_execute",
                                    "http_parser_pause",
                                    "http_should_keep_alive",
                                    "http_method_str",
                                    "http_errno_description",
                                    NULL};

/* The library, once it is loaded. */
struct rl_http_library {
  struct rl_head head;
  struct http_functions call;
};

enum phase { IN_HEAD, IN_CHUNKS, IS_DEAD };

struct rl_http_parser {
  struct rl_head head;
  const struct http_functions *call; /* in the library: user value 1 */
  http_parser core;
  enum phase phase;
  uint32_t max_head, max_url; /* bytes */
  size_t seen;                /* bytes of the head that were parsed */
  const char *base;           /* during a call: what places are counted from */
  size_t url, url_size;       /* in the head */
  size_t piece, piece_size;   /* of a body, in the bytes of the call */
  bool ended;                 /* the body has come to its end */
  char last;                  /* the byte before, outside the bodies */
  uint64_t body, framing;     /* bytes of chunks so far, and around them */
};

static const struct rl_type library_type = {
    "http library", sizeof(struct rl_http_library), NULL, NULL};
static const struct rl_type parser_type = {
    "http parser", sizeof(struct rl_http_parser), NULL, NULL};

static const struct rl_http_refusal accepted = {0, NULL};

/* Callbacks */

static int on_url(http_parser *core, const char *at, size_t size) {
  struct rl_http_parser *parser = core->data;
  if (parser->url_size == 0)
    parser->url = (size_t)(at - parser->base);
  parser->url_size += size;
  return 0;
}

static int on_headers_complete(http_parser *core) {
  struct rl_http_parser *parser = core->data;
  core->upgrade = 0; /* what follows is HTTP, whatever is asked for */
  parser->call->pause(core, 1);
  return 0;
}

static int on_body(http_parser *core, const char *at, size_t size) {
  struct rl_http_parser *parser = core->data;
  parser->piece = (size_t)(at - parser->base);
  parser->piece_size = size;
  return 0;
}

/* So no call brings more than one piece. */
static int on_chunk_complete(http_parser *core) {
  struct rl_http_parser *parser = core->data;
  if (!(core->flags & F_TRAILING))
    parser->call->pause(core, 1);
  return 0;
}

static int on_message_complete(http_parser *core) {
  struct rl_http_parser *parser = core->data;
  parser->ended = true;
  parser->call->pause(core, 1);
  return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

/* Runs the library over `size` bytes, more than 0. Returns how many it took. */
static size_t execute(struct rl_http_parser *parser, const char *base,
                      const char *bytes, size_t size) {
  parser->base = base;
  parser->core.data = parser;
  return parser->call->execute(&parser->core, &settings, bytes, size);
}

/* True if the last run stopped because a callback has paused it; then it can
 * go on. */
static bool was_paused(struct rl_http_parser *parser) {
  if (HTTP_PARSER_ERRNO(&parser->core) != HPE_PAUSED)
    return false;
  parser->call->pause(&parser->core, 0);
  return true;
}

/* Checks */

/* Looks at bytes that are not of a body: LF follows CR, and CR nothing but LF;
 * no line begins with a blank, which would make it the continuation of another
 * (RFC 9112, 5.2). */
static bool lines_hold(struct rl_http_parser *parser, const char *bytes,
                       size_t size) {
  char last = parser->last;
  for (size_t i = 0; i < size; i++) {
    char byte = bytes[i];
    if ((byte == '\n') != (last == '\r') ||
        (last == '\n' && (byte == ' ' || byte == '\t')))
      return false;
    last = byte;
  }
  parser->last = last;
  return true;
}

static struct rl_http_refusal
check_coding(const struct rl_http_parser *parser,
             const struct rl_http_fields *fields) {
  bool chunked = parser->core.flags & F_CHUNKED;
  if (fields->codings == 0)
    return accepted;
  if (parser->core.http_minor == 0)
    return (struct rl_http_refusal){400, "HTTP/1.0 has no Transfer-Encoding"};
  if (fields->lengths > 0)
    return (struct rl_http_refusal){
        400, "both Content-Length and Transfer-Encoding"};
  if (fields->codings > 1 || !chunked)
    return (struct rl_http_refusal){
        400, "Transfer-Encoding does not end in chunked"};
  if (!fields->chunked)
    return (struct rl_http_refusal){
        501, "no Transfer-Encoding but chunked is known"};
  return accepted;
}

/* Looks at the request line: a target without blanks and control characters,
 * and a version that is spelled right. */
static bool line_holds(const struct rl_http_parser *parser, const char *head,
                       size_t size) {
  const char *url = head + parser->url, *end = head + size;
  const char *at = url + parser->url_size;
  if (!rl_http_is_value(url, parser->url_size) ||
      memchr(url, '\t', parser->url_size) != NULL)
    return false;
  while (at < end && *at == ' ')
    at++;
  return end - at > 10 && memcmp(at, "HTTP/", 5) == 0 && at[6] == '.' &&
         at[8] == '\r';
}

/* Whether a head that is complete makes a request. */
static struct rl_http_refusal check_head(struct rl_http_parser *parser,
                                         struct rl_http_fields *fields,
                                         const char *head, size_t size) {
  const http_parser *core = &parser->core;
  struct rl_http_refusal refusal;
  if (core->http_major != 1)
    return (struct rl_http_refusal){505, "only HTTP/1 is spoken here"};
  if (!line_holds(parser, head, size))
    return (struct rl_http_refusal){400, "the request line is malformed"};
  refusal = rl_http_scan_fields(fields, head, size);
  if (refusal.status != 0)
    return refusal;
  if (fields->hosts > 1 || (fields->hosts == 0 && core->http_minor > 0))
    return (struct rl_http_refusal){400, "there must be one Host"};
  if (fields->lengths > 1)
    return (struct rl_http_refusal){400, "more than one Content-Length"};
  return check_coding(parser, fields);
}

/* What a parser's error means, found at `byte`. */
static struct rl_http_refusal explain(const struct rl_http_parser *parser,
                                      char byte) {
  enum http_errno error = HTTP_PARSER_ERRNO(&parser->core);
  if (error == HPE_INVALID_METHOD &&
      (byte == ' ' || rl_http_is_token((unsigned char)byte)))
    return (struct rl_http_refusal){501, "unknown method"};
  if (error == HPE_HEADER_OVERFLOW)
    return (struct rl_http_refusal){431, "the head is too large"};
  return (struct rl_http_refusal){400, parser->call->error(error)};
}

static struct rl_http_refusal check_size(const struct rl_http_parser *parser,
                                         size_t size) {
  if (parser->url_size > parser->max_url)
    return (struct rl_http_refusal){414, "the target is too long"};
  if (size > parser->max_head)
    return (struct rl_http_refusal){431, "the head is too large"};
  return accepted;
}

/* The Lua side */

/* The bytes at 2 from the place at 3 on; their number in `*size`. */
static const char *check_bytes(lua_State *L, size_t *size) {
  size_t all;
  const char *bytes = luaL_checklstring(L, 2, &all);
  lua_Integer at = luaL_checkinteger(L, 3);
  luaL_argcheck(L, at >= 1 && (lua_Unsigned)at <= all + 1, 3, "out of range");
  *size = all - (size_t)(at - 1);
  return bytes + (at - 1);
}

/* The parser, which must be in `phase`. It is dead until its call has gone
 * well: one that has raised, for want of memory, leaves it in the middle. */
static struct rl_http_parser *take_parser(lua_State *L, enum phase phase) {
  struct rl_http_parser *parser = rl_check(L, 1, &parser_type);
  if (parser->phase != phase)
    luaL_error(L, "the parser is not ready for that");
  parser->phase = IS_DEAD;
  return parser;
}

/* http_library(): loads http-parser. */
static int l_http_library(lua_State *L) {
  static const struct rl_library wanted = {
      "http-parser", "libhttp_parser.so.2.9", "libhttp-parser2.9", names};
  struct rl_http_library *library = lua_newuserdatauv(L, sizeof *library, 0);
  memset(library, 0, sizeof *library);
  rl_load_library(L, &wanted, &library->call);
  library->head = rl_head(rl_engine(L), &library_type);
  return 1;
}

static void begin_head(struct rl_http_parser *parser) {
  parser->call->init(&parser->core, HTTP_REQUEST);
  parser->phase = IN_HEAD;
  parser->seen = parser->url = parser->url_size = 0;
  parser->last = '\0';
}

/* http_parser(library, max_head, max_url): one for a connection. */
static int l_http_parser(lua_State *L) {
  struct rl_http_library *library = rl_check(L, 1, &library_type);
  lua_Integer max_head = luaL_checkinteger(L, 2);
  lua_Integer max_url = luaL_checkinteger(L, 3);
  struct rl_http_parser *parser;
  luaL_argcheck(L, max_head > 0 && max_head <= INT_MAX, 2, "out of range");
  luaL_argcheck(L, max_url > 0 && max_url <= INT_MAX, 3, "out of range");
  parser = lua_newuserdatauv(L, sizeof *parser, 1);
  memset(parser, 0, sizeof *parser);
  parser->head = rl_head(rl_engine(L), &parser_type);
  parser->call = &library->call;
  parser->max_head = (uint32_t)max_head;
  parser->max_url = (uint32_t)max_url;
  begin_head(parser);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* Pushes nil, the status and the reason. The parser is dead. */
static int push_refusal(lua_State *L, struct rl_http_refusal refusal) {
  lua_pushnil(L);
  lua_pushinteger(L, refusal.status);
  lua_pushstring(L, refusal.reason);
  return 3;
}

/* Pushes the path and the query (or nil) of the target: what is between the
 * authority, if any, and a '#'. */
static void push_path(lua_State *L, const char *url, size_t size) {
  const char *end = url + size, *mark, *scheme;
  if (size > 0 && *url != '/' && *url != '*' &&
      (scheme = memchr(url, ':', size)) != NULL && end - scheme > 3) {
    url = scheme + 3; /* "://": http-parser has seen to it */
    while (url < end && *url != '/' && *url != '?' && *url != '#')
      url++;
  }
  if ((mark = memchr(url, '#', (size_t)(end - url))) != NULL)
    end = mark;
  mark = memchr(url, '?', (size_t)(end - url));
  if (url == end || mark == url)
    lua_pushliteral(L, "/");
  else
    lua_pushlstring(L, url, (size_t)((mark != NULL ? mark : end) - url));
  if (mark != NULL)
    lua_pushlstring(L, mark + 1, (size_t)(end - mark - 1));
  else
    lua_pushnil(L);
}

/* The length of the body; -1: it is chunked. */
static lua_Integer body_length(const struct rl_http_parser *parser) {
  const http_parser *core = &parser->core;
  if (core->flags & F_CHUNKED)
    return -1;
  if (!(core->flags & F_CONTENTLENGTH))
    return 0;
  return core->content_length > LUA_MAXINTEGER
             ? LUA_MAXINTEGER
             : (lua_Integer)core->content_length;
}

/* After a head: the library still waits for its last byte. */
static void begin_chunks(struct rl_http_parser *parser) {
  execute(parser, "\n", "\n", 1);
  parser->phase = IN_CHUNKS;
  parser->last = '\0';
  parser->body = parser->framing = 0;
  parser->ended = false;
}

/* What is not as in most requests, as bits. */
enum { IS_OLD = 1, CLOSES = 2, EXPECTS = 4, IS_HEAD = 8, IS_CONNECT = 16 };

/* Pushes those bits; nil, which is quicker to look at, if there are none. */
static void push_odds(lua_State *L, const struct rl_http_parser *parser,
                      bool expects) {
  bool old = parser->core.http_minor == 0;
  int odds = old ? IS_OLD : 0;
  if (!parser->call->keeps_alive(&parser->core))
    odds |= CLOSES;
  if (expects && !old)
    odds |= EXPECTS;
  if (parser->core.method == HTTP_HEAD)
    odds |= IS_HEAD;
  if (parser->core.method == HTTP_CONNECT)
    odds |= IS_CONNECT;
  if (odds != 0)
    lua_pushinteger(L, odds);
  else
    lua_pushnil(L);
}

/* Pushes what a head is that ends before `stop`, in the bytes at 2. */
static int push_head(lua_State *L, struct rl_http_parser *parser,
                     const char *head, lua_Integer stop, bool expects) {
  lua_Integer length = body_length(parser);
  lua_pushinteger(L, stop);
  lua_pushstring(L,
                 parser->call->method((enum http_method)parser->core.method));
  push_path(L, head + parser->url, parser->url_size);
  lua_pushinteger(L, length);
  push_odds(L, parser, expects);
  if (length < 0)
    begin_chunks(parser);
  else
    begin_head(parser);
  return 6;
}

static int push_incomplete(lua_State *L, struct rl_http_parser *parser) {
  parser->phase = IN_HEAD;
  lua_pushboolean(L, 0);
  return 1;
}

/*
 * http_head(parser, bytes, at): takes a head, which begins at `at`. If not all
 * of it was parsed before, `bytes` has what was there then, from `at` on, and
 * more. Returns the place after it, the method, path, query or nil, the length
 * of the body (-1: chunked), and bits of what is odd about it, or nil; false if
 * it is not complete; or nil, a status, and a reason.
 */
static int l_http_head(lua_State *L) {
  size_t size, used;
  const char *head = check_bytes(L, &size);
  struct rl_http_parser *parser = take_parser(L, IN_HEAD);
  struct rl_http_fields fields = {0};
  struct rl_http_refusal refusal;
  bool complete;
  if (size <= parser->seen)
    return push_incomplete(L, parser);
  used = execute(parser, head, head + parser->seen, size - parser->seen);
  used += parser->seen;
  complete = was_paused(parser);
  if (complete)
    used++; /* the LF */
  else if (HTTP_PARSER_ERRNO(&parser->core) != HPE_OK || used != size)
    return push_refusal(L, explain(parser, used < size ? head[used] : '\0'));
  refusal = check_size(parser, used);
  if (refusal.status == 0 &&
      (used > size ||
       !lines_hold(parser, head + parser->seen, used - parser->seen) ||
       (complete && parser->last != '\n')))
    refusal = (struct rl_http_refusal){400, "lines must end with CR LF"};
  if (refusal.status == 0 && complete)
    refusal = check_head(parser, &fields, head, used);
  if (refusal.status != 0)
    return push_refusal(L, refusal);
  parser->seen = used;
  if (!complete)
    return push_incomplete(L, parser);
  return push_head(L, parser, head, luaL_checkinteger(L, 3) + (lua_Integer)used,
                   fields.expects);
}

/* Checks what the library took of `bytes`, up to `used`: all but the piece is
 * framing, of which there may not be much more than there is in it. */
static bool chunk_holds(struct rl_http_parser *parser, const char *bytes,
                        size_t used, bool paused) {
  size_t begin = parser->piece_size > 0 ? parser->piece : used;
  size_t end = begin + parser->piece_size;
  parser->framing += begin + (used - end);
  parser->body += parser->piece_size;
  if (!lines_hold(parser, bytes, begin))
    return false;
  if (end > begin)
    parser->last = '\0';
  return lines_hold(parser, bytes + end, used - end) &&
         (!paused || parser->last == '\n') &&
         parser->framing <= parser->max_head + 16 * parser->body;
}

/*
 * http_chunk(parser, bytes, at): takes a piece of a chunked body. Returns the
 * place after it, the piece or nil if there was none, and whether it was the
 * end; or nil, a status, and a reason.
 */
static int l_http_chunk(lua_State *L) {
  size_t size, used = 0;
  const char *bytes = check_bytes(L, &size);
  struct rl_http_parser *parser = take_parser(L, IN_CHUNKS);
  bool paused = false;
  parser->piece = parser->piece_size = 0;
  if (size > 0) {
    used = execute(parser, bytes, bytes, size);
    paused = was_paused(parser);
    if (HTTP_PARSER_ERRNO(&parser->core) != HPE_OK)
      return push_refusal(L, explain(parser, '\0'));
    if (!chunk_holds(parser, bytes, used, paused))
      return push_refusal(
          L, (struct rl_http_refusal){400, "the chunked body is malformed"});
  }
  lua_pushinteger(L, luaL_checkinteger(L, 3) + (lua_Integer)used);
  if (parser->piece_size > 0)
    lua_pushlstring(L, bytes + parser->piece, parser->piece_size);
  else
    lua_pushnil(L);
  lua_pushboolean(L, parser->ended);
  parser->phase = IN_CHUNKS;
  if (parser->ended)
    begin_head(parser);
  return 3;
}

#else

static int l_http_library(lua_State *L) {
  return luaL_error(L, "rille was built without http-parser: install "
                       "libhttp-parser-dev and build again");
}

#define l_http_parser l_http_library
#define l_http_head l_http_library
#define l_http_chunk l_http_library

#endif

void rl_open_http_parser(lua_State *L) {
  static const luaL_Reg inner[] = {{"http_library", l_http_library},
                                   {"http_parser", l_http_parser},
                                   {"http_head", l_http_head},
                                   {"http_chunk", l_http_chunk},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
