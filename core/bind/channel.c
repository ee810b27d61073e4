/*
 * channel.c - channels, as Lua sees them: the object, and what it is as a case
 * of a select.
 *
 * What goes in is send.c's, what comes out recv.c's; how a value moves is in
 * transfer.c.
 */
#include "channel.h"
#include <math.h>

const char *const rl_overflows[] = {"block", "drop_oldest", "drop_newest",
                                    "error", NULL};

/*** Channels.
@type channel */

/***
Closes the channel. Values in the buffer can still be received; every waiter
wakes. Never suspends; idempotent.
@function channel:close
@param[opt] err what receivers get after the last value
*/
static int l_channel_close(lua_State *L) {
  struct rl_channel *channel = rl_check_channel(L, rl_engine_known(L));
  rl_engine(L);
  lua_settop(L, 2);
  if (!channel->core.closed && !lua_isnil(L, 2)) {
    channel->failed = true;
    lua_setiuservalue(L, 1, CHANNEL_ERROR);
  }
  rille_channel_close(&channel->core);
  return 0;
}

static int wait_closed_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, wait_closed_k);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Waits until the channel is closed, be it drained or not: how a producer learns
that nobody wants more. Suspends unless it is closed.
@function channel:wait_closed
@treturn boolean true
@raise cancelled
@usage output:wait_closed() source:cancel()
*/
static int l_channel_wait_closed(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_channel(L, engine);
  struct rl_task *task = rl_enter(L, engine);
  lua_settop(L, 1);
  if (!channel->core.closed)
    return rl_wait_one(L, task, &channel->core.close, 0, 0, wait_closed_k);
  lua_pushboolean(L, 1);
  return rl_return(L, task, 1);
}

/* __close: without an error, whatever made the block end. */
static int l_channel_leave(lua_State *L) {
  rille_channel_close(&rl_check_channel(L, rl_engine_known(L))->core);
  return 0;
}

const char *rl_push_filling(lua_State *L, const struct rl_channel *channel) {
  const char *closed = channel->core.closed ? ", closed" : "";
  if (channel->core.capacity == RILLE_UNBOUNDED)
    return lua_pushfstring(L, "%d of unbounded%s", (int)channel->core.size,
                           closed);
  return lua_pushfstring(L, "%d of %d%s", (int)channel->core.size,
                         (int)channel->core.capacity, closed);
}

static int l_channel_tostring(lua_State *L) {
  const struct rl_channel *channel = rl_check_channel(L, rl_engine_known(L));
  lua_pushfstring(L, "rille.channel: channel#%d (%s)", (int)channel->core.id,
                  rl_push_filling(L, channel));
  return 1;
}

bool rl_to_capacity(lua_State *L, int index, uint32_t *capacity) {
  lua_Integer n;
  int exact;
  if (lua_type(L, index) != LUA_TNUMBER)
    return false;
  n = lua_tointegerx(L, index, &exact);
  if (exact)
    *capacity = (uint32_t)n;
  else
    *capacity = RILLE_UNBOUNDED;
  return exact ? n >= 0 && n <= INT32_MAX : lua_tonumber(L, index) == HUGE_VAL;
}

static uint32_t check_capacity(lua_State *L, int index) {
  uint32_t capacity = 0;
  if (lua_isnoneornil(L, index))
    return 0;
  rl_check_type(L, index, LUA_TNUMBER);
  if (!rl_to_capacity(L, index, &capacity))
    rl_arg_error(
        L, index,
        lua_pushfstring(L, RL_CAPACITY ", got %s", rl_push_shown(L, index)));
  return capacity;
}

/***
Makes a channel. Never suspends.
@function channel
@tparam[opt=0] number capacity values it holds: 0 is a rendezvous, math.huge
is unbounded
@tparam[opt] table opts `overflow` ("block", "drop_oldest", "drop_newest",
"error"; other than "block" needs a capacity), `on_drop` (function(value),
must not wait)
@return the channel
@usage local jobs = rille.channel(16)
*/
static int l_channel_new(lua_State *L) {
  static const char *const names[] = {"overflow", "on_drop", NULL};
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel;
  uint32_t capacity = check_capacity(L, 1);
  int overflow;
  lua_settop(L, 2);
  rl_check_options(L, 2, names);
  overflow = rl_option_choice(L, 2, "overflow", rl_overflows);
  if (overflow != RILLE_BLOCK && capacity == 0)
    rl_arg_error(L, 2, "option 'overflow' needs a capacity of at least 1");
  rl_option(L, 2, "on_drop", LUA_TFUNCTION);
  channel = lua_newuserdatauv(L, sizeof *channel, CHANNEL_SLOTS);
  *channel = (struct rl_channel){.head = rl_head(engine, &rl_channel_type)};
  rille_channel_init(&channel->core, capacity, (enum rille_overflow)overflow);
  channel->core.id = ++engine->core.objects_made;
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, CHANNEL_ON_DROP);
  rl_push_slot(L, engine, RL_CHANNEL_META);
  lua_setmetatable(L, -2);
  return 1;
}

static struct rille_source *channel_source(void *object, bool sends) {
  struct rl_channel *channel = object;
  return sends ? &channel->core.send : &channel->core.receive;
}

/* A case of a select has fired; for a send the value lies below the
 * channel. */
int rl_push_channel_case(lua_State *L, struct rl_engine *engine, void *object,
                         bool sends, bool waited, int event) {
  struct rl_channel *channel = object;
  enum rille_transfer_kind kind = RILLE_TO_PEER;
  int index = lua_gettop(L);
  if (sends) {
    if (!waited) {
      lua_pushvalue(L, index - 1);
      kind = rl_channel_send(L, channel, index);
    }
    if (kind == RILLE_CLOSED || (waited && event == RILLE_CLOSED_EVENT))
      return rl_raise_closed(L, engine);
    lua_settop(L, index - 1);
    if (kind == RILLE_FULL)
      return rl_push_full(L, engine);
    lua_pushboolean(L, 1);
    return 1;
  }
  if (waited && event == RILLE_TRANSFERRED) { /* it lies below, already */
    lua_settop(L, index - 1);
    return 1;
  }
  if (!waited)
    kind = rl_channel_recv(L, channel, index);
  if (!waited && (kind == RILLE_TO_PEER || kind == RILLE_TO_SLOT)) {
    lua_copy(L, -1, index);
    lua_settop(L, index);
    return 1;
  }
  rl_push_closed(L, engine, index);
  lua_remove(L, index);
  return 2;
}

const struct rl_type rl_channel_type = {"channel", sizeof(struct rl_channel),
                                        channel_source, rl_push_channel_case};

void rl_open_channel(lua_State *L) {
  static const luaL_Reg methods[] = {{"wait_closed", l_channel_wait_closed},
                                     {"close", l_channel_close},
                                     {"stats", rl_channel_stats},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_channel_leave},
                                  {"__tostring", l_channel_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"channel", l_channel_new},
                                       {NULL, NULL}};
  static const luaL_Reg inner[] = {{"recv_within", rl_channel_recv_within},
                                   {NULL, NULL}};
  rl_new_type(L, RL_CHANNEL_META, "channel", methods, meta);
  rl_add_sending(L, RL_CHANNEL_META);
  rl_add_receiving(L, RL_CHANNEL_META);
  rl_add_functions(L, functions);
  rl_add_inner(L, inner);
}
