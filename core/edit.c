/*
 * edit.c - see edit.h.
 *
 * The readline interface of libedit. While a line is edited the terminal is
 * not in its own mode, so a process that exits then must restore it: that is
 * what the atexit handler is for. Not used: completion and libedit's own
 * signal handling (the binary's handler sees SIGINT while a line is edited).
 */
#include "edit.h"

#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>

#define HISTORY_LINES 1000

/* libedit calls its handlers without an argument, and its editor is static
 * as well. Is a line being edited? Was the editor set up? */
static int editing;
static int ready;

static void set_up(void) {
  if (ready)
    return;
  ready = 1;
  rl_readline_name = "rille";
  rl_catch_signals = 0;
  rl_initialize();
  using_history();
  stifle_history(HISTORY_LINES);
  rl_bind_key('\t', rl_insert);
  /* A Ctrl-D typed while no line is edited comes as a zero. */
  rl_parse_and_bind("bind ^@ ed-end-of-file");
  atexit(rille_edit_stop);
}

void rille_edit_start(const char *prompt, void (*on_line)(char *line)) {
  set_up();
  editing = 1;
  rl_callback_handler_install(prompt, on_line);
}

void rille_edit_read(void) { rl_callback_read_char(); }

void rille_edit_stop(void) {
  if (!editing)
    return;
  editing = 0;
  rl_callback_handler_remove();
}

void rille_edit_hide(void) {
  if (!editing)
    return;
  fputs("\r\033[K", stdout);
  fflush(stdout);
}

void rille_edit_show(void) {
  if (!editing)
    return;
  fflush(stdout);
  rl_forced_update_display();
}

void rille_edit_remember(const char *line) {
  set_up();
  add_history(line);
}

void rille_edit_load(const char *path) {
  set_up();
  read_history(path);
}

void rille_edit_save(const char *path) {
  set_up();
  write_history(path);
}
