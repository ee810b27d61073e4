/*
 * socket.c - the things about sockets that libuv keeps to itself.
 *
 * A server must not lose a connection for want of a descriptor. libuv's own
 * accepting does: out of descriptors, it accepts and closes whatever is in the
 * backlog. So rille.net accepts for itself, when a uv_poll_t says so; what
 * cannot be accepted now stays in the kernel's queue. Nor does libuv say that
 * it has cut a path, or, before it is used, whether a text is an address.
 */
#define _GNU_SOURCE /* accept4 */
#include "bind.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

/* Pushes nil and the name of errno: "EMFILE". */
static int push_errno(lua_State *L) {
  const char *name = uv_err_name(uv_translate_sys_error(errno));
  lua_pushnil(L);
  lua_pushstring(L, name);
  return 2;
}

/* listen_on(fd, backlog): true, or nil and a name. */
static int l_listen_on(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  if (listen(fd, (int)luaL_checkinteger(L, 2)) < 0)
    return push_errno(L);
  lua_pushboolean(L, 1);
  return 1;
}

/* accept_from(fd): a new descriptor, or nil and a name. Never blocks where
 * `fd` does not. */
static int l_accept_from(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1), peer;
  do
    peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (peer < 0 && errno == EINTR);
  if (peer < 0)
    return push_errno(L);
  lua_pushinteger(L, peer);
  return 1;
}

/* address_family(text): "inet" or "inet6" if it is an address, else nil. */
static int l_address_family(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  unsigned char address[sizeof(struct in6_addr)];
  if (uv_inet_pton(AF_INET, text, address) == 0)
    lua_pushliteral(L, "inet");
  else if (uv_inet_pton(AF_INET6, text, address) == 0)
    lua_pushliteral(L, "inet6");
  else
    lua_pushnil(L);
  return 1;
}

/* fits_unix(path): whether a Unix socket can have all of this path. */
static int l_fits_unix(lua_State *L) {
  struct sockaddr_un address;
  lua_pushboolean(L, lua_rawlen(L, 1) < sizeof address.sun_path);
  return 1;
}

void rl_open_socket(lua_State *L) {
  static const luaL_Reg inner[] = {{"listen_on", l_listen_on},
                                   {"accept_from", l_accept_from},
                                   {"address_family", l_address_family},
                                   {"fits_unix", l_fits_unix},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
