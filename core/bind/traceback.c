/*
 * traceback.c - where a coroutine stands, without the engine's own frames.
 *
 * Lua writes the traceback; here lines are left out of it:
 *
 *     [C]: in function 'xpcall'          what a part of ours has called
 *     rille.scope:22: in function <...>  a part of ours
 *     (...tail calls...)                 of the same
 *     [C]: in ?                          a second one: the task's own bottom
 */
#include "bind.h"
#include <string.h>

/* One line, of what follows the "stack traceback:". */
struct line {
  const char *text;
  size_t length;
};

static struct line line_at(const char *text) {
  const char *end = strchr(text, '\n');
  return (struct line){text, end != NULL ? (size_t)(end - text) : strlen(text)};
}

static bool begins(struct line line, const char *start) {
  size_t length = strlen(start);
  return line.length >= length && memcmp(line.text, start, length) == 0;
}

static bool is_ours(struct line line) {
  return line.text[0] == '\t' && rl_names_part(line.text + 1, ':');
}

static bool is_bottom(struct line line) {
  return line.length == strlen("\t[C]: in ?") && begins(line, "\t[C]: in ?");
}

static void add_line(luaL_Buffer *kept, struct line line) {
  luaL_addchar(kept, '\n');
  luaL_addlstring(kept, line.text, line.length);
}

/* Adds the lines from `text` on, each of which a newline comes before. */
static void add_frames(luaL_Buffer *kept, const char *text) {
  bool dropped = false, bottom = false;
  while (*text == '\n') {
    struct line line = line_at(text + 1);
    bool of_c = begins(line, "\t[C]:");
    text = line.text + line.length;
    if (is_ours(line) || (of_c && *text != 0 && is_ours(line_at(text + 1))) ||
        (dropped && begins(line, "\t(...tail calls")) ||
        (bottom && is_bottom(line))) {
      dropped = true;
      continue;
    }
    add_line(kept, line);
    dropped = false;
    bottom = is_bottom(line);
  }
}

const char *rl_push_traceback(lua_State *L, lua_State *co, const char *head,
                              int level) {
  static const char title[] = "stack traceback:";
  int base = lua_gettop(L);
  luaL_Buffer kept;
  luaL_traceback(L, co, NULL, level);
  luaL_buffinit(L, &kept);
  if (head != NULL) {
    luaL_addstring(&kept, head);
    luaL_addchar(&kept, '\n');
  }
  luaL_addstring(&kept, title);
  add_frames(&kept, lua_tostring(L, base + 1) + sizeof title - 1);
  luaL_pushresult(&kept);
  lua_replace(L, base + 1);
  lua_settop(L, base + 1);
  return lua_tostring(L, -1);
}

/* For the Lua part: traceback(text, level) is as debug.traceback. */
static int l_traceback(lua_State *L) {
  rl_push_traceback(L, L, luaL_checkstring(L, 1), (int)luaL_checkinteger(L, 2));
  return 1;
}

void rl_open_traceback(lua_State *L) {
  static const luaL_Reg inner[] = {{"traceback", l_traceback}, {NULL, NULL}};
  rl_add_inner(L, inner);
}
