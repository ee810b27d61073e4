/*
 * start.c - how long a program takes to start, do nothing and end.
 *
 *     bench_floor start TIMES COMMAND...
 *
 * Each time from before the fork until the child has been waited for. Prints
 * a line as ../harness.lua does; the bytes are the largest child's memory.
 */
#include "floor.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int start_once(char **command) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &status, 0) < 0)
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int floor_start(int argc, char **argv) {
  int times = atoi(argv[0]);
  struct rusage children;
  double start = 0;
  if (argc < 2 || times < 1)
    return 2;
  for (int i = -1; i < times; i++) { /* the first is not counted */
    if (i == 0)
      start = floor_clock();
    if (start_once(argv + 1) != 0) {
      fprintf(stderr, "floor: %s did not end with status 0\n", argv[1]);
      return 1;
    }
  }
  start = floor_clock() - start;
  getrusage(RUSAGE_CHILDREN, &children);
  printf("result start ops=%d seconds=%.9f bytes=%.0f\n", times, start,
         (double)children.ru_maxrss * 1024);
  return 0;
}
