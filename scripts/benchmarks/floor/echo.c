/*
 * echo.c - the client of the echo servers.
 *
 *     bench_floor echo CONNECTIONS TRIPS CPU SERVER-CPU COMMAND...
 *     bench_floor idle CONNECTIONS TRIPS CPU SERVER-CPU COMMAND...
 *     bench_floor http CONNECTIONS TRIPS CPU SERVER-CPU COMMAND...
 *
 * Starts COMMAND, a server that prints "port N", connects so many times, and
 * has one message of 64 bytes under way on every connection: when it is back,
 * whole and the same, the next one goes out. A tenth of the trips warms up.
 * Prints a line as ../harness.lua does, with the median and the 99th
 * percentile of a trip in seconds; `cpu` is the server's time for all of them,
 * the bytes are the server's peak.
 *
 * With `idle` the trips are few: at least one for each connection. Then nothing
 * is under way, and the bytes are what the server has grown by, divided by the
 * connections.
 *
 * With `http` the message is a GET, and what comes back a response with status
 * 200 whose body is "hello\n".
 */
#include "floor.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, ANSWER = 512, EVENTS = 64 };

static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
static const char status_line[] = "HTTP/1.1 200 OK\r\n";
static const char text[] = "\r\n\r\nhello\n"; /* how a response ends */

enum mode { ECHO, IDLE, HTTP };

struct connection {
  int fd;
  int got;         /* bytes of the answer that are there */
  uint64_t number; /* of the message under way */
  double sent;
  char answer[ANSWER];
};

struct client {
  struct connection *connections;
  int count;
  int epoll;
  bool is_http;
  uint64_t left;   /* trips to begin */
  uint64_t begun;  /* trips begun, the number of the last */
  uint64_t ended;  /* trips ended */
  float *seconds;  /* of each trip */
  const char *why; /* what went wrong */
};

struct server {
  pid_t pid;
  int port;
  double bytes; /* of memory when it had started */
  FILE *output; /* left open while it runs: it may print more */
};

static struct server start_server(char **command, int cpu) {
  struct server server = {.pid = -1};
  int ends[2];
  if (pipe(ends) != 0)
    return server;
  server.pid = fork();
  if (server.pid == 0) {
    floor_pin(0, cpu);
    dup2(ends[1], 1);
    close(ends[0]), close(ends[1]);
    execvp(command[0], command);
    _exit(127);
  }
  close(ends[1]);
  server.output = fdopen(ends[0], "r");
  if (server.output == NULL ||
      fscanf(server.output, "port %d", &server.port) != 1)
    server.port = 0;
  server.bytes = floor_memory(server.pid, "VmRSS");
  return server;
}

static void stop_server(struct server *server) {
  if (server->pid > 0) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
  }
  if (server->output != NULL)
    fclose(server->output);
}

static bool send_next(struct client *client, struct connection *c) {
  char message[MESSAGE];
  c->number = ++client->begun;
  client->left--;
  if (client->is_http) {
    c->got = 0;
    c->sent = floor_clock();
    return send(c->fd, request, sizeof request - 1, 0) == sizeof request - 1;
  }
  for (size_t i = 0; i < MESSAGE; i += sizeof c->number)
    memcpy(message + i, &c->number, sizeof c->number);
  c->got = 0;
  c->sent = floor_clock();
  return send(c->fd, message, MESSAGE, 0) == MESSAGE;
}

static bool is_answer(const struct connection *c) {
  for (size_t i = 0; i < MESSAGE; i += sizeof c->number)
    if (memcmp(c->answer + i, &c->number, sizeof c->number) != 0)
      return false;
  return true;
}

/* Whether all of a response is there. */
static bool is_response(const struct connection *c) {
  int size = (int)sizeof text - 1;
  return c->got > size + (int)sizeof status_line &&
         memcmp(c->answer + c->got - size, text, (size_t)size) == 0 &&
         memcmp(c->answer, status_line, sizeof status_line - 1) == 0;
}

static bool receive(struct client *client, struct connection *c) {
  int most = client->is_http ? ANSWER : MESSAGE;
  ssize_t n = recv(c->fd, c->answer + c->got, (size_t)(most - c->got), 0);
  if (n <= 0) {
    client->why = "a connection broke";
    return false;
  }
  c->got += (int)n;
  if (c->got < most && !(client->is_http && is_response(c)))
    return true;
  if (client->is_http ? !is_response(c) : !is_answer(c)) {
    client->why = "what came back is not what was sent";
    return false;
  }
  client->seconds[client->ended++] = (float)(floor_clock() - c->sent);
  if (client->left > 0 && !send_next(client, c)) {
    client->why = "cannot send";
    return false;
  }
  return true;
}

