/*
 * window.h - how the last calls went: the last so many, or those of the last
 * so many seconds.
 *
 * A window of calls is a ring of their outcomes. A window of time is a ring of
 * buckets, each the sums of one slice of it; the oldest is emptied when the
 * time has come for a new one, so a call leaves the window between the last
 * slice's beginning and its end. Without a ring it sums up all calls.
 *
 *     [ 3 0 1 | 2 0 0 | 5 1 0 | 1 1 0 ]   calls, failures, slow
 *       oldest                  newest    of each bucket
 *
 * Sums are kept, so that asking for them costs nothing. A clock that goes back
 * stands still.
 */
#ifndef RILLE_POLICY_WINDOW_H
#define RILLE_POLICY_WINDOW_H

#include "span.h"
#include <stdbool.h>
#include <stddef.h>

enum rille_window_kind {
  RILLE_WINDOW_ALL, /* since it was cleared */
  RILLE_WINDOW_COUNT,
  RILLE_WINDOW_TIME
};

struct rille_tally {
  uint64_t calls;
  uint64_t failures;
  uint64_t slow; /* calls, failed or not */
};

struct rille_window {
  uint8_t kind;
  uint32_t size; /* cells: calls, or buckets */
  int64_t slice; /* of time: what a bucket holds, ns */
  /* A rille_tally for each bucket, a byte for each call; the caller's. */
  void *cells;
  uint32_t next; /* the cell of the next call, or of the newest bucket */
  int64_t start; /* of the newest bucket, ns */
  struct rille_tally total;
};

/* The bytes that the cells need. */
size_t rille_window_bytes(enum rille_window_kind kind, uint32_t size);

/* Empties it. Kind, size, slice and cells are the caller's to set before. */
void rille_window_clear(struct rille_window *window);

/* A call has ended. */
void rille_window_add(struct rille_window *window, bool failed, bool slow,
                      int64_t now);

/* The sums now. */
const struct rille_tally *rille_window_total(struct rille_window *window,
                                             int64_t now);

/* Another clock is in use, on which now is `shift` ns later. */
void rille_window_shift(struct rille_window *window, int64_t shift);

#endif
