/*
 * trace.c - telling tracers what the engine does, where there is one.
 *
 * Which scopes and tasks have spans, and what those say, is the Lua part's
 * (lua/rille/tracing.lua): it is told here of tasks that start and end, and of
 * events. Scopes it sees by itself: they are opened and left in Lua.
 *
 *     s:go, s:task --> rl_task_spawn ----> trace_task    if the scope says so
 *                      rl_task_finish ---> trace_end     if the task says so
 *     breaker, limiter --> rl_trace_event  trace_event   if tracing is used
 *
 * Without a tracer that is a bit tested in each of them. A tracer is called
 * where the engine stands in the middle of something, so it cannot wait; and
 * whatever goes wrong in it, the engine goes on.
 *
 * What spans need of the engine is here as well: random ids, and how far its
 * clock is from the calendar's. Under a seed or on a virtual clock both are
 * functions of the run alone.
 */
#include "bind.h"
#include <time.h>
#include <uv.h>

/* Calls function `name` of the Lua part with what is on the stack. */
static int call_part(lua_State *L, const char *name) {
  rl_push_slot(L, rl_engine_find(L), RL_LUA);
  if (lua_getfield(L, -1, name) != LUA_TFUNCTION)
    return 0;
  lua_replace(L, -2);
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

/* trace_task(task, scope, options, function, line), the last but one told by
 * its place, if it is the user's and written in Lua, and then the file. */
static int trace_task(lua_State *L) {
  lua_Debug place;
  rl_push_task_file(L, 1);
  lua_pushvalue(L, 4);
  lua_getinfo(L, ">S", &place);
  if (place.linedefined > 0 && !rl_is_ours(&place))
    lua_pushfstring(L, "function <%s:%d>", place.short_src, place.linedefined);
  else
    lua_pushnil(L);
  lua_replace(L, 4);
  return call_part(L, "trace_task");
}

/* trace_end(task, status, error); the status is told by its name. */
static int trace_end(lua_State *L) {
  static const char *const names[] = {"done", "failed", "cancelled"};
  lua_pushstring(L, names[lua_tointeger(L, 2) - RILLE_TASK_DONE]);
  lua_replace(L, 2);
  return call_part(L, "trace_end");
}

/* trace_event(names, value) as trace_event(event, key, value) */
static int trace_event(lua_State *L) {
  const char *const *names = lua_touserdata(L, 1);
  lua_pushstring(L, names[0]);
  lua_replace(L, 1);
  lua_pushstring(L, names[1]);
  lua_insert(L, 2);
  return call_part(L, "trace_event");
}

/* Calls the light function below its `count` arguments at the top, and pops
 * all. What it raises, for want of memory, is the loss of a span. */
static void call_protected(lua_State *L, int count) {
  if (lua_pcall(L, count, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* Pushes the value at `index`, or nil for 0. */
static void push_at(lua_State *L, int index) {
  if (index != 0)
    lua_pushvalue(L, index);
  else
    lua_pushnil(L);
}

void rl_trace_task(lua_State *L, int index, const struct rl_spawn *spawn,
                   int count) {
  struct rl_task *task = lua_touserdata(L, index);
  if (!lua_checkstack(L, LUA_MINSTACK))
    return;
  task->traced = true;
  lua_pushcfunction(L, trace_task);
  lua_pushvalue(L, index);
  lua_pushvalue(L, spawn->scope_index);
  push_at(L, spawn->options_index);
  lua_pushvalue(task->thread.L, -count);
  lua_xmove(task->thread.L, L, 1);
  lua_pushinteger(L, (lua_Integer)task->line);
  call_protected(L, 5);
}

void rl_trace_end(lua_State *L, int index, enum rille_task_status status,
                  int error) {
  if (!lua_checkstack(L, LUA_MINSTACK))
    return;
  lua_pushcfunction(L, trace_end);
  lua_pushvalue(L, index);
  lua_pushinteger(L, status);
  push_at(L, status == RILLE_TASK_DONE ? 0 : error);
  call_protected(L, 3);
}

void rl_trace_event(lua_State *L, const char *event, const char *key) {
  const char *names[2] = {event, key};
  if (lua_checkstack(L, LUA_MINSTACK)) {
    lua_pushcfunction(L, trace_event);
    lua_pushlightuserdata(L, names);
    lua_pushvalue(L, -3);
    call_protected(L, 2);
  }
  lua_pop(L, 1);
}

void rl_trace_seed(struct rl_engine *engine, bool seeded, uint64_t seed) {
  engine->tracing.seeded = seeded;
  engine->tracing.random = seed;
}

/* For the Lua part: tracing() says that there is a tracer, from now on. */
static int l_tracing(lua_State *L) {
  rl_engine(L)->tracing.used = true;
  return 0;
}

/* Fills `bytes`. The generator is that of core/engine.c, but its own: tracing
 * changes no other choice. */
static void random_bytes(lua_State *L, struct rl_tracing *tracing,
                         unsigned char *bytes, size_t size) {
  if (!tracing->seeded) {
    if (uv_random(NULL, NULL, bytes, size, 0, NULL) != 0)
      luaL_error(L, "the system has no random numbers");
    return;
  }
  for (size_t i = 0; i < size; i++) {
    uint64_t z = (tracing->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    bytes[i] = (unsigned char)((z ^ (z >> 31)) >> 56);
  }
}

/* random_id(n): n random bytes as 2n hexadecimal digits, not all of them 0. */
static int l_random_id(lua_State *L) {
  static const char digits[] = "0123456789abcdef";
  struct rl_engine *engine = rl_engine(L);
  size_t size = (size_t)luaL_checkinteger(L, 1);
  unsigned char bytes[16];
  char text[2 * sizeof bytes], all;
  luaL_argcheck(L, size >= 1 && size <= sizeof bytes, 1, "1 to 16 expected");
  do {
    random_bytes(L, &engine->tracing, bytes, size);
    all = 0;
    for (size_t i = 0; i < size; i++) {
      text[2 * i] = digits[bytes[i] >> 4];
      text[2 * i + 1] = digits[bytes[i] & 15];
      all |= (char)bytes[i];
    }
  } while (all == 0);
  lua_pushlstring(L, text, 2 * size);
  return 1;
}

/* epoch(): when the engine's clock stood at 0, in ns since 1970; on a virtual
 * clock that is then. */
static int l_epoch(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct timespec wall;
  if (engine->core.clock.is_virtual)
    return lua_pushinteger(L, 0), 1;
  clock_gettime(CLOCK_REALTIME, &wall);
  lua_pushinteger(L, (lua_Integer)wall.tv_sec * RILLE_SECOND + wall.tv_nsec -
                         rille_now(&engine->core));
  return 1;
}

/* identity(): the process's number, and the name of the host. */
static int l_identity(lua_State *L) {
  char name[UV_MAXHOSTNAMESIZE];
  size_t size = sizeof name;
  lua_pushinteger(L, uv_os_getpid());
  if (uv_os_gethostname(name, &size) == 0)
    lua_pushlstring(L, name, size);
  else
    lua_pushnil(L);
  return 2;
}

/* top(): the scope at the top, which is the parent of every root. */
static int l_top(lua_State *L) {
  rl_push_slot(L, rl_engine(L), RL_TOP);
  return 1;
}

void rl_open_trace(lua_State *L) {
  static const luaL_Reg inner[] = {
      {"tracing", l_tracing}, {"random_id", l_random_id},
      {"epoch", l_epoch},     {"identity", l_identity},
      {"top", l_top},         {NULL, NULL}};
  rl_add_inner(L, inner);
}
