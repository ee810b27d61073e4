/*
 * reopen_test.c - an engine is closed and another one opened on the same state.
 *
 * In whatever state the first one is, the second works as if there had been
 * none; what is left of the first is refused by both, wherever it turns up; and
 * luv, which lives as long as the state, goes on with its handles.
 */
#include "host_fixture.h"

static int l_close(lua_State *L) {
  rille_close(L);
  return 0;
}

/* open(): on a loop of the engine's own; a status. */
static int l_open(lua_State *L) {
  lua_pushinteger(L, rille_open(L, NULL));
  return 1;
}

static int never_k(lua_State *L, int status, lua_KContext ctx) {
  (void)L, (void)status, (void)ctx;
  return 0;
}

/* wait(): for what never comes. */
static int l_wait(lua_State *L) {
  struct rille_awaitable *awaitable =
      lua_newuserdatauv(L, sizeof *awaitable, 0);
  memset(awaitable, 0, sizeof *awaitable);
  return rille_wait(L, awaitable, 0, never_k);
}

/* Opens a host that has the functions above. */
static int open_armed(void **state, bool own_loop) {
  int status = open_host(state, own_loop);
  lua_State *L = ((struct host *)*state)->L;
  lua_register(L, "close", l_close);
  lua_register(L, "open", l_open);
  lua_pushlightuserdata(L, (void *)(uintptr_t)1);
  lua_pushcclosure(L, l_wait, 1);
  lua_setglobal(L, "wait");
  return status;
}

static int open_on_own_loop(void **state) { return open_armed(state, true); }

static int open_on_host_loop(void **state) { return open_armed(state, false); }

/* Calls a chunk outside any task; fails with what it raises. */
static void call(lua_State *L, const char *chunk) {
  if (luaL_dostring(L, chunk) != LUA_OK)
    fail_msg("%s", luaL_tolstring(L, -1, NULL));
  lua_settop(L, 0);
}

/* Starts a chunk as a task, and lets it come to its first waits. */
static void spawn(struct host *host, const char *chunk) {
  lua_State *L = host->L;
  assert_int_equal(LUA_OK, luaL_loadstring(L, chunk));
  if (rille_spawn(L, 1) != LUA_OK)
    fail_msg("%s", luaL_tolstring(L, -1, NULL));
  lua_settop(L, 0);
  for (int turn = 0; turn < 20; turn++)
    uv_run(rille_loop(L), UV_RUN_NOWAIT);
}

static void reopen(struct host *host) {
  rille_close(host->L);
  assert_null(rille_loop(host->L));
  assert_int_equal(0, rille_open(host->L, host->given));
  assert_int_equal(UV_EEXIST, rille_open(host->L, host->given));
}

/* A bit of everything; sets WORKED. */
static const char work[] =
    "local rille = require 'rille'\n"
    "WORKED = 0\n"
    "rille.scope(function(s)\n"
    "  local ch, sem = s:channel(2), rille.semaphore(1)\n"
    "  s:go(function() for i = 1, 9 do ch:send(i) end ch:close() end)\n"
    "  s:go(function() sem:acquire() rille.yield() sem:release() end)\n"
    "  s:go(function() rille.timeout(0, rille.sleep, 1) end)\n"
    "  for v in ch do WORKED = WORKED + v end\n"
    "end)\n"
    "for v in coroutine.wrap(function()\n"
    "  coroutine.yield(5) end) do WORKED = WORKED + v end\n";

/* Tasks that are parked in every way. */
static const char park[] =
    "local rille = require 'rille'\n"
    "local ch, sem = rille.channel(), rille.semaphore(1)\n"
    "sem:acquire()\n"
    "rille.scope(function(s)\n"
    "  s:go(function() ch:recv() end)\n"
    "  s:go(function() rille.select{{ch}, {sem}, {rille.every(1)}} end)\n"
    "  s:go(function()\n"
    "    local _ <close> = setmetatable({}, {__close = function()\n"
    "      pcall(rille.sleep, 1) pcall(s.go, s, print) CLEANED = true end})\n"
    "    rille.await(function() return print end)\n"
    "  end)\n"
    "  s:go(function() rille.coroutine.wrap(function()\n"
    "    rille.sleep(1e6) end)() end)\n"
    "  s:go(wait)\n"
    "  rille.shield(rille.sleep, 1e6)\n"
    "end)\n";

