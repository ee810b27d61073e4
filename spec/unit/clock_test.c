/*
 * clock_test.c - a clock that jumps: an hour, ten years, back, or anywhere at
 * each look at it.
 *
 * What must hold: nothing is due before its time by the clock as it is now, and
 * nothing that is due is forgotten; a limiter makes no tokens of a clock that
 * goes back and forth; a breaker opens its door no earlier than it said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bind/bind.h"
#include <lualib.h>

/* jump(seconds): moves the virtual clock, which never is before 0. */
static int l_jump(lua_State *L) {
  struct rille_clock *clock = &rl_engine_find(L)->core.clock;
  lua_Number seconds = luaL_checknumber(L, 1);
  int64_t instant = clock->instant + (int64_t)(seconds * 1e9);
  clock->instant = instant > 0 ? instant : 0;
  return 0;
}

static int open_state(void **state) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_register(L, "jump", l_jump);
  *state = L;
  return rille_open(L, NULL);
}

static int close_state(void **state) {
  lua_close(*state);
  return 0;
}

/* Runs a chunk as the main task on the virtual clock; fails with its error. */
static void run(lua_State *L, const char *chunk) {
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "virtual");
  lua_setfield(L, -2, "clock");
  if (luaL_loadstring(L, chunk) != LUA_OK || rille_run(L, 2) != LUA_OK)
    fail_msg("%s", luaL_tolstring(L, -1, NULL));
  lua_settop(L, 0);
}

#define HEAD                                                                   \
  "local rille = require 'rille'\n"                                            \
  "local HOUR, YEAR = 3600, 365 * 24 * 3600\n"

/* Three sleepers; what is due wakes in the order of time, the rest sleeps on.
 */
static void a_jump_forward_wakes_what_is_due(void **state) {
  run(*state,
      HEAD "local log = {}\n"
           "rille.scope(function(s)\n"
           "  for _, n in ipairs{HOUR - 1, 1, HOUR + 1} do\n"
           "    s:go(function() rille.sleep(n) log[#log + 1] = n end)\n"
           "  end\n"
           "  rille.yield() jump(HOUR) rille.sleep(0) rille.yield()\n"
           "  assert(#log == 2 and log[1] == 1 and log[2] == HOUR - 1)\n"
           "end)\n"
           "assert(log[3] == HOUR + 1 and rille.now() == HOUR + 1)\n");
}

static void ten_years_are_one_late_tick(void **state) {
  run(*state,
      HEAD "local ticker <close> = rille.every(1)\n"
           "assert(ticker:wait() == 1)\n"
           "jump(10 * YEAR)\n"
           "assert(ticker:wait() == 10 * YEAR + 1)\n"
           "assert(ticker:wait() == 10 * YEAR + 2)\n"
           "local value, err = rille.timeout(5, rille.sleep, 6)\n"
           "assert(err.kind == 'timeout' and rille.now() == 10 * YEAR + 7)\n");
}

static void a_jump_back_makes_nothing_early(void **state) {
  run(*state, HEAD
      "rille.sleep(2 * HOUR)\n"
      "local old, new\n"
      "rille.scope(function(s)\n"
      "  s:go(function() rille.sleep(10) old = rille.now() end)\n"
      "  rille.yield() jump(-HOUR)\n"
      "  s:go(function() rille.sleep(10) new = rille.now() end)\n"
      "  rille.timeout(20, rille.sleep, 30)\n"
      "  assert(not old and new == HOUR + 10 and rille.now() == HOUR + 20)\n"
      "end)\n"
      "assert(old == 2 * HOUR + 10)\n");
}

/* Turns do not move the clock while somebody is ready. */
static void a_clock_that_stands_still_wakes_nobody(void **state) {
  run(*state, HEAD "local woken\n"
                   "rille.scope(function(s)\n"
                   "  s:go(function() rille.sleep(1e-9) woken = true end)\n"
                   "  for _ = 1, 10000 do rille.yield() end\n"
                   "  assert(not woken and rille.now() == 0)\n"
                   "end)\n"
                   "assert(woken)\n");
}

/* Time that passes twice is counted once: at most what the clock has gained
 * over the latest that it ever showed. */
