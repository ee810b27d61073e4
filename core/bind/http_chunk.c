/*
 * http_chunk.c - a chunked body, piece by piece.
 *
 *     size CR LF  piece CR LF ...  0 CR LF  trailers CR LF
 *
 * The pieces are passed on; the framing around them is checked, trailers
 * included, and dropped.
 */
#include "http_parser.h"

#ifdef HAVE_HTTP_PARSER

void rl_http_begin_chunks(struct rl_http_parser *parser) {
  rl_http_execute(parser, "\n", "\n", 1);
  parser->phase = RL_HTTP_IN_CHUNKS;
  parser->last = '\0';
  parser->body = parser->framing = 0;
  parser->ended = false;
}

/* Checks what the library took of `bytes`, up to `used`: all but the piece is
 * framing, of which there may not be much more than there is in it. */
static bool chunk_holds(struct rl_http_parser *parser, const char *bytes,
                        size_t used, bool paused) {
  size_t begin = parser->piece_size > 0 ? parser->piece : used;
  size_t end = begin + parser->piece_size;
  parser->framing += begin + (used - end);
  parser->body += parser->piece_size;
  if (!rl_http_lines_hold(parser, bytes, begin))
    return false;
  if (end > begin)
    parser->last = '\0';
  return rl_http_lines_hold(parser, bytes + end, used - end) &&
         (!paused || parser->last == '\n') &&
         parser->framing <= parser->max_head + 16 * parser->body;
}

/* Takes a piece of a chunked body. Returns the place after it, the piece or nil
 * if there was none, and whether it was the end; or nil, a status, and a
 * reason. */
int rl_http_chunk(lua_State *L) {
  size_t size, used = 0;
  const char *bytes = rl_http_check_bytes(L, &size);
  struct rl_http_parser *parser = rl_http_take(L, RL_HTTP_IN_CHUNKS);
  bool paused = false;
  parser->piece = parser->piece_size = 0;
  if (size > 0) {
    used = rl_http_execute(parser, bytes, bytes, size);
    paused = rl_http_was_paused(parser);
    if (HTTP_PARSER_ERRNO(&parser->core) != HPE_OK)
      return rl_http_push_refusal(L, rl_http_explain(parser, '\0'));
    if (!chunk_holds(parser, bytes, used, paused))
      return rl_http_push_refusal(
          L, (struct rl_http_refusal){400, "the chunked body is malformed"});
  }
  lua_pushinteger(L, luaL_checkinteger(L, 3) + (lua_Integer)used);
  if (parser->piece_size > 0)
    lua_pushlstring(L, bytes + parser->piece, parser->piece_size);
  else
    lua_pushnil(L);
  lua_pushboolean(L, parser->ended);
  parser->phase = RL_HTTP_IN_CHUNKS;
  if (parser->ended)
    rl_http_begin_head(parser);
  return 3;
}

#endif
