/*
 * options.c - see options.h.
 *
 * One pass over argv up to the first word that is no option; each word is
 * handled by the long or the short reader, and both advance `i` past the
 * values they took. The steps array is allocated once: no option adds more
 * than one step.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reader {
  struct rille_options *options;
  int i; /* the word of argv being read */
  int has_eval, has_version, has_repl;
};

static int fail(struct rille_options *options, const char *format,
                const char *word) {
  snprintf(options->error, sizeof options->error, format, word);
  return -1;
}

static void add_step(struct rille_options *options, enum rille_step_kind kind,
                     const char *text, const char *name) {
  struct rille_step *step = &options->steps[options->nsteps++];
  step->kind = kind;
  step->text = text;
  step->name = name;
}

static int parse_integer(const char *text, lua_Integer *result) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 0);
  if (end == text || *end != '\0' || errno != 0)
    return -1;
  *result = (lua_Integer)value;
  return 0;
}

/* The value of a long option: after its "=", or the next word. */
static const char *long_value(struct reader *reader, const char *name) {
  char **argv = reader->options->argv;
  size_t length = strlen(name);
  if (argv[reader->i][length] == '=')
    return argv[reader->i] + length + 1;
  return argv[reader->i + 1] == NULL ? NULL : argv[++reader->i];
}

static int read_number(struct reader *reader, const char *name,
                       lua_Integer *result) {
  const char *value = long_value(reader, name);
  if (value == NULL || parse_integer(value, result) != 0)
    return fail(reader->options, "option '%s' needs a whole number", name);
  return 0;
}

static int read_explore(struct reader *reader) {
  struct rille_options *options = reader->options;
  if (read_number(reader, "--explore", &options->explore) != 0)
    return -1;
  if (options->explore < 1)
    return fail(options, "option '%s' needs a number above 0", "--explore");
  options->virtual_clock = 1;
  return 0;
}

/* Is `word` the long option `name`, alone or with "=value"? */
static int is_long(const char *word, const char *name) {
  size_t length = strlen(name);
  return strncmp(word, name, length) == 0 &&
         (word[length] == '\0' || word[length] == '=');
}

static int read_long(struct reader *reader) {
  struct rille_options *options = reader->options;
  const char *word = options->argv[reader->i];
  if (strcmp(word, "--virtual") == 0)
    return options->virtual_clock = 1, 0;
  if (strcmp(word, "--help") == 0)
    return options->show_help = 1, 0;
  if (strcmp(word, "--version") == 0)
    return options->show_version = 1, 0;
  if (is_long(word, "--explore"))
    return read_explore(reader);
  if (is_long(word, "--seed")) {
    options->has_seed = 1;
    return read_number(reader, "--seed", &options->seed);
  }
  return fail(options, "unrecognized option '%s'", word);
}

/* -e and -l: the value follows at once or is the next word. */
static int read_valued(struct reader *reader) {
  struct rille_options *options = reader->options;
  const char *word = options->argv[reader->i];
  const char *value = word + 2;
  if (*value == '\0') {
    value = options->argv[reader->i + 1];
    if (value == NULL || *value == '-')
      return fail(options, "option '%s' needs an argument", word);
    reader->i++;
  }
  if (word[1] == 'l') {
    add_step(options, RILLE_STEP_REQUIRE, value, NULL);
    return 0;
  }
  reader->has_eval = 1;
  add_step(options, RILLE_STEP_REQUIRE, "rille", NULL); /* saves typing it */
  add_step(options, RILLE_STEP_EVAL, value, "=(command line)");
  return 0;
}

static int read_short(struct reader *reader) {
  struct rille_options *options = reader->options;
  const char *word = options->argv[reader->i];
  if (word[1] == 'e' || word[1] == 'l')
    return read_valued(reader);
  if (word[2] != '\0')
    return fail(options, "unrecognized option '%s'", word);
  switch (word[1]) {
  case 'i':
    reader->has_repl = 1;
    return 0;
  case 'v':
    reader->has_version = 1;
    return 0;
  case 'E':
    options->no_env = 1;
    return 0;
  case 'W':
    add_step(options, RILLE_STEP_WARN, NULL, NULL);
    return 0;
  default:
    return fail(options, "unrecognized option '%s'", word);
  }
}

