/*
 * budget.h - a retry budget: retries are a part of all calls, no more.
 *
 * A token bucket that several callers share. Every first call puts a part of
 * a token in, every retry takes one out; a little also comes with time, so
 * that a caller with few calls may retry as well. When a service is down, the
 * retries of all its callers together are bounded. After Finagle's
 * RetryBudget, but with a bucket for its window of deposits.
 */
#ifndef RILLE_POLICY_BUDGET_H
#define RILLE_POLICY_BUDGET_H

#include "bucket.h"

struct rille_budget {
  struct rille_bucket bucket;
  double ratio;      /* of a token, for a first call */
  uint64_t deposits; /* in all its life, like the following */
  uint64_t withdrawals;
  uint64_t refused;
};

/* Makes a full one for `max_tokens` that gets `ratio` tokens with each first
 * call and `min_per_second` tokens each second. */
bool rille_budget_init(struct rille_budget *budget, double ratio,
                       double min_per_second, int64_t max_tokens);

/* A first call was made. */
void rille_budget_deposit(struct rille_budget *budget, int64_t now);

/* Whether a retry may be made; if so its token is taken. */
bool rille_budget_withdraw(struct rille_budget *budget, int64_t now);

/* A retry that was allowed was not made after all. */
void rille_budget_give_back(struct rille_budget *budget, int64_t now);

#endif