static void check_works(struct host *host) {
  spawn(host, work);
  lua_getglobal(host->L, "WORKED");
  assert_int_equal(50, lua_tointeger(host->L, -1));
  lua_settop(host->L, 0);
}

static void an_engine_that_never_ran(void **state) {
  reopen(*state);
  check_works(*state);
}

static void an_engine_with_parked_tasks(void **state) {
  struct host *host = *state;
  for (int i = 0; i < 50; i++) {
    spawn(host, park);
    reopen(host);
    check_works(host);
  }
  lua_getglobal(host->L, "CLEANED");
  assert_true(lua_toboolean(host->L, -1));
}

static void an_engine_that_was_closed_twice(void **state) {
  struct host *host = *state;
  rille_close(host->L);
  rille_close(host->L);
  reopen(host);
  check_works(host);
}

static void a_closed_engine_that_is_required(void **state) {
  struct host *host = *state;
  rille_close(host->L);
  call(host->L, "package.loaded.rille = nil\n");
  luaL_requiref(host->L, "rille", luaopen_rille, 0);
  assert_non_null(rille_loop(host->L));
  check_works(host);
}

static void a_run_that_failed(void **state) {
  struct host *host = *state;
  lua_State *L = host->L;
  for (int i = 0; i < 10; i++) {
    luaL_loadstring(L, "error('as expected')");
    assert_int_equal(LUA_ERRRUN, rille_run(L, 1));
    rille_report(L);
    assert_int_equal(LUA_TSTRING, lua_type(L, -1));
    reopen(host);
    rille_report(L);
    assert_int_equal(LUA_TNIL, lua_type(L, -1));
    luaL_loadstring(L, work);
    assert_int_equal(LUA_OK, rille_run(L, 1));
    lua_settop(L, 0);
  }
}

static void by_a_finalizer(void **state) {
  struct host *host = *state;
  for (int i = 0; i < 20; i++) {
    call(host->L, "setmetatable({}, {__gc = function() close()\n"
                  "  STATUS = open() end})\n"
                  "collectgarbage()\n"
                  "assert(STATUS == 0, STATUS)\n");
    check_works(host);
  }
}

/* The finalizer runs at the n-th instruction of a run, inside or outside of
 * the engine's own functions. */
static void by_a_finalizer_in_the_midst(void **state) {
  struct host *host = *state;
  lua_State *L = host->L;
  for (int i = 0; i < 150; i++) {
    char chunk[200];
    snprintf(chunk, sizeof chunk,
             "local n = 0\n"
             "debug.sethook(function() n = n + 1 if n == %d then\n"
             "  debug.sethook() setmetatable({}, {__gc = close})\n"
             "  collectgarbage() end end, '', 1)\n",
             i);
    call(L, chunk);
    luaL_loadstring(L, work);
    rille_run(L, 1);
    lua_settop(L, 0);
    call(L, "debug.sethook()");
    reopen(host);
    spawn(host, work);
  }
}

/* A task may close its engine, if it must, but not open the next one: the first
 * is still on the C stack. */
static void by_a_task(void **state) {
  struct host *host = *state;
  lua_State *L = host->L;
  luaL_loadstring(L, "close() STATUS = open() require 'rille'.sleep(0)");
  assert_int_equal(LUA_ERRRUN, rille_run(L, 1));
  assert_non_null(strstr(lua_tostring(L, -1), "the rille engine is closed"));
  lua_getglobal(L, "STATUS");
  assert_int_equal(UV_EBUSY, lua_tointeger(L, -1));
  lua_settop(L, 0);
  reopen(host);
  check_works(host);
}

static void memory_stays_flat(void **state) {
  struct host *host = *state;
  int kilobytes = 0;
  for (int i = 0; i < 60; i++) {
    call(host->L, "require 'rille'.install_coroutines()");
    spawn(host, park);
    reopen(host);
    check_works(host);
    lua_gc(host->L, LUA_GCCOLLECT);
    lua_gc(host->L, LUA_GCCOLLECT);
    if (i == 19)
      kilobytes = lua_gc(host->L, LUA_GCCOUNT);
  }
  assert_in_range(lua_gc(host->L, LUA_GCCOUNT), 1, kilobytes + 8);
}

