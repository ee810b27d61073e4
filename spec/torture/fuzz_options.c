/*
 * fuzz_options.c - any command line: what core/options.c makes of it must be
 * whole, whether it takes it or refuses it.
 *
 * The input is the words, each ended by a zero byte; the first of them is the
 * value of RILLE_SEED.
 */
#include "options.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds) {
  if (!holds)
    abort();
}

/* Splits `text`, which ends with a zero byte, into words; the last of the
 * list is NULL. Returns how many. */
static int split(char *text, size_t size, char *words[]) {
  int count = 0;
  for (size_t at = 0; at < size && count < WORDS; at += strlen(text + at) + 1)
    words[count++] = text + at;
  words[count] = NULL;
  return count;
}

static void check_options(const struct rille_options *options) {
  check(options->script >= 0 && options->script < options->argc);
  check(options->nsteps <= options->argc * 2 + 3);
  check(options->explore >= 0);
  for (int i = 0; i < options->nsteps; i++) {
    const struct rille_step *step = &options->steps[i];
    int needs_text =
        step->kind == RILLE_STEP_EVAL || step->kind == RILLE_STEP_REQUIRE;
    check(step->text != NULL || !needs_text);
    check(step->text == NULL || strlen(step->text) < 1 << 20);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = calloc(size + 1, 1), *argv[WORDS + 1];
  struct rille_options options;
  int argc;
  memcpy(text, data, size);
  argc = split(text, size, argv);
  if (argc > 0) {
    setenv("RILLE_SEED", argv[0], 1);
    argv[0] = (char *)"rille";
    if (rille_options_init(&options, argc, argv) == 0)
      check_options(&options);
    else
      check(memchr(options.error, 0, sizeof options.error) != options.error);
    rille_options_fini(&options);
  }
  free(text);
  return 0;
}
