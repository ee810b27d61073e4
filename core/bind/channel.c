/*
 * channel.c - channels, as Lua sees them: one value at a time.
 *
 * How a value moves is in transfer.c, many of them in batch.c.
 */
#include "channel.h"
#include <math.h>

const char *const rl_overflows[] = {"block", "drop_oldest", "drop_newest",
                                    "error", NULL};

struct rl_channel *rl_check_other_receiver(lua_State *L,
                                           const struct rl_engine *engine) {
  void *channel = rl_test_of(L, engine, 1, &rl_subscription_type);
  if (channel == NULL)
    channel = rl_test_of(L, engine, 1, &rl_inlet_type);
  if (channel == NULL)
    rl_self_error(L, "channel or subscription");
  return channel;
}

int rl_raise_closed(lua_State *L, struct rl_engine *engine) {
  rl_push_error(L, engine, "closed", "cannot send: the channel is closed");
  return lua_error(L);
}

int rl_push_closed(lua_State *L, struct rl_engine *engine, int index) {
  const struct rl_channel *channel = lua_touserdata(L, index);
  lua_pushnil(L);
  if (channel->failed)
    lua_getiuservalue(L, index, CHANNEL_ERROR);
  else
    rl_push_error(L, engine, "closed", "the %s is closed",
                  channel->head.type->name);
  return 2;
}

void rl_check_value(lua_State *L, int index) {
  rl_check_arg(L, !lua_isnoneornil(L, index), index,
               "nil cannot be sent: a receiver takes it for the end; send "
               "false or a table");
}

/*** Channels.
@type channel */

static int send_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, send_k);
  if (engine->core.current->wait.event == RILLE_CLOSED_EVENT)
    return rl_raise_closed(L, engine);
  lua_pushboolean(L, 1);
  return 1;
}

int rl_push_full(lua_State *L, struct rl_engine *engine) {
  lua_pushnil(L);
  rl_push_error(L, engine, "full", "the channel is full");
  return 2;
}

/***
Sends a value. Suspends while the channel is full.
@function channel:send
@param value anything but nil
@treturn boolean true; or nil and an error of kind `full` where `overflow` is
"error"
@raise closed, also while it waits; cancelled
@usage jobs:send{url = url}
*/
static int l_channel_send(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_channel(L, engine);
  struct rl_task *task;
  rl_check_value(L, 2);
  task = rl_enter(L, engine);
  rl_settop(L, 2);
  switch (rl_channel_send(L, channel, 1)) {
  case RILLE_MUST_WAIT:
    return rl_wait_one(L, task, &channel->core.send, 2, 0, send_k);
  case RILLE_CLOSED:
    return rl_raise_closed(L, engine);
  case RILLE_FULL:
    return rl_return(L, task, rl_push_full(L, engine));
  default:
    lua_pushboolean(L, 1);
    return rl_return(L, task, 1);
  }
}

static int recv_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, recv_k);
  if (engine->core.current->wait.event == RILLE_CLOSED_EVENT)
    return rl_push_closed(L, engine, 1);
  return 1; /* the sender has put it on this stack */
}

/***
Receives the next value. Suspends while there is none.
@function channel:recv
@return the value; nil and an error once the channel is closed and drained
@raise cancelled
@usage local job, err = jobs:recv()
*/
static int l_channel_recv(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_receiver(L, engine);
  struct rl_task *task = rl_enter(L, engine);
  switch (rl_channel_recv(L, channel, 1)) {
  case RILLE_MUST_WAIT:
    return rl_wait_one(L, task, &channel->core.receive, 0, 0, recv_k);
  case RILLE_CLOSED:
    return rl_return(L, task, rl_push_closed(L, engine, 1));
  default:
    return rl_return(L, task, 1);
  }
}

static int recv_within_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  if (rl_resumed(L, engine, ctx, recv_within_k) == RILLE_EXPIRED)
    lua_pushboolean(L, 0);
  else if (engine->core.current->wait.event == RILLE_CLOSED_EVENT)
    return rl_push_closed(L, engine, 1);
  return 1;
}

/* For the Lua part: recv_within(channel, seconds) is recv, but returns false
 * when nothing has come in that time. */
static int l_channel_recv_within(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_receiver(L, engine);
  int64_t span = rl_check_span(L, 2);
  struct rl_task *task = rl_enter(L, engine);
  struct rille_waiter *one = &task->core.wait.one;
  rl_settop(L, 1);
  switch (rl_channel_recv(L, channel, 1)) {
  case RILLE_MUST_WAIT:
    one->source = &channel->core.receive;
    one->slot = 0;
    return rl_wait(L, task, one, 1,
                   rille_time_add(rille_now(&engine->core), span), 0, 0,
                   recv_within_k);
  case RILLE_CLOSED:
    return rl_return(L, task, rl_push_closed(L, engine, 1));
  default:
    return rl_return(L, task, 1);
  }
}

/***
Sends if that need not wait. Never suspends.
@function channel:try_send
@param value anything but nil
@treturn boolean true; or nil and an error of kind `full` or `closed`
*/
static int l_channel_try_send(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_channel(L, engine);
  rl_check_value(L, 2);
  lua_settop(L, 2);
  switch (rl_channel_send(L, channel, 1)) {
  case RILLE_MUST_WAIT:
  case RILLE_FULL:
    return rl_push_full(L, engine);
  case RILLE_CLOSED:
    lua_pushnil(L);
    rl_push_error(L, engine, "closed", "the channel is closed");
    return 2;
  default:
    lua_pushboolean(L, 1);
    return 1;
  }
}

