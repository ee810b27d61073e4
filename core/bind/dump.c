/*
 * dump.c - the task tree as text.
 *
 *     root
 *       main  waiting 0.2 s: join  at tour.lua:12
 *       fetchers (2 tasks)
 *         task#3  waiting 0.1 s: recv  at tour.lua:30, started at tour.lua:9
 *
 * A scope stands where its parent says, a task in its scope.
 */
#include "bind.h"
#include <string.h>

struct dump {
  lua_State *L;
  struct rl_engine *engine;
  luaL_Buffer *buffer; /* must lie at the top between two calls */
  int64_t now;
};

/* Adds "file:line" of the Lua function in which `co` stands. */
static void add_place(struct dump *dump, lua_State *co) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(co, level, &frame); level++) {
    lua_getinfo(co, "Sl", &frame);
    if (frame.currentline > 0 && !rl_is_ours(&frame)) {
      lua_pushfstring(dump->L, "  at %s:%d", frame.short_src,
                      frame.currentline);
      luaL_addvalue(dump->buffer);
      return;
    }
  }
}

/* Adds a value that was pushed below the buffer's: luaL_addvalue pops it. */
static void add_task_name(struct dump *dump, struct rl_task *task) {
  rl_push_task(dump->L, dump->engine, task);
  rl_push_task_name(dump->L, lua_gettop(dump->L));
  lua_replace(dump->L, -2);
  luaL_addvalue(dump->buffer);
}

static void add_source(struct dump *dump, struct rille_source *source) {
  const struct rille_lock *mutex;
  struct rille_task *owner;
  luaL_addstring(dump->buffer, source != NULL ? source->type->verb : "off");
  mutex = source != NULL ? rille_mutex_of(source) : NULL;
  if (mutex == NULL)
    return;
  owner = rille_mutex_owner(mutex, &dump->engine->core.holds);
  if (owner != NULL) {
    luaL_addstring(dump->buffer, " held by ");
    add_task_name(dump, rl_task_of(owner));
  }
}

static void add_wait(struct dump *dump, const struct rl_task *task) {
  const struct rille_wait *wait = &task->core.wait;
  lua_pushfstring(
      dump->L,
      " %f s: ", (lua_Number)((dump->now - task->core.since) / 1000000) / 1000);
  luaL_addvalue(dump->buffer);
  if (wait->count == 0)
    luaL_addstring(dump->buffer, "sleep");
  else if (wait->flags & RILLE_WAIT_ALL)
    luaL_addstring(dump->buffer,
                   wait->count - wait->fired > 1 ? "all of " : "");
  else if (wait->waiters != &wait->one)
    luaL_addstring(dump->buffer, "select ");
  for (uint32_t i = 0, told = 0; i < wait->count; i++) {
    const struct rille_waiter *waiter = &wait->waiters[i];
    if ((wait->flags & RILLE_WAIT_ALL) && !rille_list_linked(&waiter->node))
      continue; /* it has fired */
    if (told == 8) {
      luaL_addstring(dump->buffer, " ...");
      break;
    }
    luaL_addstring(dump->buffer, told++ > 0 ? ", " : "");
    add_source(dump, waiter->source);
  }
}

static void indent(struct dump *dump, int depth) {
  while (depth-- > 0)
    luaL_addstring(dump->buffer, "  ");
}

static void add_site(struct dump *dump, struct rl_task *task) {
  lua_State *L = dump->L;
  rl_push_task(L, dump->engine, task);
  rl_push_task_site(L, lua_gettop(L));
  lua_replace(L, -2);
  luaL_addvalue(dump->buffer);
}

static void add_task(struct dump *dump, struct rl_task *task, int depth) {
  indent(dump, depth);
  add_task_name(dump, task);
  luaL_addstring(dump->buffer, "  ");
  luaL_addstring(dump->buffer, rille_task_status_name(&task->core));
  if (task->core.status == RILLE_TASK_WAITING)
    add_wait(dump, task);
  if (task->core.started)
    add_place(dump, task->waiting != NULL ? task->waiting : task->thread.L);
  add_site(dump, task);
  luaL_addchar(dump->buffer, '\n');
}

static void add_scope_line(struct dump *dump, struct rille_scope *scope,
                           int depth) {
  lua_State *L = dump->L;
  indent(dump, depth);
  rl_push_scope(L, dump->engine, scope);
  rl_push_scope_name(L, lua_gettop(L));
  lua_replace(L, -2);
  luaL_addvalue(dump->buffer);
  lua_pushfstring(L, " (%d task%s%s%s)\n", (int)scope->active,
                  scope->active == 1 ? "" : "s",
                  scope->state == RILLE_SCOPE_CLOSING ? ", closing" : "",
                  scope->cancel.by != NULL ? ", cancelled" : "");
  luaL_addvalue(dump->buffer);
}

static void add_tasks(struct dump *dump, struct rille_scope *scope, int depth) {
  struct rille_task *task = NULL;
  while ((task = rille_scope_next_task(scope, task)) != NULL)
    add_task(dump, rl_task_of(task), depth);
}

/* A walk by the links, not by recursion: scopes may be nested deeply. */
static void add_tree(struct dump *dump, struct rille_scope *top) {
  struct rille_scope *scope = top;
  int depth = 0;
  for (;;) {
    if (scope != top)
      add_scope_line(dump, scope, depth - 1);
    add_tasks(dump, scope, depth);
    if (!rille_list_empty(&scope->children)) {
      scope = RILLE_ENTRY(scope->children.next, struct rille_scope, sibling);
      depth++;
      continue;
    }
    while (scope != top && scope->sibling.next == &scope->parent->children) {
      scope = scope->parent;
      depth--;
    }
    if (scope == top)
      return;
    scope = RILLE_ENTRY(scope->sibling.next, struct rille_scope, sibling);
  }
}

void rl_push_dump(lua_State *L, struct rl_engine *engine) {
  luaL_Buffer buffer;
  struct dump dump = {L, engine, &buffer, rille_now(&engine->core)};
  luaL_buffinit(L, &buffer);
  add_tree(&dump, engine->core.top);
  luaL_pushresult(&buffer);
}

/***
The tree of scopes and tasks: status, what each waits on, since when, and
where it stands. Never suspends.
@function dump
@param[opt] io a file to write it to
@treturn string the text, when there is no `io`
@usage rille.dump(io.stderr)
*/
static int l_dump(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    rl_push_dump(L, engine);
    return 1;
  }
  if ((!lua_istable(L, 1) && !lua_isuserdata(L, 1)) ||
      lua_getfield(L, 1, "write") != LUA_TFUNCTION)
    rl_type_error(L, 1, "file");
  lua_pushvalue(L, 1);
  rl_push_dump(L, engine);
  lua_call(L, 2, 0);
  return 0;
}

void rl_open_dump(lua_State *L) {
  static const luaL_Reg functions[] = {{"dump", l_dump}, {NULL, NULL}};
  rl_add_functions(L, functions);
}
