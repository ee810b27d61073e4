/*
 * select.h - a choice among sources.
 *
 * Select is a wait on several waiters, and this: which of them, if any, would
 * not have to wait at all.
 */
#ifndef RILLE_SELECT_H
#define RILLE_SELECT_H

#include "wait.h"

/* The index of a waiter whose source is ready, or -1. Waiters without a
 * source are passed over. Evenly at random among the ready, or the first in
 * the list if `ordered`. */
int rille_select_ready(struct rille_engine *engine,
                       const struct rille_waiter *waiters, uint32_t count,
                       bool ordered);

#endif
