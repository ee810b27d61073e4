/*
 * send.c - the sending side of a channel: one value, or many in one call.
 *
 * Many are sent as one by one, but the buffer is looked up once for a run of
 * free slots: nothing collects garbage meanwhile, so no finalizer can make it
 * grow.
 */
#include "channel.h"

enum { CHANNEL = 1, LIST, COUNT, BUFFER };

int rl_raise_closed(lua_State *L, struct rl_engine *engine) {
  rl_push_error(L, engine, "closed", "cannot send: the channel is closed");
  return lua_error(L);
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

/* Pushes a value of the list. */
static void push_value(lua_State *L, lua_Integer i) {
  if (lua_rawgeti(L, LIST, i) == LUA_TNIL)
    rl_error(L, "the list was changed while it was being sent");
}

static bool goes_to_slot(const struct rille_channel *core) {
  bool peer = !rille_list_empty(&core->receive.waiters);
  return rille_channel_foresee(core, peer) == RILLE_TO_SLOT;
}

/* Puts values of the list into free slots, from `next` up to `count`;
 * returns the first that is left. */
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

/* Sends the values of the list from `next` on. */
static int send_rest(lua_State *L, struct rl_engine *engine,
                     struct rl_task *task, lua_Integer next) {
  struct rl_channel *channel = rl_check_channel(L, engine);
  lua_Integer count = lua_tointeger(L, COUNT);
  for (;; next++) {
    lua_settop(L, COUNT);
    lua_getiuservalue(L, CHANNEL, CHANNEL_BUFFER);
    next = fill_slots(L, channel, next, count);
    if (next > count)
      break;
    lua_settop(L, COUNT);
    push_value(L, next);
    switch (rl_channel_send(L, channel, CHANNEL)) {
    case RILLE_MUST_WAIT:
      return rl_wait_one(L, task, &channel->core.send, COUNT + 1,
                         (lua_KContext)next, send_many_k);
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
static int l_channel_send_many(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_task *task;
  lua_Integer count;
  rl_check_channel(L, engine);
  rl_check_type(L, LIST, LUA_TTABLE);
  lua_settop(L, LIST);
  count = (lua_Integer)lua_rawlen(L, LIST);
  for (lua_Integer i = 1; i <= count; i++) {
    if (lua_rawgeti(L, LIST, i) == LUA_TNIL)
      rl_arg_error(L, LIST, "the list has a nil in it; nil cannot be sent");
    if (i % 16 == 0) /* not each time: it costs as much as looking */
      lua_settop(L, LIST);
  }
  lua_settop(L, LIST);
  task = rl_enter(L, engine);
  lua_pushinteger(L, count);
  return send_rest(L, engine, task, 1);
}

void rl_add_sending(lua_State *L, int slot) {
  static const luaL_Reg methods[] = {{"send", l_channel_send},
                                     {"try_send", l_channel_try_send},
                                     {"send_many", l_channel_send_many},
                                     {NULL, NULL}};
  rl_add_methods(L, slot, methods);
}
