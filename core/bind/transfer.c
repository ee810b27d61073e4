/*
 * transfer.c - how a value moves through a channel.
 *
 * The core says who meets whom; here the value moves, once: from the waiting
 * sender's stack to the receiver's, or into or out of the buffer, a table
 * that is a ring.
 */
#include "channel.h"

#define RL_FIRST_RING 16

static uint32_t ring_for(uint32_t capacity, uint32_t ring) {
  uint64_t size = ring == 0 ? RL_FIRST_RING : (uint64_t)ring * 2;
  return size < capacity ? (uint32_t)size : capacity;
}

void rl_channel_grow(lua_State *L, struct rl_channel *channel, int index) {
  struct rille_channel *core = &channel->core;
  uint32_t before = core->ring, ring = ring_for(core->capacity, before);
  if (ring == before || ring > INT32_MAX)
    rl_error(L, "the channel's buffer is too large");
  lua_createtable(L, (int)ring, 0);
  if (core->ring != before) { /* a finalizer has made it grow already */
    lua_pop(L, 1);
    return;
  }
  lua_getiuservalue(L, index, CHANNEL_BUFFER);
  for (uint32_t i = 0; i < core->size; i++) {
    lua_rawgeti(L, -1, (core->head + i) % core->ring + 1);
    lua_rawseti(L, -3, i + 1);
  }
  lua_pop(L, 1);
  lua_setiuservalue(L, index, CHANNEL_BUFFER);
  rille_channel_grown(core, ring);
}

/* Puts the value at the top into `slot`; leaves it, and the buffer above. */
static void put(lua_State *L, int index, uint32_t slot) {
  lua_getiuservalue(L, index, CHANNEL_BUFFER);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)slot + 1);
}

void rl_channel_put(lua_State *L, int index, uint32_t slot) {
  put(L, index, slot);
  lua_pop(L, 2);
}

/* Whether a value of `type` keeps something alive. */
static bool refers(int type) {
  return type != LUA_TNUMBER && type != LUA_TBOOLEAN;
}

void rl_channel_take_slot(lua_State *L, int buffer, uint32_t slot) {
  if (!refers(lua_rawgeti(L, buffer, (lua_Integer)slot + 1)))
    return; /* what stays in an empty slot does no harm */
  lua_pushnil(L);
  lua_rawseti(L, buffer, (lua_Integer)slot + 1);
}

void rl_channel_pull(lua_State *L, int index, uint32_t slot) {
  lua_getiuservalue(L, index, CHANNEL_BUFFER);
  rl_channel_take_slot(L, lua_gettop(L), slot);
  lua_replace(L, -2);
}

/* Calls on_drop with the value at the top, which it pops. */
static void drop(lua_State *L, int index) {
  if (lua_getiuservalue(L, index, CHANNEL_ON_DROP) == LUA_TNIL) {
    lua_pop(L, 2);
    return;
  }
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

enum rille_transfer_kind
rl_channel_send(lua_State *L, struct rl_channel *channel, int index) {
  struct rille_transfer transfer = rille_channel_send(&channel->core);
  while (transfer.kind == RILLE_GROW) {
    rl_channel_grow(L, channel, index);
    transfer = rille_channel_send(&channel->core);
  }
  switch (transfer.kind) {
  case RILLE_TO_PEER:
    rl_give(L, transfer.peer);
    break;
  case RILLE_TO_SLOT:
    put(L, index, transfer.slot);
    break;
  case RILLE_REPLACE:
    rl_channel_pull(L, index, transfer.slot);
    lua_insert(L, -2);
    rl_channel_put(L, index, transfer.slot);
    drop(L, index);
    break;
  case RILLE_DROP:
    drop(L, index);
    break;
  default:
    break;
  }
  return transfer.kind;
}

enum rille_transfer_kind
rl_channel_recv(lua_State *L, struct rl_channel *channel, int index) {
  struct rille_transfer transfer = rille_channel_recv(&channel->core);
  if (transfer.kind == RILLE_TO_PEER) {
    rl_take(L, transfer.peer);
  } else if (transfer.kind == RILLE_TO_SLOT) {
    lua_getiuservalue(L, index, CHANNEL_BUFFER);
    rl_channel_take_slot(L, lua_gettop(L), transfer.slot);
    if (transfer.peer != NULL) {
      rl_take(L, transfer.peer);
      rl_channel_put(L, index, transfer.refill);
    }
  }
  return transfer.kind;
}
