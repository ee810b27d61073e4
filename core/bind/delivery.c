/*
 * delivery.c - a send to a broadcast, or to several at once.
 *
 * A send first gets all that it will need (prepare), which may run finalizers
 * and so change anything; then it gives the value to everybody who has room
 * (deliver), which needs no memory and calls nobody; then it waits once for
 * the others, who take the value from its stack; and last it tells what was
 * dropped. Its frame:
 *
 *     1 a broadcast, or a list of them   2 value   3 the labelled form of it
 *     4 waiters   5 what to tell: function, value, ...   6 who was full
 */
#include "broadcast.h"
#include <assert.h>

enum { TO = 1, VALUE, LABELLED, WAITERS, TELL, FULL, FRAME = FULL };

struct sending {
  struct rl_task *task; /* who sends; NULL: it will not wait */
  struct rille_plan plan;
  struct rille_plan has;        /* what has been prepared */
  struct rille_waiter *waiters; /* has.wait of them */
  uint32_t waits;               /* how many are in use */
  lua_Integer tells, refusals;  /* entries in the lists */
  lua_Integer reached;
};

/* Pushes the i-th broadcast that is sent to, or nil: then it is NULL. */
static struct rl_broadcast *push_target(lua_State *L, int i) {
  if (lua_istable(L, TO))
    lua_rawgeti(L, TO, i);
  else if (i == 1)
    lua_pushvalue(L, TO);
  else
    lua_pushnil(L);
  return rl_test(L, -1, &rl_broadcast_type);
}

/* Preparing */

