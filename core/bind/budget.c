/*
 * budget.c - retry budgets, as Lua sees them: what several callers of
 * rille.retry share.
 */
#include "../policy/budget.h"
#include "bind.h"

struct rl_budget {
  struct rl_head head;
  struct rille_budget core;
  struct rl_seen seen;
};

static struct rl_budget *check_budget(lua_State *L) {
  return rl_check(L, 1, &rl_budget_type);
}

static int64_t look(lua_State *L, struct rl_budget *budget) {
  int64_t shift, now = rl_look(rl_engine(L), &budget->seen, &shift);
  if (shift != 0)
    rille_bucket_shift(&budget->core.bucket, shift);
  return now;
}

/*** Retry budgets.
@type retry_budget */

/***
@function retry_budget:balance
@treturn number the retries that may be made now
*/
static int l_budget_balance(lua_State *L) {
  struct rl_budget *budget = check_budget(L);
  lua_pushnumber(L, rille_bucket_level(&budget->core.bucket, look(L, budget)));
  return 1;
}

/***
@function retry_budget:stats
@treturn table `balance`; in all its life `calls` (first ones), `retries` made
and `refused`
*/
static int l_budget_stats(lua_State *L) {
  struct rl_budget *budget = check_budget(L);
  lua_createtable(L, 0, 4);
  l_budget_balance(L);
  lua_setfield(L, -2, "balance");
  lua_pushinteger(L, (lua_Integer)budget->core.deposits);
  lua_setfield(L, -2, "calls");
  lua_pushinteger(L, (lua_Integer)budget->core.withdrawals);
  lua_setfield(L, -2, "retries");
  lua_pushinteger(L, (lua_Integer)budget->core.refused);
  lua_setfield(L, -2, "refused");
  return 1;
}

static int l_budget_tostring(lua_State *L) {
  l_budget_balance(L);
  lua_pushfstring(L, "rille.retry_budget: %f", lua_tonumber(L, -1));
  return 1;
}

/* For the Lua part: deposit(budget), withdraw(budget) -> boolean,
 * give_back(budget); see the policy. */

static int l_budget_deposit(lua_State *L) {
  struct rl_budget *budget = check_budget(L);
  rille_budget_deposit(&budget->core, look(L, budget));
  return 0;
}

static int l_budget_withdraw(lua_State *L) {
  struct rl_budget *budget = check_budget(L);
  lua_pushboolean(L, rille_budget_withdraw(&budget->core, look(L, budget)));
  return 1;
}

static int l_budget_give_back(lua_State *L) {
  struct rl_budget *budget = check_budget(L);
  rille_budget_give_back(&budget->core, look(L, budget));
  return 0;
}

/* budget(ratio, min_per_second, max_tokens): checked by the Lua part. */
static int l_budget_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  double most = luaL_checknumber(L, 3);
  struct rl_budget *budget = lua_newuserdatauv(L, sizeof *budget, 0);
  *budget = (struct rl_budget){.head = rl_head(engine, &rl_budget_type)};
  look(L, budget);
  if (!rille_budget_init(&budget->core, luaL_checknumber(L, 1),
                         luaL_checknumber(L, 2),
                         most < 1e12 ? (int64_t)most : RILLE_NEVER))
    return lua_pushnil(L), 1;
  rl_push_slot(L, engine, RL_BUDGET_META);
  lua_setmetatable(L, -2);
  return 1;
}

const struct rl_type rl_budget_type = {"retry_budget", sizeof(struct rl_budget),
                                       NULL, NULL};

void rl_open_budget(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"balance", l_budget_balance}, {"stats", l_budget_stats}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__tostring", l_budget_tostring},
                                  {NULL, NULL}};
  static const luaL_Reg inner[] = {{"budget", l_budget_new},
                                   {"deposit", l_budget_deposit},
                                   {"withdraw", l_budget_withdraw},
                                   {"give_back", l_budget_give_back},
                                   {NULL, NULL}};
  rl_new_type(L, RL_BUDGET_META, "retry_budget", methods, meta);
  rl_add_inner(L, inner);
}
