/*
 * closed_test.c - what is left of an engine that was closed.
 *
 * A host closes the engine and goes on with the state. Every object that a
 * script still holds, idle or in the middle of a wait when that happened, is
 * asked for everything it has: what needs the engine raises an error that
 * says so, what only reads may answer, and nothing crashes.
 */
#include "host_fixture.h"

/* Fills OBJECTS and parks: run as a task. */
static const char fill[] =
    "local rille = require 'rille'\n"
    "local o = {}\n"
    "OBJECTS = o\n"
    "o.top = rille.current():scope()\n"
    "o.channel = rille.channel(1)\n"
    "o.waited_channel = rille.channel()\n"
    "o.after, o.waited_after = rille.after(1), rille.after(1e6)\n"
    "o.every, o.waited_every = rille.every(1), rille.every(1e6)\n"
    "o.selector = rille.selector{{o.channel}}\n"
    "o.waited_selector = rille.selector{{o.waited_channel}, {o.waited_after}}\n"
    "rille.scope(function(s) o.ended_scope = s end)\n"
    "o.scope = rille.scope{name = 'open'}\n"
    "o.scope:provide('db', function() return o.channel end)\n"
    "o.top:provide('name', function() return 'top' end)\n"
    "assert(o.scope:use 'name' == 'top')\n"
    "o.ended_task = o.scope:go(function() end)\n"
    "o.waiting_task = o.scope:go(function() o.waited_channel:recv() end)\n"
    "o.scope:go(function() o.waited_selector:wait() end)\n"
    "o.scope:go(function() o.waited_every:wait() end)\n"
    "o.poll = o.scope:poll(function() o.waited_channel:recv() end, nil,\n"
    "  {interval = 1})\n"
    "o.waiting_poll = o.scope:poll(function() end, nil, {interval = 1e6})\n"
    "o.scope:go(function()\n"
    "  rille.await(function(resolve) RESOLVE = resolve end)\n"
    "end)\n"
    "GENERATOR = rille.coroutine.create(function() rille.sleep(1e6) end)\n"
    "o.scope:go(function() rille.coroutine.resume(GENERATOR) end)\n"
    "o.scope:go(function()\n"
    "  local _ <close> = setmetatable({}, {__close = function()\n"
    "    o.late_task = o.top:go(function() error 'ran' end)\n"
    "    o.channel:try_send(1)\n"
    "  end})\n"
    "  rille.sleep(1e6)\n"
    "end)\n"
    "o.narrow_scope = rille.scope{concurrency = 1}\n"
    "o.narrow_scope:go(function() o.waited_channel:recv() end)\n"
    "o.pending_task = o.narrow_scope:go(function() error 'ran' end)\n"
    "for _ = 1, 5 do rille.yield() end\n"
    "FILLED = true\n"
    "rille.sleep(1e6)\n";

/* Fills OBJECTS with one scope, of which no part in Lua was ever used. */
static const char fill_little[] =
    "OBJECTS = {scope = require 'rille'.current():scope()}\n"
    "FILLED = true\n"
    "require 'rille'.sleep(1e6)\n";

/* Asks everything of everything; returns what went wrong, a line for each,
 * and how many functions refused. A wrong argument may be refused first, but
 * each function must get as far as to ask for its engine at least once. */
static const char ask[] =
    "local rille = require 'rille'\n"
    "local wrong, refused, answers = {}, 0, {}\n"
    "for name in ([[name parent active errors cancelled status scope\n"
    "  traceback deadline cap size is_closed stats set_send enable __tostring\n"
    "  __len __close]]):gmatch '%S+' do answers[name] = true end\n"
    "local function try(what, fn, ...)\n"
    "  local ok, err = pcall(fn, ...)\n"
    "  local closed = not ok and\n"
    "    tostring(err):find('the rille engine is closed', 1, true) ~= nil\n"
    "  if not closed and not answers[what:match '[%w_]+$'] and\n"
    "    (ok or not tostring(err):find 'bad %a+') then\n"
    "    wrong[#wrong + 1] = ('%s: %s %s'):format(what, ok, err)\n"
    "  end\n"
    "  return closed\n"
    "end\n"
    "local arguments = {{}, {1}, {print}, {print, print, {}}, {{}, print},\n"
    "  {'db'}, {'db', print}, {true}, {{OBJECTS.channel}}, {1, print},\n"
    "  {'cancelled'}, {print, print, {interval = 1}}}\n"
    "local function try_all(what, functions, ...)\n"
    "  for name, fn in pairs(functions) do\n"
    "    local closed = type(fn) ~= 'function' or answers[name]\n"
    "    for _, list in ipairs(type(fn) == 'function' and arguments or {}) do\n"
    "      local args = table.pack(...)\n"
    "      table.move(list, 1, #list, args.n + 1, args)\n"
    "      if try(what .. '.' .. name, fn,\n"
    "        table.unpack(args, 1, args.n + #list)) then\n"
    "        closed, refused = true, refused + 1\n"
    "      end\n"
    "    end\n"
    "    if not closed then\n"
    "      wrong[#wrong + 1] = what .. '.' .. name .. ' never refuses'\n"
    "    end\n"
    "  end\n"
    "end\n"
    "for what, object in pairs(OBJECTS) do\n"
    "  local meta = debug.getmetatable(object)\n"
    "  try_all(what, meta.__index, object)\n"
    "  try_all(what, meta, object)\n"
    "  for _, other in pairs(OBJECTS) do\n"
    "    for name, fn in pairs(meta.__index) do\n"
    "      try('another ' .. what .. '.' .. name, fn, other)\n"
    "    end\n"
    "  end\n"
    "end\n"
    "for _, method in ipairs{'provide', 'use', 'has', 'poll'} do\n"
    "  for _, scope in ipairs{OBJECTS.scope, OBJECTS.top} do\n"
    "    try('scope.' .. method,\n"
    "      function() scope[method](scope, 'db', print) end)\n"
    "  end\n"
    "end\n"
    "try_all('rille', rille)\n"
    "return table.concat(wrong, '\\n'), refused\n";

