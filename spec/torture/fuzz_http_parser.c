/*
 * fuzz_http_parser.c - any bytes as requests (core/bind/http_parser.c): what is
 * taken must have the form that RFC 9112 gives it, as a second reading of the
 * head in Lua's patterns finds it; and it must not matter in which pieces the
 * bytes come: the same requests are found, or the same number before a refusal.
 *
 * The first byte of the input chooses the limit of a head, the second one the
 * pieces, the rest are the bytes.
 */
#include "rille.h"
#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char driver[] =
    "local rille = require 'rille'\n"
    "local core\n"
    "for i = 1, 9 do\n"
    "  local name, value = debug.getupvalue(rille.timeout, i)\n"
    "  if name == 'core' then core = value end\n"
    "end\n"
    "local library = core.http_library()\n"
    "-- What the head itself says of its body; raises where it may not be "
    "taken.\n"
    "local function oracle(head)\n"
    "  local line, rest = head:match '^[\\r\\n]*([^\\r\\n]*)\\r\\n(.*)$'\n"
    "  local minor = assert(line:match '^[%u-]+ +[^%c ]+ +HTTP/1%.(%d)$', "
    "line)\n"
    "  local hosts, lengths, codings, length = 0, 0, 0, 0\n"
    "  repeat\n"
    "    local field, after = rest:match '^([^\\r\\n]*)\\r\\n(.*)$'\n"
    "    rest = assert(after)\n"
    "    if field ~= '' then\n"
    "      local name, value = field:match \"^([%w!#$%%&'*+.^_`|~-]+):[ "
    "\\t]*(.-)[ \\t]*$\"\n"
    "      assert(name and not value:gsub('\\t', ' '):find '%c', field)\n"
    "      name = name:lower()\n"
    "      if name == 'host' then hosts = hosts + 1 end\n"
    "      if name == 'content-length' then\n"
    "        lengths, length = lengths + 1, assert(value:match '^%d+$')\n"
    "      elseif name == 'transfer-encoding' then\n"
    "        assert(value:lower() == 'chunked' and minor ~= '0')\n"
    "        codings, length = codings + 1, -1\n"
    "      end\n"
    "    end\n"
    "  until field == ''\n"
    "  assert(rest == '' and hosts <= 1 and (hosts == 1 or minor == '0'))\n"
    "  assert(lengths + codings <= 1)\n"
    "  return math.tointeger(tonumber(length)) or math.maxinteger\n"
    "end\n"
    "-- All requests in the bytes, which come in pieces that size() says.\n"
    "local function parse(data, size, limit)\n"
    "  local parser, found = core.http_parser(library, limit, limit // 2 + 1), "
    "{}\n"
    "  local text, at, come = '', 1, 0\n"
    "  local function more()\n"
    "    if come == #data then return false end\n"
    "    local n = size()\n"
    "    text, at = text:sub(at) .. data:sub(come + 1, come + n), 1\n"
    "    come = math.min(come + n, #data)\n"
    "    return true\n"
    "  end\n"
    "  local function body(left)\n"
    "    local pieces = {}\n"
    "    while left ~= 0 do\n"
    "      if at > #text and not more() then return nil end\n"
    "      local piece, ended\n"
    "      if left > 0 then\n"
    "        piece = text:sub(at, at + math.min(left, #text) - 1)\n"
    "        at, left = at + #piece, left - #piece\n"
    "      else\n"
    "        at, piece, ended = core.http_chunk(parser, text, at)\n"
    "        if not at then return nil, piece end\n"
    "        if ended then left = 0 end\n"
    "      end\n"
    "      pieces[#pieces + 1] = piece\n"
    "    end\n"
    "    return table.concat(pieces)\n"
    "  end\n"
    "  while true do\n"
    "    local stop, method, path, query, length, odds = "
    "core.http_head(parser, text, at)\n"
    "    if stop then\n"
    "      assert(stop > at and stop <= #text + 1 and stop - at <= limit)\n"
    "      assert(oracle(text:sub(at, stop - 1)) == length)\n"
    "      at = stop\n"
    "      local content, status = body(length)\n"
    "      if not content then return found, status ~= nil end\n"
    "      found[#found + 1] = table.concat({method, path, query or '-', "
    "content,\n"
    "        tostring(odds)}, '\\0')\n"
    "    elseif stop == nil then\n"
    "      assert(method >= 400 and method <= 505 and type(path) == 'string')\n"
    "      assert(not pcall(core.http_head, parser, text, at))\n"
    "      return found, true\n"
    "    elseif not more() then\n"
    "      return found, false\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return function(data)\n"
    "  if #data < 2 then return end\n"
    "  local limit, step = data:byte(1) * 16 + 16, data:byte(2)\n"
    "  data = data:sub(3)\n"
    "  local whole, refused = parse(data, function() return #data end, limit)\n"
    "  local state = step\n"
    "  local split, split_refused = parse(data, function()\n"
    "    if step < 64 then return 1 end\n"
    "    state = state * 1103515245 + 12345 & 0x7fffffff\n"
    "    return (state >> 16) % step + 1\n"
    "  end, limit)\n"
    "  assert(refused == split_refused, 'refused in one way only')\n"
    "  assert(#whole == #split, 'more requests in one way')\n"
    "  for i = 1, #whole do assert(whole[i] == split[i], 'another request') "
    "end\n"
    "end\n";

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (rille_open(L, NULL) != 0 ||
      luaL_loadbufferx(L, driver, sizeof driver - 1, "=driver", "t") ||
      lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (L == NULL)
    L = open_state();
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  return 0;
}
