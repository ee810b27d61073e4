/*
 * input.c - see input.h.
 *
 *     input.open(on_turn)      a reader; calls on_turn() once per loop turn;
 *                              if that returns true, soon again at the latest
 *     input:read(prompt, fn)   one line: fn(line), or fn(nil) at the end
 *     input:stop()             no line after all
 *     input:hide() show()      make room for output while a prompt is shown
 *     input:remember(line) load(path) save(path)       the history
 *     input:close()
 *     input.on_interrupt(fn)   see interrupt.h
 *
 * Without a line editor the standard input is read byte by byte: what
 * follows the line stays there for an io.read in the line. A standard input
 * that cannot be polled, such as a file, is read at once; it does not make
 * the loop wait for long.
 *
 * The handles live in memory of their own, which libuv holds until all are
 * closed, and keep the loop alive: a session whose tasks all wait is not a
 * deadlock, for the next line may wake them.
 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"
#include "interrupt.h"
#include "rille.h"

#define INPUT_TYPE "rille.input"
#define SOON 100 /* milliseconds */

/* User values of the userdata. */
enum { ON_TURN = 1, ON_LINE, USER_VALUES = ON_LINE };

struct watch {
  uv_poll_t poll;
  uv_prepare_t turn;
  uv_timer_t soon;
  int open_handles;
  lua_State *L; /* the main one; callbacks run on it */
  int self;     /* reference to the userdata while it is open */
  int pollable;
  int reading;
  int edits;  /* by the line editor */
  char *line; /* what was read of a plain line */
  size_t length, size;
};

struct input {
  struct watch *watch; /* NULL: closed */
};

/* libedit's callback carries no argument: who is editing. */
static struct watch *editor;

static struct watch *check_watch(lua_State *L) {
  struct input *input = luaL_checkudata(L, 1, INPUT_TYPE);
  luaL_argcheck(L, input->watch != NULL, 1, "the input is closed");
  return input->watch;
}

/* Calls a user value of the reader with the `nargs` values on the top.
 * Returns the truth of what that returns. */
static int call_back(struct watch *watch, int which, int nargs) {
  lua_State *L = watch->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, watch->self);
  lua_getiuservalue(L, -1, which);
  lua_remove(L, -2);
  lua_insert(L, -nargs - 1);
  if (lua_pcall(L, nargs, 1, 0) != LUA_OK) {
    fprintf(stderr, "rille: %s\n", luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_replace(L, -2);
  }
  int result = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return result;
}

static void stop_reading(struct watch *watch) {
  watch->reading = 0;
  if (watch->pollable)
    uv_poll_stop(&watch->poll);
  if (watch->edits)
    rille_edit_stop();
}

/* Ends the read with `line`, NULL at the end of the input. */
static void deliver(struct watch *watch, const char *line, size_t length) {
  stop_reading(watch);
  if (line == NULL)
    lua_pushnil(watch->L);
  else
    lua_pushlstring(watch->L, line, length);
  watch->length = 0;
  call_back(watch, ON_LINE, 1);
}

/* Makes room for one more byte. */
static int grow_line(struct watch *watch) {
  if (watch->length < watch->size)
    return 0;
  size_t size = watch->size * 2 + 128;
  char *line = realloc(watch->line, size);
  if (line == NULL)
    return -1;
  watch->line = line;
  watch->size = size;
  return 0;
}

/* Reads a byte. Returns 1 when that ended the read. */
static int read_byte(struct watch *watch) {
  ssize_t n;
  if (grow_line(watch) != 0)
    return deliver(watch, NULL, 0), 1;
  n = read(STDIN_FILENO, watch->line + watch->length, 1);
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return 0;
  if (n <= 0)
    deliver(watch, watch->length > 0 ? watch->line : NULL, watch->length);
  else if (watch->line[watch->length] == '\n')
    deliver(watch, watch->line, watch->length);
  else
    return watch->length++, 0;
  return 1;
}

static int has_input(void) {
  struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
  return poll(&fd, 1, 0) > 0;
}

static void read_plain(struct watch *watch) {
  do {
    if (read_byte(watch))
      return;
  } while (!watch->pollable || has_input());
}

static void edited_cb(char *line) {
  struct watch *watch = editor;
  if (line == NULL)
    putchar('\n');
  deliver(watch, line, line == NULL ? 0 : strlen(line));
  free(line);
}

static void poll_cb(uv_poll_t *poll_handle, int status, int events) {
  struct watch *watch = poll_handle->data;
  (void)status, (void)events; /* an error shows in the read */
  if (!watch->reading)
    return;
  if (!watch->edits)
    read_plain(watch);
  else if (has_input()) /* libedit's read would block the loop */
    rille_edit_read();
}

static void soon_cb(uv_timer_t *soon) { (void)soon; }

/* libuv calls us before the engine, whose tasks run in this turn: what they
 * do shows in the next one, which the timer brings about. */
static void turn_cb(uv_prepare_t *prepare) {
  struct watch *watch = prepare->data;
  if (call_back(watch, ON_TURN, 0) &&
      !uv_is_active((uv_handle_t *)&watch->soon))
    uv_timer_start(&watch->soon, soon_cb, SOON, 0);
}

