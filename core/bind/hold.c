/*
 * hold.c - the locks that tasks hold: their memory, and what becomes of them
 * at a task's end.
 *
 * The core numbers the holds; under the same number the lock is anchored in a
 * table of the engine, so that one which nobody refers to any more, but for
 * the task that holds it, is still there when that ends.
 */
#include "bind.h"
#include <string.h>

#define FIRST_HOLDS 16

/* Runs before anything is taken, for it may raise. */
void rl_hold_reserve(lua_State *L, struct rl_engine *engine) {
  struct rille_holds *holds = &engine->core.holds;
  uint32_t size = holds->size == 0 ? FIRST_HOLDS : holds->size * 2;
  struct rille_hold *places;
  if (rille_hold_room(holds))
    return;
  rl_push_engine(L);
  places = lua_newuserdatauv(L, size * sizeof *places, 0);
  lua_getiuservalue(L, -2, RL_HELD);
  for (uint32_t i = holds->size > 0 ? holds->size : 1; i < size; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 1);
  if (holds->size > 0)
    memcpy(places, holds->places, holds->size * sizeof *places);
  lua_setiuservalue(L, -2, RL_HOLDS);
  lua_pop(L, 1);
  rille_holds_grown(holds, places, size);
}

void rl_hold_anchor(lua_State *L, struct rl_engine *engine, uint32_t number,
                    int index) {
  rl_push_slot(L, engine, RL_HELD);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, number);
  lua_pop(L, 1);
}

void rl_hold_close(lua_State *L, struct rl_engine *engine, struct rl_task *task,
                   uint32_t number) {
  if (!rille_hold_close(&task->core, number))
    return;
  rl_push_slot(L, engine, RL_HELD);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, number);
  lua_pop(L, 1);
}

const char *rl_holds_abandon(lua_State *L, struct rl_engine *engine,
                             struct rl_task *task) {
  const char *name = NULL;
  uint32_t number;
  while ((number = task->core.holds) != 0) {
    if (engine->core.holds.places[number].count > 0) {
      const struct rl_type *const *lock;
      rl_push_slot(L, engine, RL_HELD);
      lua_rawgeti(L, -1, number);
      lock = lua_touserdata(L, -1);
      name = (*lock)->name;
      lua_pop(L, 2);
    }
    rl_hold_close(L, engine, task, number);
  }
  return name;
}

void rl_hold_push_error(lua_State *L, struct rl_engine *engine, int index,
                        int cause, const char *lock) {
  rl_push_task_name(L, index);
  rl_push_error(L, engine, "invalid",
                "%s ended holding a %s; release it on every way out, or use "
                "its call",
                lua_tostring(L, -1), lock);
  lua_remove(L, -2);
  if (cause != 0) {
    lua_pushvalue(L, cause);
    lua_setfield(L, -2, "cause");
  }
}

void rl_hold_add_text(lua_State *L, int index, const char *lock) {
  static const char *const names[] = {"trace", "text"};
  rl_push_task_info(L, index);
  for (int i = 0; i < 2; i++) {
    const char *text = NULL;
    if (lua_getfield(L, -1, names[i]) == LUA_TSTRING)
      text = lua_tostring(L, -1);
    else if (i == 0)
      text = "(no traceback)";
    if (text != NULL) {
      lua_pushfstring(L, "%s\n  it ended holding a %s, which was released",
                      text, lock);
      lua_setfield(L, -3, names[i]);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
