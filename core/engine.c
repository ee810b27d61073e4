/* engine.c - see engine.h. */
#include "engine.h"

static const struct rille_source_type quiet_type = {"wait_all_blocked", NULL,
                                                    NULL, NULL};

int rille_engine_open(struct rille_engine *engine, uv_loop_t *uv,
                      const struct rille_hooks *hooks,
                      struct rille_scope *top) {
  engine->hooks = hooks;
  engine->top = top;
  engine->host_loop = uv != NULL;
  rille_list_init(&engine->ready);
  rille_source_init(&engine->quiet, &quiet_type);
  rille_list_init(&engine->permits.unserved);
  rille_scope_open_top(engine, top);
  engine->scopes_made = 0;
  rille_engine_seed(engine, (uint64_t)rille_now(engine));
  return rille_loop_open(engine, uv);
}

void rille_engine_seed(struct rille_engine *engine, uint64_t seed) {
  engine->random = seed;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014. */
static uint64_t next_random(struct rille_engine *engine) {
  uint64_t z = (engine->random += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* Lemire, "Fast random integer generation in an interval" (2019), without
 * the rejection: n is small, so the bias is below 2^-32 x n. */
uint32_t rille_random(struct rille_engine *engine, uint32_t n) {
  return (uint32_t)(((next_random(engine) >> 32) * n) >> 32);
}
