/*
 * block.c - the block of a scope: opening it, and what the Lua part
 * (lua/rille/scope.lua) asks of it. How it is left is leave.c's.
 */
#include "bind.h"
#include <math.h>

static const char *const option_names[] = {
    "name",     "parent", "inherit",      "timeout",
    "deadline", "shield", "concurrency",  "on_error",
    "grace",    "retry",  "task_timeout", "circuit_breaker",
    "limiter",  "tracer", "otel",         NULL};

/* Of these the last few are what its tasks have by default. */
#define FIRST_DEFAULT 9

/* Pushes the parent that the options at 1 name, or the innermost scope. */
static void push_parent(lua_State *L, struct rl_engine *engine) {
  const struct rl_scope *parent;
  if (rl_option(L, 1, "parent", LUA_TUSERDATA) == LUA_TNIL) {
    lua_pop(L, 1);
    rl_push_scope(L, engine, rille_task_innermost(engine->core.current));
  }
  parent = rl_test(L, -1, &rl_scope_type);
  if (parent == NULL)
    rl_arg_error(L, 1, "option 'parent': a scope expected");
  else if (parent->core.state == RILLE_SCOPE_ENDED)
    rl_arg_error(L, 1, "option 'parent': that scope has ended");
}

static uint32_t limit_option(lua_State *L) {
  uint32_t limit = 0;
  if (rl_option(L, 1, "concurrency", LUA_TNUMBER) == LUA_TNUMBER &&
      lua_tonumber(L, -1) != HUGE_VAL) {
    int exact;
    lua_Integer n = lua_tointegerx(L, -1, &exact);
    if (!exact || n < 1 || n > INT32_MAX)
      rl_arg_error(L, 1,
                   lua_pushfstring(L,
                                   "option 'concurrency': a whole number "
                                   "from 1 expected, got %f",
                                   lua_tonumber(L, -1)));
    limit = (uint32_t)n;
  }
  lua_pop(L, 1);
  return limit;
}

