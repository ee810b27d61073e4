/*
 * bytes.h - bytes that wait, in the order in which they came.
 *
 *     data: |  taken  | from ... to |  free  | size
 *
 * Plain memory, which grows as it must: for what callbacks of libraries bring,
 * where nothing may raise.
 */
#ifndef RILLE_BIND_BYTES_H
#define RILLE_BIND_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct rl_bytes {
  char *data;
  size_t from, to, size;
};

static inline size_t rl_bytes_count(const struct rl_bytes *bytes) {
  return bytes->to - bytes->from;
}

static inline const char *rl_bytes_first(const struct rl_bytes *bytes) {
  return bytes->data != NULL ? bytes->data + bytes->from : "";
}

static inline void rl_bytes_free(struct rl_bytes *bytes) {
  free(bytes->data);
  *bytes = (struct rl_bytes){NULL, 0, 0, 0};
}

/* Takes the first `count` bytes out. */
static inline void rl_bytes_drop(struct rl_bytes *bytes, size_t count) {
  bytes->from += count;
  if (bytes->from == bytes->to)
    bytes->from = bytes->to = 0;
}

/* Makes room for `count` more at the end; false if there is no memory. */
static inline bool rl_bytes_reserve(struct rl_bytes *bytes, size_t count) {
  size_t used = rl_bytes_count(bytes), size = bytes->size;
  char *data = bytes->data;
  if (count <= size - bytes->to)
    return true;
  if (count > (size_t)-1 / 4 || used > (size_t)-1 / 4)
    return false;
  if (bytes->from > 0)
    memmove(data, data + bytes->from, used);
  bytes->from = 0;
  bytes->to = used;
  if (count <= size - used)
    return true;
  size = 2 * (used + count) + 256;
  data = realloc(data, size);
  if (data == NULL)
    return false;
  bytes->data = data;
  bytes->size = size;
  return true;
}

/* Appends; false, and nothing has changed, if there is no memory. */
static inline bool rl_bytes_append(struct rl_bytes *bytes, const char *data,
                                   size_t count) {
  if (!rl_bytes_reserve(bytes, count))
    return false;
  if (count > 0)
    memcpy(bytes->data + bytes->to, data, count);
  bytes->to += count;
  return true;
}

/* Puts bytes before the first; false, and nothing has changed, if there is no
 * memory. */
static inline bool rl_bytes_prepend(struct rl_bytes *bytes, const char *data,
                                    size_t count) {
  size_t used = rl_bytes_count(bytes);
  if (!rl_bytes_reserve(bytes, count))
    return false;
  if (count == 0)
    return true;
  if (used > 0)
    memmove(bytes->data + bytes->from + count, bytes->data + bytes->from, used);
  memcpy(bytes->data + bytes->from, data, count);
  bytes->to += count;
  return true;
}

#endif
