/*
 * library.c - shared libraries that are used only if they are there.
 *
 * libcurl and http-parser are found by their names when a script first asks
 * for them, and never linked to: rille starts without them, no slower for
 * them, and a program that embeds it need not name them.
 */
#include "bind.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void rl_check_descriptors(lua_State *L, const char *name) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE))
    luaL_error(L, "%s cannot be loaded: %s", name, strerror(errno));
  if (fd >= 0)
    close(fd);
}

void rl_load_library(lua_State *L, const struct rl_library *wanted,
                     void *functions) {
  /* Kept loaded: what it has called back may outlive a lua_State. */
  void *library = dlopen(wanted->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  char *to = functions;
  if (library == NULL) {
    const char *why = lua_pushstring(L, dlerror());
    rl_check_descriptors(L, wanted->name);
    rl_error(L, "%s is not installed; install the package %s (%s)",
             wanted->name, wanted->package, why);
  }
  for (const char *const *name = wanted->functions; *name != NULL; name++) {
    void *found = dlsym(library, *name);
    if (found == NULL)
      rl_error(L,
               "%s (%s) has no function %s: another version than rille "
               "was built for",
               wanted->name, wanted->file, *name);
    memcpy(to, &found, sizeof found);
    to += sizeof found;
  }
}
