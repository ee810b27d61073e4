/*
 * inlet.c - values from outside: signals, changes of files.
 *
 * A callback of luv puts them in, tasks receive them:
 *
 *     callback --core.inlet_put--> buffer --> recv, for, select
 *     close, <close>, core.inlet_end  -->  the function that closes the handle
 *
 * An inlet is a channel's receiving side (recv.c). While a task waits on
 * it, the program is neither finished nor in a deadlock; the handle behind it
 * is unref'd, and means nothing alone. The inlet holds the handle, through the
 * function that closes it, and the handle's callback should hold the inlet
 * weakly: then one that is forgotten is collected, and closes its handle.
 */
#include "channel.h"

struct rl_inlet {
  struct rl_channel channel;
  lua_Integer dropped; /* values for which there was no room */
};

enum {
  INLET_NAME = CHANNEL_SLOTS + 1, /* "signal: sigusr1" */
  INLET_ON_CLOSE,                 /* function(), or nil once it was called */
  INLET_SLOTS = INLET_ON_CLOSE
};

static struct rl_inlet *check_inlet(lua_State *L) {
  return rl_check(L, 1, &rl_inlet_type);
}

/* inlet(name, capacity, overflow, on_close): makes one; the arguments are the
 * Lua part's, and right. */
static int l_inlet_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  uint32_t capacity = (uint32_t)luaL_checkinteger(L, 2);
  int overflow = luaL_checkoption(L, 3, NULL, rl_overflows);
  struct rl_inlet *inlet = lua_newuserdatauv(L, sizeof *inlet, INLET_SLOTS);
  *inlet = (struct rl_inlet){.channel.head = rl_head(engine, &rl_inlet_type)};
  rille_channel_init(&inlet->channel.core, capacity,
                     (enum rille_overflow)overflow);
  rille_channel_set_outside(&inlet->channel.core);
  inlet->channel.core.id = ++engine->core.objects_made;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, INLET_NAME);
  lua_pushvalue(L, 4);
  lua_setiuservalue(L, -2, INLET_ON_CLOSE);
  rl_push_slot(L, engine, RL_INLET_META);
  lua_setmetatable(L, -2);
  return 1;
}

/* inlet_put(inlet, value): from a callback. One that is closed takes
 * nothing. */
static int l_inlet_put(lua_State *L) {
  struct rl_inlet *inlet = check_inlet(L);
  enum rille_transfer_kind kind;
  rl_check_value(L, 2);
  lua_settop(L, 2);
  kind = rl_channel_send(L, &inlet->channel, 1);
  inlet->dropped += kind == RILLE_DROP || kind == RILLE_REPLACE;
  return 0;
}

/* Closes what is behind the inlet at 1; once. */
static int close_handle(lua_State *L) {
  if (lua_getiuservalue(L, 1, INLET_ON_CLOSE) != LUA_TFUNCTION)
    return 0;
  lua_pushnil(L);
  lua_setiuservalue(L, 1, INLET_ON_CLOSE);
  lua_call(L, 0, 0);
  return 0;
}

static int close_inlet(lua_State *L, struct rl_inlet *inlet) {
  rille_channel_close(&inlet->channel.core);
  return close_handle(L);
}

/* inlet_end(inlet, err): it has failed: receivers get `err` after the last
 * value. */
static int l_inlet_end(lua_State *L) {
  struct rl_inlet *inlet = check_inlet(L);
  lua_settop(L, 2);
  if (!inlet->channel.core.closed) {
    inlet->channel.failed = true;
    lua_setiuservalue(L, 1, CHANNEL_ERROR);
  }
  return close_inlet(L, inlet);
}

/*** Inlets: what `rille.signal` and `rille.fs.watch` return. They have a
channel's `recv`, `try_recv`, `recv_many`, `cap`, `size`, `is_closed` and
iteration, and are sources of a select. A task that waits on one keeps the
program alive.
@type inlet */

/***
Closes it: nothing more comes in. What is in the buffer can still be received,
then receivers get nil and an error of kind `closed`. Never suspends;
idempotent. `<close>` does so too.
@function inlet:close
*/
static int l_inlet_close(lua_State *L) {
  rl_engine(L);
  return close_inlet(L, check_inlet(L));
}

/* Nobody waits who could be woken: a task that does has it on its stack. */
static int l_inlet_gc(lua_State *L) {
  check_inlet(L);
  return close_handle(L);
}

/***
@function inlet:dropped
@treturn integer values for which there was no room
*/
static int l_inlet_dropped(lua_State *L) {
  lua_pushinteger(L, check_inlet(L)->dropped);
  return 1;
}

/***
@function inlet:stats
@treturn table as of a channel, and `dropped`
*/
static int l_inlet_stats(lua_State *L) {
  rl_channel_stats(L);
  lua_pushinteger(L, check_inlet(L)->dropped);
  lua_setfield(L, -2, "dropped");
  return 1;
}

static int l_inlet_tostring(lua_State *L) {
  struct rl_inlet *inlet = check_inlet(L);
  const char *filling = rl_push_filling(L, &inlet->channel);
  lua_getiuservalue(L, 1, INLET_NAME);
  lua_pushfstring(L, "rille.%s (%s)", lua_tostring(L, -1), filling);
  return 1;
}

static struct rille_source *receive_source(void *object, bool sends) {
  struct rl_channel *channel = object;
  return sends ? NULL : &channel->core.receive;
}

const struct rl_type rl_inlet_type = {"inlet", sizeof(struct rl_inlet),
                                      receive_source, rl_push_channel_case};

void rl_open_inlet(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", l_inlet_close},
                                     {"dropped", l_inlet_dropped},
                                     {"stats", l_inlet_stats},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_inlet_close},
                                  {"__gc", l_inlet_gc},
                                  {"__tostring", l_inlet_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg inner[] = {{"inlet", l_inlet_new},
                                   {"inlet_put", l_inlet_put},
                                   {"inlet_end", l_inlet_end},
                                   {NULL, NULL}};
  rl_new_type(L, RL_INLET_META, "inlet", methods, meta);
  rl_add_receiving(L, RL_INLET_META);
  rl_add_inner(L, inner);
}
