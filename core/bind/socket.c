/*
 * socket.c - the three things about sockets that libuv keeps to itself.
 *
 * A server must not lose a connection for want of a descriptor. libuv's own
 * accepting does: out of descriptors, it accepts and closes whatever is in the
 * backlog. So rille.net accepts for itself, when a uv_poll_t says so; what
 * cannot be accepted now stays in the kernel's queue. And a write to a socket
 * whose peer has gone must be an error, not the end of the process.
 */
#define _GNU_SOURCE /* accept4 */
#include "bind.h"
#include <errno.h>
#include <sys/socket.h>
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

void rl_open_socket(lua_State *L) {
  static const luaL_Reg inner[] = {
      {"listen_on", l_listen_on}, {"accept_from", l_accept_from}, {NULL, NULL}};
  rl_add_inner(L, inner);
}
