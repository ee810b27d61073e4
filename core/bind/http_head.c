/*
 * http_head.c - the head of a request: what of it may be taken, and what it
 * says.
 *
 * The library has parsed it, into places in its bytes; see http_parser.c for
 * why it is looked at again.
 */
#include "http_parser.h"

#ifdef HAVE_HTTP_PARSER

#include <string.h>

static const struct rl_http_refusal accepted = {0, NULL};

/* Checks */

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

static struct rl_http_refusal check_size(const struct rl_http_parser *parser,
                                         size_t size) {
  if (parser->url_size > parser->max_url)
    return (struct rl_http_refusal){414, "the target is too long"};
  if (size > parser->max_head)
    return (struct rl_http_refusal){431, "the head is too large"};
  return accepted;
}

/* What is found */

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
    rl_http_begin_chunks(parser);
  else
    rl_http_begin_head(parser);
  return 6;
}

static int push_incomplete(lua_State *L, struct rl_http_parser *parser) {
  parser->phase = RL_HTTP_IN_HEAD;
  lua_pushboolean(L, 0);
  return 1;
}

/*
 * Takes a head, which begins at `at`. If a part of it was parsed before,
 * `bytes` has what was there then, from `at` on, and more. Returns the place
 * after it, the method, path, query or nil, the length of the body (-1:
 * chunked), and bits of what is odd about it, or nil; false if it is not
 * complete; or nil, a status, and a reason.
 */
int rl_http_head(lua_State *L) {
  size_t size, used;
  const char *head = rl_http_check_bytes(L, &size);
  struct rl_http_parser *parser = rl_http_take(L, RL_HTTP_IN_HEAD);
  struct rl_http_fields fields = {0};
  struct rl_http_refusal refusal;
  bool complete;
  if (size <= parser->seen)
    return push_incomplete(L, parser);
  used =
      rl_http_execute(parser, head, head + parser->seen, size - parser->seen);
  used += parser->seen;
  complete = rl_http_was_paused(parser);
  if (complete)
    used++; /* the LF */
  else if (HTTP_PARSER_ERRNO(&parser->core) != HPE_OK || used != size)
    return rl_http_push_refusal(
        L, rl_http_explain(parser, used < size ? head[used] : '\0'));
  refusal = check_size(parser, used);
  if (refusal.status == 0 &&
      (used > size ||
       !rl_http_lines_hold(parser, head + parser->seen, used - parser->seen) ||
       (complete && parser->last != '\n')))
    refusal = (struct rl_http_refusal){400, "lines must end with CR LF"};
  if (refusal.status == 0 && complete)
    refusal = check_head(parser, &fields, head, used);
  if (refusal.status != 0)
    return rl_http_push_refusal(L, refusal);
  parser->seen = used;
  if (!complete)
    return push_incomplete(L, parser);
  return push_head(L, parser, head, luaL_checkinteger(L, 3) + (lua_Integer)used,
                   fields.expects);
}

#endif
