/* budget.c - see budget.h. */
#include "budget.h"
#include <math.h>

#define SECOND INT64_C(1000000000)

bool rille_budget_init(struct rille_budget *budget, double ratio,
                       double min_per_second, int64_t max_tokens) {
  *budget = (struct rille_budget){.ratio = ratio};
  return rille_bucket_init(&budget->bucket, min_per_second, SECOND, max_tokens);
}

void rille_budget_deposit(struct rille_budget *budget, int64_t now) {
  double units = budget->ratio * (double)budget->bucket.token;
  budget->deposits++;
  rille_bucket_put(&budget->bucket,
                   units < (double)budget->bucket.capacity
                       ? (int64_t)llround(units)
                       : budget->bucket.capacity,
                   now);
}

bool rille_budget_withdraw(struct rille_budget *budget, int64_t now) {
  struct rille_bucket *bucket = &budget->bucket;
  bool may = rille_bucket_due(bucket, bucket->token, now) == now &&
             rille_bucket_take(bucket, bucket->token, now);
  budget->withdrawals += may;
  budget->refused += !may;
  return may;
}

void rille_budget_give_back(struct rille_budget *budget, int64_t now) {
  budget->withdrawals--;
  rille_bucket_put(&budget->bucket, budget->bucket.token, now);
}
