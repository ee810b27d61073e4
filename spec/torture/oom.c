/*
 * oom.c - every allocation fails once.
 *
 * The first run of a scenario (oom_scenarios.lua) counts its allocations.
 * Then it runs once for each of them, in a state of its own, while that one
 * fails: alone, so that Lua's emergency collection answers it and nothing may
 * be noticed (`retry`); with Lua's second try (`once`); with all that come
 * after it (`persistent`). What must hold afterwards: the outcome is an error
 * that speaks of memory, or the right result; nothing is left alive; the same
 * scenario runs in the same state as if nothing had been, with the engine as it
 * is, and with one that is opened after that one was closed; closing the state
 * gives all memory back. LeakSanitizer sees to what is not Lua's.
 *
 * The engine's own malloc, calloc and realloc are made to fail likewise: the
 * linker wraps them. libuv's allocations come last, each in a child process,
 * because libuv 1.44 aborts at some of them: those are listed.
 *
 *     oom [--stride N] [--seed N] [PATTERN]     every Nth allocation
 */
#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCENARIOS "spec/torture/oom_scenarios.lua"

enum mode { RETRY, ONCE, PERSISTENT };
static const char *const mode_names[] = {"retry", "once", "persistent"};

/* Which allocations of one kind fail. */
struct faults {
  bool armed;
  enum mode mode;
  long at;    /* the first that fails, from 1; 0: none */
  long count; /* so many there were */
};

static struct faults lua_faults, engine_faults, uv_faults;
static size_t lua_bytes; /* that Lua holds */

static bool fails(struct faults *f) {
  long n;
  if (!f->armed)
    return false;
  n = ++f->count;
  if (f->at == 0 || n < f->at)
    return false;
  return f->mode == PERSISTENT || n == f->at ||
         (f->mode == ONCE && n == f->at + 1);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size) {
  return fails(&engine_faults) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails(&engine_faults) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size) {
  return fails(&engine_faults) ? NULL : __real_realloc(p, size);
}

static void *uv_malloc(size_t size) {
  return fails(&uv_faults) ? NULL : __real_malloc(size);
}

static void *uv_calloc(size_t count, size_t size) {
  return fails(&uv_faults) ? NULL : __real_calloc(count, size);
}

static void *uv_realloc(void *p, size_t size) {
  return fails(&uv_faults) ? NULL : __real_realloc(p, size);
}

/* Lua's allocator. What shrinks never fails. */
static void *allocate(void *data, void *p, size_t old, size_t size) {
  (void)data;
  old = p != NULL ? old : 0;
  if (size > old && fails(&lua_faults))
    return NULL;
  lua_bytes += size - old;
  if (size == 0)
    return free(p), NULL;
  return __real_realloc(p, size);
}

/* ------------------------------------------------------------ a scenario */

static int open_module(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushnil(L); /* a module of an engine that is closed */
  lua_setfield(L, -2, "rille");
  luaL_requiref(L, "rille", luaopen_rille, 0);
  return 1;
}

/* load_scenarios(): the list. */
static int load_scenarios(lua_State *L) {
  if (luaL_loadfile(L, SCENARIOS) != LUA_OK)
    lua_error(L);
  lua_call(L, 0, 1);
  return 1;
}

/* Pushes opts and the function of the scenario, ready for rille_run. */
static int push_run(lua_State *L, int index) {
  lua_getfield(L, LUA_REGISTRYINDEX, "scenarios");
  lua_rawgeti(L, -1, index);
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "virtual");
  lua_setfield(L, -2, "clock");
  lua_pushinteger(L, 1);
  lua_setfield(L, -2, "seed");
  lua_getfield(L, -2, "fn");
  return 2;
}

static lua_State *new_state(void) {
  lua_State *L = lua_newstate(allocate, NULL);
  if (L != NULL)
    luaL_openlibs(L);
  return L;
}

/* Opens the module and reads the scenarios; a status of Lua's. */
static int prepare(lua_State *L) {
  int status;
  lua_pushcfunction(L, open_module);
  status = lua_pcall(L, 0, 0, 0);
  if (status != LUA_OK)
    return status;
  lua_pushcfunction(L, load_scenarios);
  status = lua_pcall(L, 0, 1, 0);
  if (status == LUA_OK)
    lua_setfield(L, LUA_REGISTRYINDEX, "scenarios");
  return status;
}

struct outcome {
  int status;
  char text[512];
};

