/*
 * textload.h - the binary loads text chunks only.
 *
 * Lua does not verify bytecode, and a mutated chunk can crash it. What reads
 * code in the binary (load, loadfile, dofile, require) is therefore put in
 * text mode; a precompiled chunk gets Lua's own error for it, as a value or
 * raised, whichever the function does for a syntax error. The module used
 * from another host changes none of this.
 */
#ifndef RILLE_TEXTLOAD_H
#define RILLE_TEXTLOAD_H

#include <lua.h>

/* Replaces the global functions and the Lua searcher of L. */
void rille_textload_install(lua_State *L);

#endif
