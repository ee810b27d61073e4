/*
 * await.c - waiting for what the engine does not know: callbacks.
 *
 * rille.await for Lua, rille_wait for C. Each operation is a source of its
 * own, with at most one waiter; it fires once.
 */
#include "bind.h"

struct rl_await {
  struct rl_head head;
  struct rille_source source;
  bool done;
  int count; /* values, once done */
};

static const struct rille_source_type await_source = {"await", NULL, NULL,
                                                      NULL};

/* resolve(...): the upvalues are the engine and the operation. */
static int l_await_resolve(lua_State *L) {
  struct rl_await *await = rl_test(L, lua_upvalueindex(2), &rl_await_type);
  struct rille_node *node;
  if (await == NULL || await->done)
    return 0;
  node = rille_list_first(&await->source.waiters);
  await->count = lua_gettop(L);
  if (node != NULL) {
    struct rl_task *task =
        rl_task_of(RILLE_ENTRY(node, struct rille_waiter, node)->task);
    if (!lua_checkstack(task->waiting, await->count + LUA_MINSTACK))
      rl_error(L, "too many results");
    lua_xmove(L, task->waiting, await->count);
    task->top += await->count;
    rille_source_fire(&await->source, 0);
  } else { /* before the task waits, or after it was cancelled */
    lua_createtable(L, await->count, 0);
    lua_insert(L, 1);
    for (int i = await->count; i >= 1; i--)
      lua_rawseti(L, 1, i);
    lua_setiuservalue(L, lua_upvalueindex(2), 1);
  }
  await->done = true;
  return 0;
}

/* Pushes what resolve was given, from the operation at 2. */
static int push_kept(lua_State *L, const struct rl_await *await) {
  luaL_checkstack(L, await->count + 1, "too many results");
  lua_getiuservalue(L, 2, 1);
  for (int i = 1; i <= await->count; i++)
    lua_rawgeti(L, -i, i);
  return await->count;
}

/* The cancel function has run. If it has left the scope that was cancelled,
 * what is raised is still at 4. */
static int undone_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  (void)status, (void)ctx;
  if (engine->core.current->top->by != NULL)
    return rl_raise_cancellation(L, engine);
  lua_settop(L, 4);
  return lua_error(L);
}

/* The wait is over: 1 start, 2 operation, 3 cancel function, results. */
static int await_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_await *await = lua_touserdata(L, 2);
  (void)status;
  if (rl_outcome(L, engine, ctx, await_k) != RILLE_CANCELLED)
    return await->count;
  await->done = true;
  if (lua_isnil(L, 3))
    return rl_raise_cancellation(L, engine);
  lua_settop(L, 3);
  engine->core.current->top->by->delivered = 1;
  rl_push_cancellation(L, engine, engine->core.current->top->by);
  lua_pushvalue(L, 3);
  lua_callk(L, 0, 0, 0, undone_k);
  return undone_k(L, LUA_OK, 0);
}

static int started_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_await *await = lua_touserdata(L, 2);
  struct rl_task *task;
  (void)status, (void)ctx;
  if (!lua_isnil(L, 3) && !lua_isfunction(L, 3))
    rl_error(L,
             "await: start must return a cancel function or nothing, "
             "got %s",
             rl_push_shown(L, 3));
  task = rl_task_of(engine->core.current);
  if (await->done)
    return rl_return(L, task, push_kept(L, await));
  return rl_wait_one(L, task, &await->source, 0, 0, await_k);
}

/***
Waits for an operation that ends in a callback. Suspends until then.
@function await
@tparam function start `start(resolve)` begins the operation and may return a
cancel function, which runs if the wait is cancelled; `resolve(...)` ends it,
from anywhere, at any time, once
@return what `resolve` was given
@raise cancelled; what `start` raises
@usage local err, fd = rille.await(function(resolve)
  uv.fs_open(path, "r", 0, resolve)
end)
*/
static int l_await(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rl_await *await;
  rl_check_type(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  rl_enter(L, engine);
  await = lua_newuserdatauv(L, sizeof *await, 1);
  *await = (struct rl_await){.head = rl_head(engine, &rl_await_type)};
  rille_source_init(&await->source, &await_source);
  rl_push_slot(L, engine, RL_AWAIT_META);
  lua_setmetatable(L, 2);
  lua_pushvalue(L, 1);
  rl_push_engine(L);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, l_await_resolve, 2);
  lua_callk(L, 1, 1, 0, started_k);
  return started_k(L, LUA_OK, 0);
}

/* For C: the parts of a rille_awaitable that are ours. */
struct awaitable {
  struct rille_source source;
  lua_KFunction k;
  lua_KContext ctx;
};

_Static_assert(sizeof(struct awaitable) <=
                   sizeof(((struct rille_awaitable *)0)->private_),
               "private_ is too small");

static int awaitable_k(lua_State *L, int status, lua_KContext ctx) {
  struct rille_awaitable *awaitable = (struct rille_awaitable *)ctx;
  struct awaitable *own = (struct awaitable *)(void *)awaitable->private_;
  if (rl_outcome(L, rl_engine_open(L), ctx, awaitable_k) == RILLE_CANCELLED) {
    if (awaitable->cancel != NULL)
      awaitable->cancel(awaitable);
    return rl_raise_cancellation(L, rl_engine_open(L));
  }
  return own->k(L, status, own->ctx);
}

int rille_wait(lua_State *L, struct rille_awaitable *awaitable,
               lua_KContext ctx, lua_KFunction k) {
  struct awaitable *own = (struct awaitable *)(void *)awaitable->private_;
  struct rl_task *task = rl_enter(L, rl_engine_open(L));
  rille_source_init(&own->source, &await_source);
  own->k = k;
  own->ctx = ctx;
  return rl_wait_one(L, task, &own->source, 0, (lua_KContext)awaitable,
                     awaitable_k);
}

void rille_wake(struct rille_awaitable *awaitable) {
  struct awaitable *own = (struct awaitable *)(void *)awaitable->private_;
  if (own->source.type != NULL)
    rille_source_fire(&own->source, 0);
}

const struct rl_type rl_await_type = {"await", sizeof(struct rl_await), NULL,
                                      NULL};

void rl_open_await(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {{"await", l_await}, {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_new_type(L, RL_AWAIT_META, "await", none, none);
  rl_add_functions(L, functions);
  lua_settop(L, engine);
}
