/*
 * curl.h - what the files of the HTTP client share.
 *
 *     pool        libcurl's multi handle on the engine's loop   curl.c
 *     transfer    one request and its answer, as Lua sees it    curl_transfer.c
 *                 how it has failed                         curl_error.c
 *     its setup   options and callbacks of an easy handle       curl_easy.c
 *     URLs        taken apart                                   curl_url.c
 *
 * What libcurl calls back copies bytes and wakes tasks, no more: no Lua runs
 * inside of libcurl, nothing raises through it, and so nothing calls it while
 * it is running.
 */
#ifndef RILLE_BIND_CURL_H
#define RILLE_BIND_CURL_H

#include "bind.h"
#include "bytes.h"
#include <curl/curl.h>
#include <uv.h>

/* The functions of libcurl, in the order of their names in curl.c. */
struct rl_curl {
  CURLcode (*global_init)(long flags);
  CURLM *(*multi_init)(void);
  CURLMcode (*multi_cleanup)(CURLM *multi);
  CURLMcode (*multi_setopt)(CURLM *multi, CURLMoption option, ...);
  CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
  CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
  CURLMcode (*multi_socket_action)(CURLM *multi, curl_socket_t fd, int mask,
                                   int *running);
  CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
  CURLMcode (*multi_assign)(CURLM *multi, curl_socket_t fd, void *data);
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *easy);
  CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
  CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
  CURLcode (*easy_pause)(CURL *easy, int mask);
  const char *(*easy_strerror)(CURLcode code);
  struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
  void (*slist_free_all)(struct curl_slist *list);
  CURLU *(*url)(void);
  void (*url_cleanup)(CURLU *url);
  CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text,
                       unsigned int flags);
  CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **text,
                       unsigned int flags);
  const char *(*url_strerror)(CURLUcode code);
  void (*free)(void *memory);
};

/*
 * The connections of a client. Apart from the userdata, because libuv holds
 * it until its handles have closed.
 */
struct rl_pool {
  struct rl_curl curl;
  struct rl_engine *engine;
  CURLM *multi;                /* NULL: closed */
  struct rille_node place;     /* in engine->pools */
  struct rille_node transfers; /* of rl_transfer.place: those that run */
  struct rille_node watches;   /* sockets that are watched: see curl.c */
  uv_timer_t timer;
  int users; /* who holds it: the userdata, open handles, transfers that run */
  bool starved; /* a socket cannot be watched, for want of memory */
  lua_Integer running, requests, connects;
};

/* How a transfer has ended, beside a CURLcode, of which none is negative. */
enum {
  RL_TRANSFER_CLOSED = -1,    /* with its pool, or by whoever had it */
  RL_TRANSFER_TOO_LARGE = -2, /* the head of the answer is */
  RL_TRANSFER_ABORTED = -3    /* the body of the request cannot be read */
};

/* User values of a transfer. */
enum {
  RL_TRANSFER_LABEL = 1, /* "GET http://localhost/", for messages */
  RL_TRANSFER_SLOTS = RL_TRANSFER_LABEL
};

#define RL_TRANSFER_HIGH                                                       \
  (256 * 1024)                       /* bytes at which the answer is paused    \
                                      */
#define RL_TRANSFER_ROOM (64 * 1024) /* bytes to be sent, at most */

/* Anchored by the engine, in RL_TRANSFERS, while libcurl knows it. */
struct rl_transfer {
  struct rl_head head;
  struct rl_pool *pool;    /* NULL once ended, as the next three */
  struct rille_node place; /* in pool->transfers, while libcurl runs it */
  CURL *easy;
  struct curl_slist *headers;  /* of the request, held by the easy handle */
  struct rille_source arrival; /* fires when the head has come, or never will */
  struct rille_source body;    /* when there are bytes, or no more will come */
  struct rille_source room;    /* when bytes to be sent are taken */
  struct rl_bytes head_text;   /* status line and header lines */
  struct rl_bytes received;    /* of the body, not yet read */
  struct rl_bytes sending;     /* of the request's body, not yet sent */
  size_t max_head;             /* bytes */
  long status;                 /* of HTTP, once head_done */
  int result;                  /* a CURLcode or as above, once done */
  bool head_done;
  bool done;
  bool closed;      /* by whoever had it: nothing is to be read any more */
  bool claimed;     /* a task was woken for the body and has not run yet */
  bool recv_paused; /* libcurl waits until bytes are read */
  bool send_paused; /* libcurl waits for bytes to send */
  bool sent_some;
  bool sent_all; /* no more bytes to send will come */
  char message[CURL_ERROR_SIZE];
};

/* curl_easy.c */

/* The easy handle of `t`, from the table of options at `index`: a CURLcode.
 * May raise for lack of memory. */
CURLcode rl_easy_setup(lua_State *L, struct rl_transfer *t, int index);

/* The bytes to be sent, or the reading of the answer, go on. */
void rl_easy_resume(struct rl_transfer *t);

/* curl_transfer.c */

/* A task is woken that waits for the body, if there is something for it. */
void rl_transfer_notify(struct rl_transfer *t);

/* Ends `t`, which libcurl forgets; once. Never raises. */
void rl_transfer_finish(struct rl_transfer *t, int result);

/* curl_error.c */

/* How `t` has ended, which libcurl says has ended with `code`. */
int rl_transfer_result(const struct rl_transfer *t, CURLcode code);

/* Pushes nil and the error of the failed transfer at `index`. With its client
 * closed, a request as a whole is `closed`; a body would so seem complete. */
int rl_transfer_push_failure(lua_State *L, struct rl_engine *engine, int index,
                             bool whole);

/* Pushes nil and the error `closed`: the body of the transfer at `index` "has
 * ended", say. */
int rl_transfer_push_closed(lua_State *L, struct rl_engine *engine, int index,
                            const char *what);

/* curl.c */

/* Makes libcurl run `t`, whose easy handle is ready. */
CURLMcode rl_pool_add(struct rl_pool *pool, struct rl_transfer *t);

/* Takes it out again, if it is in there. */
void rl_pool_remove(struct rl_pool *pool, struct rl_transfer *t);

/* Lets go of the pool's memory. */
void rl_pool_release(struct rl_pool *pool);

/* Ends the transfers that libcurl has done with. */
void rl_pool_collect(struct rl_pool *pool);

/* The pool at argument 1, perhaps closed. */
struct rl_pool *rl_check_pool(lua_State *L);

/* Open what the Lua part uses: as the others in bind.h. */
void rl_open_transfer(lua_State *L);
void rl_open_curl_url(lua_State *L);

#endif
