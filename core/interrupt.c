/*
 * interrupt.c - see interrupt.h.
 *
 *     signal --> handle_signal --uv_async_send--> interrupt_cb, in the loop
 *                     |                                |
 *              second: _exit      who took it over, REPL's hook, or cancel
 *                                 the root
 *
 * sigaction and not uv_signal: the second signal must work when the loop does
 * not turn. The handler has no argument of its own, hence the statics;
 * they are all the mutable globals of the binary but for the line editor's.
 */
#include "interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rille.h"

/* The signal that arrived and was not taken by a hook. */
static volatile sig_atomic_t received;
/* Whoever took that signal over has been told of it. */
static int taken;
/* Wakes the loop; NULL when the signals are not ours. Malloc'd, for libuv
 * holds it until it is closed. Written only while the signals are blocked by
 * having no handler. */
static uv_async_t *waker;
/* Its address is the hook's key in the registry. */
static const char hook_key;
static const char guard_key;
/* The table of who took a signal over: number -> function. */
static const char takers_key;

static void handle_signal(int number) {
  int saved = errno;
  if (received != 0)
    _exit(128 + number);
  received = number;
  uv_async_send(waker);
  errno = saved;
}

/* Calls the value at the top with `number`; false if it is no function. */
static int call_back(lua_State *L, int number) {
  if (!lua_isfunction(L, -1)) {
    lua_pop(L, 1);
    return 0;
  }
  lua_pushinteger(L, number);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "rille: %s\n", luaL_tolstring(L, -1, NULL));
    lua_pop(L, 2);
  }
  return 1;
}

/* True if there is a hook; it has been called then. */
static int call_hook(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &hook_key);
  return call_back(L, SIGINT);
}

/* The same for who took the signal over. */
static int call_taker(lua_State *L, int number) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &takers_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    return 0;
  }
  lua_rawgeti(L, -1, number);
  lua_replace(L, -2);
  return call_back(L, number);
}

static void interrupt_cb(uv_async_t *async) {
  lua_State *L = async->data;
  if (received == 0 || taken)
    return;
  if (!lua_checkstack(L, 6))
    rille_cancel(L, "interrupted", "interrupted by a signal");
  else if (call_taker(L, received))
    taken = 1;
  else if (received == SIGINT && call_hook(L))
    received = 0;
  else if (received == SIGINT)
    rille_cancel(L, "interrupted", "interrupted by SIGINT");
  else if (received != 0)
    rille_cancel(L, "interrupted", "interrupted by SIGTERM");
}

static void set_handler(int number, void (*handler)(int)) {
  /* No SA_RESTART: a read that blocks in a script should end. */
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT); /* one after the other */
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(number, &action, NULL);
}

static void free_cb(uv_handle_t *handle) { free(handle); }

static int l_stop(lua_State *L) {
  rille_interrupt_stop(L);
  return 0;
}

/* A userdata younger than the engine's: lua_close collects it first, so our
 * handle is closing when the engine closes its loop. */
static void push_guard(lua_State *L) {
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_stop);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

/* What each of them does in the binary. */
static void take_signal(int number) {
  if (number == SIGINT || number == SIGTERM)
    set_handler(number, handle_signal);
  else if (number == SIGPIPE || number == SIGXFSZ)
    set_handler(number, SIG_IGN);
}

int rille_interrupt_start(lua_State *L) {
  push_guard(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
  uv_async_t *async = malloc(sizeof *async);
  if (async == NULL)
    return UV_ENOMEM;
  int rc = uv_async_init(rille_loop(L), async, interrupt_cb);
  if (rc != 0) {
    free(async);
    return rc;
  }
  async->data = L;
  uv_unref((uv_handle_t *)async);
  received = taken = 0;
  waker = async;
  take_signal(SIGINT);
  take_signal(SIGTERM);
  take_signal(SIGPIPE);
  take_signal(SIGXFSZ);
  return 0;
}

void rille_interrupt_stop(lua_State *L) {
  (void)L;
  if (waker == NULL)
    return;
  set_handler(SIGINT, SIG_DFL);
  set_handler(SIGTERM, SIG_DFL);
  if (uv_is_closing((uv_handle_t *)waker)) /* gone with the loop */
    free(waker);
  else
    uv_close((uv_handle_t *)waker, free_cb);
  waker = NULL;
}

int rille_interrupt_signal(void) { return taken ? 0 : received; }

int rille_interrupt_set_hook(lua_State *L) {
  if (!lua_isnoneornil(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &hook_key);
  return 0;
}

/* restore(number): see interrupt.h. */
static int l_restore(lua_State *L) {
  int number = (int)luaL_checkinteger(L, 1);
  if (waker != NULL)
    take_signal(number);
  return 0;
}

/* take(name, [fn]): see interrupt.h. */
static int l_take(lua_State *L) {
  static const char *const names[] = {"sigint", "sigterm", NULL};
  static const int numbers[] = {SIGINT, SIGTERM};
  int number = numbers[luaL_checkoption(L, 1, NULL, names)];
  if (!lua_isnoneornil(L, 2))
    luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &takers_key);
  lua_pushvalue(L, 2);
  lua_rawseti(L, 3, number);
  if (lua_isnil(L, 2) && taken)
    received = taken = 0;
  return 0;
}

int rille_interrupt_luaopen(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"take", l_take}, {"restore", l_restore}, {NULL, NULL}};
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &takers_key);
  luaL_newlib(L, functions);
  return 1;
}
