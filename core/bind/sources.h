/*
 * sources.h - the Lua half of rille, carried inside the C library.
 *
 * The build turns every lua/rille/NAME.lua that CMakeLists.txt lists into an
 * array (scripts/embed.cmake), so that the module is one file and the binary
 * needs no path to find its own parts.
 */
#ifndef RILLE_BIND_SOURCES_H
#define RILLE_BIND_SOURCES_H

#include <stddef.h>

struct rille_lua_source {
  const char *name; /* as `require` has it: "rille.scope" */
  const char *text; /* the file as it is, and a '\0' that is not counted */
  size_t size;      /* bytes of text */
};

/* Every embedded module; ends with a NULL name. */
extern const struct rille_lua_source rille_lua_sources[];

#endif
