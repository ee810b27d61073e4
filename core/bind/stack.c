/*
 * stack.c - walking the frames of a Lua stack, from the top, in linear time.
 *
 * lua_getstack counts from the top each time, so that to look at every frame of
 * a deep recursion takes time with the square of its depth. What it gives is a
 * pointer to Lua's own record of the frame, in which somewhere is one to the
 * record of the caller. Where, is found out when the engine is opened, by
 * looking at frames that are known; if it cannot be, lua_getstack does it.
 */
#include "bind.h"
#include <string.h>

/* So much of a record is looked at: the pointer is in its first few words, and
 * any Lua 5.4 has more of them. */
#define WORDS 5

/* The word `at` of the record of a frame. */
static const void *word_at(const void *record, int at) {
  const void *word;
  memcpy(&word, (const char *)record + (size_t)at * sizeof word, sizeof word);
  return word;
}

bool rl_frame_top(lua_State *L, struct rl_walk *walk) {
  walk->level = 0;
  return lua_getstack(L, 0, &walk->frame) != 0;
}

/* The outermost record is no frame; it alone has no caller. */
bool rl_frame_next(lua_State *L, const struct rl_engine *engine,
                   struct rl_walk *walk) {
  const void *caller;
  walk->level++;
  if (engine->caller_at == 0)
    return lua_getstack(L, walk->level, &walk->frame) != 0;
  caller = word_at(walk->frame.i_ci, engine->caller_at);
  if (word_at(caller, engine->caller_at) == NULL)
    return false;
  walk->frame.i_ci = (void *)caller;
  return true;
}

/* Whether a walk with the pointer at word `engine->caller_at` sees what
 * lua_getstack does. A wrong word is not followed further than to a frame that
 * is not where it should be. */
static bool agrees(lua_State *L, const struct rl_engine *engine) {
  lua_Debug known;
  const void *record;
  int level = 0;
  lua_getstack(L, 0, &known);
  record = known.i_ci;
  while (lua_getstack(L, ++level, &known)) {
    record = word_at(record, engine->caller_at);
    if (record != known.i_ci)
      return false;
  }
  record =
      word_at(record, engine->caller_at); /* the outermost, if all is right */
  return level > 3 && record != NULL &&
         word_at(record, engine->caller_at) == NULL;
}

/* learn_frames(): to be called where there are frames to look at. */
static int l_learn_frames(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  for (engine->caller_at = 1; engine->caller_at < WORDS; engine->caller_at++)
    if (agrees(L, engine))
      return 0;
  engine->caller_at = 0;
  return 0;
}

void rl_open_stack(lua_State *L) {
  static const luaL_Reg inner[] = {{"learn_frames", l_learn_frames},
                                   {NULL, NULL}};
  rl_add_inner(L, inner);
}