/* One of each type, in the global NAME. */
#define MAKE_ALL(name)                                                         \
  "local rille = require 'rille'\n"                                            \
  "local o = {}\n" name " = o\n"                                               \
  "o.task, o.scope = rille.current(), rille.current():scope()\n"               \
  "o.channel, o.semaphore = rille.channel(1), rille.semaphore(2)\n"            \
  "o.after, o.every = rille.after(1), rille.every(1)\n"                        \
  "o.selector = rille.selector{{o.channel}}\n"                                 \
  "o.broadcast = rille.broadcast()\n"                                          \
  "o.subscription = o.broadcast:subscribe 'a'\n"                               \
  "o.mutex, o.rwlock, o.event = rille.mutex(), rille.rwlock(), "               \
  "rille.event()\n"                                                            \
  "o.bulkhead = rille.bulkhead{max = 1, queue = 1}\n"                          \
  "o.breaker, o.limiter = rille.breaker{}, rille.limiter{rate = 1}\n"          \
  "o.budget = rille.retry_budget{}\n"                                          \
  "o.poll = o.scope:poll(print, nil, {interval = 1e6, immediate = false})\n"   \
  "rille.sleep(1e6)\n"

/* Gives each old object to the functions of the new one of its type, and as an
 * argument to what takes such. */
static const char mix[] =
    "local rille = require 'rille'\n"
    "local function refused(what, fn, ...)\n"
    "  local ok, err = pcall(fn, ...)\n"
    "  if ok or not tostring(err):find 'the rille engine is closed' then\n"
    "    error(('%s: %s %s'):format(what, ok, err), 0)\n"
    "  end\n"
    "end\n"
    "local count = 0\n"
    "for name, old in pairs(OLD) do\n"
    "  local meta = debug.getmetatable(NEW[name])\n"
    "  for _, functions in ipairs{meta, meta.__index} do\n"
    "    for key, fn in pairs(type(functions) == 'table' and functions or {}) "
    "do\n"
    "      if type(fn) == 'function' and\n"
    "        debug.getinfo(fn, 'S').what == 'C' then\n"
    "        count = count + 1\n"
    "        refused(name .. '.' .. key, fn, old)\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "end\n"
    "assert(count > 60, count)\n"
    "for _, name in ipairs{'channel', 'task', 'after', 'every', 'semaphore',\n"
    "  'subscription', 'mutex', 'event'} do\n"
    "  refused('select ' .. name, rille.select, {{OLD[name]}})\n"
    "end\n"
    "refused('parent', rille.scope, {parent = OLD.scope})\n"
    "refused('unsubscribe', NEW.broadcast.unsubscribe, NEW.broadcast,\n"
    "  OLD.subscription)\n"
    "refused('retry', rille.retry, {budget = OLD.budget}, print)\n"
    "DONE = true\n";

static void an_old_object_is_refused_everywhere(void **state) {
  struct host *host = *state;
  spawn(host, MAKE_ALL("OLD"));
  reopen(host);
  spawn(host, MAKE_ALL("NEW"));
  spawn(host, mix);
  lua_getglobal(host->L, "DONE");
  assert_true(lua_toboolean(host->L, -1));
  lua_settop(host->L, 0);
  /* Without its metatable it no longer keeps its engine alive. */
  call(host->L, "for _, o in pairs(OLD) do debug.setmetatable(o, nil) end\n"
                "DONE = false collectgarbage() collectgarbage()\n");
  spawn(host, mix);
  lua_getglobal(host->L, "DONE");
  assert_true(lua_toboolean(host->L, -1));
}

/* Whose function it is that waits, and what its upvalues are, does not
 * matter. */
static void a_foreign_function_is_cancelled(void **state) {
  struct host *host = *state;
  spawn(host, "local rille = require 'rille'\n"
              "rille.scope(function(s)\n"
              "  s:go(wait) rille.yield() s:cancel()\n"
              "  RAISED = select(2, pcall(wait))\n"
              "end)\n");
  lua_getglobal(host->L, "RAISED");
  assert_non_null(strstr(luaL_tolstring(host->L, -1, NULL), "cancelled"));
}

/* The global library, once installed, is stock Lua's without an engine. */
static void generators_survive(void **state) {
  struct host *host = *state;
  static const char generate[] =
      "local sum = 0\n"
      "for v in coroutine.wrap(function()\n"
      "  for i = 1, 4 do coroutine.yield(i) end end) do sum = sum + v end\n"
      "assert(sum == 10)\n"
      "local co = coroutine.create(coroutine.yield)\n"
      "assert(select(2, coroutine.resume(co, 7)) == 7)\n"
      "assert(coroutine.close(co))\n";
  call(host->L, "require 'rille'.install_coroutines()");
  rille_close(host->L);
  call(host->L, generate);
  assert_int_equal(0, rille_open(host->L, host->given));
  call(host->L, generate);
  spawn(host, "for v in coroutine.wrap(function()\n"
              "  require 'rille'.sleep(0) coroutine.yield(3) end) do\n"
              "  SLEPT = v end\n");
  lua_getglobal(host->L, "SLEPT");
  assert_int_equal(3, lua_tointeger(host->L, -1));
}

