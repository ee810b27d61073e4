/* event.c - see event.h. */
#include "event.h"

static bool is_set(struct rille_source *source) {
  return RILLE_ENTRY(source, struct rille_event, source)->set;
}

static const struct rille_source_type wait_type = {"wait", is_set, NULL, NULL};

void rille_event_init(struct rille_event *event) {
  rille_source_init(&event->source, &wait_type);
  event->set = false;
}

void rille_event_set(struct rille_event *event) {
  event->set = true;
  rille_source_fire_all(&event->source, 0);
}
