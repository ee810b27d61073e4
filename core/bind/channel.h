/*
 * channel.h - what the files of channels share, and those of subscriptions and
 * inlets, which have the receiving side.
 *
 * These begin with an rl_channel, whose type is their own; to the functions
 * here they are one.
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

/* The channel at 1, in a function of `engine`. */
static inline struct rl_channel *
rl_check_channel(lua_State *L, const struct rl_engine *engine) {
  return rl_check_of(L, engine, 1, &rl_channel_type);
}

/* channel.c */

/* Reads a capacity at `index`; false if it is none. */
bool rl_to_capacity(lua_State *L, int index, uint32_t *capacity);

#define RL_CAPACITY "a whole number from 0 to 2147483647 or math.huge expected"

/* The values of the option `overflow`, in the order of rille_overflow. */
extern const char *const rl_overflows[];

/* Pushes "2 of 16", and ", closed". */
const char *rl_push_filling(lua_State *L, const struct rl_channel *channel);

/* What a case of a select gives. */
rl_push_case rl_push_channel_case;

/* send.c */

/* Raises an argument error unless a value that can be sent is at `index`. */
void rl_check_value(lua_State *L, int index);

/* Raises that nothing can be sent any more. */
int rl_raise_closed(lua_State *L, struct rl_engine *engine);

/* Pushes nil and the error of a channel that is full. */
int rl_push_full(lua_State *L, struct rl_engine *engine);

/* Adds the methods of senders to the type in `slot` of the engine, which is at
 * the top. */
void rl_add_sending(lua_State *L, int slot);

/* recv.c */

/* The subscription or inlet at 1, in a function of `engine`. */
struct rl_channel *rl_check_other_receiver(lua_State *L,
                                           const struct rl_engine *engine);

/* The channel, subscription or inlet at 1 likewise. */
static inline struct rl_channel *
rl_check_receiver(lua_State *L, const struct rl_engine *engine) {
  struct rl_channel *channel = rl_test_of(L, engine, 1, &rl_channel_type);
  return RL_LIKELY(channel != NULL) ? channel
                                    : rl_check_other_receiver(L, engine);
}

/* Pushes nil and the error of the closed channel at `index`. */
int rl_push_closed(lua_State *L, struct rl_engine *engine, int index);

/* Adds the methods and metamethods of receivers to the type in `slot` of the
 * engine, which is at the top. */
void rl_add_receiving(lua_State *L, int slot);

/* The method `stats`. */
int rl_channel_stats(lua_State *L);

/* For the Lua part: recv that waits for so long at most. */
int rl_channel_recv_within(lua_State *L);

/* transfer.c */

/* Moves the buffer of the channel at `index` to a larger table. Finalizers
 * may run, and change whatever they like. */
void rl_channel_grow(lua_State *L, struct rl_channel *channel, int index);

/* Puts the value at the top into `slot` of the channel at `index`; pops it. */
void rl_channel_put(lua_State *L, int index, uint32_t slot);

/* Pushes the value of a slot, which becomes empty; of the channel at `index`,
 * or of the table `buffer`. */
void rl_channel_pull(lua_State *L, int index, uint32_t slot);
void rl_channel_take_slot(lua_State *L, int buffer, uint32_t slot);

/* Sends the value at the top to the channel at `index`, if that need not
 * wait. When the result is RILLE_MUST_WAIT, RILLE_FULL or RILLE_CLOSED nothing
 * has changed; else the height of the stack is the caller's to set anew. */
enum rille_transfer_kind rl_channel_send(lua_State *L,
                                         struct rl_channel *channel, int index);

/* Pushes the next value of the channel at `index`, if there is one: the result
 * then is neither RILLE_MUST_WAIT nor RILLE_CLOSED, and the buffer may lie
 * below the value. */
enum rille_transfer_kind rl_channel_recv(lua_State *L,
                                         struct rl_channel *channel, int index);

#endif