/* What does not raise, and must do nothing either. */
static const char poke[] =
    "if RESOLVE then RESOLVE(1) end\n"
    "for _, resume in ipairs{coroutine.resume,\n"
    "  require 'rille'.coroutine.resume} do\n"
    "  if GENERATOR then pcall(resume, GENERATOR) end\n"
    "end\n"
    "for _, object in pairs(OBJECTS) do\n"
    "  pcall(function() local _ <close> = object end)\n"
    "  pcall(function() for _ in object do break end end)\n"
    "  pcall(function() return #object, object == object, object.x end)\n"
    "end\n"
    "collectgarbage()\n";

static int open_on_own_loop(void **state) { return open_host(state, true); }

static int open_on_host_loop(void **state) { return open_host(state, false); }

/* Calls a chunk and leaves `results` values; fails with what it raises. */
static void call(lua_State *L, const char *chunk, int results) {
  int status = luaL_loadstring(L, chunk);
  if (status == LUA_OK)
    status = lua_pcall(L, 0, results, 0);
  if (status != LUA_OK)
    fail_msg("%s", luaL_tolstring(L, -1, NULL));
}

/* Runs a chunk as a task until it parks, and closes the engine. */
static void fill_and_close(struct host *host, const char *chunk) {
  lua_State *L = host->L;
  assert_int_equal(LUA_OK, luaL_loadstring(L, chunk));
  assert_int_equal(LUA_OK, rille_spawn(L, 1));
  lua_pop(L, 1);
  for (int turn = 0; turn < 20; turn++)
    uv_run(rille_loop(L), UV_RUN_NOWAIT);
  assert_int_equal(LUA_TBOOLEAN, lua_getglobal(L, "FILLED"));
  lua_pop(L, 1);
  rille_close(L);
}

/* Asks, and checks the answers: at least `refusals` calls must refuse. */
static void ask_everything(lua_State *L, int refusals) {
  call(L, ask, 2);
  assert_string_equal("", lua_tostring(L, -2));
  assert_in_range(lua_tointeger(L, -1), refusals, 1000000);
  lua_pop(L, 2);
}

static void every_object_refuses(void **state) {
  struct host *host = *state;
  fill_and_close(host, fill);
  ask_everything(host->L, 1000);
}

static void nothing_else_crashes(void **state) {
  struct host *host = *state;
  fill_and_close(host, fill);
  call(host->L, poke, 0);
  ask_everything(host->L, 1000);
  call(host->L, poke, 0);
}

static void a_part_that_was_never_loaded_is_refused(void **state) {
  struct host *host = *state;
  fill_and_close(host, fill_little);
  ask_everything(host->L, 50);
}

/* The calls of rille.h find no engine, or refuse. */
static void the_c_interface_refuses(void **state) {
  struct host *host = *state;
  lua_State *L = host->L;
  fill_and_close(host, fill);
  rille_close(L);
  assert_null(rille_loop(L));
  assert_int_equal(0, rille_cancel(L, "interrupted", "x"));
  rille_report(L);
  luaL_loadstring(L, "error 'ran'");
  assert_int_equal(LUA_ERRRUN, rille_spawn(L, 1));
  assert_non_null(strstr(lua_tostring(L, -1), "the rille engine is closed"));
  luaL_loadstring(L, "error 'ran'");
  assert_int_equal(LUA_ERRRUN, rille_run(L, 1));
  assert_non_null(strstr(lua_tostring(L, -1), "the rille engine is closed"));
}

#define CLOSED_TEST(test)                                                      \
  cmocka_unit_test_setup_teardown(test, open_on_own_loop, close_host),         \
      cmocka_unit_test_setup_teardown(test, open_on_host_loop, close_host)

int main(void) {
  const struct CMUnitTest tests[] = {
      CLOSED_TEST(every_object_refuses),
      CLOSED_TEST(nothing_else_crashes),
      CLOSED_TEST(a_part_that_was_never_loaded_is_refused),
      CLOSED_TEST(the_c_interface_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