/***
Receives what is there. Never suspends.
@function channel:try_recv
@return the value; or nil and an error of kind `empty` or `closed`
*/
static int l_channel_try_recv(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_receiver(L, engine);
  lua_settop(L, 1);
  switch (rl_channel_recv(L, channel, 1)) {
  case RILLE_MUST_WAIT:
    lua_pushnil(L);
    rl_push_error(L, engine, "empty", "the %s is empty",
                  channel->head.type->name);
    return 2;
  case RILLE_CLOSED:
    return rl_push_closed(L, engine, 1);
  default:
    return 1;
  }
}

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

/* Ends the loop over a closed channel: raises what it was closed with. */
static int end_iteration(lua_State *L, const struct rl_channel *channel) {
  if (!channel->failed)
    return 0;
  lua_getiuservalue(L, 1, CHANNEL_ERROR);
  return lua_error(L);
}

static int iterate_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, iterate_k);
  if (engine->core.current->wait.event == RILLE_CLOSED_EVENT)
    return end_iteration(L, lua_touserdata(L, 1));
  return 1;
}

/* __call: `for value in channel do`. */
static int l_channel_iterate(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_receiver(L, engine);
  struct rl_task *task = rl_enter(L, engine);
  switch (rl_channel_recv(L, channel, 1)) {
  case RILLE_MUST_WAIT:
    return rl_wait_one(L, task, &channel->core.receive, 0, 0, iterate_k);
  case RILLE_CLOSED:
    return end_iteration(L, channel);
  default:
    return rl_return(L, task, 1);
  }
}

/***
@function channel:cap
@treturn number its capacity; math.huge if it is unbounded
*/
static int l_channel_cap(lua_State *L) {
  const struct rl_channel *channel = rl_check_receiver(L, rl_engine_known(L));
  if (channel->core.capacity == RILLE_UNBOUNDED)
    lua_pushnumber(L, HUGE_VAL);
  else
    lua_pushinteger(L, channel->core.capacity);
  return 1;
}

/***
@function channel:size
@treturn integer values in the buffer
*/
static int l_channel_size(lua_State *L) {
  lua_pushinteger(L, rl_check_receiver(L, rl_engine_known(L))->core.size);
  return 1;
}

/***
@function channel:is_closed
@treturn boolean
*/
static int l_channel_is_closed(lua_State *L) {
  lua_pushboolean(L, rl_check_receiver(L, rl_engine_known(L))->core.closed);
  return 1;
}

static lua_Integer count_waiters(const struct rille_source *source) {
  lua_Integer count = 0;
  for (const struct rille_node *n = source->waiters.next; n != &source->waiters;
       n = n->next)
    count++;
  return count;
}

/***
@function channel:stats
@treturn table `size`, `capacity`, `senders` and `receivers` that wait,
`closed`
*/
int rl_channel_stats(lua_State *L) {
  const struct rl_channel *channel = rl_check_receiver(L, rl_engine_known(L));
  lua_createtable(L, 0, 6);
  lua_pushinteger(L, channel->core.size);
  lua_setfield(L, -2, "size");
  l_channel_cap(L);
  lua_setfield(L, -2, "capacity");
  lua_pushinteger(L, count_waiters(&channel->core.send));
  lua_setfield(L, -2, "senders");
  lua_pushinteger(L, count_waiters(&channel->core.receive));
  lua_setfield(L, -2, "receivers");
  lua_pushboolean(L, channel->core.closed);
  lua_setfield(L, -2, "closed");
  return 1;
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

void rl_add_receiving(lua_State *L, int slot) {
  static const luaL_Reg methods[] = {{"recv", l_channel_recv},
                                     {"try_recv", l_channel_try_recv},
                                     {"recv_many", rl_channel_recv_many},
                                     {"cap", l_channel_cap},
                                     {"size", l_channel_size},
                                     {"is_closed", l_channel_is_closed},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__call", l_channel_iterate}, {"__len", l_channel_size}, {NULL, NULL}};
  int engine = lua_gettop(L);
  lua_getiuservalue(L, engine, slot);
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, meta, 1);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, engine);
  luaL_setfuncs(L, methods, 1);
  lua_settop(L, engine);
}

void rl_open_channel(lua_State *L) {
  static const luaL_Reg methods[] = {{"send", l_channel_send},
                                     {"try_send", l_channel_try_send},
                                     {"send_many", rl_channel_send_many},
                                     {"wait_closed", l_channel_wait_closed},
                                     {"close", l_channel_close},
                                     {"stats", rl_channel_stats},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", l_channel_leave},
                                  {"__tostring", l_channel_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"channel", l_channel_new},
                                       {NULL, NULL}};
  static const luaL_Reg inner[] = {{"recv_within", l_channel_recv_within},
                                   {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_new_type(L, RL_CHANNEL_META, "channel", methods, meta);
  rl_add_receiving(L, RL_CHANNEL_META);
  rl_add_functions(L, functions);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_pushvalue(L, engine);
  rl_add_functions(L, inner);
  lua_settop(L, engine);
}