static void foresee(lua_State *L, struct rl_engine *engine, struct sending *s) {
  struct rl_broadcast *broadcast;
  s->plan = (struct rille_plan){.claim = ++engine->core.claims};
  for (int i = 1; (broadcast = push_target(L, i)) != NULL; i++) {
    rille_broadcast_foresee(&broadcast->core, &s->plan);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Makes the rings of the broadcast at the top larger that must be. When a
 * finalizer changes the list, the rest is left for the next time. */
static void grow_rings(lua_State *L, struct rl_broadcast *broadcast) {
  uint32_t changes = broadcast->core.changes;
  struct rille_subscription *each = NULL;
  int top = lua_gettop(L);
  while (broadcast->core.changes == changes &&
         (each = rille_broadcast_next(&broadcast->core, each)) != NULL) {
    if (each->foreseen != RILLE_GROW)
      continue;
    each->foreseen = RILLE_TO_SLOT;
    lua_getiuservalue(L, top, BROADCAST_MEMBERS);
    lua_rawgetp(L, -1, rl_subscription_of(each));
    rl_channel_grow(L, &rl_subscription_of(each)->channel, lua_gettop(L));
    lua_settop(L, top);
  }
}

static void grow_all(lua_State *L) {
  struct rl_broadcast *broadcast;
  for (int i = 1; (broadcast = push_target(L, i)) != NULL; i++) {
    grow_rings(L, broadcast);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Replaces the label at its place by {topic = label, value = value}. */
static void make_labelled(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, LABELLED);
  lua_setfield(L, -2, "topic");
  lua_pushvalue(L, VALUE);
  lua_setfield(L, -2, "value");
  lua_replace(L, LABELLED);
}

/* Makes a list at `index` of the frame, if there is none for `need` entries. */
static bool make_list(lua_State *L, int index, uint32_t need, uint32_t *has) {
  if (need <= *has)
    return false;
  if (need > INT32_MAX / 2)
    rl_error(L, "too many subscriptions");
  *has = need;
  lua_createtable(L, (int)need * 2, 0);
  lua_replace(L, index);
  return true;
}

/* Makes what the plan asks for and is not there; false if all was. */
static bool reserve(lua_State *L, struct sending *s) {
  bool made = false;
  if (s->plan.labelled > 0 && s->has.labelled == 0) {
    s->has.labelled = 1;
    make_labelled(L);
    made = true;
  }
  if (s->task != NULL && s->plan.wait > s->has.wait && s->plan.wait > 1) {
    s->has.wait = s->plan.wait;
    s->waiters =
        lua_newuserdatauv(L, s->has.wait * sizeof(struct rille_waiter), 0);
    lua_replace(L, WAITERS);
    made = true;
  }
  made |= make_list(L, TELL, s->plan.tell, &s->has.tell);
  made |= make_list(L, FULL, s->plan.full, &s->has.full);
  return made;
}

/* Until nothing was missing, and so nothing has changed since the plan. */
static void prepare(lua_State *L, struct rl_engine *engine, struct sending *s) {
  lua_settop(L, FRAME);
  for (;;) {
    foresee(L, engine, s);
    if (s->plan.closed)
      return;
    if (s->plan.grow)
      grow_all(L);
    else if (!reserve(L, s))
      return;
  }
}

/* Delivering: the broadcast's members are at the top */

static void append(lua_State *L, int list, lua_Integer *count) {
  lua_rawseti(L, list, ++*count);
}

/* Notes that the value at the top, which it pops, was dropped by the
 * subscription below it. */
static void note_drop(lua_State *L, struct sending *s,
                      const struct rl_subscription *to) {
  if (to->core.tells) {
    lua_getiuservalue(L, -2, CHANNEL_ON_DROP);
    append(L, TELL, &s->tells);
    append(L, TELL, &s->tells);
  } else {
    lua_pop(L, 1);
  }
}

/* The part of a delivery that needs the subscription `to`, which is at the
 * top. */
static void move_value(lua_State *L, struct sending *s,
                       const struct rl_subscription *to,
                       struct rille_transfer transfer, int value) {
  int index = lua_gettop(L);
  switch (transfer.kind) {
  case RILLE_TO_SLOT:
    lua_pushvalue(L, value);
    rl_channel_put(L, index, transfer.slot);
    break;
  case RILLE_REPLACE:
    rl_channel_pull(L, index, transfer.slot);
    lua_pushvalue(L, value);
    rl_channel_put(L, index, transfer.slot);
    note_drop(L, s, to);
    break;
  case RILLE_DROP:
    lua_pushvalue(L, value);
    note_drop(L, s, to);
    break;
  default:
    assert(transfer.kind == RILLE_FULL);
    lua_getiuservalue(L, index, SUBSCRIPTION_NAME);
    append(L, FULL, &s->refusals);
    break;
  }
}

static void deliver_to(lua_State *L, struct sending *s,
                       struct rl_broadcast *broadcast,
                       struct rl_subscription *to) {
  struct rille_transfer transfer =
      rille_broadcast_send(&broadcast->core, &to->core);
  int value = to->core.labelled ? LABELLED : VALUE;
  s->reached += transfer.kind == RILLE_TO_PEER ||
                transfer.kind == RILLE_TO_SLOT ||
                transfer.kind == RILLE_REPLACE;
  if (transfer.kind == RILLE_TO_PEER) {
    lua_pushvalue(L, value);
    rl_give(L, transfer.peer);
  } else if (transfer.kind == RILLE_MUST_WAIT) {
    assert(s->waits < s->plan.wait);
    s->waiters[s->waits].source = &to->channel.core.send;
    s->waiters[s->waits++].slot = value;
  } else {
    lua_rawgetp(L, -1, to);
    move_value(L, s, to, transfer, value);
    lua_pop(L, 1);
  }
}

static void deliver(lua_State *L, struct sending *s) {
  struct rl_broadcast *broadcast;
  if (s->has.wait == 0 && s->task != NULL)
    s->waiters = &s->task->core.wait.one;
  for (int i = 1; (broadcast = push_target(L, i)) != NULL; i++) {
    struct rille_subscription *each = NULL;
    broadcast->core.sent++;
    lua_getiuservalue(L, -1, BROADCAST_MEMBERS);
    while ((each = rille_broadcast_next(&broadcast->core, each)) != NULL)
      deliver_to(L, s, broadcast, rl_subscription_of(each));
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
}

/* The end of a send */

/* Calls the functions of the list, each with its value: all of them, then
 * raises the first error. */
static void tell_dropped(lua_State *L, struct rl_engine *engine) {
  lua_Integer count;
  bool failed = false;
  if (!lua_istable(L, TELL))
    return;
  count = (lua_Integer)lua_rawlen(L, TELL);
  rl_push_slot(L, engine, RL_HANDLER);
  for (lua_Integer i = 1; i < count; i += 2) {
    lua_rawgeti(L, TELL, i);
    lua_rawgeti(L, TELL, i + 1);
    if (lua_pcall(L, 1, 0, FRAME + 1) == LUA_OK)
      continue;
    if (failed)
      lua_pop(L, 1);
    failed = true;
  }
  if (failed)
    lua_error(L);
  lua_settop(L, FRAME);
}

/* Pushes the names of the list as "'a', 'b' and 7 more". */
static void push_names(lua_State *L, int list) {
  lua_Integer count = (lua_Integer)lua_rawlen(L, list);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (lua_Integer i = 1; i <= count && i <= 8; i++) {
    lua_rawgeti(L, list, i);
    lua_pushfstring(L, "%s'%s'", i > 1 ? ", " : "", lua_tostring(L, -1));
    lua_remove(L, -2);
    luaL_addvalue(&text);
  }
  if (count > 8) {
    lua_pushfstring(L, " and %I more", (LUAI_UACINT)(count - 8));
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
}

static int push_full(lua_State *L, struct rl_engine *engine,
                     lua_Integer reached) {
  lua_pushnil(L);
  push_names(L, FULL);
  rl_push_error(L, engine, "full", "no room left at %s", lua_tostring(L, -1));
  lua_remove(L, -2);
  lua_pushvalue(L, FULL);
  lua_setfield(L, -2, "subscribers");
  lua_pushinteger(L, reached);
  lua_setfield(L, -2, "reached");
  return 2;
}

static int push_reached(lua_State *L, struct rl_engine *engine,
                        lua_Integer reached) {
  tell_dropped(L, engine);
  if (lua_istable(L, FULL) && lua_rawlen(L, FULL) > 0)
    return push_full(L, engine, reached);
  lua_pushinteger(L, reached);
  return 1;
}

static void push_closed(lua_State *L, struct rl_engine *engine) {
  rl_push_error(L, engine, "closed",
                lua_istable(L, TO) ? "cannot publish: the event bus is closed"
                                   : "cannot send: the broadcast is closed");
}

static bool is_closed(lua_State *L) {
  const struct rl_broadcast *broadcast;
  bool closed = false;
  for (int i = 1; (broadcast = push_target(L, i)) != NULL; i++) {
    closed |= broadcast->core.closed;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return closed;
}

static int sent_k(lua_State *L, int status, lua_KContext reached) {
  struct rl_engine *engine = rl_engine(L);
  enum rille_outcome outcome = rl_outcome(L, engine, reached, sent_k);
  const struct rille_wait *wait = &engine->core.current->wait;
  lua_Integer taken = wait->event;
  bool all = taken == (lua_Integer)wait->fired;
  (void)status;
  if (outcome == RILLE_CANCELLED || (!all && is_closed(L))) {
    tell_dropped(L, engine);
    if (outcome == RILLE_CANCELLED)
      return rl_raise_cancellation(L, engine);
    push_closed(L, engine);
    return lua_error(L);
  }
  return push_reached(L, engine, (lua_Integer)reached + taken);
}

int rl_send_to_all(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct sending s = {.task = rl_enter(L, engine)};
  prepare(L, engine, &s);
  if (s.plan.closed) {
    push_closed(L, engine);
    return lua_error(L);
  }
  deliver(L, &s);
  if (s.waits > 0)
    return rl_wait(L, s.task, s.waiters, s.waits, RILLE_FOREVER, RILLE_WAIT_ALL,
                   (lua_KContext)s.reached, sent_k);
  return rl_return(L, s.task, push_reached(L, engine, s.reached));
}

/* Makes the list of those who would have to be waited for. */
static void list_slow(lua_State *L, struct sending *s) {
  struct rl_broadcast *broadcast;
  make_list(L, FULL, s->has.full + s->plan.wait, &s->has.full);
  for (int i = 1; (broadcast = push_target(L, i)) != NULL; i++) {
    struct rille_subscription *each = NULL;
    lua_getiuservalue(L, -1, BROADCAST_MEMBERS);
    while ((each = rille_broadcast_next(&broadcast->core, each)) != NULL) {
      if (each->foreseen != RILLE_MUST_WAIT)
        continue;
      lua_rawgetp(L, -1, rl_subscription_of(each));
      lua_getiuservalue(L, -1, SUBSCRIPTION_NAME);
      append(L, FULL, &s->refusals);
      lua_pop(L, 1);
    }
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
}

int rl_try_send_to_all(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct sending s = {0};
  prepare(L, engine, &s);
  if (s.plan.closed) {
    lua_pushnil(L);
    push_closed(L, engine);
    return 2;
  }
  if (s.plan.wait > 0) {
    list_slow(L, &s);
    return push_full(L, engine, 0);
  }
  deliver(L, &s);
  return push_reached(L, engine, s.reached);
}
