/*
 * broadcast.c - broadcasts, as Lua sees them.
 *
 * A broadcast is where values are sent and subscriptions are made. What a
 * send does is in delivery.c, what a subscription is in subscription.c.
 */
#include "broadcast.h"

static struct rl_broadcast *check_broadcast(lua_State *L) {
  return rl_check(L, 1, &rl_broadcast_type);
}

/*** Broadcasts.
@type broadcast */

/***
Sends a value to every subscription. Suspends until those that are full, and
whose `overflow` is "block", have taken it; the others have it at once.
@function broadcast:send
@param value anything but nil
@treturn integer how many subscriptions it has reached; or nil and an error of
kind `full`, whose `subscribers` lists the names of those with `overflow`
"error" that were full: the others, `reached` of them, got it
@raise closed, also while it waits; cancelled: who had room has got it
@usage ticks:send{symbol = "ABC", price = 101.5}
*/
static int l_broadcast_send(lua_State *L) {
  check_broadcast(L);
  rl_check_value(L, 2);
  lua_settop(L, 2);
  return rl_send_to_all(L);
}

/***
Sends if that need not wait: to everybody, or to nobody. Never suspends.
@function broadcast:try_send
@param value anything but nil
@return as `send`; nil and an error of kind `full` with the `subscribers` that
would have to be waited for and `reached` 0; nil and one of kind `closed`
*/
static int l_broadcast_try_send(lua_State *L) {
  check_broadcast(L);
  rl_check_value(L, 2);
  lua_settop(L, 2);
  return rl_try_send_to_all(L);
}

/***
Takes a subscription out, as its `close` does. Never suspends.
@function broadcast:unsubscribe
@tparam string|subscription name or the subscription itself
@treturn boolean false if there is no such subscription
*/
static int l_broadcast_unsubscribe(lua_State *L) {
  struct rl_broadcast *broadcast = check_broadcast(L);
  bool by_object = rl_test(L, 2, &rl_subscription_type) != NULL;
  rl_engine(L);
  if (!by_object && lua_type(L, 2) != LUA_TSTRING)
    rl_arg_error(L, 2,
                 lua_pushfstring(L, "string or subscription expected, got %s",
                                 rl_push_shown(L, 2)));
  lua_settop(L, 2);
  if (broadcast->core.closed)
    return lua_pushboolean(L, 0), 1;
  lua_getiuservalue(L, 1, BROADCAST_MEMBERS);
  if (by_object) {
    lua_rawgetp(L, 3, lua_touserdata(L, 2));
  } else {
    lua_pushvalue(L, 2);
    lua_rawget(L, 3);
  }
  lua_pushboolean(L, !lua_isnil(L, 4) && rl_unsubscribe(L, 4));
  return 1;
}

static int l_broadcast_len(lua_State *L) {
  lua_pushinteger(L, check_broadcast(L)->core.count);
  return 1;
}

/***
The subscriptions there are; `#broadcast` is their number. Never suspends.
@function broadcast:subscribers
@treturn integer how many
@treturn table their names, the oldest first
*/
static int l_broadcast_subscribers(lua_State *L) {
  const struct rl_broadcast *broadcast = check_broadcast(L);
  struct rille_subscription *each = NULL;
  lua_Integer count = 0;
  lua_settop(L, 1);
  lua_createtable(L, (int)broadcast->core.count, 0);
  lua_getiuservalue(L, 1, BROADCAST_MEMBERS);
  while ((each = rille_broadcast_next(&broadcast->core, each)) != NULL) {
    lua_rawgetp(L, 3, rl_subscription_of(each));
    lua_getiuservalue(L, 4, SUBSCRIPTION_NAME);
    lua_rawseti(L, 2, ++count);
    lua_settop(L, 3);
  }
  lua_pushinteger(L, count);
  lua_pushvalue(L, 2);
  return 2;
}

/* Gives every subscription the error at 2. */
static void fail_all(lua_State *L, struct rl_broadcast *broadcast) {
  struct rille_subscription *each = NULL;
  lua_getiuservalue(L, 1, BROADCAST_MEMBERS);
  while ((each = rille_broadcast_next(&broadcast->core, each)) != NULL) {
    rl_subscription_of(each)->channel.failed = true;
    lua_rawgetp(L, 3, rl_subscription_of(each));
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 4, CHANNEL_ERROR);
    lua_settop(L, 3);
  }
}

/* Closes the broadcast at 1; at 2 is an error, or nil. */
static int close_broadcast(lua_State *L, struct rl_broadcast *broadcast) {
  lua_settop(L, 2);
  if (broadcast->core.closed)
    return 0;
  if (!lua_isnil(L, 2))
    fail_all(L, broadcast);
  rille_broadcast_close(&broadcast->core);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, BROADCAST_MEMBERS);
  return 0;
}

/***
Closes the broadcast. Subscribers can still receive what is in their buffers;
every waiter wakes. Never suspends; idempotent.
@function broadcast:close
@param[opt] err what the subscribers get after the last value
*/
static int l_broadcast_close(lua_State *L) {
  struct rl_broadcast *broadcast = check_broadcast(L);
  rl_engine(L);
  return close_broadcast(L, broadcast);
}

