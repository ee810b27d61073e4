/* broadcast.c - see broadcast.h. */
#include "broadcast.h"
#include "task.h"

void rille_broadcast_init(struct rille_broadcast *broadcast) {
  *broadcast = (struct rille_broadcast){0};
  rille_list_init(&broadcast->subscriptions);
}

void rille_broadcast_join(struct rille_broadcast *broadcast,
                          struct rille_subscription *subscription,
                          struct rille_channel *channel) {
  subscription->channel = channel;
  rille_list_append(&broadcast->subscriptions, &subscription->place);
  broadcast->count++;
  broadcast->changes++;
}

void rille_broadcast_leave(struct rille_broadcast *broadcast,
                           struct rille_subscription *subscription) {
  rille_list_unlink(&subscription->place);
  broadcast->count--;
  broadcast->changes++;
  rille_channel_close(subscription->channel);
}

void rille_broadcast_close(struct rille_broadcast *broadcast) {
  struct rille_subscription *first;
  broadcast->closed = true;
  while ((first = rille_broadcast_next(broadcast, NULL)) != NULL)
    rille_broadcast_leave(broadcast, first);
}

struct rille_subscription *
rille_broadcast_next(const struct rille_broadcast *broadcast,
                     const struct rille_subscription *previous) {
  struct rille_node *next =
      previous == NULL ? broadcast->subscriptions.next : previous->place.next;
  if (next == &broadcast->subscriptions)
    return NULL;
  return RILLE_ENTRY(next, struct rille_subscription, place);
}

/* True if the send of this number can count on a receiver of `channel`: on
 * the first that it has not claimed elsewhere. */
static bool claim_receiver(struct rille_channel *channel, uint32_t claim) {
  struct rille_node *waiters = &channel->receive.waiters;
  for (struct rille_node *n = waiters->next; n != waiters; n = n->next) {
    struct rille_wait *wait =
        &RILLE_ENTRY(n, struct rille_waiter, node)->task->wait;
    if (wait->claim == claim)
      continue;
    wait->claim = claim;
    return true;
  }
  return false;
}

void rille_broadcast_foresee(struct rille_broadcast *broadcast,
                             struct rille_plan *plan) {
  struct rille_subscription *each = NULL;
  plan->closed |= broadcast->closed;
  while ((each = rille_broadcast_next(broadcast, each)) != NULL) {
    bool peer = claim_receiver(each->channel, plan->claim);
    enum rille_transfer_kind kind = rille_channel_foresee(each->channel, peer);
    each->foreseen = (uint8_t)kind;
    plan->labelled += each->labelled;
    plan->grow |= kind == RILLE_GROW;
    plan->wait += kind == RILLE_MUST_WAIT;
    plan->full += kind == RILLE_FULL;
    plan->tell += (kind == RILLE_REPLACE || kind == RILLE_DROP) && each->tells;
  }
}

struct rille_transfer
rille_broadcast_send(struct rille_broadcast *broadcast,
                     struct rille_subscription *subscription) {
  struct rille_transfer transfer = rille_channel_send(subscription->channel);
  if (transfer.kind == RILLE_REPLACE || transfer.kind == RILLE_DROP ||
      transfer.kind == RILLE_FULL) {
    subscription->missed++;
    broadcast->missed++;
  }
  return transfer;
}
