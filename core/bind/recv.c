/*
 * recv.c - the receiving side of a channel, which subscriptions and inlets have
 * too: one value, a loop over them, or a batch.
 *
 * A batch waits for its first value only. The buffer is looked up once, which
 * is safe as long as nothing collects garbage: a finalizer may make it grow. So
 * the list is made first, with room for all that is there.
 */
#include "channel.h"
#include <math.h>

enum { CHANNEL = 1, MAX, LIST, BUFFER };

struct rl_channel *rl_check_other_receiver(lua_State *L,
                                           const struct rl_engine *engine) {
  void *channel = rl_test_of(L, engine, 1, &rl_subscription_type);
  if (channel == NULL)
    channel = rl_test_of(L, engine, 1, &rl_inlet_type);
  if (channel == NULL)
    rl_self_error(L, "channel or subscription");
  return channel;
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

/*** Channels.
@type channel */

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
int rl_channel_recv_within(lua_State *L) {
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

/* How many values to take at most: the number at its place. */
static lua_Integer check_most(lua_State *L) {
  lua_Integer most;
  if (lua_type(L, MAX) == LUA_TNUMBER && lua_tonumber(L, MAX) == HUGE_VAL)
    return LUA_MAXINTEGER;
  most = rl_check_integer(L, MAX);
  if (most < 1)
    rl_type_error(L, MAX, "a whole number from 1");
  return most;
}

/* Makes the list, above the maximum, with room for what is there and `more`. */
static void make_list(lua_State *L, const struct rl_channel *channel,
                      lua_Integer max, uint32_t more) {
  uint64_t room = (uint64_t)channel->core.size + more;
  if (room > (uint64_t)max)
    room = (uint64_t)max;
  lua_createtable(L, (int)room, 0);
}

/* Adds what is there to the list, up to `max` values; it has `n`. */
static lua_Integer take_more(lua_State *L, struct rl_channel *channel,
                             lua_Integer max, lua_Integer n) {
  lua_getiuservalue(L, CHANNEL, CHANNEL_BUFFER);
  while (n < max) {
    struct rille_transfer transfer = rille_channel_recv(&channel->core);
    if (transfer.kind == RILLE_TO_SLOT)
      rl_channel_take_slot(L, BUFFER, transfer.slot);
    else if (transfer.kind == RILLE_TO_PEER)
      rl_take(L, transfer.peer);
    else
      break;
    lua_rawseti(L, LIST, ++n);
    if (transfer.kind == RILLE_TO_SLOT && transfer.peer != NULL) {
      rl_take(L, transfer.peer);
      lua_rawseti(L, BUFFER, (lua_Integer)transfer.refill + 1);
    }
  }
  lua_settop(L, LIST);
  return n;
}

static int recv_many_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = lua_touserdata(L, CHANNEL);
  lua_Integer max = check_most(L);
  (void)status;
  rl_resumed(L, engine, ctx, recv_many_k);
  if (engine->core.current->wait.event == RILLE_CLOSED_EVENT)
    return rl_push_closed(L, engine, CHANNEL);
  make_list(L, channel, max, 1);
  lua_insert(L, LIST); /* below the value that the sender has put here */
  lua_rawseti(L, LIST, 1);
  take_more(L, channel, max, 1);
  return 1;
}

/***
Receives a batch. Suspends for the first value only.
@function channel:recv_many
@tparam integer max how many at most, from 1; or math.huge
@treturn table a list; nil and an error once closed and drained
@raise cancelled
*/
static int l_channel_recv_many(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_channel *channel = rl_check_receiver(L, engine);
  lua_Integer max = check_most(L);
  struct rl_task *task;
  task = rl_enter(L, engine);
  lua_settop(L, MAX);
  if (rille_source_ready(&channel->core.receive)) {
    make_list(L, channel, max, 0);
    if (take_more(L, channel, max, 0) > 0)
      return rl_return(L, task, 1);
    lua_settop(L, MAX); /* closed; or a finalizer has taken what there was */
  }
  if (channel->core.closed)
    return rl_return(L, task, rl_push_closed(L, engine, CHANNEL));
  return rl_wait_one(L, task, &channel->core.receive, 0, 0, recv_many_k);
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

void rl_add_receiving(lua_State *L, int slot) {
  static const luaL_Reg methods[] = {{"recv", l_channel_recv},
                                     {"try_recv", l_channel_try_recv},
                                     {"recv_many", l_channel_recv_many},
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
  lua_settop(L, engine);
  rl_add_methods(L, slot, methods);
}
