/*
 * awaitable.c - a wait of a C module's own.
 *
 * `work.triple(n)` computes in libuv's thread pool and suspends only the task
 * that calls it, with rille_wait; the callback makes that task ready with
 * rille_wake. Two rules of libuv shape the code: a work request that has
 * started cannot be stopped, and its memory must last until its callback. So
 * the request is malloc'd, and a cancelled wait leaves it to its callback.
 *
 *     task -- rille_wait --> parked            after_cb -- rille_wake --> task
 *               |                                 ^
 *               +-- uv_queue_work --> thread -----+
 */
#include <lauxlib.h>
#include <lualib.h>
#include <rille.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* expect: 3 * 1 = 3 */
/* expect: 3 * 2 = 6 */
/* expect: 3 * 3 = 9 */
/* expect: three results while 3 tasks waited */
/* expect: the slow one: timeout */
/* expect: requests left: 0 */

struct job {
  uv_work_t request;
  struct call *call; /* who waits; NULL once cancelled */
  bool is_slow;
  int n, result;
};

/* Lives on the stack of the C function, as a userdata: lasts for the wait. */
struct call {
  struct rille_awaitable awaitable; /* first, so that cancel finds the call */
  struct job *job;                  /* NULL once done */
  int result;
};

static uv_sem_t enough; /* posted when nobody waits for the slow job */

static void work_cb(uv_work_t *request) { /* in a thread of the pool */
  struct job *job = request->data;
  if (job->is_slow)
    uv_sem_wait(&enough);
  job->result = job->n * 3;
}

static void after_cb(uv_work_t *request, int status) { /* in the loop */
  struct job *job = request->data;
  (void)status;
  if (job->call != NULL) {
    job->call->job = NULL;
    job->call->result = job->result;
    rille_wake(&job->call->awaitable);
  }
  free(job);
}

/* The wait was cancelled: the job goes on without us, or not at all. */
static void cancel_call(struct rille_awaitable *awaitable) {
  struct call *call = (struct call *)awaitable;
  if (call->job == NULL)
    return;
  call->job->call = NULL;
  uv_cancel((uv_req_t *)&call->job->request);
  call->job = NULL;
}

static int triple_k(lua_State *L, int status, lua_KContext ctx) {
  struct call *call = (struct call *)ctx;
  (void)status;
  lua_pushinteger(L, call->result);
  return 1;
}

/* triple(n [, is_slow]): 3 * n; suspends. */
static int l_triple(lua_State *L) {
  int n = (int)luaL_checkinteger(L, 1);
  bool is_slow = lua_toboolean(L, 2);
  struct call *call = lua_newuserdatauv(L, sizeof *call, 0);
  struct job *job = malloc(sizeof *job);
  if (job == NULL)
    return luaL_error(L, "not enough memory");
  *call = (struct call){.awaitable.cancel = cancel_call, .job = job};
  *job = (struct job){.call = call, .n = n, .is_slow = is_slow};
  job->request.data = job;
  uv_queue_work(rille_loop(L), &job->request, work_cb, after_cb);
  return rille_wait(L, &call->awaitable, (lua_KContext)call, triple_k);
}

static int luaopen_work(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, l_triple);
  lua_setfield(L, -2, "triple");
  return 1;
}

static const char script[] =
    "local rille, work = require 'rille', require 'work'\n"
    "rille.scope(function(s)\n"
    "  local tasks = {}\n"
    "  for i = 1, 3 do\n"
    "    tasks[i] = s:task(function() return work.triple(i) end)\n"
    "  end\n"
    "  for i, t in ipairs(tasks) do print('3 * ' .. i .. ' = ' .. t:await())"
    " end\n"
    "end)\n"
    "print('three results while 3 tasks waited')\n"
    "local value, err = rille.timeout(0.01, work.triple, 1, true)\n"
    "print('the slow one: ' .. (value or err.kind))\n";

int main(void) {
  lua_State *L = luaL_newstate();
  uv_sem_init(&enough, 0);
  luaL_openlibs(L);
  luaL_requiref(L, "work", luaopen_work, 0);
  lua_pop(L, 1);
  if (rille_open(L, NULL) != 0 || luaL_loadstring(L, script) != LUA_OK)
    return EXIT_FAILURE;
  int status = rille_run(L, 1);
  if (status != LUA_OK) {
    rille_report(L);
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
  }
  /* The timed-out job is still in its thread, if it has come to one. */
  uv_sem_post(&enough);
  int left = uv_run(rille_loop(L), UV_RUN_DEFAULT);
  printf("requests left: %d\n", left);
  lua_close(L);
  uv_sem_destroy(&enough);
  return status == LUA_OK && left == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
