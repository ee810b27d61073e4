/*
 * broadcast.h - what is sent once and received by everybody.
 *
 * A broadcast is an ordered list of subscriptions. Each has a channel, which
 * nobody else sends to; its receivers know no difference.
 *
 *     broadcast --> "audit":  [1 2 3] --> its receivers
 *               --> "screen": [3]     --> its receivers
 *
 * A send goes to every subscription, in their order. It is foreseen first:
 * the plan counts what it will need, so that the binding can get all of that
 * beforehand. Then nothing can come between, or go wrong, until everybody has
 * the value who has room, and the sender's waiters stand in the channels of
 * the rest. So all see the same order of values. One wait is enough for the
 * rest, however many they are: RILLE_WAIT_ALL.
 *
 * A task in a select may wait to receive from several subscriptions, and gets
 * the value from one of them only: so the plan claims the receivers that it
 * counts on, by its number.
 */
#ifndef RILLE_BROADCAST_H
#define RILLE_BROADCAST_H

#include "channel.h"

struct rille_subscription {
  struct rille_node place; /* in broadcast->subscriptions, until it leaves */
  struct rille_channel *channel; /* its own; in the same memory */
  uint64_t missed;  /* values that came when it was full and that it lost */
  bool tells;       /* its owner is to be told of the values it drops */
  bool labelled;    /* it gets the value with a label, a second form of it */
  uint8_t foreseen; /* rille_transfer_kind: by the last plan */
};

struct rille_broadcast {
  struct rille_node subscriptions; /* of rille_subscription.place, by age */
  uint32_t count;                  /* subscriptions there are */
  uint32_t changes;                /* of the list, since the beginning */
  uint32_t id;
  bool closed;
  uint64_t sent;   /* values, whoever they have reached */
  uint64_t missed; /* of all subscriptions there have been */
};

/* What a send will need; several broadcasts may be added up. */
struct rille_plan {
  uint32_t claim;    /* set by the caller: its number, of the engine's */
  uint32_t wait;     /* subscriptions that must be waited for */
  uint32_t full;     /* that refuse the value */
  uint32_t tell;     /* that drop one and tell of it */
  uint32_t labelled; /* that get the second form */
  bool grow;         /* a ring must grow first: then the rest may change */
  bool closed;       /* a broadcast is closed */
};

void rille_broadcast_init(struct rille_broadcast *broadcast);

/* Adds a subscription with a channel that is initialised. */
void rille_broadcast_join(struct rille_broadcast *broadcast,
                          struct rille_subscription *subscription,
                          struct rille_channel *channel);

/* Takes it out and closes its channel. */
void rille_broadcast_leave(struct rille_broadcast *broadcast,
                           struct rille_subscription *subscription);

/* Closes; every subscription leaves. Idempotent. */
void rille_broadcast_close(struct rille_broadcast *broadcast);

/* The subscription after `previous`, the first after NULL; NULL at the end. */
struct rille_subscription *
rille_broadcast_next(const struct rille_broadcast *broadcast,
                     const struct rille_subscription *previous);

/* Adds what a send to `broadcast` will need to the plan. */
void rille_broadcast_foresee(struct rille_broadcast *broadcast,
                             struct rille_plan *plan);

/* Sends to one of the subscriptions: as rille_channel_send, and counts what
 * is missed. */
struct rille_transfer
rille_broadcast_send(struct rille_broadcast *broadcast,
                     struct rille_subscription *subscription);

#endif
