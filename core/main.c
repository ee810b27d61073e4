/*
 * main.c - the binary: rille [options] [script [args]].
 *
 * The command line is a list of steps (options.h). One main task runs them
 * all, so a wait works at the top level of a script, of an -e and of the init
 * variable alike:
 *
 *     main -> run_state -> protected_main -> rille_run -> main_task
 *                                                          step after step
 *
 * Everything else stands beside: signals in interrupt.h, text-only loading in
 * textload.h, the REPL in lua/rille/repl.lua with its input in input.h.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "interrupt.h"
#include "options.h"
#include "rille.h"
#include "textload.h"

static const char usage[] =
    "usage: rille [options] [script [args]]\n"
    "without a script: interactive mode, or the standard input\n"
    "  -e stat      execute string 'stat', with `rille` as a global\n"
    "  -i           enter interactive mode after executing 'script'\n"
    "  -l mod       require library 'mod' into global 'mod'\n"
    "  -l g=mod     require library 'mod' into global 'g'\n"
    "  -v           show version information\n"
    "  -E           ignore environment variables\n"
    "  -W           turn warnings on\n"
    "  --           stop handling options\n"
    "  -            stop handling options and execute stdin\n"
    "  --virtual    run on the virtual clock\n"
    "  --seed N     make schedule and select choices a function of N\n"
    "  --explore N  run on the virtual clock under N random schedules, stop "
    "at\n"
    "               a failure\n"
    "  --help       show this text\n"
    "  --version    show version information and stop\n"
    "environment: RILLE_INIT (else LUA_INIT): code, or @file, run first;\n"
    "  RILLE_SEED: as --seed; RILLE_HISTORY: where the lines typed are kept\n";

static void print_version(void) {
  printf("rille %s (%s, libuv %s)\n", RILLE_VERSION, LUA_RELEASE,
         uv_version_string());
  fflush(stdout);
}

/* ------------------------------------------------------------- the steps */

/* Pushes the script's arguments, as the table `arg` now has them. */
static int push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    return luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, -i, i);
  lua_remove(L, -n - 1);
  return n;
}

/* require_global("mod" or "global=mod") */
static int require_global(lua_State *L) {
  const char *name = lua_tostring(L, 1);
  const char *equals = strchr(name, '=');
  lua_getglobal(L, "require");
  if (equals == NULL) {
    lua_pushvalue(L, 1);
  } else {
    lua_pushstring(L, equals + 1);
    name = lua_pushlstring(L, name, (size_t)(equals - name));
    lua_rotate(L, -3, 1);
  }
  lua_call(L, 1, 1);
  lua_setglobal(L, name);
  return 0;
}

static int push_repl(lua_State *L) {
  luaL_requiref(L, "rille.input", rille_input_luaopen, 0);
  lua_pop(L, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "rille.repl");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "run");
  lua_remove(L, -2);
  return 0;
}

/* Pushes a step's function and its arguments; returns their number. */
static int push_step(lua_State *L, const struct rille_step *step) {
  int status = LUA_OK;
  switch (step->kind) {
  case RILLE_STEP_REPL:
    return push_repl(L);
  case RILLE_STEP_REQUIRE:
    lua_pushcfunction(L, require_global);
    lua_pushstring(L, step->text);
    return 1;
  case RILLE_STEP_WARN:
    lua_getglobal(L, "warn");
    lua_pushliteral(L, "@on");
    return 1;
  case RILLE_STEP_FILE:
    status = luaL_loadfilex(L, step->text, "t");
    break;
  case RILLE_STEP_EVAL:
    status =
        luaL_loadbufferx(L, step->text, strlen(step->text), step->name, "t");
    break;
  }
  if (status != LUA_OK)
    return lua_error(L);
  int passes = step->kind == RILLE_STEP_FILE && step->name != NULL;
  return passes ? push_arguments(L) : 0;
}

/* Runs the steps from `next` on; each may wait. */
static int main_task_k(lua_State *L, int status, lua_KContext next) {
  const struct rille_options *options = lua_touserdata(L, 1);
  (void)status;
  for (int i = (int)next; i < options->nsteps; i++) {
    int nargs = push_step(L, &options->steps[i]);
    lua_callk(L, nargs, 0, i + 1, main_task_k);
  }
  return 0;
}

static int main_task(lua_State *L) { return main_task_k(L, LUA_OK, 0); }

/* --------------------------------------------------------------- the run */

/* The table `arg`: the script is at 0, what stands before it is below. */
static void set_arg_table(lua_State *L, const struct rille_options *options) {
  lua_createtable(L, options->argc, 1);
  for (int i = 0; i < options->argc; i++) {
    lua_pushstring(L, options->argv[i]);
    lua_rawseti(L, -2, i - options->script);
  }
  lua_setglobal(L, "arg");
}

