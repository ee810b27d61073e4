/*
 * fuzz_tables.c - any table of options, given to whatever takes one: it is
 * taken or refused with an error, and the engine goes on.
 *
 * The input is read as a call: which function, then pairs of a key and a
 * value, each one byte and what that asks for.
 */
#include "rille.h"
#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char driver[] =
    "local rille = require 'rille'\n"
    "local names = {}\n"
    "for name in ([[name parent inherit timeout deadline shield concurrency\n"
    "  on_error retry task_timeout circuit_breaker limiter tracer grace "
    "daemon\n"
    "  total_timeout fallback overflow on_drop default ordered buffer "
    "interval\n"
    "  immediate max_errors jitter max_retries delay backoff retry_if "
    "on_retry\n"
    "  max_elapsed budget failure_threshold window failure_rate min_calls\n"
    "  slow_call slow_rate reset_timeout half_open_max success_threshold\n"
    "  is_failure on_state_change rate per burst max queue initial factor "
    "type\n"
    "  size ttl stale wait leading trailing keep_errors clock seed schedule\n"
    "  cache hedge bulkhead]]):gmatch '%S+' do\n"
    "  names[#names + 1] = name\n"
    "end\n"
    "-- Endless repetition without a pause is allowed, but takes for ever.\n"
    "local calls = 0\n"
    "local function good()\n"
    "  calls = calls + 1\n"
    "  if calls > 200 then rille.sleep(10) end\n"
    "  return 1\n"
    "end\n"
    "local function bad() error('bad' .. good(), 0) end\n"
    "local takers = {\n"
    "  function(o) return rille.scope(o, good) end,\n"
    "  function(o) return rille.channel(2, o):send(1) end,\n"
    "  function(o) return rille.broadcast(o):subscribe('a', o) end,\n"
    "  function(o) return rille.select({{rille.after(1)}}, o) end,\n"
    "  function(o) return rille.selector({{rille.after(1)}}, o):wait() end,\n"
    "  function(o) return rille.retry(o, bad) end,\n"
    "  function(o) return rille.breaker(o):call(bad) end,\n"
    "  function(o) return rille.limiter(o):acquire() end,\n"
    "  function(o) return rille.bulkhead(o):call(good) end,\n"
    "  function(o) return rille.policy(o):call(good) end,\n"
    "  function(o) return rille.hedge(o, good) end,\n"
    "  function(o) return rille.cache(o):get(1, good) end,\n"
    "  function(o) return rille.debounce(good, o)() end,\n"
    "  function(o) return rille.throttle(good, o)() end,\n"
    "  function(o) return rille.once(good, o)() end,\n"
    "  function(o) return rille.event_bus(o):subscribe('a.*', o) end,\n"
    "  function(o, s) return s:poll(good, good, o):stop() end,\n"
    "  function(o, s) return s:task(good, o):await() end,\n"
    "  function(o, s) return s:go(o, good):await() end,\n"
    "  function(o) return rille.every(1, o):stop() end,\n"
    "}\n"
    "local function reader(data)\n"
    "  local at = 0\n"
    "  return function() at = at + 1 return data:byte(at) or 0 end\n"
    "end\n"
    "local make\n"
    "local numbers = {0, 1, 2, 3, -1, 0.5, 1e9, 2^31, 2^53, -2^63, 1/0, -1/0,\n"
    "  0/0, math.maxinteger, math.mininteger, 64}\n"
    "local words = {'', 'block', 'error', 'drop_oldest', 'count', 'time',\n"
    "  'full', 'none', 'continue', 'cancel', 'all', 'decorrelated'}\n"
    "local function value(byte, depth)\n"
    "  local kind, what = byte() % 8, byte()\n"
    "  if kind < 3 then return numbers[what % #numbers + 1] end\n"
    "  if kind == 3 then return words[what % #words + 1] end\n"
    "  if kind == 4 then return what % 2 == 0 end\n"
    "  if kind == 5 then return what % 2 == 0 and good or bad end\n"
    "  if kind == 6 and depth < 3 then return make(byte, depth + 1) end\n"
    "  return what / 4\n"
    "end\n"
    "function make(byte, depth)\n"
    "  local o = {}\n"
    "  for _ = 1, byte() % 5 do\n"
    "    local what = byte()\n"
    "    local key = names[what % (#names + 2) + 1] or what\n"
    "    o[key] = value(byte, depth)\n"
    "  end\n"
    "  return o\n"
    "end\n"
    "return function(data)\n"
    "  local byte = reader(data)\n"
    "  calls = 0\n"
    "  local taker = takers[byte() % #takers + 1]\n"
    "  local o = make(byte, 0)\n"
    "  rille.run({clock = 'virtual', seed = 1}, function()\n"
    "    pcall(rille.timeout, 60, function()\n"
    "      rille.scope(function(s) taker(o, s) end)\n"
    "    end)\n"
    "  end)\n"
    "  assert(#rille.testing.leaks() == 0, 'something is left behind')\n"
    "end\n";

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (rille_open(L, NULL) != 0 ||
      luaL_loadbufferx(L, driver, sizeof driver - 1, "=driver", "t") ||
      lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL)
    L = open_state();
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  return 0;
}
