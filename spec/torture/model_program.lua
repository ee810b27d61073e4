-- Random programs for the model spec: making them, running them, making them
-- smaller, showing them.
--
-- A program is data: {objects, body}. The body is a list of operations; some
-- hold a body of their own. It is run by one interpreter on either rille, the
-- engine's or the model's, and leaves a log: a line for each operation that
-- has ended, in the order in which they did.
local program = {}

-- Making

local gen = {}

local function pick(r, list) return list[r(#list)] end

local function channel_of(g) return g.random(#g.channels) end

local function value_of(g)
  g.values = g.values + 1
  return g.values
end

-- What can be waited for: a channel, subscription, task, semaphore, mutex, event
-- or alarm.
local function random_source(g)
  local dice = g.random(24)
  if dice <= 8 then return "channel", channel_of(g) end
  if dice <= 11 then return "sub", g.random(#g.subs) end
  if dice <= 13 and g.tasks > 0 then return "task", g.random(g.tasks) end
  if dice <= 15 then return "sem", g.random(#g.sems) end
  if dice <= 17 then return "mutex", g.random(g.mutexes) end
  if dice <= 19 then return "event", g.random(g.events) end
  return "alarm", g.random(0, 4)
end

local function random_case(g)
  local dice = g.random(20)
  if dice == 1 then return { kind = "none" } end
  if dice <= 8 then return { kind = "send", at = channel_of(g), value = value_of(g) } end
  local kind, at = random_source(g)
  return { kind = kind, at = at }
end

local function random_select(g)
  local op = { cases = {} }
  for i = 1, g.random(4) do op.cases[i] = random_case(g) end
  local dice = g.random(6)
  if dice == 1 then op.default = true end
  if dice <= 3 and dice > 1 then op.timeout = g.random(0, 4) end
  op.ordered = g.random(5) == 1
  return op
end

gen.select = random_select

function gen.sel_wait(g)
  return { at = g.random(#g.selectors), timeout = g.random(3) > 1 and g.random(0, 4) or nil }
end

function gen.sel_enable(g)
  local at = g.random(#g.selectors)
  return { at = at, count = g.random(#g.selectors[at].cases), on = g.random(2) == 1 }
end

function gen.sel_send(g)
  return { at = g.random(#g.selectors), value = value_of(g) }
end

function gen.send(g) return { at = channel_of(g), value = value_of(g) } end
function gen.recv(g) return { at = channel_of(g) } end
function gen.try_send(g) return gen.send(g) end
function gen.try_recv(g) return gen.recv(g) end
function gen.recv_many(g) return { at = channel_of(g), count = g.random(4) } end

function gen.send_many(g)
  local op = { at = channel_of(g), list = {} }
  for i = 1, g.random(0, 4) do op.list[i] = value_of(g) end
  return op
end

function gen.close(g) return { at = channel_of(g) } end
function gen.sub_recv(g) return { at = g.random(#g.subs) } end
gen.sub_try_recv, gen.sub_close = gen.sub_recv, gen.sub_recv
function gen.publish(g) return { at = g.random(#g.broadcasts), value = value_of(g) } end
function gen.close_broadcast(g) return { at = g.random(#g.broadcasts) } end

function gen.acquire(g)
  local at = g.random(#g.sems)
  return { at = at, count = g.random(g.sems[at]) }
end
gen.try_acquire, gen.release = gen.acquire, gen.acquire

function gen.lock(g) return { at = g.random(g.mutexes) } end
gen.try_lock, gen.unlock = gen.lock, gen.lock

function gen.lock_read(g) return { at = g.random(g.rwlocks) } end
gen.lock_write, gen.try_lock_read, gen.try_lock_write = gen.lock_read, gen.lock_read, gen.lock_read
gen.unlock_read, gen.unlock_write = gen.lock_read, gen.lock_read

function gen.set(g) return { at = g.random(g.events) } end
gen.clear, gen.wait_event, gen.is_set = gen.set, gen.set, gen.set

function gen.fail() return {} end

function gen.sleep(g) return { count = g.random(0, 4) } end
function gen.yield() return {} end
function gen.await(g) return { at = g.random(math.max(g.tasks, 1)) } end
gen.cancel = gen.await
function gen.cancel_scope(g) return { at = g.random(math.max(g.scopes, 1)) } end

local function random_body(g, count, depth)
  local body = {}
  for i = 1, count do body[i] = gen.operation(g, depth) end
  return body
end

local function block(g, depth, count)
  return { count = count, body = random_body(g, g.random(4), depth + 1) }
end

function gen.timeout(g, depth) return block(g, depth, g.random(0, 5)) end
gen.shield, gen.defer = gen.timeout, gen.timeout

-- A block under a permit or a lock.
local function block_at(g, depth, count)
  local op = block(g, depth)
  op.at = g.random(count)
  return op
end

function gen.sem_call(g, depth) return block_at(g, depth, #g.sems) end
function gen.mutex_call(g, depth) return block_at(g, depth, g.mutexes) end
function gen.read(g, depth) return block_at(g, depth, g.rwlocks) end
gen.write = gen.read

function gen.scope(g, depth)
  g.scopes = g.scopes + 1
  local id = g.scopes
  local op = block(g, depth, g.random(4) == 1 and g.random(2) or nil)
  op.at, op.timeout = id, g.random(4) == 1 and g.random(0, 4) or nil
  op.shield = op.timeout and g.random(3) == 1 or nil
  op.goes_on = g.random(4) == 1
  return op
end

function gen.spawn(g, depth)
  g.tasks = g.tasks + 1
  local id = g.tasks
  local op = block(g, depth)
  op.at, op.daemon = id, g.random(6) == 1
  return op
end

gen.go = gen.spawn

local weights = {
  send = 9, recv = 9, try_send = 3, try_recv = 3, send_many = 3, recv_many = 3, close = 1,
  select = 12, publish = 4, sub_recv = 4, sub_try_recv = 2, sub_close = 1, close_broadcast = 1,
  acquire = 5, try_acquire = 2, release = 5, sleep = 6, yield = 3, await = 2, cancel = 3,
  cancel_scope = 1, timeout = 4, shield = 2, scope = 4, spawn = 5, go = 3, fail = 2, defer = 2,
  sel_wait = 6, sel_enable = 2, sel_send = 1, lock = 2, try_lock = 1, unlock = 3, mutex_call = 2,
  lock_read = 2, lock_write = 1, try_lock_read = 1, try_lock_write = 1, unlock_read = 2,
  unlock_write = 2, read = 1, write = 1, sem_call = 1, set = 2, clear = 1, wait_event = 2,
  is_set = 1,
}
local names, total = {}, 0
for name in pairs(weights) do table.insert(names, name) end
table.sort(names)
for _, name in ipairs(names) do total = total + weights[name] end

local function random_name(g)
  local dice = g.random(total)
  for _, name in ipairs(names) do
    dice = dice - weights[name]
    if dice <= 0 then return name end
  end
end

local plain = { timeout = "sleep", shield = "yield", scope = "send", spawn = "recv", go = "send",
  defer = "yield", sem_call = "acquire", mutex_call = "lock", read = "lock_read",
  write = "lock_write" }

function gen.operation(g, depth)
  local name = random_name(g)
  local starts = name == "spawn" or name == "go"
  if depth > 4 or starts and g.tasks >= 12 then name = plain[name] or name end
  local op = gen[name](g, depth)
  g.ids = g.ids + 1
  op.name, op.id, op.catch = name, g.ids, g.random(4) == 1
  return op
end

local overflows = { "block", "block", "block", "drop_oldest", "drop_newest", "error" }

local function random_channel(r)
  local overflow = pick(r, overflows)
  return { capacity = pick(r, overflow == "block" and { 0, 0, 1, 2, 5, math.huge } or { 1, 2 }),
    overflow = overflow }
end

local function random_objects(g)
  local r = g.random
  for i = 1, r(3) do g.channels[i] = random_channel(r) end
  for i = 1, r(2) do g.sems[i] = r(3) end
  for i = 1, r(2) do
    g.broadcasts[i] = true
    for _ = 1, r(2) do
      local sub = random_channel(r)
      sub.of = i
      table.insert(g.subs, sub)
    end
  end
  g.mutexes, g.rwlocks, g.events = r(2), 1, r(2)
  for i = 1, r(2) do g.selectors[i] = random_select(g) end
end

--- A random program.
function program.new(random)
  local g = { random = random, channels = {}, sems = {}, broadcasts = {}, subs = {},
    selectors = {}, tasks = 0, scopes = 0, ids = 0, values = 0 }
  random_objects(g)
  local body = {}
  for i = 1, random(2, 6) do
    g.tasks = g.tasks + 1
    local id = g.tasks
    g.ids = g.ids + 1
    body[i] = { name = "spawn", at = id, id = g.ids, body = random_body(g, random(2, 8), 1) }
  end
  return { channels = g.channels, sems = g.sems, broadcasts = g.broadcasts, subs = g.subs,
    mutexes = g.mutexes, rwlocks = g.rwlocks, events = g.events, selectors = g.selectors,
    body = body, count = g.ids }
end

-- Running

local function to_case(w, case)
  if case.kind == "none" then return false end
  if case.kind == "send" then return { w.channels[case.at], send = case.value } end
  if case.kind == "alarm" then return { w.lib.after(case.at) } end
  local list = case.kind == "channel" and w.channels or case.kind == "sub" and w.subs
    or case.kind == "sem" and w.sems or case.kind == "mutex" and w.mutexes
    or case.kind == "event" and w.events or w.tasks
  return list[case.at] and { list[case.at] } or false
end

local function to_cases(w, op)
  local cases = {}
  for i, case in ipairs(op.cases) do cases[i] = to_case(w, case) end
  return cases, { timeout = op.timeout, default = op.default, ordered = op.ordered }
end

local function make_objects(lib, p, log)
  local w = { lib = lib, tasks = {}, scopes = {}, channels = {}, sems = {}, broadcasts = {},
    subs = {}, mutexes = {}, rwlocks = {}, events = {}, selectors = {} }
  for i, c in ipairs(p.channels) do
    w.channels[i] = lib.channel(c.capacity, { overflow = c.overflow,
      on_drop = function(value) log("drop " .. value) end })
  end
  for i, limit in ipairs(p.sems) do w.sems[i] = lib.semaphore(limit) end
  for i in ipairs(p.broadcasts) do w.broadcasts[i] = lib.broadcast() end
  for i, sub in ipairs(p.subs) do
    w.subs[i] = w.broadcasts[sub.of]:subscribe("s" .. i, { buffer = sub.capacity,
      overflow = sub.overflow })
  end
  for i = 1, p.mutexes do w.mutexes[i] = lib.mutex() end
  for i = 1, p.rwlocks do w.rwlocks[i] = lib.rwlock() end
  for i = 1, p.events do w.events[i] = lib.event() end
  for i, op in ipairs(p.selectors) do w.selectors[i] = lib.selector(to_cases(w, op)) end
  return w
end

local do_op = {}
local run_body

function do_op.select(w, op)
  local cases, opts = to_cases(w, op)
  return w.lib.select(cases, opts, op.id)
end

function do_op.sel_wait(w, op) return w.selectors[op.at]:wait(op.timeout, op.id) end
function do_op.sel_enable(w, op) return w.selectors[op.at]:enable(op.count, op.on) end

-- The first case that sends, if there is one.
function do_op.sel_send(w, op)
  for i, case in ipairs(w.p.selectors[op.at].cases) do
    if case.kind == "send" then return w.selectors[op.at]:set_send(i, op.value) end
  end
end

function do_op.send(w, op) return w.channels[op.at]:send(op.value) end
function do_op.recv(w, op) return w.channels[op.at]:recv() end
function do_op.try_send(w, op) return w.channels[op.at]:try_send(op.value) end
function do_op.try_recv(w, op) return w.channels[op.at]:try_recv() end
function do_op.recv_many(w, op) return w.channels[op.at]:recv_many(op.count) end
function do_op.send_many(w, op) return w.channels[op.at]:send_many(op.list) end
function do_op.close(w, op) return w.channels[op.at]:close() end
function do_op.sub_recv(w, op) return w.subs[op.at]:recv() end
function do_op.sub_try_recv(w, op) return w.subs[op.at]:try_recv() end
function do_op.sub_close(w, op) return w.subs[op.at]:close() end
function do_op.publish(w, op) return w.broadcasts[op.at]:send(op.value) end
function do_op.close_broadcast(w, op) return w.broadcasts[op.at]:close() end
function do_op.acquire(w, op) return w.sems[op.at]:acquire(op.count) end
function do_op.try_acquire(w, op) return w.sems[op.at]:try_acquire(op.count) end
function do_op.release(w, op) return w.sems[op.at]:release(op.count) end
function do_op.lock(w, op) return w.mutexes[op.at]:acquire() end
function do_op.try_lock(w, op) return w.mutexes[op.at]:try_acquire() end
function do_op.unlock(w, op) return w.mutexes[op.at]:release() end
function do_op.lock_read(w, op) return w.rwlocks[op.at]:acquire_read() end
function do_op.lock_write(w, op) return w.rwlocks[op.at]:acquire_write() end
function do_op.try_lock_read(w, op) return w.rwlocks[op.at]:try_acquire_read() end
function do_op.try_lock_write(w, op) return w.rwlocks[op.at]:try_acquire_write() end
function do_op.unlock_read(w, op) return w.rwlocks[op.at]:release_read() end
function do_op.unlock_write(w, op) return w.rwlocks[op.at]:release_write() end
function do_op.set(w, op) return w.events[op.at]:set() end
function do_op.clear(w, op) return w.events[op.at]:clear() end
function do_op.is_set(w, op) return w.events[op.at]:is_set() end
function do_op.wait_event(w, op) return w.events[op.at]:wait() end
function do_op.fail(_, op) error({ kind = "bug" .. op.id }, 0) end
function do_op.sleep(w, op) return w.lib.sleep(op.count) end
function do_op.yield(w) return w.lib.yield() end

function do_op.await(w, op)
  if not w.tasks[op.at] then return "nobody" end
  return w.tasks[op.at]:await()
end

function do_op.cancel(w, op)
  return w.tasks[op.at] and w.tasks[op.at]:cancel()
end

function do_op.cancel_scope(w, op)
  return w.scopes[op.at] and w.scopes[op.at]:cancel()
end

function do_op.timeout(w, op, ctx)
  return w.lib.timeout(op.count, function() return run_body(w, op.body, ctx) end)
end

function do_op.shield(w, op, ctx)
  return w.lib.shield(op.count, function() return run_body(w, op.body, ctx) end)
end

-- A block under something that `call` takes.
local function under(list, call)
  do_op[call.name] = function(w, op, ctx)
    return w[list][op.at][call.method](w[list][op.at], function()
      return run_body(w, op.body, ctx)
    end)
  end
end

under("sems", { name = "sem_call", method = "call" })
under("mutexes", { name = "mutex_call", method = "call" })
under("rwlocks", { name = "read", method = "read" })
under("rwlocks", { name = "write", method = "write" })

-- With a deadline of its own: nothing else would end it.
function do_op.defer(w, op, ctx)
  return ctx.scope:defer(function()
    return w.lib.timeout(op.count, function() return run_body(w, op.body, ctx) end)
  end)
end

function do_op.scope(w, op, ctx)
  local opts = { concurrency = op.count, timeout = op.timeout, shield = op.shield,
    on_error = op.goes_on and "continue" or nil }
  return w.lib.scope(opts, function(s)
    w.scopes[op.at] = s
    return run_body(w, op.body, { id = ctx.id, scope = s })
  end)
end

function do_op.spawn(w, op, ctx)
  w.tasks[op.at] = ctx.scope:task(function(s)
    return run_body(w, op.body, { id = op.at, scope = s })
  end, { daemon = op.daemon })
  return "started"
end

function do_op.go(w, op, ctx)
  w.tasks[op.at] = ctx.scope:go({ daemon = op.daemon }, function()
    return run_body(w, op.body, { id = op.at, scope = ctx.scope })
  end)
  return "started"
end

local function describe(value)
  if type(value) == "table" and not value.kind then return table.concat(value, ",") end
  if type(value) == "string" or type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  if value == nil then return "nil" end
  local subscribers = value.subscribers and ":" .. table.concat(value.subscribers, ",") or ""
  return value.kind .. subscribers .. (value.reached or "")
end

-- What a call has come to, as text.
local function outcome(ok, ...)
  if not ok then
    return "raised " .. (type((...)) == "string" and "misuse" or describe((...)))
  end
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = describe(parts[i]) end
  return table.concat(parts, " ")
end

-- A cancellation or a failure goes on unless this operation catches it; misuse
-- and what is said of a closed channel do not.
local function goes_on(op, ok, err)
  return not ok and not op.catch and op.name ~= "spawn" and op.name ~= "go"
    and type(err) == "table" and err.kind ~= "closed" and err.kind ~= "misuse"
end

local function perform(w, op, ctx)
  local function done(ok, ...)
    local text = outcome(ok, ...)
    w.log(("%g: %d.%d %s %s"):format(w.lib.now(), ctx.id, op.id, op.name, text))
    if op.name == "select" or op.name == "sel_wait" then
      w.chosen[op.id] = ok and math.type((...)) == "integer" and (...) or false
    end
    if goes_on(op, ok, (...)) then error((...), 0) end
  end
  done(pcall(do_op[op.name], w, op, ctx))
end

function run_body(w, body, ctx)
  for _, op in ipairs(body) do perform(w, op, ctx) end
  return "end"
end

-- How things are at the end.
local function note_state(w)
  for i, ch in ipairs(w.channels) do w.log(("channel %d has %d"):format(i, ch:size())) end
  for i, sem in ipairs(w.sems) do w.log(("sem %d has %d"):format(i, sem:available())) end
  for i, mutex in ipairs(w.mutexes) do
    w.log(("mutex %d: %s"):format(i, mutex:locked() and "held" or "free"))
  end
  for i, lock in ipairs(w.rwlocks) do
    local stats = lock:stats()
    w.log(("rwlock %d: %d readers, %s"):format(i, stats.readers, stats.writer))
  end
  for i, sub in ipairs(w.subs) do
    w.log(("sub %d has %d, dropped %d"):format(i, sub:size(), sub:dropped()))
  end
end

--- Runs the program on `lib`, by `run`, in a task: who registers a cleanup may
-- leave the opener of the scope with a lock in hand. Returns the log and the
-- choices.
function program.run(p, lib, run)
  local events, w = {}, nil
  local function log(text) table.insert(events, text) end
  local function play(s)
    run_body(w, p.body, { id = 0, scope = s })
    lib.sleep(1000)
    note_state(w)
    s:cancel()
    lib.yield()
  end
  run(function()
    w = make_objects(lib, p, log)
    w.log, w.chosen, w.p = log, {}, p
    log("end " .. outcome(pcall(lib.scope, {}, function(s)
      return s:task(function()
        log("left " .. outcome(pcall(lib.scope, {}, play)))
      end):await()
    end)))
  end)
  return events, w.chosen
end

-- Making smaller

-- Calls fn(body, i) for every operation; true from it stops.
local function each_operation(body, fn)
  for i = #body, 1, -1 do
    local op = body[i]
    if fn(body, i) then return true end
    if op.body and each_operation(op.body, fn) then return true end
    if op.cases and #op.cases > 1 and each_operation(op.cases, fn) then return true end
  end
end

-- Tries to leave the operation out, or to put its body in its place.
local function try_without(p, fails, body, i)
  local op = table.remove(body, i)
  if fails(p) then return true end
  if op.body and op.name ~= "spawn" then
    table.move(body, i, #body, i + #op.body)
    table.move(op.body, 1, #op.body, i, body)
    if fails(p) then return true end
    for _ = 1, #op.body do table.remove(body, i) end
  end
  table.insert(body, i, op)
  if not op.catch then return false end
  op.catch = false
  if fails(p) then return true end
  op.catch = true
  return false
end

--- Makes the program smaller as long as it fails: fails(p) -> boolean.
function program.shrink(p, fails)
  repeat
    local smaller = each_operation(p.body, function(body, i)
      return try_without(p, fails, body, i)
    end)
  until not smaller
  return p
end

-- Showing

local function describe_fields(op)
  local parts = {}
  for _, key in ipairs { "kind", "at", "value", "count", "on", "timeout", "shield", "goes_on",
    "daemon", "default", "ordered", "catch" } do
    local value = op[key]
    if value or key == "on" and value == false then
      table.insert(parts, key .. "=" .. tostring(value))
    end
  end
  if op.list then table.insert(parts, "{" .. table.concat(op.list, ",") .. "}") end
  for _, case in ipairs(op.cases or {}) do
    table.insert(parts, "{" .. describe_fields(case) .. "}")
  end
  return table.concat(parts, " ")
end

local function show_body(body, indent, lines)
  for _, op in ipairs(body) do
    table.insert(lines, ("%s%d %s %s"):format(indent, op.id, op.name, describe_fields(op)))
    if op.body then show_body(op.body, indent .. "  ", lines) end
  end
end

--- The program as text.
function program.show(p)
  local lines = {}
  for i, c in ipairs(p.channels) do
    table.insert(lines, ("channel %d: capacity %s, %s"):format(i, c.capacity, c.overflow))
  end
  for i, limit in ipairs(p.sems) do table.insert(lines, ("semaphore %d: %d"):format(i, limit)) end
  for i, c in ipairs(p.subs) do
    table.insert(lines, ("subscription %d of broadcast %d: buffer %s, %s"):format(i, c.of,
      c.capacity, c.overflow))
  end
  for i, op in ipairs(p.selectors) do
    table.insert(lines, ("selector %d: %s"):format(i, describe_fields(op)))
  end
  show_body(p.body, "", lines)
  return table.concat(lines, "\n")
end

return program
