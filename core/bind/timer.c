/*
 * timer.c - sleeping, and the two timers that can be waited for.
 *
 * rille.after is an alarm, rille.every a ticker. Neither has a timer in the
 * engine's heap while nobody waits for it, so neither keeps a program alive
 * nor hides a deadlock: when it is due follows from when it was made.
 */
#include "bind.h"

struct rl_alarm {
  struct rl_head head;
  struct rille_engine *engine;
  struct rille_source source;
  struct rille_timer timer;
  int64_t due;           /* ns */
  bool ticks;            /* a ticker: it fires again and again */
  bool stopped;          /* or taken */
  int64_t start, period; /* of a ticker, ns */
  int64_t count;         /* ticks delivered */
};

/* sleep, now */

static int sleep_k(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  rl_resumed(L, rl_engine(L), ctx, sleep_k);
  return 0;
}

static int sleep_until(lua_State *L, struct rl_task *task, int64_t due) {
  return rl_wait(L, task, NULL, 0, due, 0, 0, sleep_k);
}

/***
Suspends for a time. 0 lets timers and input come first: a full turn.
@function sleep
@tparam number seconds negative counts as 0; math.huge is for ever
@raise cancelled
@usage rille.sleep(0.25)
*/
static int l_sleep(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  int64_t span = rl_check_span(L, 1);
  struct rl_task *task = rl_enter(L, engine);
  return sleep_until(L, task, rille_time_add(rille_now(&engine->core), span));
}

/***
Suspends until an instant.
@function sleep_until
@tparam number t a `rille.now()` time, in seconds
@raise cancelled
*/
static int l_sleep_until(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  int64_t due = rl_check_instant(L, 1);
  struct rl_task *task = rl_enter(L, engine);
  return sleep_until(L, task, due);
}

/***
The engine's monotonic clock. Never suspends.
@function now
@treturn number seconds
*/
static int l_now(lua_State *L) {
  rl_push_seconds(L, rille_now(&rl_engine(L)->core));
  return 1;
}

/* What alarms and tickers share */

static struct rl_alarm *alarm_of(struct rille_source *source) {
  return RILLE_ENTRY(source, struct rl_alarm, source);
}

static bool alarm_ready(struct rille_source *source) {
  const struct rl_alarm *alarm = alarm_of(source);
  return !alarm->stopped && alarm->due <= rille_now(alarm->engine) &&
         rille_list_empty(&source->waiters);
}

static void want_alarm(struct rille_engine *engine, struct rille_source *source,
                       bool wanted);

static const struct rille_source_type alarm_source = {"after", alarm_ready,
                                                      want_alarm, NULL};
static const struct rille_source_type ticker_source = {"every", alarm_ready,
                                                       want_alarm, NULL};

static void alarm_cb(struct rille_engine *engine, struct rille_timer *timer) {
  struct rl_alarm *alarm = RILLE_ENTRY(timer, struct rl_alarm, timer);
  (void)engine;
  alarm->stopped = !alarm->ticks;
  rille_source_fire(&alarm->source, 0);
}

static void want_alarm(struct rille_engine *engine, struct rille_source *source,
                       bool wanted) {
  struct rl_alarm *alarm = alarm_of(source);
  if (!wanted)
    rille_timer_stop(engine, &alarm->timer);
  else if (!alarm->stopped)
    rille_timer_start(engine, &alarm->timer, alarm->due, alarm_cb);
}

/* Takes an alarm, or the ticks of a ticker that are due; pushes what it
 * gives. */
static int push_alarm(lua_State *L, struct rl_engine *engine,
                      struct rl_alarm *alarm) {
  int64_t now = rille_now(&engine->core);
  if (!alarm->ticks) {
    alarm->stopped = true;
    lua_pushboolean(L, 1);
    return 1;
  }
  alarm->count = (now - alarm->start) / alarm->period;
  alarm->due = alarm->count + 1 > (RILLE_FOREVER - alarm->start) / alarm->period
                   ? RILLE_FOREVER
                   : alarm->start + alarm->period * (alarm->count + 1);
  if (!rille_list_empty(&alarm->source.waiters))
    want_alarm(&engine->core, &alarm->source, true);
  lua_pushinteger(L, alarm->count);
  return 1;
}

static int wait_k(lua_State *L, int status, lua_KContext ctx) {
  struct rl_alarm *alarm = lua_touserdata(L, 1);
  struct rl_engine *engine = rl_engine(L);
  (void)status;
  rl_resumed(L, engine, ctx, wait_k);
  if (engine->core.current->wait.event != 0) /* stopped meanwhile */
    return 0;
  return push_alarm(L, engine, alarm);
}

static int wait_alarm(lua_State *L, struct rl_engine *engine,
                      struct rl_alarm *alarm) {
  struct rl_task *task = rl_enter(L, engine);
  lua_settop(L, 1);
  if (alarm_ready(&alarm->source))
    return rl_return(L, task, push_alarm(L, engine, alarm));
  return rl_wait_one(L, task, &alarm->source, 0, 0, wait_k);
}

static int stop_alarm(lua_State *L, struct rl_alarm *alarm) {
  struct rl_engine *engine = rl_engine(L);
  alarm->stopped = true;
  rille_timer_stop(&engine->core, &alarm->timer);
  if (alarm->ticks)
    rille_source_fire_all(&alarm->source, 1);
  return 0;
}