static void open_engine(lua_State *L) {
  int rc = rille_open(L, NULL);
  if (rc == 0)
    rc = rille_interrupt_start(L);
  if (rc != 0)
    luaL_error(L, "cannot start the engine: %s", uv_strerror(rc));
  luaL_requiref(L, "rille.interrupt", rille_interrupt_luaopen, 0);
  lua_pop(L, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "rille");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "install_coroutines");
  lua_call(L, 0, 0);
  lua_pop(L, 1);
}

static void open_state(lua_State *L, const struct rille_options *options) {
  luaL_checkversion(L);
  if (options->no_env) { /* so that package.path ignores them too */
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  /* As Lua's own interpreter, but with the young collections half as often:
   * each of them looks at every coroutine there is. */
  lua_gc(L, LUA_GCGEN, 50, 0);
  rille_textload_install(L);
  set_arg_table(L, options);
  open_engine(L);
}

static void push_run_options(lua_State *L,
                             const struct rille_options *options) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, options->virtual_clock ? "virtual" : "real");
  lua_setfield(L, -2, "clock");
  if (options->has_seed) {
    lua_pushinteger(L, options->seed);
    lua_setfield(L, -2, "seed");
  }
  if (options->explore != 0) {
    lua_pushliteral(L, "random");
    lua_setfield(L, -2, "schedule");
  }
}

/* True if rille_run left the root's own cancellation: nil and an error. The
 * main task itself returns nothing. */
static int was_cancelled(lua_State *L, int base) {
  return lua_gettop(L) >= base + 2 && lua_isnil(L, base + 1) &&
         !lua_isnil(L, base + 2);
}

/* After a signal the run ends with the cancellation of its root, which is
 * what was asked for and needs no traceback. */
static int is_cancellation(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "rille");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "is_error");
  lua_pushvalue(L, -3);
  lua_pushliteral(L, "cancelled");
  lua_call(L, 2, 1);
  int result = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return result;
}

/* Writes how the run failed; the error is on the top. */
static void report_failure(lua_State *L) {
  if (rille_interrupt_signal() != 0 && is_cancellation(L)) {
    fprintf(stderr, "rille: %s\n",
            rille_interrupt_signal() == SIGINT ? "interrupted by SIGINT"
                                               : "interrupted by SIGTERM");
    return;
  }
  rille_report(L);
  if (lua_isnil(L, -1))
    luaL_tolstring(L, -2, NULL);
  fprintf(stderr, "rille: %s\n", lua_tostring(L, -1));
}

/* protected_main(options) -> true if all went well */
static int protected_main(lua_State *L) {
  struct rille_options *options = lua_touserdata(L, 1);
  open_state(L, options);
  int base = lua_gettop(L);
  push_run_options(L, options);
  lua_pushcfunction(L, main_task);
  lua_pushlightuserdata(L, options);
  int failed = rille_run(L, 3) != LUA_OK || was_cancelled(L, base);
  fflush(stdout);
  if (failed)
    report_failure(L);
  lua_pushboolean(L, !failed);
  return 1;
}

/* Runs all steps in a new state. Returns true if all went well. */
static int run_state(struct rille_options *options) {
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("rille: not enough memory\n", stderr);
    return 0;
  }
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, options);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    fprintf(stderr, "rille: %s\n", luaL_tolstring(L, -1, NULL));
  int ok = lua_isboolean(L, -1) && lua_toboolean(L, -1);
  lua_settop(L, 0);
  lua_close(L);
  return ok;
}

/* --explore: a state of its own for every seed. */
static int explore(struct rille_options *options) {
  lua_Integer first = options->has_seed ? options->seed : 1;
  options->has_seed = 1;
  for (lua_Integer i = 0; i < options->explore; i++) {
    options->seed = (lua_Integer)((lua_Unsigned)first + (lua_Unsigned)i);
    if (run_state(options))
      continue;
    fprintf(stderr, "rille: failed with --explore 1 --seed %lld\n",
            (long long)options->seed);
    return 0;
  }
  return 1;
}

static int exit_status(int ok) {
  if (rille_interrupt_signal() != 0)
    return 128 + rille_interrupt_signal();
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_options(struct rille_options *options) {
  if (options->show_help) {
    fputs(usage, stdout);
    return EXIT_SUCCESS;
  }
  if (options->show_version || options->print_version)
    print_version();
  if (options->show_version)
    return EXIT_SUCCESS;
  if (options->explore != 0)
    return exit_status(explore(options));
  return exit_status(run_state(options));
}

int main(int argc, char **argv) {
  struct rille_options options;
  int status = EXIT_FAILURE;
  if (rille_options_init(&options, argc, argv) == 0)
    status = run_options(&options);
  else
    fprintf(stderr, "rille: %s\n%s", options.error, usage);
  rille_options_fini(&options);
  return status;
}
