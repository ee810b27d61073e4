/*
 * http_parser.c - requests of HTTP/1.1, taken out of the bytes that come.
 *
 * The grammar is that of http-parser, the library, which is given bytes and
 * calls back. Its callbacks note places in those bytes, or pause it, and no
 * more: they cannot raise, and no memory is taken while it runs. One call of
 * `http_head` takes the head of a request (http_head.c), one of `http_chunk` a
 * piece of a chunked body (http_chunk.c); where the length is known, the Lua
 * part cuts the body itself.
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
#include "http_parser.h"

#ifdef HAVE_HTTP_PARSER

#include <limits.h>
#include <string.h>

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
  struct rl_http_functions call;
};

static const struct rl_type library_type = {
    "http library", sizeof(struct rl_http_library), NULL, NULL};
static const struct rl_type parser_type = {
    "http parser", sizeof(struct rl_http_parser), NULL, NULL};

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

size_t rl_http_execute(struct rl_http_parser *parser, const char *base,
                       const char *bytes, size_t size) {
  parser->base = base;
  parser->core.data = parser;
  return parser->call->execute(&parser->core, &settings, bytes, size);
}

bool rl_http_was_paused(struct rl_http_parser *parser) {
  if (HTTP_PARSER_ERRNO(&parser->core) != HPE_PAUSED)
    return false;
  parser->call->pause(&parser->core, 0);
  return true;
}

/* What its users do with it */

bool rl_http_lines_hold(struct rl_http_parser *parser, const char *bytes,
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

struct rl_http_refusal rl_http_explain(const struct rl_http_parser *parser,
                                       char byte) {
  enum http_errno error = HTTP_PARSER_ERRNO(&parser->core);
  if (error == HPE_INVALID_METHOD &&
      (byte == ' ' || rl_http_is_token((unsigned char)byte)))
    return (struct rl_http_refusal){501, "unknown method"};
  if (error == HPE_HEADER_OVERFLOW)
    return (struct rl_http_refusal){431, "the head is too large"};
  return (struct rl_http_refusal){400, parser->call->error(error)};
}

const char *rl_http_check_bytes(lua_State *L, size_t *size) {
  size_t all;
  const char *bytes = luaL_checklstring(L, 2, &all);
  lua_Integer at = luaL_checkinteger(L, 3);
  luaL_argcheck(L, at >= 1 && (lua_Unsigned)at <= all + 1, 3, "out of range");
  *size = all - (size_t)(at - 1);
  return bytes + (at - 1);
}

struct rl_http_parser *rl_http_take(lua_State *L, enum rl_http_phase phase) {
  struct rl_http_parser *parser = rl_check(L, 1, &parser_type);
  if (parser->phase != phase)
    luaL_error(L, "the parser is not ready for that");
  parser->phase = RL_HTTP_IS_DEAD;
  return parser;
}

int rl_http_push_refusal(lua_State *L, struct rl_http_refusal refusal) {
  lua_pushnil(L);
  lua_pushinteger(L, refusal.status);
  lua_pushstring(L, refusal.reason);
  return 3;
}

void rl_http_begin_head(struct rl_http_parser *parser) {
  parser->call->init(&parser->core, HTTP_REQUEST);
  parser->phase = RL_HTTP_IN_HEAD;
  parser->seen = parser->url = parser->url_size = 0;
  parser->last = '\0';
}

/* Making one */

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
  rl_http_begin_head(parser);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

#else

static int l_http_library(lua_State *L) {
  return luaL_error(L, "rille was built without http-parser: install "
                       "libhttp-parser-dev and build again");
}

#define l_http_parser l_http_library
#define rl_http_head l_http_library
#define rl_http_chunk l_http_library

#endif

void rl_open_http_parser(lua_State *L) {
  static const luaL_Reg inner[] = {{"http_library", l_http_library},
                                   {"http_parser", l_http_parser},
                                   {"http_head", rl_http_head},
                                   {"http_chunk", rl_http_chunk},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
