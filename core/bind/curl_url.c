/*
 * curl_url.c - URLs, by libcurl's own parser: what is taken here is taken by a
 * transfer, and means the same there.
 */
#ifdef HAVE_CURL

#include "curl.h"

enum { PART_URL, PART_SCHEME, PART_HOST, PART_PORT, PARTS };

/* A URL and its parts, in libcurl's memory. */
struct url {
  const struct rl_curl *curl;
  CURLU *handle;
  char *parts[PARTS];
};

static void free_url(struct url *url) {
  for (int i = 0; i < PARTS; i++)
    url->curl->free(url->parts[i]);
  url->curl->url_cleanup(url->handle);
}

static CURLUcode read_url(struct url *url, const char *text,
                          const char *relative) {
  static const CURLUPart parts[PARTS] = {CURLUPART_URL, CURLUPART_SCHEME,
                                         CURLUPART_HOST, CURLUPART_PORT};
  const struct rl_curl *curl = url->curl;
  CURLUcode code = curl->url_set(url->handle, CURLUPART_URL, text, 0);
  if (code == CURLUE_OK && relative != NULL)
    code = curl->url_set(url->handle, CURLUPART_URL, relative, CURLU_URLENCODE);
  for (int i = 0; code == CURLUE_OK && i < PARTS; i++)
    code = curl->url_get(url->handle, parts[i], &url->parts[i],
                         i == PART_PORT ? CURLU_DEFAULT_PORT : 0);
  return code;
}

/* push(url): its parts, under protection. */
static int push_parts(lua_State *L) {
  const struct url *url = lua_touserdata(L, 1);
  for (int i = 0; i < PARTS; i++)
    lua_pushstring(L, url->parts[i]);
  return PARTS;
}

/* curl_url(pool, url, [relative]): the URL that `relative` means where `url`
 * is, its scheme, host and port; or nil and what is wrong with it. */
static int l_url(lua_State *L) {
  const char *text = luaL_checkstring(L, 2);
  const char *relative = luaL_optstring(L, 3, NULL);
  struct url url = {.curl = &rl_check_pool(L)->curl};
  CURLUcode code;
  int status;
  lua_settop(L, 3);
  lua_pushcfunction(L, push_parts);
  lua_pushlightuserdata(L, &url);
  url.handle = url.curl->url();
  if (url.handle == NULL)
    return luaL_error(L, "not enough memory");
  code = read_url(&url, text, relative);
  status = code == CURLUE_OK ? lua_pcall(L, 1, LUA_MULTRET, 0) : LUA_OK;
  free_url(&url);
  if (status != LUA_OK)
    return lua_error(L);
  if (code == CURLUE_OK)
    return lua_gettop(L) - 3;
  lua_pushnil(L);
  lua_pushstring(L, url.curl->url_strerror(code));
  return 2;
}

void rl_open_curl_url(lua_State *L) {
  static const luaL_Reg inner[] = {{"curl_url", l_url}, {NULL, NULL}};
  rl_add_inner(L, inner);
}

#else

/* An empty file is no C. */
typedef int rl_no_curl_url;

#endif
