/*
 * http_fields.h - the header lines of a request, looked at for what http-parser
 * lets pass: names that are no tokens, control characters, several of what
 * there must be one of. It knows nothing of Lua, nor of the parser.
 */
#ifndef RILLE_BIND_HTTP_FIELDS_H
#define RILLE_BIND_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

/* What the fields of a head say about the message. */
struct rl_http_fields {
  int count, hosts, lengths, codings;
  bool chunked; /* the coding is that, and nothing before it */
  bool expects; /* a 100 */
};

/* Why a request is refused: the status of the answer, 0 if it is not. */
struct rl_http_refusal {
  int status;
  const char *reason;
};

/* A byte of a token: letters, digits and !#$%&'*+-.^_`|~ (RFC 9110, 5.6.2). */
bool rl_http_is_token(unsigned char byte);

/* Whether there is no control character but tabulators. */
bool rl_http_is_value(const char *bytes, size_t size);

/* Notes what matters of all lines but the first of a complete head, whose lines
 * end with CR LF and contain neither otherwise. */
struct rl_http_refusal rl_http_scan_fields(struct rl_http_fields *fields,
                                           const char *head, size_t size);

#endif
