/* event.c - events, as Lua sees them. */
#include "bind.h"

struct rl_event {
  struct rl_head head;
  struct rille_event core;
};

static struct rl_event *check_event(lua_State *L) {
  return rl_check(L, 1, &rl_event_type);
}

/*** Events.
@type event */

/***
Makes an event, which is not set. A source for select. Never suspends.
@function event
@return the event
@usage local ready = rille.event()
*/
static int l_event_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_event *event = lua_newuserdatauv(L, sizeof *event, 0);
  event->head = rl_head(engine, &rl_event_type);
  rille_event_init(&event->core);
  rl_push_slot(L, engine, RL_EVENT_META);
  lua_setmetatable(L, -2);
  return 1;
}

/***
Sets it: who waits goes on, and nobody has to wait until it is cleared. From
any task or callback; idempotent; never suspends.
@function event:set
*/
static int l_event_set(lua_State *L) {
  rille_event_set(&check_event(L)->core);
  return 0;
}

/***
Clears it. Who was waiting when it was set goes on all the same. Never
suspends.
@function event:clear
*/
static int l_event_clear(lua_State *L) {
  check_event(L)->core.set = false;
  return 0;
}

/***
@function event:is_set
@treturn boolean
*/
static int l_event_is_set(lua_State *L) {
  return lua_pushboolean(L, check_event(L)->core.set), 1;
}

static int wait_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, wait_k);
  lua_pushboolean(L, 1);
  return 1;
}

/***
Waits until it is set. Suspends unless it is.
@function event:wait
@treturn boolean true
@raise cancelled
*/
static int l_event_wait(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_event *event = check_event(L);
  struct rl_task *task = rl_enter(L, engine);
  lua_settop(L, 1);
  if (!event->core.set)
    return rl_wait_one(L, task, &event->core.source, 0, 0, wait_k);
  lua_pushboolean(L, 1);
  return rl_return(L, task, 1);
}

/***
@function event:stats
@treturn table `set` (boolean), `waiting`
*/
static int l_event_stats(lua_State *L) {
  const struct rl_event *event = check_event(L);
  const struct rille_node *waiters = &event->core.source.waiters;
  lua_Integer waiting = 0;
  for (const struct rille_node *n = waiters->next; n != waiters; n = n->next)
    waiting++;
  lua_createtable(L, 0, 2);
  lua_pushboolean(L, event->core.set);
  lua_setfield(L, -2, "set");
  lua_pushinteger(L, waiting);
  lua_setfield(L, -2, "waiting");
  return 1;
}

static int l_event_tostring(lua_State *L) {
  lua_pushfstring(L, "rille.event: %s",
                  check_event(L)->core.set ? "set" : "not set");
  return 1;
}

static struct rille_source *event_source(void *object, bool sends) {
  return sends ? NULL : &((struct rl_event *)object)->core.source;
}

static int push_case(lua_State *L, struct rl_engine *engine, void *object,
                     bool sends, bool waited, int event) {
  (void)engine, (void)object, (void)sends, (void)waited, (void)event;
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  return 1;
}

const struct rl_type rl_event_type = {"event", sizeof(struct rl_event),
                                      event_source, push_case};

void rl_open_event(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"set", l_event_set},       {"clear", l_event_clear},
      {"is_set", l_event_is_set}, {"wait", l_event_wait},
      {"stats", l_event_stats},   {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_event_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg functions[] = {{"event", l_event_new}, {NULL, NULL}};
  rl_new_type(L, RL_EVENT_META, "event", methods, meta);
  rl_add_functions(L, functions);
}
