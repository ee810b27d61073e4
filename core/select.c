/* select.c - see select.h. */
#include "select.h"
#include "engine.h"

/* One pass: the n-th ready case replaces the choice with probability 1/n
 * (Waterman's reservoir sampling, in Knuth, TAOCP vol. 2, 3.4.2). */
int rille_select_ready(struct rille_engine *engine,
                       const struct rille_waiter *waiters, uint32_t count,
                       bool ordered) {
  uint32_t ready = 0;
  int choice = -1;
  for (uint32_t i = 0; i < count; i++) {
    struct rille_source *source = waiters[i].source;
    if (source == NULL || !rille_source_ready(source))
      continue;
    ready++;
    if (ready == 1 || rille_random(engine, ready) == 0)
      choice = (int)i;
    if (ordered)
      break;
  }
  return choice;
}
