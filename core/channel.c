/* channel.c - see channel.h. */
#include "channel.h"

static struct rille_channel *receive_side(struct rille_source *source) {
  return RILLE_ENTRY(source, struct rille_channel, receive);
}

static bool can_receive(struct rille_source *source) {
  const struct rille_channel *channel = receive_side(source);
  return channel->size > 0 || channel->closed ||
         !rille_list_empty(&channel->send.waiters);
}

static enum rille_transfer_kind foresee(const struct rille_channel *channel) {
  return rille_channel_foresee(channel,
                               !rille_list_empty(&channel->receive.waiters));
}

static bool can_send(struct rille_source *source) {
  return foresee(RILLE_ENTRY(source, struct rille_channel, send)) !=
         RILLE_MUST_WAIT;
}

static bool is_closed(struct rille_source *source) {
  return RILLE_ENTRY(source, struct rille_channel, close)->closed;
}

static const struct rille_source_type receive_type = {"recv", can_receive, NULL,
                                                      NULL};
static const struct rille_source_type send_type = {"send", can_send, NULL,
                                                   NULL};
static const struct rille_source_type close_type = {"wait_closed", is_closed,
                                                    NULL, NULL};

void rille_channel_init(struct rille_channel *channel, uint32_t capacity,
                        enum rille_overflow overflow) {
  *channel = (struct rille_channel){0};
  rille_source_init(&channel->receive, &receive_type);
  rille_source_init(&channel->send, &send_type);
  rille_source_init(&channel->close, &close_type);
  channel->capacity = capacity;
  channel->overflow = (uint8_t)overflow;
}

static uint32_t slot_at(const struct rille_channel *channel, uint32_t index) {
  uint64_t slot = (uint64_t)channel->head + index;
  return (uint32_t)(slot < channel->ring ? slot : slot - channel->ring);
}

static void drop_head(struct rille_channel *channel) {
  channel->head = slot_at(channel, 1);
  channel->size--;
}

enum rille_transfer_kind
rille_channel_foresee(const struct rille_channel *channel, bool peer) {
  static const enum rille_transfer_kind when_full[] = {
      RILLE_MUST_WAIT, RILLE_REPLACE, RILLE_DROP, RILLE_FULL};
  if (channel->closed)
    return RILLE_CLOSED;
  if (peer)
    return RILLE_TO_PEER;
  if (channel->size >= channel->capacity)
    return when_full[channel->overflow];
  return channel->size == channel->ring ? RILLE_GROW : RILLE_TO_SLOT;
}

struct rille_transfer rille_channel_send(struct rille_channel *channel) {
  struct rille_transfer transfer = {.kind = foresee(channel)};
  switch (transfer.kind) {
  case RILLE_TO_PEER:
    transfer.peer = rille_source_fire(&channel->receive, RILLE_TRANSFERRED);
    break;
  case RILLE_TO_SLOT:
    transfer.slot = slot_at(channel, channel->size++);
    break;
  case RILLE_REPLACE: /* the oldest slot becomes the newest */
    transfer.slot = channel->head;
    channel->head = slot_at(channel, 1);
    break;
  default:
    break;
  }
  return transfer;
}

struct rille_transfer rille_channel_recv(struct rille_channel *channel) {
  struct rille_transfer transfer = {.kind = RILLE_TO_SLOT};
  if (channel->size > 0) {
    transfer.slot = channel->head;
    drop_head(channel);
    transfer.peer = rille_source_fire(&channel->send, RILLE_TRANSFERRED);
    if (transfer.peer != NULL)
      transfer.refill = slot_at(channel, channel->size++);
    return transfer;
  }
  transfer.peer = rille_source_fire(&channel->send, RILLE_TRANSFERRED);
  if (transfer.peer != NULL)
    transfer.kind = RILLE_TO_PEER;
  else
    transfer.kind = channel->closed ? RILLE_CLOSED : RILLE_MUST_WAIT;
  return transfer;
}

void rille_channel_grown(struct rille_channel *channel, uint32_t ring) {
  channel->ring = ring;
  channel->head = 0;
}

void rille_channel_close(struct rille_channel *channel) {
  if (channel->closed)
    return;
  channel->closed = true;
  rille_source_fire_all(&channel->receive, RILLE_CLOSED_EVENT);
  rille_source_fire_all(&channel->send, RILLE_CLOSED_EVENT);
  rille_source_fire_all(&channel->close, RILLE_CLOSED_EVENT);
}
