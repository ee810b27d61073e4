/*
 * curl_error.c - how a transfer has failed, for Lua.
 *
 * A kind says what can be done about it; libcurl's text, which has more to say
 * than its number, is the message.
 */
#ifdef HAVE_CURL

#include "curl.h"
#include <string.h>

/* libcurl keeps no line of a head beyond 100 KB and, in some versions, no head
 * beyond 300 KB. It calls the first want of memory and the second a failure to
 * receive: but here bytes of a head have come, and there is memory. */
static bool is_long_head(const struct rl_transfer *t, CURLcode code) {
  curl_off_t begun = 0;
  if (t->head_done)
    return false;
  if (code == CURLE_RECV_ERROR)
    return strstr(t->message, "response headers") != NULL;
  t->pool->curl.easy_getinfo(t->easy, CURLINFO_STARTTRANSFER_TIME_T, &begun);
  return code == CURLE_OUT_OF_MEMORY && begun > 0;
}

int rl_transfer_result(const struct rl_transfer *t, CURLcode code) {
  return is_long_head(t, code) ? RL_TRANSFER_TOO_LARGE : (int)code;
}

static const char *kind_of(const struct rl_transfer *t) {
  switch (t->result) {
  case RL_TRANSFER_TOO_LARGE:
    return "too_large";
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
    return "resolve";
  case CURLE_COULDNT_CONNECT:
  case CURLE_INTERFACE_FAILED:
  case CURLE_PROXY:
    return "connect";
  case CURLE_OPERATION_TIMEDOUT:
    return "timeout";
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_CLIENTCERT:
  case CURLE_USE_SSL_FAILED:
    return "tls";
  default:
    return "protocol";
  }
}

static const char *text_of(const struct rl_transfer *t) {
  if (t->result == RL_TRANSFER_CLOSED)
    return "the client was closed";
  if (t->result == RL_TRANSFER_ABORTED)
    return "the body of the request cannot be read";
  if (t->result == RL_TRANSFER_TOO_LARGE)
    return "the head of the response is too large";
  return t->message[0] != '\0' ? t->message : "the transfer failed";
}

int rl_transfer_push_failure(lua_State *L, struct rl_engine *engine, int index,
                             bool whole) {
  const struct rl_transfer *t = lua_touserdata(L, index);
  const char *kind = kind_of(t), *label;
  if (whole && t->result == RL_TRANSFER_CLOSED)
    kind = "closed";
  if (t->result == CURLE_OUT_OF_MEMORY)
    luaL_error(L, "not enough memory");
  lua_pushnil(L);
  lua_getiuservalue(L, index, RL_TRANSFER_LABEL);
  label = lua_tostring(L, -1);
  rl_push_error(L, engine, kind, "%s: %s", label, text_of(t));
  lua_remove(L, -2);
  if (t->result > 0) {
    lua_pushinteger(L, t->result);
    lua_setfield(L, -2, "code");
  }
  return 2;
}

int rl_transfer_push_closed(lua_State *L, struct rl_engine *engine, int index,
                            const char *what) {
  lua_pushnil(L);
  lua_getiuservalue(L, index, RL_TRANSFER_LABEL);
  rl_push_error(L, engine, "closed", "%s: the body %s", lua_tostring(L, -1),
                what);
  lua_remove(L, -2);
  return 2;
}

#else

/* An empty file is no C. */
typedef int rl_no_transfer_error;

#endif