static bool has_luv(lua_State *L) {
  bool found = luaL_dostring(L, "return package.searchpath('luv',\n"
                                "  package.cpath) ~= nil") == LUA_OK &&
               lua_toboolean(L, -1);
  lua_settop(L, 0);
  return found;
}

/* luv's handles and its loop outlast the engine, and serve the next one. */
static void luv_goes_on(void **state) {
  struct host *host = *state;
  if (!has_luv(host->L))
    skip();
  call(host->L, "uv = require 'rille'.uv()\n"
                "fired, timer = 0, uv.new_timer()\n"
                "timer:start(0, 0, function() fired = fired + 1 end)\n");
  for (int i = 0; i < 20; i++) {
    spawn(host, park);
    rille_close(host->L);
    call(host->L, "assert(uv.now() > 0 and not timer:is_closing())\n"
                  "local t = uv.new_timer() t:start(0, 0, function()\n"
                  "  fired = fired + 1 t:close() end)\n"
                  "uv.run 'nowait' uv.run 'nowait'\n");
    assert_int_equal(0, rille_open(host->L, host->given));
    call(host->L, "assert(require 'rille'.uv() == uv)\n"
                  "timer:start(0, 0, function() fired = fired + 1 end)\n");
    check_works(host);
  }
  call(host->L, "assert(fired >= 41, fired) timer:close()\n");
  uv_run(rille_loop(host->L), UV_RUN_NOWAIT);
}

/* A host's loop, then one of the engine's own, then the host's again. */
static void luv_follows(void **state) {
  struct host *host = *state;
  if (!has_luv(host->L))
    skip();
  call(host->L, "uv = require 'rille'.uv()");
  for (int i = 0; i < 6; i++) {
    rille_close(host->L);
    uv_run(&host->loop, UV_RUN_NOWAIT);
    assert_int_equal(0, rille_open(host->L, i % 2 ? NULL : &host->loop));
    call(host->L, "assert(require 'rille'.uv() == uv)\n"
                  "t = uv.new_timer() fired = false\n"
                  "t:start(0, 0, function() fired = true t:close() end)\n");
    check_works(host);
    call(host->L, "assert(fired)");
  }
}

/* luv has a loop of its own, which the engine takes, each time. */
static void luv_was_first(void **state) {
  struct host *host = *state;
  lua_State *L = host->L;
  rille_close(L);
  lua_close(L);
  host->L = L = luaL_newstate();
  luaL_openlibs(L);
  if (!has_luv(L))
    skip();
  call(L, "uv = require 'luv' t = uv.new_timer()");
  for (int i = 0; i < 5; i++) {
    assert_int_equal(0, rille_open(L, NULL));
    call(L, "assert(require 'rille'.uv() == uv)\n"
            "t:start(0, 0, function() fired = true end)\n");
    check_works(host);
    rille_close(L);
    call(L, "assert(fired) uv.run() fired = false");
  }
}

#define OWN(test)                                                              \
  cmocka_unit_test_setup_teardown(test, open_on_own_loop, close_host)
#define EITHER(test)                                                           \
  OWN(test),                                                                   \
      cmocka_unit_test_setup_teardown(test, open_on_host_loop, close_host)

int main(void) {
  const struct CMUnitTest tests[] = {
      EITHER(an_engine_that_never_ran),
      EITHER(an_engine_with_parked_tasks),
      EITHER(an_engine_that_was_closed_twice),
      OWN(a_closed_engine_that_is_required),
      OWN(a_run_that_failed),
      OWN(by_a_finalizer),
      OWN(by_a_finalizer_in_the_midst),
      OWN(by_a_task),
      EITHER(memory_stays_flat),
      EITHER(an_old_object_is_refused_everywhere),
      EITHER(a_foreign_function_is_cancelled),
      EITHER(generators_survive),
      EITHER(luv_goes_on),
      EITHER(luv_follows),
      OWN(luv_was_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
