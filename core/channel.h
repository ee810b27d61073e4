/*
 * channel.h - who meets whom at a channel.
 *
 * The core decides; the values are the binding's, and it moves them where the
 * decision says. A buffer is a ring of numbered slots. Waiting receivers mean
 * that the buffer is empty, waiting senders that it is full, so a transfer
 * touches at most one slot and one peer:
 *
 *     send:  to a waiting receiver, or into a slot, or it must wait
 *     recv:  from a slot (a waiting sender's value then fills the freed
 *            slot at the end), or from a waiting sender, or it must wait
 *
 * Waiting senders and receivers are served in order.
 */
#ifndef RILLE_CHANNEL_H
#define RILLE_CHANNEL_H

#include "wait.h"

#define RILLE_UNBOUNDED UINT32_MAX

enum rille_overflow {
  RILLE_BLOCK,
  RILLE_DROP_OLDEST,
  RILLE_DROP_NEWEST,
  RILLE_OVERFLOW_ERROR
};

/* What a source of a channel tells a waiter that it wakes. */
enum rille_channel_event { RILLE_TRANSFERRED, RILLE_CLOSED_EVENT };

struct rille_channel {
  struct rille_source receive; /* who waits for a value */
  struct rille_source send;    /* who waits to be rid of one */
  struct rille_source close;   /* who waits for the close */
  uint32_t capacity;           /* RILLE_UNBOUNDED, or values it may hold */
  uint32_t ring;               /* slots there are now */
  uint32_t head;               /* the slot of the oldest value */
  uint32_t size;               /* values in the buffer */
  uint32_t id;
  uint8_t overflow;
  bool closed;
};

enum rille_transfer_kind {
  RILLE_TO_PEER,   /* to or from the stack of `peer`, which is woken */
  RILLE_TO_SLOT,   /* into or out of `slot` */
  RILLE_REPLACE,   /* sent: `slot` holds the oldest value, now dropped, and
                      takes the new one */
  RILLE_DROP,      /* sent: the new value is dropped */
  RILLE_GROW,      /* nothing done: the ring must grow first */
  RILLE_MUST_WAIT, /* nothing done */
  RILLE_FULL,      /* nothing done: overflow is an error */
  RILLE_CLOSED     /* nothing done */
};

struct rille_transfer {
  enum rille_transfer_kind kind;
  uint32_t slot;
  struct rille_waiter *peer; /* received from a slot: whose value is to be put
                                into `refill`, or NULL */
  uint32_t refill;
};

void rille_channel_init(struct rille_channel *channel, uint32_t capacity,
                        enum rille_overflow overflow);

/* What a send would come to now; `peer`: whether somebody will be there to
 * receive it. */
enum rille_transfer_kind
rille_channel_foresee(const struct rille_channel *channel, bool peer);

/* Decides a send, and does the core's part of it. Never waits. */
struct rille_transfer rille_channel_send(struct rille_channel *channel);

/* Decides a receive likewise. */
struct rille_transfer rille_channel_recv(struct rille_channel *channel);

/* The ring has `ring` slots now, with the values moved to 0, 1, 2 ... */
void rille_channel_grown(struct rille_channel *channel, uint32_t ring);

/* Closes; every waiter wakes with RILLE_CLOSED_EVENT. Idempotent. */
void rille_channel_close(struct rille_channel *channel);

#endif
