/* http_fields.c - the header lines of a request: see http_fields.h. */
#include "http_fields.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define MOST_FIELDS 256 /* of a head; each costs far more than its bytes */

bool rl_http_is_token(unsigned char byte) {
  static const uint32_t bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
  return bits[byte >> 5] >> (byte & 31) & 1;
}

bool rl_http_is_value(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if ((byte < ' ' && byte != '\t') || byte == 0x7f)
      return false;
  }
  return true;
}

static bool is_word(const char *text, size_t size, const char *word) {
  return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

static bool is_number(const char *text, size_t size) {
  size_t i = 0;
  while (i < size && text[i] >= '0' && text[i] <= '9')
    i++;
  return i == size && size > 0;
}

/* Notes a field if it matters here; false if it is wrong. */
static bool note_field(struct rl_http_fields *fields, const char *name,
                       size_t name_size, const char *value, size_t size) {
  if (is_word(name, name_size, "host")) {
    fields->hosts++;
  } else if (is_word(name, name_size, "expect")) {
    fields->expects = is_word(value, size, "100-continue");
    return fields->expects;
  } else if (is_word(name, name_size, "content-length")) {
    fields->lengths++;
    return is_number(value, size);
  } else if (is_word(name, name_size, "transfer-encoding")) {
    fields->codings++;
    fields->chunked = is_word(value, size, "chunked");
  }
  return true;
}

static bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

/* Takes the line from `at` to `end`, its CR, as a field. */
static struct rl_http_refusal scan_field(struct rl_http_fields *fields,
                                         const char *at, const char *end) {
  const char *colon = at, *value;
  if (++fields->count > MOST_FIELDS)
    return (struct rl_http_refusal){431, "too many headers"};
  while (colon < end && rl_http_is_token((unsigned char)*colon))
    colon++;
  if (colon == at || colon == end || *colon != ':')
    return (struct rl_http_refusal){400, "a header name is malformed"};
  value = colon + 1;
  while (value < end && is_blank(*value))
    value++;
  while (end > value && is_blank(end[-1]))
    end--;
  if (!rl_http_is_value(value, (size_t)(end - value)))
    return (struct rl_http_refusal){400, "a header has a control character"};
  if (!note_field(fields, at, (size_t)(colon - at), value,
                  (size_t)(end - value)))
    return is_word(at, (size_t)(colon - at), "expect")
               ? (struct rl_http_refusal){417,
                                          "only 100-continue can be expected"}
               : (struct rl_http_refusal){400, "Content-Length is malformed"};
  return (struct rl_http_refusal){0, NULL};
}

struct rl_http_refusal rl_http_scan_fields(struct rl_http_fields *fields,
                                           const char *head, size_t size) {
  const char *end = head + size, *line = head, *cr;
  struct rl_http_refusal refusal = {0, NULL};
  bool first = true;
  while (refusal.status == 0 && line < end &&
         (cr = memchr(line, '\r', (size_t)(end - line))) != NULL) {
    if (cr > line && !first)
      refusal = scan_field(fields, line, cr);
    first = first && cr == line; /* empty lines may come before it */
    line = cr + 2;
  }
  return refusal;
}
