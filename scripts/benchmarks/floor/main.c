/* main.c - see floor.h. */
#define _GNU_SOURCE /* CPU_SET */
#include "floor.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

double floor_memory(int pid, const char *field) {
  char path[64], line[256];
  size_t length = strlen(field);
  double kib = 0;
  FILE *file;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  file = fopen(path, "r");
  if (file == NULL)
    return 0;
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, field, length) == 0 &&
        sscanf(line + length, ": %lf", &kib) == 1)
      break;
  fclose(file);
  return kib * 1024;
}

void floor_pin(int pid, int cpu) {
  cpu_set_t set;
  if (cpu < 0)
    return;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  sched_setaffinity(pid, sizeof set, &set); /* else it runs where it may */
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
  } commands[] = {{"run", floor_script},
                  {"echo", floor_echo},
                  {"idle", floor_idle},
                  {"http", floor_http},
                  {"start", floor_start}};
  for (size_t i = 0; argc > 2 && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(argv[1], commands[i].name) == 0)
      return commands[i].run(argc - 2, argv + 2);
  fprintf(stderr,
          "usage: bench_floor run SCRIPT ROW OPS TASKS\n"
          "       bench_floor echo|idle|http CONNECTIONS TRIPS CPU SERVER-CPU "
          "COMMAND...\n"
          "       bench_floor start TIMES COMMAND...\n");
  return 2;
}