static bool connect_all(struct client *client, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port)};
  int on = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < client->count; i++) {
    struct connection *c = &client->connections[i];
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(client->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
      client->why = "cannot connect";
      return false;
    }
  }
  return true;
}

/* Seconds that a process has been running. */
static double cpu_time(pid_t pid) {
  struct timespec time = {0};
  clockid_t clock;
  if (clock_getcpuclockid(pid, &clock) == 0)
    clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Makes so many trips over all connections; returns the seconds, or -1. */
static double make_trips(struct client *client, uint64_t trips) {
  struct epoll_event events[EVENTS];
  double start = floor_clock();
  client->left = trips;
  client->ended = 0;
  for (int i = 0; i < client->count && client->left > 0; i++)
    send_next(client, &client->connections[i]);
  while (client->ended < trips) {
    int n = epoll_wait(client->epoll, events, EVENTS, 10000);
    if (n <= 0) {
      client->why = "no answer for 10 seconds";
      return -1;
    }
    for (int i = 0; i < n; i++)
      if (!receive(client, events[i].data.ptr))
        return -1;
  }
  return floor_clock() - start;
}

static int compare(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static int report(const struct client *client, int trips, double seconds,
                  double cpu, double bytes) {
  size_t last = (size_t)trips - 1;
  if (seconds < 0) {
    fprintf(stderr, "floor: echo: %s\n", client->why);
    return 1;
  }
  qsort(client->seconds, (size_t)trips, sizeof *client->seconds, compare);
  printf("result echo ops=%d seconds=%.9f cpu=%.9f bytes=%.0f p50=%.9f "
         "p99=%.9f\n",
         trips, seconds, cpu, bytes, (double)client->seconds[last / 2],
         (double)client->seconds[last * 99 / 100]);
  return 0;
}

static int drive(struct server server, int count, int trips, enum mode mode) {
  struct client client = {
      .count = count, .is_http = mode == HTTP, .why = "no memory"};
  double seconds = -1, cpu = 0, bytes;
  int status;
  client.connections = calloc((size_t)count, sizeof *client.connections);
  client.seconds = calloc((size_t)trips, sizeof *client.seconds);
  client.epoll = epoll_create1(0);
  if (client.connections != NULL && client.seconds != NULL &&
      connect_all(&client, server.port) &&
      make_trips(&client, (uint64_t)(trips / 10 + 1)) >= 0) {
    cpu = cpu_time(server.pid);
    seconds = make_trips(&client, (uint64_t)trips);
    cpu = cpu_time(server.pid) - cpu;
  }
  bytes = floor_memory(server.pid, mode == IDLE ? "VmRSS" : "VmHWM");
  if (mode == IDLE)
    bytes = (bytes - server.bytes) / count;
  status = report(&client, trips, seconds, cpu, bytes);
  for (int i = 0; client.connections != NULL && i < count; i++)
    if (client.connections[i].fd > 0)
      close(client.connections[i].fd);
  close(client.epoll);
  free(client.seconds);
  free(client.connections);
  return status;
}

static int run_mode(int argc, char **argv, enum mode mode) {
  int status = 1, count, trips;
  struct server server;
  if (argc < 5)
    return 2;
  count = atoi(argv[0]), trips = atoi(argv[1]);
  if (count < 1 || trips < 1)
    return 2;
  if (mode == IDLE && trips < count)
    trips = count;
  floor_pin(0, atoi(argv[2]));
  server = start_server(argv + 4, atoi(argv[3]));
  if (server.pid > 0 && server.port > 0)
    status = drive(server, count, trips, mode);
  else
    fprintf(stderr, "floor: %s printed no port\n", argv[4]);
  stop_server(&server);
  return status;
}

int floor_echo(int argc, char **argv) { return run_mode(argc, argv, ECHO); }

int floor_idle(int argc, char **argv) { return run_mode(argc, argv, IDLE); }

int floor_http(int argc, char **argv) { return run_mode(argc, argv, HTTP); }
