-- Random calls of everything there is, in every place where Lua calls a function.
--
--     lua5.4 spec/torture/calls.lua SEED PROGRAMS
--
-- A program is a run on the virtual clock in which public functions, methods and
-- metamethods are called with values of a pool: scalars, tables of options, hostile
-- tables, coroutines, objects of this engine and of closed ones, and functions that do
-- the same again: as tasks, generators, handlers, comparators, finalizers, hooks.
-- Nothing is said of what a call returns or raises. What must hold: nothing crashes or
-- hangs, a program leaves nothing behind, and the engine works afterwards. Every few
-- programs the engine is closed, by a finalizer in the midst or from outside, and
-- another one opened.
--
-- A process of its own, that prints the seed of each program before it runs.
local first, programs = math.tointeger(arg[1]), math.tointeger(arg[2])
-- Kept, whatever happens to the globals.
local real = { pcall = pcall, type = type, table = table }
io.stdout:setvbuf "line"

local rille, random, budget, depth

-- As that of spec/helper.lua, which holds the module of the first engine.
local function new_random(seed)
  local state = seed * 2862933555777941757 + 3037000493
  return function(low, high)
    if not high then low, high = 1, low end
    state = state * 6364136223846793005 + 1442695040888963407
    return low + (state >> 33) % (high - low + 1)
  end
end

package.path = "./?.lua;" .. package.path
local words = require "spec.torture.calls_words"
local NAMES, NUMEROUS = words.NAMES, words.NUMEROUS