static int read_words(struct reader *reader) {
  struct rille_options *options = reader->options;
  for (reader->i = 1; reader->i < options->argc; reader->i++) {
    const char *word = options->argv[reader->i];
    if (word[0] != '-' || word[1] == '\0')
      break; /* the script's name, or "-" */
    if (strcmp(word, "--") == 0) {
      reader->i++;
      break;
    }
    if ((word[1] == '-' ? read_long(reader) : read_short(reader)) != 0)
      return -1;
  }
  options->script = reader->i < options->argc ? reader->i : 0;
  return 0;
}

/* What comes last: the script, and the REPL or the standard input. */
static int add_main(struct reader *reader) {
  struct rille_options *options = reader->options;
  int wants_repl = reader->has_repl;
  if (options->script != 0) {
    const char *name = options->argv[options->script];
    /* After "--" a "-" is a file of that name, as for lua. */
    int is_stdin = strcmp(name, "-") == 0 &&
                   strcmp(options->argv[options->script - 1], "--") != 0;
    add_step(options, RILLE_STEP_FILE, is_stdin ? NULL : name, name);
  } else if (!wants_repl && !reader->has_eval && !reader->has_version) {
    wants_repl = isatty(STDIN_FILENO);
    if (!wants_repl)
      add_step(options, RILLE_STEP_FILE, NULL, NULL);
  }
  if (wants_repl && options->virtual_clock)
    return fail(options, "%s",
                "a session at the terminal needs the real clock");
  if (wants_repl)
    add_step(options, RILLE_STEP_REPL, NULL, NULL);
  options->print_version = wants_repl || reader->has_version;
  return 0;
}

static int read_seed_env(struct rille_options *options) {
  const char *text = getenv("RILLE_SEED");
  if (options->no_env || options->has_seed || text == NULL || *text == '\0')
    return 0;
  if (parse_integer(text, &options->seed) != 0)
    return fail(options, "RILLE_SEED is not a whole number: '%s'", text);
  options->has_seed = 1;
  return 0;
}

/* The init variable that is set, in order of preference. It was given the
 * first step; without one that step is left out. */
static void read_init_env(struct rille_options *options) {
  static const char *const names[] = {"=RILLE_INIT_5_4", "=RILLE_INIT",
                                      "=LUA_INIT_5_4", "=LUA_INIT"};
  struct rille_step *step = &options->steps[0];
  const char *text = NULL;
  size_t i;
  for (i = 0; !options->no_env && text == NULL && i < 4; i++)
    text = getenv(names[i] + 1);
  if (text == NULL) {
    memmove(step, step + 1, (size_t)--options->nsteps * sizeof *step);
  } else if (text[0] == '@') {
    step->kind = RILLE_STEP_FILE;
    step->text = text + 1;
  } else {
    step->text = text;
    step->name = names[i - 1];
  }
}

int rille_options_init(struct rille_options *options, int argc, char **argv) {
  struct reader reader = {.options = options};
  memset(options, 0, sizeof *options);
  options->argc = argc;
  options->argv = argv;
  /* Two for each -e, one for the init variable, the script and the REPL. */
  options->steps = calloc((size_t)argc * 2 + 3, sizeof *options->steps);
  if (options->steps == NULL)
    return fail(options, "%s", "not enough memory");
  add_step(options, RILLE_STEP_EVAL, NULL, NULL);
  if (read_words(&reader) != 0 || add_main(&reader) != 0 ||
      read_seed_env(options) != 0)
    return -1;
  read_init_env(options);
  return 0;
}

void rille_options_fini(struct rille_options *options) {
  free(options->steps);
  options->steps = NULL;
}
