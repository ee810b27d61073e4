/*
 * options.h - the command line of the binary, read before any Lua runs.
 *
 * Stock lua's own options with their own meaning, and a few long ones. What
 * the options ask for becomes a list of steps, in the order in which lua takes
 * them: the init variable, every -e, -l and -W, the script, the REPL. The
 * strings belong to argv and to the environment and are not copied.
 */
#ifndef RILLE_OPTIONS_H
#define RILLE_OPTIONS_H

#include <lua.h>

enum rille_step_kind {
  RILLE_STEP_EVAL,    /* run `text`, a chunk; `name` is its chunk name */
  RILLE_STEP_REQUIRE, /* require `text`: "mod" or "global=mod" */
  RILLE_STEP_WARN,    /* turn the warnings on */
  RILLE_STEP_FILE,    /* run the file `text`, NULL for the standard input;
                         the script's own arguments are passed if `name` */
  RILLE_STEP_REPL     /* read lines */
};

struct rille_step {
  enum rille_step_kind kind;
  const char *text;
  const char *name;
};

struct rille_options {
  char **argv;
  int argc;
  int script; /* index of the script in argv; 0: none */
  int no_env; /* -E: environment variables are ignored */
  int show_version;
  int show_help;
  int print_version; /* -v or a REPL: say who we are, then go on */
  int virtual_clock;
  int has_seed;
  lua_Integer seed;
  lua_Integer explore; /* runs, each with its own seed; 0: not asked for */
  struct rille_step *steps;
  int nsteps;
  char error[160]; /* what is wrong with the command line */
};

/* Fills `options` from the command line and the environment. Returns 0, or -1
 * with `error` set. rille_options_fini frees it in either case. */
int rille_options_init(struct rille_options *options, int argc, char **argv);

void rille_options_fini(struct rille_options *options);

#endif