static struct rl_alarm *new_alarm(lua_State *L, struct rl_engine *engine,
                                  const struct rl_type *type, int meta,
                                  const struct rille_source_type *source,
                                  int64_t span) {
  struct rl_alarm *alarm = lua_newuserdatauv(L, sizeof *alarm, 0);
  *alarm = (struct rl_alarm){.head = rl_head(engine, type)};
  alarm->engine = &engine->core;
  rille_source_init(&alarm->source, source);
  alarm->start = rille_now(&engine->core);
  alarm->due = rille_time_add(alarm->start, span);
  rl_push_slot(L, engine, meta);
  lua_setmetatable(L, -2);
  return alarm;
}

static int alarm_tostring(lua_State *L, const struct rl_alarm *alarm,
                          const char *name) {
  lua_pushfstring(L, "rille.%s: due at %f%s", name,
                  (lua_Number)alarm->due / (lua_Number)RILLE_SECOND,
                  alarm->stopped ? " (stopped)" : "");
  return 1;
}

/*** Alarms.
@type after */

/***
Makes an alarm that fires once, for one taker, counted from now. A source for
select. Never suspends.
@function after
@tparam number seconds
@return the alarm
@usage rille.select{{results}, {rille.after(2), give_up}}
*/
static int l_after_new(lua_State *L) {
  struct rl_engine *engine = rl_engine(L);
  int64_t span = rl_check_span(L, 1);
  new_alarm(L, engine, &rl_alarm_type, RL_ALARM_META, &alarm_source, span);
  return 1;
}

static struct rl_alarm *check_alarm(lua_State *L) {
  return rl_check(L, 1, &rl_alarm_type);
}

/***
Waits for it. Suspends unless it is due; for ever when it was stopped or
taken.
@function after:wait
@treturn boolean true
@raise cancelled
*/
static int l_after_wait(lua_State *L) {
  struct rl_alarm *alarm = check_alarm(L);
  return wait_alarm(L, rl_engine(L), alarm);
}

/***
Stops it: it will not fire. Never suspends.
@function after:stop
*/
static int l_after_stop(lua_State *L) { return stop_alarm(L, check_alarm(L)); }

static int l_after_tostring(lua_State *L) {
  return alarm_tostring(L, check_alarm(L), "after");
}

/*** Tickers.
@type every */

/***
Makes a ticker: the first tick is after `seconds`, late ticks are one.
`for n in rille.every(1) do`; a source for select. Never suspends.
@function every
@tparam number seconds more than 0
@return the ticker
*/
static int l_every_new(lua_State *L) {
  static const char *const names[] = {NULL};
  struct rl_engine *engine = rl_engine(L);
  int64_t period = rl_check_span(L, 1);
  struct rl_alarm *ticker;
  if (period <= 0)
    rl_type_error(L, 1, "a period of more than 0 seconds");
  lua_settop(L, 2);
  rl_check_options(L, 2, names);
  ticker = new_alarm(L, engine, &rl_ticker_type, RL_TICKER_META, &ticker_source,
                     period);
  ticker->ticks = true;
  ticker->period = period;
  return 1;
}

static struct rl_alarm *check_ticker(lua_State *L) {
  return rl_check(L, 1, &rl_ticker_type);
}

/***
Waits for the next tick. Suspends unless one is due.
@function every:wait
@treturn integer the ticks since the start, those passed over included; nil
once stopped
@raise cancelled
*/
static int l_every_wait(lua_State *L) {
  struct rl_alarm *ticker = check_ticker(L);
  if (ticker->stopped)
    return lua_pushnil(L), 1;
  return wait_alarm(L, rl_engine(L), ticker);
}

/***
Stops it: loops over it end. Never suspends.
@function every:stop
*/
static int l_every_stop(lua_State *L) { return stop_alarm(L, check_ticker(L)); }

static int l_every_tostring(lua_State *L) {
  return alarm_tostring(L, check_ticker(L), "every");
}

static struct rille_source *alarm_source_of(void *object, bool sends) {
  return sends ? NULL : &((struct rl_alarm *)object)->source;
}

static int push_case(lua_State *L, struct rl_engine *engine, void *object,
                     bool sends, bool waited, int event) {
  (void)sends, (void)waited;
  lua_pop(L, 1);
  if (event != 0)
    return lua_pushnil(L), 1;
  return push_alarm(L, engine, object);
}

const struct rl_type rl_alarm_type = {"after", sizeof(struct rl_alarm),
                                      alarm_source_of, push_case};
const struct rl_type rl_ticker_type = {"every", sizeof(struct rl_alarm),
                                       alarm_source_of, push_case};

void rl_open_timer(lua_State *L) {
  static const luaL_Reg after_methods[] = {
      {"wait", l_after_wait}, {"stop", l_after_stop}, {NULL, NULL}};
  static const luaL_Reg after_meta[] = {{"__tostring", l_after_tostring},
                                        {"__close", l_after_stop},
                                        {NULL, NULL}};
  static const luaL_Reg every_methods[] = {
      {"wait", l_every_wait}, {"stop", l_every_stop}, {NULL, NULL}};
  static const luaL_Reg every_meta[] = {{"__call", l_every_wait},
                                        {"__tostring", l_every_tostring},
                                        {"__close", l_every_stop},
                                        {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"sleep", l_sleep},     {"sleep_until", l_sleep_until}, {"now", l_now},
      {"after", l_after_new}, {"every", l_every_new},         {NULL, NULL}};
  int engine = lua_gettop(L);
  rl_new_type(L, RL_ALARM_META, "after", after_methods, after_meta);
  rl_new_type(L, RL_TICKER_META, "every", every_methods, every_meta);
  rl_add_functions(L, functions);
  lua_settop(L, engine);
}
