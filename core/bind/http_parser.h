/*
 * http_parser.h - what the files of the HTTP parser share.
 *
 *     parser    the library, made to say where things are   http_parser.c
 *     head      of a request                                http_head.c
 *     chunks    of its body                                 http_chunk.c
 *     fields    the header lines, by themselves             http_fields.c
 */
#ifndef RILLE_BIND_HTTP_PARSER_H
#define RILLE_BIND_HTTP_PARSER_H

#include "bind.h"

#ifdef HAVE_HTTP_PARSER

#include "http_fields.h"
#include <http_parser.h>

/* The functions of the library, in the order of their names in http_parser.c.
 */
struct rl_http_functions {
  void (*init)(http_parser *, enum http_parser_type);
  size_t (*execute)(http_parser *, const http_parser_settings *, const char *,
                    size_t);
  void (*pause)(http_parser *, int);
  int (*keeps_alive)(const http_parser *);
  const char *(*method)(enum http_method);
  const char *(*error)(enum http_errno);
};

enum rl_http_phase { RL_HTTP_IN_HEAD, RL_HTTP_IN_CHUNKS, RL_HTTP_IS_DEAD };

struct rl_http_parser {
  struct rl_head head;
  const struct rl_http_functions *call; /* in the library: user value 1 */
  http_parser core;
  enum rl_http_phase phase;
  uint32_t max_head, max_url; /* bytes */
  size_t seen;                /* bytes of the head that were parsed */
  const char *base;           /* during a call: what places are counted from */
  size_t url, url_size;       /* in the head */
  size_t piece, piece_size;   /* of a body, in the bytes of the call */
  bool ended;                 /* the body has come to its end */
  char last;                  /* the byte before, outside the bodies */
  uint64_t body, framing;     /* bytes of chunks so far, and around them */
};

/* http_parser.c */

/* Runs the library over `size` bytes, more than 0. Returns how many it took. */
size_t rl_http_execute(struct rl_http_parser *parser, const char *base,
                       const char *bytes, size_t size);

/* True if the last run stopped because a callback has paused it; then it can
 * go on. */
bool rl_http_was_paused(struct rl_http_parser *parser);

/* Looks at bytes that are not of a body: LF follows CR, and CR nothing but LF;
 * no line begins with a blank, which would make it the continuation of another
 * (RFC 9112, 5.2). */
bool rl_http_lines_hold(struct rl_http_parser *parser, const char *bytes,
                        size_t size);

/* What a parser's error means, found at `byte`. */
struct rl_http_refusal rl_http_explain(const struct rl_http_parser *parser,
                                       char byte);

/* The bytes at 2 from the place at 3 on; their number in `*size`. */
const char *rl_http_check_bytes(lua_State *L, size_t *size);

/* The parser at 1, which must be in `phase`. It is dead until its call has gone
 * well: one that has raised, for want of memory, leaves it in the middle. */
struct rl_http_parser *rl_http_take(lua_State *L, enum rl_http_phase phase);

/* Pushes nil, the status and the reason. The parser is dead. */
int rl_http_push_refusal(lua_State *L, struct rl_http_refusal refusal);

/* Makes it ready for the head of the next request. */
void rl_http_begin_head(struct rl_http_parser *parser);

/* http_head.c */

/* http_head(parser, bytes, at), for the Lua part. */
int rl_http_head(lua_State *L);

/* http_chunk.c */

/* After a head: the library still waits for its last byte. */
void rl_http_begin_chunks(struct rl_http_parser *parser);

/* http_chunk(parser, bytes, at), for the Lua part. */
int rl_http_chunk(lua_State *L);

#endif

#endif
