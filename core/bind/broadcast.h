/*
 * broadcast.h - what broadcast.c, delivery.c and subscription.c share.
 *
 * A broadcast anchors its subscriptions in a table, each a subscription its
 * broadcast: what is linked lives.
 */
#ifndef RILLE_BIND_BROADCAST_H
#define RILLE_BIND_BROADCAST_H

#include "../broadcast.h"
#include "channel.h"

/* How a subscription takes what comes: of the broadcast, the default. */
struct rl_intake {
  uint32_t buffer;
  enum rille_overflow overflow;
};

struct rl_broadcast {
  struct rl_head head;
  struct rille_broadcast core;
  struct rl_intake intake;
  uint32_t named; /* names made up so far */
};

/* User values of a broadcast. */
enum {
  BROADCAST_MEMBERS = 1, /* address and name -> subscription; nil: closed */
  BROADCAST_ON_DROP,     /* function(value), or nil */
  BROADCAST_SLOTS = BROADCAST_ON_DROP
};

struct rl_subscription {
  struct rl_channel channel; /* its type is rl_subscription_type */
  struct rille_subscription core;
};

/* Further user values of a subscription. */
enum {
  SUBSCRIPTION_NAME = CHANNEL_SLOTS + 1,
  SUBSCRIPTION_BROADCAST,
  SUBSCRIPTION_SLOTS = SUBSCRIPTION_BROADCAST
};

static inline struct rl_subscription *
rl_subscription_of(struct rille_subscription *subscription) {
  return RILLE_ENTRY(subscription, struct rl_subscription, core);
}

/* subscription.c */

/* Reads `buffer`, `overflow` and `on_drop` of the options at `index`; what is
 * not there stays as it is, and on_drop is pushed, or nil. */
void rl_read_intake(lua_State *L, int index, struct rl_intake *intake);

/* Takes the subscription at `index` out of its broadcast; false if it is in
 * none. Needs no memory. */
bool rl_unsubscribe(lua_State *L, int index);

/* The method `subscribe` of a broadcast. */
int rl_subscribe(lua_State *L);

/* delivery.c */

/* Sends the value at 2 to the broadcast at 1, or to those of the list there;
 * at 3 is the label for those who want one, and nothing is above. Suspends. */
int rl_send_to_all(lua_State *L);

/* The same if it need not wait. Never suspends. */
int rl_try_send_to_all(lua_State *L);

#endif
