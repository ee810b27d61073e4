/* window.c - see window.h. */
#include "window.h"
#include <string.h>

enum { CELL_CALL = 1, CELL_FAILED = 2, CELL_SLOW = 4 };

size_t rille_window_bytes(enum rille_window_kind kind, uint32_t size) {
  if (kind == RILLE_WINDOW_ALL)
    return 0;
  return size * (kind == RILLE_WINDOW_TIME ? sizeof(struct rille_tally) : 1);
}

void rille_window_clear(struct rille_window *window) {
  size_t bytes = rille_window_bytes(window->kind, window->size);
  if (bytes > 0)
    memset(window->cells, 0, bytes);
  window->next = 0;
  window->start = 0;
  window->total = (struct rille_tally){0};
}

static void subtract(struct rille_tally *from, const struct rille_tally *what) {
  from->calls -= what->calls;
  from->failures -= what->failures;
  from->slow -= what->slow;
}

static void count(struct rille_tally *tally, bool failed, bool slow) {
  tally->calls++;
  tally->failures += failed;
  tally->slow += slow;
}

/* Puts a call in the place of the oldest one. */
static void replace_call(struct rille_window *window, bool failed, bool slow) {
  uint8_t *cell = (uint8_t *)window->cells + window->next;
  struct rille_tally oldest = {.calls = (*cell & CELL_CALL) != 0,
                               .failures = (*cell & CELL_FAILED) != 0,
                               .slow = (*cell & CELL_SLOW) != 0};
  subtract(&window->total, &oldest);
  *cell = (uint8_t)(CELL_CALL | (failed ? CELL_FAILED : 0) |
                    (slow ? CELL_SLOW : 0));
  window->next = (window->next + 1) % window->size;
}

static struct rille_tally *newest(struct rille_window *window) {
  return (struct rille_tally *)window->cells + window->next;
}

/* Opens the bucket of `now`, and empties those whose time is over: at most
 * all of them, however long nobody has asked. */
static void turn(struct rille_window *window, int64_t now) {
  int64_t elapsed = rille_span_since(window->start, now), slices;
  if (elapsed < window->slice)
    return;
  slices = elapsed / window->slice;
  window->start += slices * window->slice;
  for (int64_t i = 0; i < slices && i < window->size; i++) {
    window->next = (window->next + 1) % window->size;
    subtract(&window->total, newest(window));
    *newest(window) = (struct rille_tally){0};
  }
}

void rille_window_add(struct rille_window *window, bool failed, bool slow,
                      int64_t now) {
  if (window->kind == RILLE_WINDOW_COUNT)
    replace_call(window, failed, slow);
  if (window->kind == RILLE_WINDOW_TIME) {
    turn(window, now);
    count(newest(window), failed, slow);
  }
  count(&window->total, failed, slow);
}

const struct rille_tally *rille_window_total(struct rille_window *window,
                                             int64_t now) {
  if (window->kind == RILLE_WINDOW_TIME)
    turn(window, now);
  return &window->total;
}

void rille_window_shift(struct rille_window *window, int64_t shift) {
  window->start += shift;
}
