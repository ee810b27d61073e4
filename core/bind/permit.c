/*
 * permit.c - calling a user's function while something is held.
 *
 * The call is not protected: what is held is a to-be-closed value in the
 * caller's frame, and its __close gives it back. So an error passes by as if
 * nobody were there, with the stack as it was where it was raised, and a
 * coroutine that is closed under the call gives back too. What nobody can see
 * is a generator that is dropped inside the call: it keeps what it holds.
 */
#include "bind.h"

/* `ctx` is the engine. */
static int called_k(lua_State *L, int status, lua_KContext ctx) {
  struct rille_task *task = ((struct rl_engine *)ctx)->core.current;
  int results = lua_gettop(L) - 1;
  (void)status;
  if (task == NULL)
    return results;
  if (task->budget == 0) /* the turn is not spent holding it */
    lua_closeslot(L, 1);
  return rl_return(L, rl_task_of(task), results);
}

int rl_call_holding(lua_State *L, struct rl_engine *engine) {
  lua_KContext ctx = (lua_KContext)engine;
  lua_toclose(L, 1);
  lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, ctx, called_k);
  return called_k(L, LUA_OK, ctx);
}