static void a_limiter_makes_no_tokens(void **state) {
  run(*state, HEAD
      "for seed = 1, 30 do\n"
      "  math.randomseed(seed)\n"
      "  local limiter = rille.limiter{rate = 10, burst = 10}\n"
      "  local taken, moved = 0, 0\n"
      "  for _ = 1, 2000 do\n"
      "    local step = (math.random() - 0.5) * 4\n"
      "    local before = rille.now()\n"
      "    jump(step)\n"
      "    moved = moved + math.max(rille.now() - before, 0)\n"
      "    if limiter:try_acquire(math.random(3)) then taken = taken + 1 end\n"
      "  end\n"
      "  assert(taken <= 10 + 10 * moved, taken)\n"
      "end\n"
      "local limiter = rille.limiter{rate = 1, burst = 1}\n"
      "assert(limiter:try_acquire())\n"
      "for _ = 1, 1000 do jump(-0.5) jump(0.4) assert(not "
      "limiter:try_acquire()) end\n");
}

static void a_breaker_waits_its_time(void **state) {
  run(*state, HEAD
      "rille.sleep(2 * HOUR)\n"
      "local b = rille.breaker{failure_threshold = 1, reset_timeout = 30}\n"
      "local function bad() error 'bad' end\n"
      "b:call(bad)\n"
      "assert(b:state() == 'open')\n"
      "jump(-HOUR)\n"
      "assert(select(2, b:call(bad)).kind == 'circuit_open')\n"
      "jump(29) assert(b:state() == 'open')\n"
      "jump(2 * HOUR)\n"
      "assert(b:call(function() return 1 end) == 1 and b:state() == 'closed')\n"
      "local w = rille.breaker{window = {type = 'time', size = 10},\n"
      "  failure_rate = 0.5, min_calls = 4}\n"
      "for i = 1, 3 do w:call(bad) end\n"
      "jump(10 * YEAR)\n"
      "w:call(bad) assert(w:state() == 'closed')\n"
      "for i = 1, 3 do w:call(bad) end\n"
      "assert(w:state() == 'open')\n");
}

/* Everything that looks at the clock, while it shows another time at each look:
 * all of it ends, and well. */
static void a_clock_that_jumps_at_random_stops_nothing(void **state) {
  run(*state,
      HEAD "for seed = 1, 20 do\n"
           "  math.randomseed(seed)\n"
           "  local function shake() jump((math.random() - 0.45) * 20) end\n"
           "  local limiter = rille.limiter{rate = 5}\n"
           "  local breaker = rille.breaker{failure_threshold = 2, "
           "reset_timeout = 3}\n"
           "  local done = 0\n"
           "  rille.scope(function(s)\n"
           "    s:go({daemon = true}, function()\n"
           "      while true do rille.sleep(math.random()) shake() end end)\n"
           "    for i = 1, 20 do\n"
           "      s:go(function()\n"
           "        for j = 1, 20 do\n"
           "          shake()\n"
           "          rille.sleep(math.random(0, 3))\n"
           "          rille.timeout(math.random(0, 2), rille.sleep, 1)\n"
           "          limiter:acquire()\n"
           "          rille.retry({max_retries = 2, delay = 0.5}, "
           "breaker.call, breaker,\n"
           "            function() if math.random(3) == 1 then error 'bad' end "
           "end)\n"
           "          rille.select({{rille.after(math.random(0, 2))}}, "
           "{timeout = 1})\n"
           "        end\n"
           "        done = done + 1\n"
           "      end)\n"
           "    end\n"
           "  end)\n"
           "  assert(done == 20)\n"
           "end\n");
}

#define CLOCK_TEST(test)                                                       \
  cmocka_unit_test_setup_teardown(test, open_state, close_state)

int main(void) {
  const struct CMUnitTest tests[] = {
      CLOCK_TEST(a_jump_forward_wakes_what_is_due),
      CLOCK_TEST(ten_years_are_one_late_tick),
      CLOCK_TEST(a_jump_back_makes_nothing_early),
      CLOCK_TEST(a_clock_that_stands_still_wakes_nobody),
      CLOCK_TEST(a_limiter_makes_no_tokens),
      CLOCK_TEST(a_breaker_waits_its_time),
      CLOCK_TEST(a_clock_that_jumps_at_random_stops_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