/* __close: without an error, whatever made the block end. */
static int l_broadcast_leave(lua_State *L) {
  struct rl_broadcast *broadcast = check_broadcast(L);
  lua_settop(L, 1);
  return close_broadcast(L, broadcast);
}

/***
@function broadcast:is_closed
@treturn boolean
*/
static int l_broadcast_is_closed(lua_State *L) {
  lua_pushboolean(L, check_broadcast(L)->core.closed);
  return 1;
}

/***
@function broadcast:stats
@treturn table `subscribers`, `sent` (values), `dropped` (by all subscriptions
there have been), `closed`
*/
static int l_broadcast_stats(lua_State *L) {
  const struct rl_broadcast *broadcast = check_broadcast(L);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, broadcast->core.count);
  lua_setfield(L, -2, "subscribers");
  lua_pushinteger(L, (lua_Integer)broadcast->core.sent);
  lua_setfield(L, -2, "sent");
  lua_pushinteger(L, (lua_Integer)broadcast->core.missed);
  lua_setfield(L, -2, "dropped");
  lua_pushboolean(L, broadcast->core.closed);
  lua_setfield(L, -2, "closed");
  return 1;
}

static int l_broadcast_tostring(lua_State *L) {
  const struct rl_broadcast *broadcast = check_broadcast(L);
  lua_pushfstring(L, "rille.broadcast: broadcast#%d (%d subscribers%s)",
                  (int)broadcast->core.id, (int)broadcast->core.count,
                  broadcast->core.closed ? ", closed" : "");
  return 1;
}

/***
Makes a broadcast: each of its subscriptions gets every value sent after it
was made, in order. Never suspends.
@function broadcast
@tparam[opt] table opts for the subscriptions: `buffer` (values each may hold,
16; 0 is a rendezvous, math.huge is unbounded), `overflow` ("block",
"drop_oldest", "drop_newest", "error"; other than "block" needs a buffer),
`on_drop` (function(value), must not wait)
@return the broadcast
@usage local ticks = rille.broadcast{buffer = 100, overflow = "drop_oldest"}
*/
static int l_broadcast_new(lua_State *L) {
  static const char *const names[] = {"buffer", "overflow", "on_drop", NULL};
  struct rl_engine *engine = rl_engine(L);
  struct rl_intake intake = {.buffer = 16};
  struct rl_broadcast *broadcast;
  lua_settop(L, 1);
  rl_check_options(L, 1, names);
  rl_read_intake(L, 1, &intake);
  broadcast = lua_newuserdatauv(L, sizeof *broadcast, BROADCAST_SLOTS);
  *broadcast = (struct rl_broadcast){
      .head = rl_head(engine, &rl_broadcast_type), .intake = intake};
  rille_broadcast_init(&broadcast->core);
  broadcast->core.id = ++engine->core.objects_made;
  lua_insert(L, 2);
  lua_setiuservalue(L, 2, BROADCAST_ON_DROP);
  lua_newtable(L);
  lua_setiuservalue(L, 2, BROADCAST_MEMBERS);
  rl_push_slot(L, engine, RL_BROADCAST_META);
  lua_setmetatable(L, 2);
  return 1;
}

/* For the Lua part: publish(list, value, label), try_publish(list, value,
 * label) send to the broadcasts of a list, which must not change; event_bus is
 * `broadcast` under the name that its errors are to have. */

static int l_publish(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  rl_check_value(L, 2);
  lua_settop(L, 3);
  return rl_send_to_all(L);
}

static int l_try_publish(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  rl_check_value(L, 2);
  lua_settop(L, 3);
  return rl_try_send_to_all(L);
}

const struct rl_type rl_broadcast_type = {
    "broadcast", sizeof(struct rl_broadcast), NULL, NULL};

void rl_open_broadcast(lua_State *L) {
  static const luaL_Reg methods[] = {{"send", l_broadcast_send},
                                     {"try_send", l_broadcast_try_send},
                                     {"subscribe", rl_subscribe},
                                     {"unsubscribe", l_broadcast_unsubscribe},
                                     {"subscribers", l_broadcast_subscribers},
                                     {"close", l_broadcast_close},
                                     {"is_closed", l_broadcast_is_closed},
                                     {"stats", l_broadcast_stats},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__len", l_broadcast_len},
                                  {"__close", l_broadcast_leave},
                                  {"__tostring", l_broadcast_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"broadcast", l_broadcast_new},
                                       {NULL, NULL}};
  static const luaL_Reg inner[] = {{"publish", l_publish},
                                   {"try_publish", l_try_publish},
                                   {"event_bus", l_broadcast_new},
                                   {NULL, NULL}};
  rl_new_type(L, RL_BROADCAST_META, "broadcast", methods, meta);
  rl_add_functions(L, functions);
  rl_add_inner(L, inner);
}