/* Runs the scenario; leaves the stack as it was. */
static struct outcome run(lua_State *L, int index, struct faults *f) {
  struct outcome outcome = {0};
  int top = lua_gettop(L);
  size_t length = 0;
  int count = push_run(L, index), last;
  if (f != NULL)
    f->armed = true;
  outcome.status = rille_run(L, count);
  if (f != NULL)
    f->armed = false;
  last = lua_gettop(L);
  for (int i = top + 3; i <= last && length < sizeof outcome.text; i++) {
    length +=
        (size_t)snprintf(outcome.text + length, sizeof outcome.text - length,
                         "%s ", luaL_tolstring(L, i, NULL));
    lua_pop(L, 1);
  }
  outcome.text[strcspn(outcome.text, "\n")] = '\0'; /* without the dump */
  lua_settop(L, top);
  return outcome;
}

static int count_leaks(lua_State *L) {
  static const char chunk[] = "local n = 0 "
                              "for _, leak in ipairs(require('rille').testing"
                              ".leaks()) do n = n + 1 "
                              "io.stderr:write(leak.kind, ' ', leak.name, "
                              "' is left\\n') end return n";
  int leaks;
  if (luaL_dostring(L, chunk) != LUA_OK) {
    fprintf(stderr, "leaks: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
    return -1;
  }
  leaks = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return leaks;
}

/* Also says so, in effect: a scope was left open, because the error that its
 * leaving raised was caught. */
static bool speaks_of_memory(const char *text) {
  return strstr(text, "not enough memory") != NULL ||
         strstr(text, "was left open") != NULL;
}

static bool same(const struct outcome *a, const struct outcome *b) {
  return a->status == b->status && strcmp(a->text, b->text) == 0;
}

static int failures;

static void complain(const char *name, const struct faults *f, const char *what,
                     const char *text) {
  failures++;
  fprintf(stderr, "FAILED: %s, %s, allocation %ld: %s: %s\n", name,
          mode_names[f->mode], f->at, what, text);
}

static void check_works(lua_State *L, const char *name, int index,
                        const struct faults *f, const struct outcome *clean) {
  struct outcome again = run(L, index, NULL);
  if (!same(&again, clean))
    complain(name, f, "does not work afterwards", again.text);
  if (count_leaks(L) != 0)
    complain(name, f, "something is left", "");
}

/* What must hold once memory is back: with this engine, and with the next.
 * Every other time the next one comes at once. */
static void check_recovery(lua_State *L, const char *name, int index,
                           const struct faults *f,
                           const struct outcome *clean) {
  if (f->at % 2 == 0)
    check_works(L, name, index, f, clean);
  rille_close(L);
  if (prepare(L) != LUA_OK)
    complain(name, f, "cannot be opened again", lua_tostring(L, -1));
  else
    check_works(L, name, index, f, clean);
}

/* Runs the scenario in a new state with the faults `f`. Without any, the
 * outcome is kept in `clean`; else it must be that, or speak of memory. */
static void attempt(const char *name, int index, struct faults *f,
                    struct outcome *clean) {
  lua_State *L = new_state();
  struct outcome outcome;
  f->count = 0;
  if (L == NULL || prepare(L) != LUA_OK) {
    complain(name, f, "cannot be prepared", L ? lua_tostring(L, -1) : "");
    exit(EXIT_FAILURE);
  }
  outcome = run(L, index, f);
  if (f->at == 0)
    *clean = outcome;
  if (!same(&outcome, clean) &&
      (f->mode == RETRY || !speaks_of_memory(outcome.text)))
    complain(name, f, "unexpected outcome", outcome.text);
  check_recovery(L, name, index, f, clean);
  lua_close(L);
  if (lua_bytes != 0)
    complain(name, f, "memory is not given back", "");
  lua_bytes = 0;
}

/* ------------------------------------------------------------ all of them */

static long stride = 1, seed = 1, runs;

static void try_scenario(const char *name, int index, struct faults *f) {
  struct outcome clean = {0};
  long points;
  f->at = 0;
  f->mode = PERSISTENT;
  attempt(name, index, f, &clean);
  if (clean.status != LUA_OK && strcmp(name, "deadlock") != 0)
    complain(name, f, "fails by itself", clean.text);
  points = f->count;
  for (f->mode = f == &lua_faults ? RETRY : ONCE; f->mode <= PERSISTENT;
       f->mode++)
    for (f->at = 1 + seed % stride; f->at <= points; f->at += stride) {
      attempt(name, index, f, &clean);
      runs++;
    }
  printf("%-36s %5ld allocations of %s\n", name, points,
         f == &lua_faults ? "Lua's" : "the engine's");
  fflush(stdout);
}

/* Opening: the state is new, or has had an engine; it stays whole whether or
 * not it comes about. */
static bool attempt_open(struct faults *f, bool again) {
  lua_State *L = new_state();
  int status;
  if (again && (prepare(L) != LUA_OK || run(L, 1, NULL).status != LUA_OK))
    complain("open", f, "cannot be prepared", "");
  rille_close(L);
  f->count = 0;
  f->armed = true;
  lua_pushcfunction(L, open_module);
  status = lua_pcall(L, 0, 0, 0);
  f->armed = false;
  if (status != LUA_OK && f->at == 0)
    complain("open", f, "fails by itself", lua_tostring(L, -1));
  if (status != LUA_OK && !speaks_of_memory(lua_tostring(L, -1)))
    complain("open", f, "unexpected error", lua_tostring(L, -1));
  lua_settop(L, 0);
  if (prepare(L) != LUA_OK)
    complain("open", f, "cannot be opened afterwards", lua_tostring(L, -1));
  else if (count_leaks(L) != 0 || run(L, 1, NULL).status != LUA_OK)
    complain("open", f, "does not work afterwards", "");
  lua_close(L);
  if (lua_bytes != 0)
    complain("open", f, "memory is not given back", "");
  lua_bytes = 0;
  return status == LUA_OK;
}

static void try_open(struct faults *f, const char *whose, bool again) {
  long points;
  f->at = 0;
  attempt_open(f, again);
  points = f->count;
  for (f->mode = ONCE; f->mode <= PERSISTENT; f->mode++)
    for (f->at = 1 + seed % stride; f->at <= points; f->at += stride) {
      attempt_open(f, again);
      runs++;
    }
  printf("%-36s %5ld allocations of %s\n", again ? "open again" : "open",
         points, whose);
  fflush(stdout);
}

/* libuv's: each in a child, which may be aborted by libuv. */
static void try_uv(void) {
  long points, aborted = 0;
  struct faults *f = &uv_faults;
  f->at = 0;
  attempt_open(f, false);
  points = f->count;
  f->mode = ONCE;
  for (f->at = 1; f->at <= points; f->at++, runs++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      int before = failures;
      if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(1);
      attempt_open(f, false);
      _exit(failures != before);
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
      aborted++;
      printf("excluded: libuv %s aborts when its allocation %ld of opening a "
             "loop fails\n",
             uv_version_string(), f->at);
    } else if (status != 0) {
      complain("open", f, "libuv's allocation", "child failed");
    }
  }
  printf("%-36s %5ld allocations of libuv's, %ld excluded\n", "open", points,
         aborted);
}