local functions = {} -- of the module, as { name, fn }
local keys = {}
for key in words.KEYS:gmatch "%S+" do keys[#keys + 1] = math.tointeger(key) or key end

local pool = {}
local act -- a random call in a random place

local function keep(...)
  for i = 1, real.table.pack(...).n do
    local value = (select(i, ...))
    if value ~= nil then pool[#pool < 80 and #pool + 1 or random(#pool)] = value end
  end
end

local function number()
  if random(12) == 1 then return words.AWKWARD[random(#words.AWKWARD)] end
  return words.NUMBERS[random(#words.NUMBERS)]
end

local value

-- A function of the script's: it does some calls, then ends in one way or another.
local function make_function()
  local calls, ending = random(0, 3), random(12)
  return function(...)
    budget = budget - 1
    if budget < -20000 then print "runaway" os.exit(0) end
    if budget < 0 then
      real.pcall(function() rille.root():cancel "enough" end)
      error("enough", 0)
    end
    if random(4) == 1 then keep(...) end
    for _ = 1, calls do act() end
    if ending == 1 then error(value(), 0) end
    if ending == 2 then return nil, value() end
    if ending == 3 then return coroutine.yield(value()) end
    if ending == 4 then rille.yield() end
    if ending == 5 then return ... end
    if ending == 6 then return make_function() end
    if ending == 7 then rille.sleep(number()) end
    return value(), value()
  end
end

-- A table that any operation on it makes call something.
local function make_hostile()
  local meta = {}
  for _, name in ipairs { "__index", "__newindex", "__call", "__close", "__gc", "__eq", "__len",
    "__tostring", "__name", "__pairs", "__lt", "__concat", "__metatable", "__mode", "__unm" } do
    if random(3) == 1 then meta[name] = random(4) == 1 and value() or make_function() end
  end
  local ok, object = real.pcall(setmetatable, {}, meta)
  return ok and object or {}
end

local function make_options(small)
  local options = {}
  for _ = 1, random(0, 4) do
    local v = value()
    if small and real.type(v) == "number" then v = random(0, 3) end
    options[keys[random(#keys)]] = v
  end
  return options
end

local function make_list()
  local list = {}
  for i = 1, random(0, 4) do list[i] = value() end
  return list
end

local function make_cases()
  local cases = {}
  for i = 1, random(1, 3) do
    local v = value()
    cases[i] = random(8) == 1 and false or { v, random(2) == 1 and make_function() or nil,
      send = random(3) == 1 and value() or nil }
  end
  return cases
end

function value()
  local kind = random(20)
  if kind <= 8 and #pool > 0 then return pool[random(#pool)] end
  if kind == 9 then return nil end
  if kind == 10 then return random(2) == 1 end
  if kind <= 12 then return number() end
  if kind == 13 then return words.TEXTS[random(#words.TEXTS)] end
  if kind == 14 then return make_hostile() end
  if kind == 15 then return make_options() end
  if kind == 16 then return make_list() end
  if kind == 17 then return make_cases() end
  if kind == 18 then
    local library = random(2) == 1 and coroutine or rille.coroutine
    return library.create(make_function())
  end
  return make_function()
end

-- Objects as they are meant to be made.
local makers = {
  function() return rille.channel(random(0, 2)) end,
  function() return rille.channel(1, { overflow = "drop_oldest", on_drop = make_function() }) end,
  function() return rille.semaphore(2) end,
  function() return rille.mutex() end,
  function() return rille.rwlock() end,
  function() return rille.event() end,
  function() return rille.bulkhead { max = 1, queue = 1 } end,
  function() return rille.broadcast { buffer = 1, overflow = words.TEXTS[random(4)] } end,
  function() return rille.broadcast():subscribe() end,
  function() return rille.event_bus() end,
  function() return rille.after(random(0, 2)) end,
  function() return rille.every(random(1, 2)) end,
  function()
    return rille.breaker { failure_threshold = 1, on_state_change = make_function() }
  end,
  function() return rille.limiter { rate = 2 } end,
  function() return rille.cache { size = 2, ttl = 1 } end,
  function() return rille.singleflight() end,
  function() return rille.once(make_function()) end,
  function() return rille.debounce(make_function(), { wait = 0.5 }) end,
  function() return rille.throttle(make_function(), { interval = 1, trailing = true }) end,
  function()
    return rille.policy { retry = { max_retries = 1 }, timeout = 1, hedge = { delay = 1 } }
  end,
  function() return rille.retry_budget {} end,
  function() return rille.root():task(make_function()) end,
  function()
    return rille.root():task(make_function(), { retry = { max_retries = 1 }, timeout = 1 })
  end,
  function()
    return rille.root():poll(make_function(), make_function(),
      { interval = 1, on_error = make_function() })
  end,
  function() return rille.scope() end,
  function() return rille.current() end,
  function() return rille.root() end,
  function()
    return rille.worker_pool { workers = 2, handler = make_function(), results = random(2) == 1 }
  end,
  function()
    return rille.resource_pool { create = make_function(), destroy = make_function(), max = 2,
      idle_timeout = 1 }
  end,
  function() return rille.pipeline(make_function(), { make_function(), workers = 2 }) end,
  function() return rille.fan_in(rille.channel(1), rille.channel(1)) end,
  function() return rille.stream { 1, 2, 3 } end,
  function() return rille.stream(make_function()) end,
  function() return rille.stream(rille.every(1)):map(make_function()):take(3) end,
  function() return rille.stream(rille.channel(1)):map_parallel(2, make_function()):batch(2, 1) end,
  function() return rille.selector { { rille.channel(1) }, { rille.channel(1), send = 1 } } end,
  function() return rille.coroutine.wrap(make_function()) end,
}

local function arguments(name)
  local list = real.table.pack()
  list.n = random(0, 4)
  for i = 1, list.n do
    list[i] = value()
    if NUMEROUS[name] then
      if real.type(list[i]) == "number" then list[i] = random(0, 3) end
      if random(2) == 1 then list[i] = make_options(true) end
    end
  end
  return list
end

-- The methods and metamethods of an object, as { name, fn }.
local function methods_of(object)
  local meta, list = debug.getmetatable(object), {}
  if real.type(meta) ~= "table" or rawget(meta, "__name") == nil then return list end
  local index = rawget(meta, "__index")
  for name, fn in next, real.type(index) == "table" and index or {} do
    if real.type(fn) == "function" then list[#list + 1] = { name, fn } end
  end
  for name, fn in next, meta do
    if real.type(fn) == "function" then list[#list + 1] = { name, fn } end
  end
  real.table.sort(list, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
  return list
end

local function call_function()
  local entry = functions[random(#functions)]
  local list = arguments(entry[1])
  keep(entry[2](real.table.unpack(list, 1, list.n)))
end

local function call_method()
  if random(6) == 1 or #pool == 0 then return keep(makers[random(#makers)]()) end
  local object = pool[random(#pool)]
  local kind = real.type(object)
  if kind == "function" and random(3) == 1 then return keep(object(value())) end
  local methods = (kind == "userdata" or kind == "table") and methods_of(object) or {}
  if #methods == 0 then return call_function() end
  local entry = methods[random(#methods)]
  local list = arguments(entry[1])
  if random(15) == 1 then object = value() end
  keep(entry[2](object, real.table.unpack(list, 1, list.n)))
end

local function call()
  if random(3) == 1 then call_function() else call_method() end
end

-- Places in which Lua calls a function.
local places = {}

function places.plain() call() end
function places.scope() keep(rille.scope(make_options(), make_function())) end
function places.task()
  keep(rille.root():task(make_function(), random(3) == 1 and make_options() or nil))
end
function places.supervised()
  -- In a scope of its own, whose failure is its end.
  keep(rille.timeout(5, rille.scope, function(s) s:go(make_function()) call() end))
end
function places.generator() keep(rille.coroutine.wrap(make_function())()) end
function places.coroutine() coroutine.wrap(make_function())() end
function places.closing()
  local _ <close> = setmetatable({}, { __close = make_function() })
  call()
end
function places.sort() table.sort({ 3, 1, 2 }, make_function()) end
function places.gsub() string.gsub("aa", "a", make_function()) end
function places.metamethod()
  local object = setmetatable({}, { __index = make_function(), __add = make_function() })
  if random(2) == 1 then keep(object.x) else keep(object + 1) end
end
function places.handler() xpcall(error, make_function(), value()) end
function places.hook()
  local fn = make_function()
  debug.sethook(function() debug.sethook() fn() end, "", random(40))
  local ok, err = real.pcall(call)
  debug.sethook()
  if not ok then error(err, 0) end
end
function places.finalizer()
  setmetatable({}, { __gc = make_function() })
  if random(2) == 1 then collectgarbage() end
end
function places.chunk()
  -- Without any upvalue, not even _ENV.
  load("local f, v = ... return f(v)")(call, value())
  load("return ...", "=x", "t")(value())
end
function places.iterator()
  local n = 0
  for v in make_function() do
    keep(v)
    n = n + 1
    if n == 2 then break end
  end
end
function places.loop()
  local v = value()
  local n = 0
  for item in v do
    keep(item)
    n = n + 1
    if n == 3 then break end
  end
end
function places.protected() keep(real.pcall(call)) end
function places.closed_value()
  local v <close> = value()
  keep(v)
end
function places.luv()
  local timer = rille.uv().new_timer()
  local fn = make_function()
  timer:start(0, 0, function() timer:close() real.pcall(fn) end)
end
function places.await() keep(rille.await(make_function())) end
function places.select()
  keep(rille.select(make_cases(), random(2) == 1 and { timeout = 1 } or nil))
end

local place_names = {}
for name in pairs(places) do place_names[#place_names + 1] = name end
table.sort(place_names)

function act()
  if depth > 60 then return end
  depth = depth + 1
  local place = random(3) == 1 and place_names[random(#place_names)] or "plain"
  local ok, err = real.pcall(places[place])
  depth = depth - 1
  -- A cancellation goes on, and one error in so many.
  if not ok and (rille.is_cancellation(err) or random(10) == 1) then error(err, 0) end
end

local function find_engine()
  for key, v in next, debug.getregistry() do
    local mine = real.type(key) == "userdata" and real.type(v) == "userdata"
    local meta = mine and debug.getmetatable(v)
    if meta and meta.__metatable == "rille.engine" then return v, meta.__gc end
  end
end

local function close_engine()
  local engine, close = find_engine()
  close(engine)
end

local function open_engine()
  package.loaded.rille = nil
  rille = require "rille"
  functions = {}
  for name in NAMES:gmatch "%S+" do
    local found = rille[name]
    if real.type(found) == "function" then functions[#functions + 1] = { name, found } end
  end
  for name, fn in next, rille do -- none is forgotten
    assert(words.SKIPPED[name] or real.type(fn) ~= "function"
      or NAMES:find("%f[%w_]" .. name .. "%f[^%w_]"), name)
  end
end

-- The engine works, and nothing of what was is left.
local function check(seed)
  debug.sethook()
  collectgarbage()
  -- What luv closes, it closes in its loop's next turn.
  rille.run({ clock = "virtual" }, function() rille.yield() end)
  local leaks = rille.testing.leaks()
  for _, leak in ipairs(leaks) do print("left behind", leak.kind, leak.name) end
  assert(#leaks == 0, "left behind by seed " .. seed)
  local got = rille.run({ clock = "virtual" }, function()
    local ch = rille.channel()
    return (rille.scope(function(s)
      s:go(function() for i = 1, 3 do ch:send(i) end ch:close() end)
      local sum = 0
      for v in ch do sum = sum + v rille.sleep(1) end
      return sum
    end))
  end)
  assert(got == 6, "it does not work after seed " .. seed)
end

local function program(seed)
  random = new_random(seed)
  budget, depth = 400, 0
  local closes = random(10) == 1 and random(200)
  local ok, err = real.pcall(rille.run, { clock = "virtual", seed = seed, timeout = 100,
    schedule = random(2) == 1 and "random" or "fifo", grace = 1 }, function()
    local s = rille.root()
    if random(2) == 1 then
      s:go({ daemon = true }, function()
        for _ = 1, 20 do
          rille.sleep(random(0, 20) / 10)
          depth = 0
          if random(3) == 1 then collectgarbage() end
        end
        s:cancel "the end"
      end)
    end
    for i = 1, 100 do
      if i == closes then
        setmetatable({}, { __gc = close_engine })
        collectgarbage()
      end
      local ok, err = real.pcall(act)
      if not ok and (rille.is_cancellation(err) or random(200) == 1) then error(err, 0) end
    end
  end)
  debug.sethook()
  if os.getenv "VERBOSE" then
    local told, text = real.pcall(tostring, err)
    print(ok, budget, told and text)
  end
end

open_engine()
for seed = first, first + programs - 1 do
  print("SEED " .. seed)
  program(seed)
  local closed = not real.pcall(rille.channel)
  if not closed then check(seed) end
  if closed or random(8) == 1 then
    if not closed then close_engine() end
    open_engine()
    check(seed)
    -- What is left of the engines before is called, too.
    for i = #pool, 1, -1 do if random(2) == 1 then table.remove(pool, i) end end
  end
end
-- What a finalizer makes while the state closes, Lua does not finalize.
budget = -1
print "done"
