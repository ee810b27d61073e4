/*
 * channel.h - what channels and subscriptions share: the receiving side.
 *
 * A subscription begins with an rl_channel, whose type is its own; to the
 * functions here it is one.
 */
#ifndef RILLE_BIND_CHANNEL_H
#define RILLE_BIND_CHANNEL_H

#include "bind.h"

struct rl_channel {
  struct rl_head head;
  struct rille_channel core;
  bool failed; /* closed with an error */
};

/* User values of a channel, and the first ones of a subscription. */
enum {
  CHANNEL_BUFFER = 1, /* the ring, a table */
  CHANNEL_ERROR,      /* what it was closed with */
  CHANNEL_ON_DROP,    /* function(value), or nil */
  CHANNEL_SLOTS = CHANNEL_ON_DROP
};

/* The channel, subscription or inlet at 1. */
struct rl_channel *rl_check_receiver(lua_State *L);

/* Moves the buffer of the channel at `index` to a larger table. Finalizers
 * may run, and change whatever they like. */
void rl_channel_grow(lua_State *L, struct rl_channel *channel, int index);

/* Puts the value at the top into `slot` of the channel at `index`. */
void rl_channel_put(lua_State *L, int index, uint32_t slot);

/* Pushes the value of a slot, which becomes empty. */
void rl_channel_pull(lua_State *L, int index, uint32_t slot);

/* Sends the value at the top to the channel at `index`, if that need not
 * wait: it is popped unless the result is RILLE_MUST_WAIT, RILLE_FULL or
 * RILLE_CLOSED. */
enum rille_transfer_kind rl_channel_send(lua_State *L,
                                         struct rl_channel *channel, int index);

/* Raises an argument error unless a value that can be sent is at `index`. */
void rl_check_value(lua_State *L, int index);

/* Reads a capacity at `index`; false if it is none. */
bool rl_to_capacity(lua_State *L, int index, uint32_t *capacity);

#define RL_CAPACITY "a whole number from 0 to 2147483647 or math.huge expected"

/* The values of the option `overflow`, in the order of rille_overflow. */
extern const char *const rl_overflows[];

/* Adds the methods and metamethods of receivers to the type in `slot` of the
 * engine, which is at the top. */
void rl_add_receiving(lua_State *L, int slot);

/* The method `stats`. */
int rl_channel_stats(lua_State *L);

/* Pushes "2 of 16", and ", closed". */
const char *rl_push_filling(lua_State *L, const struct rl_channel *channel);

/* What a case of a select gives. */
rl_push_case rl_push_channel_case;

#endif