static void set_name(lua_State *L, int index) {
  if (rl_option(L, 1, "name", LUA_TSTRING) == LUA_TSTRING) {
    rl_push_scope_info(L, index);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "name");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Pushes what the tasks of the scope will have by default, as the Lua part
 * makes it from the options at 1; or nil. */
static void push_defaults(lua_State *L, struct rl_engine *engine) {
  rl_push_options(L, 1, &option_names[FIRST_DEFAULT]);
  if (lua_isnil(L, -1))
    return;
  rl_push_layers(L, engine, "make_defaults");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

/* Gives the scope at `index`, which is in a traced one or has them itself, the
 * defaults at 3. */
static void set_defaults(lua_State *L, struct rl_engine *engine, int index) {
  struct rl_scope *scope = lua_touserdata(L, index);
  rl_push_layers(L, engine, "set_defaults");
  lua_pushvalue(L, index);
  lua_pushvalue(L, 3);
  lua_pushinteger(L, scope->layered);
  lua_pushvalue(L, 1);
  lua_call(L, 4, 1);
  scope->layered = (uint8_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
}

struct block_options {
  int64_t timeout, deadline, grace; /* ns */
  uint32_t limit;
  bool shield, keep_going, secluded;
  bool bare; /* it gives nothing to its tasks, and has no span */
};

static const struct block_options no_options = {
    .timeout = RILLE_FOREVER, .deadline = RILLE_FOREVER, .grace = RL_GRACE};

/* Reads the options at 1, but for those that push something. */
static struct block_options read_options(lua_State *L) {
  static const char *const inherits[] = {"all", "cancel", NULL};
  static const char *const on_errors[] = {"cancel", "continue", NULL};
  struct block_options o = no_options;
  if (lua_isnil(L, 1))
    return o;
  o.timeout = rl_option_span(L, 1, "timeout", RILLE_FOREVER);
  o.deadline = rl_option_span(L, 1, "deadline", RILLE_FOREVER);
  o.grace = rl_option_span(L, 1, "grace", RL_GRACE);
  o.limit = limit_option(L);
  o.secluded = rl_option_choice(L, 1, "inherit", inherits) == 1;
  o.keep_going = rl_option_choice(L, 1, "on_error", on_errors) == 1;
  rl_option(L, 1, "shield", LUA_TBOOLEAN);
  o.shield = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return o;
}

static void open_block(struct rl_scope *scope, struct rl_scope *parent,
                       struct rl_task *task, struct block_options o,
                       bool cleans_up) {
  struct rl_engine *engine = rl_engine_of(task->core.scope->engine);
  scope->core.grace = o.grace;
  scope->core.limit = o.limit;
  scope->keep_going = o.keep_going;
  if (cleans_up && !o.shield) { /* out of reach, within the grace */
    int64_t end = rille_cancel_grace(task->core.top->by);
    o.shield = true;
    o.deadline = end < o.deadline ? end : o.deadline;
  }
  rille_scope_open(&scope->core, &parent->core, &task->core, o.shield);
  if (o.timeout != RILLE_FOREVER) {
    int64_t due = rille_time_add(rille_now(&engine->core), o.timeout);
    o.deadline = due < o.deadline ? due : o.deadline;
  }
  if (o.deadline != RILLE_FOREVER)
    rille_scope_set_deadline(&scope->core, o.deadline);
  if (engine->root == NULL && engine->run != NULL && task == engine->run)
    engine->root = &scope->core;
}

/* Opens the scope whose parent is at 2 and defaults, or nil, at 3, with the
 * options at 1 (nil: none), and pushes it. Its block is the frame at `level`,
 * which `lasts` as long as the scope. */
static int open_scope(lua_State *L, struct rl_engine *engine,
                      const struct block_options *options, int level,
                      bool lasts) {
  struct rl_task *task = rl_task_of(engine->core.current);
  struct rl_scope *parent = lua_touserdata(L, 2);
  struct rl_scope *scope = rl_scope_new(L, engine);
  bool cleans_up;
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 4, RL_SCOPE_PARENT);
  set_name(L, 4);
  scope->secluded = options->secluded;
  scope->layered = options->secluded ? 0 : parent->layered;
  if (!lua_isnil(L, 3) || ((scope->layered & RL_TRACER) && !options->bare))
    set_defaults(L, engine, 4);
  scope->frame = rl_frame_at(L, level, lasts);
  cleans_up = rl_cleans_up(L, task);
  rl_scope_check_open(L, engine, 2); /* a finalizer may have ended it */
  rl_scope_anchor(L, engine, 4);     /* from here on nothing can fail */
  open_block(scope, parent, task, *options, cleans_up);
  return 1;
}

/* scope(options, bare): a new scope, the innermost one of the running task.
 * Its block is the caller's; that of the caller's caller if it is `bare`. */
static int l_scope_open(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct block_options options;
  bool bare = lua_toboolean(L, 2);
  lua_settop(L, 1);
  rl_check_options(L, 1, option_names);
  rl_can_wait(L, engine);
  options = read_options(L);
  push_parent(L, engine);
  push_defaults(L, engine);
  return open_scope(L, engine, &options, bare ? 2 : 1, !bare);
}

/* scope_within(seconds, shield): the same with these two options alone. */
static int l_scope_within(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct block_options options = no_options;
  rl_can_wait(L, engine);
  options.timeout = rl_check_span(L, 1);
  options.shield = lua_toboolean(L, 2);
  options.bare = true;
  lua_settop(L, 0);
  lua_pushnil(L);
  push_parent(L, engine);
  lua_pushnil(L);
  return open_scope(L, engine, &options, 1, true);
}

/* innermost(): the innermost block scope that the running task has open. */
static int l_scope_innermost(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  struct rille_task *task = engine->core.current;
  if (task == NULL || rille_task_block(task) == NULL)
    return lua_pushnil(L), 1;
  rl_push_scope(L, engine, rille_task_block(task));
  return 1;
}

static bool is_above(const struct rille_scope *scope,
                     const struct rille_scope *block,
                     const struct rille_scope *top) {
  for (; top != NULL && top != block; top = rille_scope_under(top))
    if (top == scope)
      return true;
  return false;
}

/* holds_up(task, block): whether what `task` does since its innermost block
 * was `block` (nil: none) cannot end before the running task does: this is
 * `task` itself, or a task of a scope opened since, or a task of a scope which
 * one of those has opened. */
static int l_scope_holds_up(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  const struct rl_task *task = rl_check_of(L, engine, 1, &rl_task_type);
  const struct rl_scope *block =
      lua_isnil(L, 2) ? NULL : rl_check_of(L, engine, 2, &rl_scope_type);
  const struct rille_task *waits = engine->core.current;
  bool holds = waits == &task->core;
  while (!holds && waits != NULL && !waits->daemon) {
    const struct rille_scope *scope = waits->scope;
    waits = scope->opener;
    if (waits != &task->core)
      continue;
    holds = is_above(scope, block != NULL ? &block->core : NULL,
                     rille_task_block(waits));
    break;
  }
  lua_pushboolean(L, holds);
  return 1;
}

/* state(s): "open", "closing" or "ended", and whether the running task has
 * opened it. */
static int l_scope_state(lua_State *L) {
  static const char *const names[] = {"open", "closing", "ended"};
  struct rl_engine *engine = rl_engine(L);
  const struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  lua_pushstring(L, names[scope->core.state]);
  lua_pushboolean(L, scope->core.opener != NULL &&
                         scope->core.opener == engine->core.current);
  return 2;
}

/* info(s): the table that is kept with the scope. */
static int l_scope_info(lua_State *L) {
  rl_check(L, 1, &rl_scope_type);
  rl_push_scope_info(L, 1);
  return 1;
}

/* has_info(s): whether anything is kept with the scope. */
static int l_scope_has_info(lua_State *L) {
  rl_check(L, 1, &rl_scope_type);
  lua_pushboolean(L, lua_getiuservalue(L, 1, RL_SCOPE_INFO) == LUA_TTABLE);
  return 1;
}

/* inherited(s): the scope in which services and defaults are looked up after
 * `s`, or nil. The scope at the top is one only for a host's tasks. */
static int l_scope_inherited(lua_State *L) {
  const struct rl_engine *engine = rl_engine(L);
  const struct rl_scope *scope = rl_check_of(L, engine, 1, &rl_scope_type);
  if (scope->secluded || &scope->core == engine->root)
    return lua_pushnil(L), 1;
  lua_getiuservalue(L, 1, RL_SCOPE_PARENT);
  return 1;
}

void rl_open_block(lua_State *L) {
  static const luaL_Reg inner[] = {{"scope", l_scope_open},
                                   {"scope_within", l_scope_within},
                                   {"innermost", l_scope_innermost},
                                   {"holds_up", l_scope_holds_up},
                                   {"state", l_scope_state},
                                   {"info", l_scope_info},
                                   {"has_info", l_scope_has_info},
                                   {"inherited", l_scope_inherited},
                                   {NULL, NULL}};
  int engine = lua_gettop(L);
  lua_getiuservalue(L, engine, RL_LUA);
  lua_getiuservalue(L, engine, RL_SCOPE_META);
  lua_setfield(L, -2, "scope_meta");
  lua_pushvalue(L, engine);
  rl_add_functions(L, inner);
  lua_settop(L, engine);
}