static void closed_cb(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  if (--watch->open_handles > 0)
    return;
  free(watch->line);
  free(watch);
}

/* uv_poll_init makes its descriptor non-blocking, which a terminal shares
 * with the standard output and with the shell. Polling does not need it. */
static void poll_stdin(struct watch *watch, uv_loop_t *loop) {
  int flags = fcntl(STDIN_FILENO, F_GETFL);
  watch->poll.data = watch;
  if (uv_poll_init(loop, &watch->poll, STDIN_FILENO) == 0) {
    watch->pollable = 1;
    watch->open_handles++;
  }
  fcntl(STDIN_FILENO, F_SETFL, flags);
}

static int wants_editor(void) {
  const char *term = getenv("TERM");
  return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL &&
         strcmp(term, "dumb") != 0;
}

static struct watch *new_watch(lua_State *L) {
  struct watch *watch = calloc(1, sizeof *watch);
  uv_loop_t *loop = rille_loop(L);
  if (watch == NULL)
    luaL_error(L, "not enough memory");
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  watch->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  watch->turn.data = watch->soon.data = watch;
  uv_timer_init(loop, &watch->soon);
  uv_prepare_init(loop, &watch->turn);
  uv_prepare_start(&watch->turn, turn_cb);
  watch->open_handles = 2;
  poll_stdin(watch, loop);
  watch->edits = RILLE_EDIT_BUILT && watch->pollable && wants_editor();
  return watch;
}

static int l_input_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  struct input *input = lua_newuserdatauv(L, sizeof *input, USER_VALUES);
  input->watch = NULL;
  luaL_setmetatable(L, INPUT_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, ON_TURN);
  lua_pushvalue(L, -1);
  int self = luaL_ref(L, LUA_REGISTRYINDEX);
  input->watch = new_watch(L);
  input->watch->self = self;
  /* A line may read the rest of the input with io.read. */
  setvbuf(stdin, NULL, _IONBF, 0);
  return 1;
}

static void start_plain(struct watch *watch, const char *prompt) {
  fputs(prompt, stdout);
  fflush(stdout);
  if (!watch->pollable)
    read_plain(watch);
}

static int l_input_read(lua_State *L) {
  struct watch *watch = check_watch(L);
  const char *prompt = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  luaL_argcheck(L, !watch->reading, 1, "a line is being read");
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, ON_LINE);
  watch->reading = 1;
  if (watch->pollable)
    uv_poll_start(&watch->poll, UV_READABLE | UV_DISCONNECT, poll_cb);
  if (watch->edits) {
    editor = watch;
    rille_edit_start(prompt, edited_cb);
    return 0;
  }
  start_plain(watch, prompt);
  return 0;
}

static int l_input_stop(lua_State *L) {
  struct watch *watch = check_watch(L);
  if (watch->reading)
    stop_reading(watch);
  watch->length = 0;
  return 0;
}

/* Also __gc: the registry holds an open one, so that is lua_close, which
 * comes to us before it comes to the older engine. */
static int l_input_close(lua_State *L) {
  struct input *input = luaL_checkudata(L, 1, INPUT_TYPE);
  struct watch *watch = input->watch;
  if (watch == NULL)
    return 0;
  input->watch = NULL;
  stop_reading(watch);
  luaL_unref(L, LUA_REGISTRYINDEX, watch->self);
  uv_close((uv_handle_t *)&watch->turn, closed_cb);
  uv_close((uv_handle_t *)&watch->soon, closed_cb);
  if (watch->pollable)
    uv_close((uv_handle_t *)&watch->poll, closed_cb);
  return 0;
}

static int l_input_hide(lua_State *L) {
  if (check_watch(L)->edits)
    rille_edit_hide();
  return 0;
}

static int l_input_show(lua_State *L) {
  if (check_watch(L)->edits)
    rille_edit_show();
  return 0;
}

static int l_input_remember(lua_State *L) {
  if (check_watch(L)->edits)
    rille_edit_remember(luaL_checkstring(L, 2));
  return 0;
}

static int l_input_load(lua_State *L) {
  if (check_watch(L)->edits)
    rille_edit_load(luaL_checkstring(L, 2));
  return 0;
}

static int l_input_save(lua_State *L) {
  if (check_watch(L)->edits)
    rille_edit_save(luaL_checkstring(L, 2));
  return 0;
}

static const luaL_Reg methods[] = {{"read", l_input_read},
                                   {"stop", l_input_stop},
                                   {"hide", l_input_hide},
                                   {"show", l_input_show},
                                   {"load", l_input_load},
                                   {"save", l_input_save},
                                   {"close", l_input_close},
                                   {"remember", l_input_remember},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", l_input_close},
                                       {"__close", l_input_close},
                                       {"__index", NULL},
                                       {NULL, NULL}};

static const luaL_Reg functions[] = {{"open", l_input_open},
                                     {"on_interrupt", rille_interrupt_set_hook},
                                     {NULL, NULL}};

int rille_input_luaopen(lua_State *L) {
  luaL_newmetatable(L, INPUT_TYPE);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
