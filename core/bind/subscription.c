/*
 * subscription.c - what a broadcast is received with.
 *
 * A subscription is a channel's receiving side (recv.c) with a name and a
 * place in a broadcast. It is in its broadcast until somebody takes it out;
 * what it has in its buffer then can still be received.
 */
#include "broadcast.h"

static struct rl_subscription *check_subscription(lua_State *L) {
  return rl_check(L, 1, &rl_subscription_type);
}

/* Subscribing */

static int bad_buffer(lua_State *L, int index) {
  lua_pushfstring(L, "option 'buffer': " RL_CAPACITY ", got %f",
                  lua_tonumber(L, -1));
  return rl_arg_error(L, index, lua_tostring(L, -1));
}

void rl_read_intake(lua_State *L, int index, struct rl_intake *intake) {
  if (rl_option(L, index, "buffer", LUA_TNUMBER) != LUA_TNIL &&
      !rl_to_capacity(L, -1, &intake->buffer))
    bad_buffer(L, index);
  if (rl_option(L, index, "overflow", LUA_TSTRING) != LUA_TNIL)
    intake->overflow = (enum rille_overflow)rl_option_choice(
        L, index, "overflow", rl_overflows);
  lua_pop(L, 2);
  if (intake->overflow != RILLE_BLOCK && intake->buffer == 0)
    rl_arg_error(L, index,
                 lua_pushfstring(L,
                                 "option 'overflow': '%s' needs a buffer of "
                                 "at least 1",
                                 rl_overflows[intake->overflow]));
  rl_option(L, index, "on_drop", LUA_TFUNCTION);
}

static int raise_closed(lua_State *L) {
  rl_push_error(L, rl_engine(L), "closed",
                "cannot subscribe: the broadcast is closed");
  return lua_error(L);
}

/* True if a subscription has the name at the top. */
static bool is_taken(lua_State *L, int broadcast) {
  bool taken;
  lua_getiuservalue(L, broadcast, BROADCAST_MEMBERS);
  lua_pushvalue(L, -2);
  taken = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return taken;
}

/* Pushes a name that none of the subscriptions has. */
static void push_name(lua_State *L, struct rl_broadcast *broadcast) {
  lua_pushfstring(L, "subscriber#%d", (int)++broadcast->named);
  while (!broadcast->core.closed && is_taken(L, 1)) {
    lua_pop(L, 1);
    lua_pushfstring(L, "subscriber#%d", (int)++broadcast->named);
  }
}

/* Pushes a subscription that is in no broadcast yet: the name is at 2. */
static struct rl_subscription *new_subscription(lua_State *L,
                                                struct rl_engine *engine,
                                                const struct rl_intake *intake,
                                                int on_drop) {
  struct rl_subscription *subscription =
      lua_newuserdatauv(L, sizeof *subscription, SUBSCRIPTION_SLOTS);
  *subscription = (struct rl_subscription){
      .channel.head = rl_head(engine, &rl_subscription_type)};
  rille_channel_init(&subscription->channel.core, intake->buffer,
                     intake->overflow);
  subscription->channel.core.id = ++engine->core.objects_made;
  rille_list_init(&subscription->core.place);
  subscription->core.tells = !lua_isnil(L, on_drop);
  lua_pushvalue(L, on_drop);
  lua_setiuservalue(L, -2, CHANNEL_ON_DROP);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, SUBSCRIPTION_BROADCAST);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, SUBSCRIPTION_NAME);
  rl_push_slot(L, engine, RL_SUBSCRIPTION_META);
  lua_setmetatable(L, -2);
  return subscription;
}

/* Puts the subscription at the top into the broadcast at 1, under the name at
 * 2. No finalizer can run from here on. */
static void join(lua_State *L, struct rl_broadcast *broadcast,
                 struct rl_subscription *subscription) {
  int top = lua_gettop(L);
  lua_getiuservalue(L, 1, BROADCAST_MEMBERS);
  lua_pushvalue(L, top);
  lua_rawsetp(L, -2, subscription);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, top);
  lua_rawset(L, -3);
  lua_settop(L, top);
  rille_broadcast_join(&broadcast->core, &subscription->core,
                       &subscription->channel.core);
}