static void try_all(const char *pattern) {
  lua_State *L = new_state();
  int count;
  if (L == NULL || prepare(L) != LUA_OK)
    exit(EXIT_FAILURE);
  lua_getfield(L, LUA_REGISTRYINDEX, "scenarios");
  count = (int)lua_rawlen(L, -1);
  for (int i = 1; i <= count; i++) {
    size_t kept = lua_bytes;
    char name[64];
    lua_rawgeti(L, -1, i);
    lua_getfield(L, -1, "name");
    snprintf(name, sizeof name, "%s", lua_tostring(L, -1));
    lua_pop(L, 2);
    if (pattern != NULL && strstr(name, pattern) == NULL)
      continue;
    lua_bytes = 0;
    try_scenario(name, i, &lua_faults);
    if (i == 1)
      try_scenario(name, i, &engine_faults);
    lua_bytes = kept;
  }
  lua_close(L);
  lua_bytes = 0;
}

int main(int argc, char **argv) {
  const char *pattern = NULL, *variable = getenv("SEED");
  if (variable != NULL)
    seed = labs(atol(variable));
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
      stride = atol(argv[++i]);
    else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
      seed = labs(atol(argv[++i]));
    else
      pattern = argv[i];
  if (stride < 1)
    return EXIT_FAILURE;
  uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, free);
  printf("SEED=%ld, every %ldth allocation\n", seed, stride);
  if (pattern == NULL || strcmp(pattern, "open") == 0) {
    for (int again = 0; again < 2; again++) {
      try_open(&lua_faults, "Lua's", again);
      if (stride == 1 || seed % stride == 0)
        try_open(&engine_faults, "the engine's", again);
    }
    try_uv();
  }
  try_all(pattern);
  printf("oom: %ld runs with a failed allocation, %d failures\n", runs,
         failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
