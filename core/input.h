/*
 * input.h - lines from the standard input for the REPL, by the loop.
 *
 * `require "rille.input"`, in the binary only. Reads through the line editor
 * of edit.h where both ends are a terminal and libedit is built in, else
 * plainly; the loop goes on meanwhile.
 */
#ifndef RILLE_INPUT_H
#define RILLE_INPUT_H

#include <lua.h>

int rille_input_luaopen(lua_State *L);

#endif
