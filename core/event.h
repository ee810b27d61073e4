/*
 * event.h - something that has happened, or not yet.
 *
 * Setting it wakes all who wait; until it is cleared nobody else has to wait.
 * Who was woken has seen it, even if it is cleared before he runs.
 */
#ifndef RILLE_EVENT_H
#define RILLE_EVENT_H

#include "wait.h"

struct rille_event {
  struct rille_source source;
  bool set;
};

void rille_event_init(struct rille_event *event);

/* Sets it. Idempotent; to clear it is an assignment. */
void rille_event_set(struct rille_event *event);

#endif
