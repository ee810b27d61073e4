/*
 * floor.h - the C program of the benchmarks: bare Lua, the client of the echo
 * servers, and how long a program takes to start.
 */
#ifndef FLOOR_H
#define FLOOR_H

/* Seconds of the monotonic clock. */
double floor_clock(void);

/* Runs argv[0], a script of rows; argv[1] and on are its arguments. */
int floor_script(int argc, char **argv);

/* Starts a server, drives it, ends it: see echo.c. */
int floor_echo(int argc, char **argv);
int floor_idle(int argc, char **argv);
int floor_http(int argc, char **argv);

/* Starts a program again and again: see start.c. */
int floor_start(int argc, char **argv);

/* A field of /proc/PID/status in bytes, 0 if unknown: "VmRSS" is what is
 * resident, "VmHWM" its peak. */
double floor_memory(int pid, const char *field);

/* Binds process `pid` (0: this one) to one CPU, if `cpu` is not negative. */
void floor_pin(int pid, int cpu);

#endif
