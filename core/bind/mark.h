/* mark.h - what a coroutine yields when its task waits: the address of this.
 * Only suspend.c yields it; the scheduler and coroutine.c look for it. */
#ifndef RILLE_MARK_H
#define RILLE_MARK_H

#include <lua.h>

extern const char rl_mark;

/* True if the value at the top of L is the mark. */
static inline int rl_is_mark(lua_State *L) {
  return lua_islightuserdata(L, -1) && lua_touserdata(L, -1) == &rl_mark;
}

#endif
