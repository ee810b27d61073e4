/*
 * interrupt.h - SIGINT and SIGTERM for the binary.
 *
 * The first one cancels the root scope from the loop, so that cleanup runs; a
 * second one ends the process at once, whatever Lua is doing. A signal cannot
 * stop Lua code that never waits: that takes the second. SIGPIPE is ignored,
 * a closed pipe is an error of the write.
 *
 * Lua code can take a signal over, with the module rille.interrupt. Libuv's
 * own handles for these signals would replace our handlers, and leave none
 * when they are closed.
 */
#ifndef RILLE_INTERRUPT_H
#define RILLE_INTERRUPT_H

#include <lua.h>

/* Takes the signals for the engine of L. Returns 0 or a UV_E*. One engine of
 * a process can have them. */
int rille_interrupt_start(lua_State *L);

/* Gives them back; closing L does so too. Idempotent. */
void rille_interrupt_stop(lua_State *L);

/* The signal that ended the run, or 0; one that was taken over does not. */
int rille_interrupt_signal(void);

/* Opens rille.interrupt: take(name, fn) has "sigint" or "sigterm" call
 * fn(number) from the loop, instead of what we do at the first one; the second
 * still ends the process. take(name) gives it back, as if none had come. */
int rille_interrupt_luaopen(lua_State *L);

/* For Lua, on_interrupt(fn): SIGINT calls fn() instead, from the loop, and is
 * then forgotten; nil ends that. */
int rille_interrupt_set_hook(lua_State *L);

#endif
