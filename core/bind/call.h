/*
 * call.h - how each function of the module begins: its engine, its receiver,
 * its arguments and options.
 *
 * What is ordinary is inline and costs no call; what is not is in the file
 * named.
 */
#ifndef RILLE_BIND_CALL_H
#define RILLE_BIND_CALL_H

#include "bind.h"

#if defined(__GNUC__)
#define RL_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define RL_PREFETCH(address) __builtin_prefetch(address, 1)
/* Of a function that is to be out of the way of those who call it. */
#define RL_COLD __attribute__((cold, noinline))
#else
#define RL_LIKELY(condition) (condition)
#define RL_COLD
#define RL_PREFETCH(address) ((void)(address))
#endif

/* lua_settop, which costs more, where there is nothing to do. */
static inline void rl_settop(lua_State *L, int top) {
  if (lua_gettop(L) != top)
    lua_settop(L, top);
}

/* argument.c: what is wrong with a call */

/* True if the text begins with the name of a part, "rille.scope", and `end`. */
bool rl_names_part(const char *text, char end);

/* True if the frame, whose source was asked for, is of a part. */
bool rl_is_ours(const lua_Debug *frame);

/* As luaL_error, but the place is where a user's code made the call. */
int rl_error(lua_State *L, const char *format, ...);

/* As luaL_argerror, but with that place, and the name that was called there. */
int rl_arg_error(lua_State *L, int index, const char *message);

/* The same for a value that is not what is expected. */
int rl_type_error(lua_State *L, int index, const char *expected);

/* The same for the receiver, at 1, of what was called there. */
int rl_self_error(lua_State *L, const char *expected);

/* Pushes, and returns, a short text for a value that is wrong. */
const char *rl_push_shown(lua_State *L, int index);

/* Each raises an argument error unless the value is as it should be. */
void rl_check_type(lua_State *L, int index, int type);
void rl_check_arg(lua_State *L, bool good, int index, const char *message);
lua_Integer rl_check_integer(lua_State *L, int index);

/* Raises: no object of `type` is at `index`. */
int rl_object_error(lua_State *L, int index, const struct rl_type *type);

/* A span of time, in ns, from seconds at `index`: negative counts as 0. */
int64_t rl_check_span(lua_State *L, int index);

/* An instant likewise: never before 0. */
#define rl_check_instant rl_check_span

/* Converts the seconds at `index`; NULL, or what is wrong with them. */
const char *rl_to_span(lua_State *L, int index, int64_t *span);

/* helpers.c: the engine, and its objects */

/* Raises that the engine is closed. */
int rl_closed_error(lua_State *L);

/* The engine of L's registry, which may be closed: pushed, set from the top,
 * or NULL. */
void rl_push_engine(lua_State *L);
void rl_keep_engine(lua_State *L);
struct rl_engine *rl_engine_find(lua_State *L);

/* The engine of L if it is open; else raises. For functions that are not the
 * module's. */
struct rl_engine *rl_engine_open(lua_State *L);

/* The engine at `index`, or NULL. */
struct rl_engine *rl_to_engine(lua_State *L, int index);

/* The engine of the running function, open or not; NULL without one. What a
 * function's upvalue is, only the debug library can change. */
static inline struct rl_engine *rl_engine_known(lua_State *L) {
  struct rl_engine *engine = lua_touserdata(L, lua_upvalueindex(1));
  if (RL_LIKELY(engine != NULL && engine->type == &rl_engine_type))
    return engine;
  return rl_engine_find(L); /* it is called by one of ours */
}

/* The same; raises when it is closed. */
static inline struct rl_engine *rl_engine(lua_State *L) {
  struct rl_engine *engine = rl_engine_known(L);
  if (!RL_LIKELY(engine != NULL && engine->core.loop != NULL))
    rl_closed_error(L);
  return engine;
}

/* The object of `type` at `index`, or NULL, in a function of `engine`; raises
 * if it is one of another engine, which is closed. A light userdata has no
 * length; what has one and is no userdata has no address. */
static inline void *rl_test_of(lua_State *L, const struct rl_engine *engine,
                               int index, const struct rl_type *type) {
  struct rl_head *object;
  if (lua_rawlen(L, index) < type->size)
    return NULL;
  object = lua_touserdata(L, index);
  if (object == NULL || object->type != type)
    return NULL;
  if (!RL_LIKELY(engine != NULL && object->engine == engine->number))
    rl_closed_error(L);
  return object;
}

/* The same; raises an argument error where there is none. */
static inline void *rl_check_of(lua_State *L, const struct rl_engine *engine,
                                int index, const struct rl_type *type) {
  void *object = rl_test_of(L, engine, index, type);
  if (!RL_LIKELY(object != NULL))
    rl_object_error(L, index, type);
  return object;
}

/* Both for the engine of the running function, open or not. */
static inline void *rl_test(lua_State *L, int index,
                            const struct rl_type *type) {
  return rl_test_of(L, rl_engine_known(L), index, type);
}

static inline void *rl_check(lua_State *L, int index,
                             const struct rl_type *type) {
  return rl_check_of(L, rl_engine_known(L), index, type);
}

/* Pushes the user value `slot` of the engine; false if there is none. */
void rl_push_slot(lua_State *L, struct rl_engine *engine, int slot);

/* helpers.c: options, times, types */

void rl_push_seconds(lua_State *L, int64_t ns);

/* The clock as an object has last seen it that may outlive a run. */
struct rl_seen {
  uint32_t era;
  int64_t now; /* ns */
};

/* The time now. `*shift` is what to add to the object's own instants, because
 * another clock has begun since it last looked: else 0. */
int64_t rl_look(const struct rl_engine *engine, struct rl_seen *seen,
                int64_t *shift);

/* Raises an argument error for a key of the table at `index` that is not in
 * `known`, a list that ends with NULL; nil is an empty table. Returns how many
 * there are. */
int rl_check_options(lua_State *L, int index, const char *const known[]);

/* Pushes option `name` of the table at `index` (or nil) and returns its type;
 * raises unless it is nil or of type `type`. */
int rl_option(lua_State *L, int index, const char *name, int type);

/* Pushes a table of those options at `index` that are in `names`, a list that
 * ends with NULL; or nil, if none is given. */
void rl_push_options(lua_State *L, int index, const char *const names[]);

/* An option that is a span or an instant; `fallback` if it is nil. */
int64_t rl_option_span(lua_State *L, int index, const char *name,
                       int64_t fallback);

/* An option that is one of the NULL-ended `names`; its index. */
int rl_option_choice(lua_State *L, int index, const char *name,
                     const char *const names[]);

/* Makes a metatable in engine slot `slot`: `meta` with the engine as upvalue,
 * __index = `methods`, __name, __metatable. The engine is at the top. */
void rl_new_type(lua_State *L, int slot, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *meta);

/* Adds methods to the type in `slot` of the engine, which is at the top. */
void rl_add_methods(lua_State *L, int slot, const luaL_Reg *methods);

/* The name that is the user value `slot` of the object at `index`, for texts:
 * " 'name'", or "" if it has none. Pushes a value or two. */
const char *rl_push_label(lua_State *L, int index, int slot);

#endif