/***
Subscribes: what is sent from now on is received, in order. Never suspends.
@function broadcast:subscribe
@tparam[opt] string name no two subscriptions of a broadcast have the same
@tparam[opt] table opts `buffer`, `overflow`, `on_drop` as for `broadcast`,
whose options are the defaults
@return the subscription
@raise closed; an argument error when the name is taken
@usage local prices <close> = ticks:subscribe("chart", {overflow =
"drop_oldest"})
*/
int rl_subscribe(lua_State *L) {
  static const char *const names[] = {"buffer", "overflow", "on_drop", NULL};
  struct rl_engine *engine = rl_engine(L);
  struct rl_broadcast *broadcast =
      rl_check_of(L, engine, 1, &rl_broadcast_type);
  struct rl_subscription *subscription;
  struct rl_intake intake = broadcast->intake;
  int opts = lua_istable(L, 2) && lua_isnoneornil(L, 3) ? 2 : 3;
  lua_settop(L, 3);
  rl_check_options(L, opts, names);
  rl_read_intake(L, opts, &intake);
  if (lua_isnil(L, 4))
    lua_getiuservalue(L, 1, BROADCAST_ON_DROP);
  if (opts == 2 || lua_isnil(L, 2)) {
    push_name(L, broadcast);
    lua_replace(L, 2);
  } else if (lua_type(L, 2) != LUA_TSTRING) {
    rl_arg_error(L, 2,
                 lua_pushfstring(L, "string or table expected, got %s",
                                 rl_push_shown(L, 2)));
  }
  subscription = new_subscription(L, engine, &intake, lua_gettop(L));
  if (broadcast->core.closed)
    return raise_closed(L);
  lua_pushvalue(L, 2);
  if (is_taken(L, 1))
    rl_arg_error(
        L, 2, lua_pushfstring(L, "the name '%s' is taken", lua_tostring(L, 2)));
  lua_pop(L, 1);
  join(L, broadcast, subscription);
  return 1;
}

/* Leaving */

bool rl_unsubscribe(lua_State *L, int index) {
  struct rl_subscription *subscription = lua_touserdata(L, index);
  struct rl_broadcast *broadcast;
  int top = lua_gettop(L);
  if (!rille_list_linked(&subscription->core.place))
    return false;
  lua_getiuservalue(L, index, SUBSCRIPTION_BROADCAST);
  broadcast = lua_touserdata(L, -1);
  lua_getiuservalue(L, -1, BROADCAST_MEMBERS);
  lua_getiuservalue(L, index, SUBSCRIPTION_NAME);
  lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pushnil(L);
  lua_rawsetp(L, -2, subscription);
  rille_broadcast_leave(&broadcast->core, &subscription->core);
  lua_settop(L, top);
  return true;
}

/*** Subscriptions. They have a channel's `recv`, `try_recv`, `recv_many`,
`cap`, `size`, `is_closed` and iteration, and are sources of a select.
@type subscription */

/***
Unsubscribes. What is in the buffer can still be received, then receivers get
nil and an error of kind `closed`; a sender that waits for this subscription
no longer does. Never suspends; idempotent.
@function subscription:close
*/
static int l_subscription_close(lua_State *L) {
  check_subscription(L);
  rl_engine(L);
  rl_unsubscribe(L, 1);
  return 0;
}

/* __close, also when the engine is closed. */
static int l_subscription_leave(lua_State *L) {
  check_subscription(L);
  rl_unsubscribe(L, 1);
  return 0;
}

/***
@function subscription:dropped
@treturn integer values that it has missed because its buffer was full
*/
static int l_subscription_dropped(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_subscription(L)->core.missed);
  return 1;
}

/***
@function subscription:name
@treturn string
*/
static int l_subscription_name(lua_State *L) {
  check_subscription(L);
  lua_getiuservalue(L, 1, SUBSCRIPTION_NAME);
  return 1;
}

/***
@function subscription:stats
@treturn table as of a channel, and `dropped`
*/
static int l_subscription_stats(lua_State *L) {
  const struct rl_subscription *subscription = check_subscription(L);
  rl_channel_stats(L);
  lua_pushinteger(L, (lua_Integer)subscription->core.missed);
  lua_setfield(L, -2, "dropped");
  return 1;
}

static int l_subscription_tostring(lua_State *L) {
  struct rl_subscription *subscription = check_subscription(L);
  const char *filling = rl_push_filling(L, &subscription->channel);
  lua_getiuservalue(L, 1, SUBSCRIPTION_NAME);
  lua_pushfstring(L, "rille.subscription: %s (%s, %I dropped)",
                  lua_tostring(L, -1), filling,
                  (LUAI_UACINT)subscription->core.missed);
  return 1;
}

/* label(subscription): what it gets comes with its label. For the Lua part,
 * which has just made the subscription. */
static int l_label(lua_State *L) {
  check_subscription(L)->core.labelled = true;
  return 0;
}

static struct rille_source *receive_source(void *object, bool sends) {
  struct rl_channel *channel = object;
  return sends ? NULL : &channel->core.receive;
}

const struct rl_type rl_subscription_type = {
    "subscription", sizeof(struct rl_subscription), receive_source,
    rl_push_channel_case};

void rl_open_subscription(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", l_subscription_close},
                                     {"dropped", l_subscription_dropped},
                                     {"name", l_subscription_name},
                                     {"stats", l_subscription_stats},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_subscription_leave},
                                  {"__tostring", l_subscription_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg inner[] = {{"label", l_label}, {NULL, NULL}};
  rl_new_type(L, RL_SUBSCRIPTION_META, "subscription", methods, meta);
  rl_add_receiving(L, RL_SUBSCRIPTION_META);
  rl_add_inner(L, inner);
}
