/*
 * batch.c - many values in one call: recv_many and send_many.
 *
 * A batch waits for its first value only. The buffer is looked up once, which
 * is safe as long as nothing collects garbage: a finalizer may make it grow.
 * So the list is made first, with room for all that is there.
 */
#include "channel.h"
#include <math.h>

enum { CHANNEL = 1, MAX, LIST, BUFFER };

/*** Channels.
@type channel */

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
int rl_channel_recv_many(lua_State *L) {
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

static int send_rest(lua_State *L, struct rl_engine *engine,
                     struct rl_task *task, lua_Integer next);

static int send_many_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  struct rille_task *task = engine->core.current;
  (void)status;
  if (rl_resumed(L, engine, ctx, send_many_k) == RILLE_FIRED &&
      task->wait.event == RILLE_CLOSED_EVENT)
    return rl_raise_closed(L, engine);
  return send_rest(L, engine, rl_task_of(engine->core.current),
                   (lua_Integer)ctx + 1);
}

/* Pushes a value of the list at 2. */
static void push_value(lua_State *L, lua_Integer i) {
  if (lua_rawgeti(L, 2, i) == LUA_TNIL)
    rl_error(L, "the list was changed while it was being sent");
}

static bool goes_to_slot(const struct rille_channel *core) {
  bool peer = !rille_list_empty(&core->receive.waiters);
  return rille_channel_foresee(core, peer) == RILLE_TO_SLOT;
}

/* Puts values of the list at 2 into free slots, from `next` up to `count`;
 * returns the first that is left. The buffer is at 4. */
static lua_Integer fill_slots(lua_State *L, struct rl_channel *channel,
                              lua_Integer next, lua_Integer count) {
  while (next <= count && goes_to_slot(&channel->core)) {
    uint32_t slot;
    push_value(L, next++);
    slot = rille_channel_send(&channel->core).slot;
    lua_rawseti(L, BUFFER, (lua_Integer)slot + 1);
  }
  return next;
}

/* Sends the values of the list at 2 from `next` on; at 3 is how many it has. */
static int send_rest(lua_State *L, struct rl_engine *engine,
                     struct rl_task *task, lua_Integer next) {
  struct rl_channel *channel = rl_check_channel(L, engine);
  lua_Integer count = lua_tointeger(L, 3);
  for (;; next++) {
    lua_settop(L, 3);
    lua_getiuservalue(L, CHANNEL, CHANNEL_BUFFER);
    next = fill_slots(L, channel, next, count);
    if (next > count)
      break;
    lua_settop(L, 3);
    push_value(L, next);
    switch (rl_channel_send(L, channel, CHANNEL)) {
    case RILLE_MUST_WAIT:
      return rl_wait_one(L, task, &channel->core.send, 4, (lua_KContext)next,
                         send_many_k);
    case RILLE_CLOSED:
      return rl_raise_closed(L, engine);
    case RILLE_FULL:
      return rl_push_full(L, engine);
    default:
      break;
    }
  }
  lua_pushboolean(L, 1);
  return rl_return(L, task, 1);
}

/***
Sends every value of a list, in order. Suspends while the channel is full.
@function channel:send_many
@tparam table list without nils
@treturn boolean true, as `send`
@raise closed; cancelled: what was sent so far has been sent
*/
int rl_channel_send_many(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task;
  lua_Integer count;
  rl_check_channel(L, engine);
  rl_check_type(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  count = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= count; i++) {
    if (lua_rawgeti(L, 2, i) == LUA_TNIL)
      rl_arg_error(L, 2, "the list has a nil in it; nil cannot be sent");
    if (i % 16 == 0) /* not each time: it costs as much as looking */
      lua_settop(L, 2);
  }
  lua_settop(L, 2);
  task = rl_enter(L, engine);
  lua_pushinteger(L, count);
  return send_rest(L, engine, task, 1);
}
