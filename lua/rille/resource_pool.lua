--[[
resource_pool.lua - things that are dear to make, lent to one user at a time.

    create --> lent <--> idle --> destroy

A pool has `max` places; a resource takes one from before its creation until
after its destruction. Who finds nothing idle and no place free waits at a
channel without a buffer, where the next resource, or its place, is handed to
the first who waits; nobody else gets between.

Idle resources lie on a stack, so that those not needed are at the bottom. A
daemon, the keeper, sleeps until the first of them expires; it exists only
while some can.
]]
local rille, core = ...

core.load "rille.class"

local SLACK = 5e-10 -- half the clock's resolution, which arithmetic may lack
local PLACE = {} -- handed to a waiter: it may create

local methods = {}

local function describe(pool)
  return ("%d of %g (%d idle%s)"):format(pool.size, pool.max, #pool.idle,
    pool.closed and ", closed" or "")
end

local new_pool, state_of, meta = core.class("resource_pool", methods, describe)

-- Making and destroying

local function free_place(pool)
  if not pool.hand:try_send(PLACE) then pool.size = pool.size - 1 end
end

-- In a handler, so that destroying may wait in a task that is cancelled.
local function destroy(pool, value)
  local _ <close> = setmetatable({}, {__close = function() pool.destroy(value) end})
end

-- Destroys a resource, keeping its place.
local function retire(pool, record)
  pool.destroyed = pool.destroyed + 1
  if pool.destroy then destroy(pool, record.value) end
end

-- Destroys a resource and frees its place.
local function remove(pool, record)
  local ok, err = xpcall(retire, core.note_traceback, pool, record)
  free_place(pool)
  if not ok then error(err, 0) end
end

-- A new resource in a place that is taken; or what `create` has returned for
-- its failure.
local function make(pool)
  local ok, value, err = xpcall(pool.create, core.note_traceback)
  if ok and value then
    pool.created = pool.created + 1
    return {value = value, born = rille.now(), number = pool.created, lent = 0}
  end
  free_place(pool)
  if not ok then error(value, 0) end
  return nil, err == nil and core.error("invalid", "create returned no resource") or err
end

-- Expiry

local function expires(pool, record)
  local time = record.born + pool.max_lifetime
  if pool.size > pool.min then time = math.min(time, record.since + pool.idle_timeout) end
  return time
end

-- The idle resource that expires first, its place on the stack, and when.
local function first_to_expire(pool)
  local found, place, due = nil, nil, math.huge
  for i, record in ipairs(pool.idle) do
    local time = expires(pool, record)
    if time < due then found, place, due = record, i, time end
  end
  return found, place, due
end

local start_keeper

-- When `destroy` has raised in it, another one keeps the rest.
local Keeper = {__close = function(keeper, err)
  local pool = keeper.pool
  pool.keeping = false
  if err == nil or rille.is_cancellation(err) or pool.scope:cancelled() then return end
  if pool.idle[1] then start_keeper(pool) end
end}

-- The keeper.
local function keep(pool)
  local _ <close> = setmetatable({pool = pool}, Keeper)
  local record, place, due = first_to_expire(pool)
  while record do
    local left = due - rille.now()
    if left <= SLACK then
      table.remove(pool.idle, place)
      remove(pool, record)
    else
      pool.due = due
      rille.select({{pool.wake}}, {timeout = left})
    end
    record, place, due = first_to_expire(pool)
  end
end

function start_keeper(pool)
  pool.keeping = true
  pool.scope:go({name = "keeper", daemon = true}, keep, pool)
end

local function wake_keeper(pool, record)
  local due = expires(pool, record)
  if due == math.huge or pool.scope:cancelled() then return end
  if not pool.keeping then
    start_keeper(pool)
  elseif due < pool.due then
    pool.wake:try_send(true)
  end
end

-- Lending

local function closed_error() return core.error("closed", "the resource pool is closed") end

local function is_valid(pool, record)
  local now = rille.now()
  if record.born + pool.max_lifetime <= now + SLACK then return false end
  if not pool.validate then return true end
  local ok, valid = pcall(pool.validate, record.value)
  if ok or not rille.is_cancellation(valid) then return ok and valid end
  remove(pool, record)
  error(valid, 0)
end

-- A resource that is good: this one, or a new one in its place.
local function freshen(pool, record)
  if is_valid(pool, record) then return record end
  local ok, err = xpcall(retire, core.note_traceback, pool, record)
  if ok then return make(pool) end
  free_place(pool)
  error(err, 0)
end

-- Takes a resource out of the pool: idle, new, or handed over.
local function take(pool)
  local record = table.remove(pool.idle)
  if record then return freshen(pool, record) end
  if pool.size < pool.max then
    pool.size = pool.size + 1
    return make(pool)
  end
  record = pool.hand:recv()
  if record == nil then return nil, closed_error() end
  if record == PLACE then return make(pool) end
  return freshen(pool, record)
end

-- The same, in time. What was taken counts, even if the time was over then.
local function take_in_time(pool)
  local seconds = pool.acquire_timeout
  if seconds == math.huge then return take(pool) end
  local taken = {}
  rille.timeout(seconds, function() taken = table.pack(take(pool)) end)
  if taken.n then return table.unpack(taken, 1, taken.n) end
  return nil, core.error("timeout", ("no resource was to be had in %g s"):format(seconds))
end

local function lend(pool)
  core.checkpoint()
  if pool.closed then return nil, closed_error() end
  local record, err = take_in_time(pool)
  if not record then return nil, err end
  if pool.closed then
    remove(pool, record)
    return nil, closed_error()
  end
  record.lent, record.same = record.lent + 1, pool.lent[record.value]
  pool.lent[record.value], pool.lent_count = record, pool.lent_count + 1
  return record
end

local function take_back(pool, record)
  local value = record.value
  if pool.lent[value] == record then
    pool.lent[value] = record.same
  else -- one of several equal values
    local other = pool.lent[value]
    while other.same ~= record do other = other.same end
    other.same = record.same
  end
  pool.lent_count, record.lent = pool.lent_count - 1, record.lent + 1
end

local function put_back(pool, record)
  take_back(pool, record)
  if pool.closed or record.born + pool.max_lifetime <= rille.now() + SLACK then
    return remove(pool, record)
  end
  record.since = rille.now()
  if pool.hand:try_send(record) then return end
  pool.idle[#pool.idle + 1] = record
  wake_keeper(pool, record)
end

-- The end

-- Removes the resources of a list, the last one first; the first error is
-- raised in the end.
local function remove_all(pool, records)
  local failed, first = false, nil
  while #records > 0 do
    local ok, err = pcall(remove, pool, table.remove(records))
    if not ok and not failed then failed, first = true, err end
  end
  if failed then error(first, 0) end
end

local function close(pool)
  pool.closed = true
  pool.hand:close()
  pool.deferred.pool = pool.lent_count > 0 and pool or nil
  remove_all(pool, pool.idle)
end

-- The scope ends: so do the resources that nobody has given back.
local function end_with_scope(deferred)
  local pool = deferred.pool
  if not pool then return end
  local left = pool.idle
  for _, record in pairs(pool.lent) do
    while record do
      left[#left + 1] = record
      record = record.same
    end
  end
  table.sort(left, function(a, b) return a.number < b.number end)
  pool.lent, pool.lent_count, pool.ended = {}, 0, true
  close(pool)
end

--- Resource pools.
-- @type resource_pool

local Loan = {__close = function(loan)
  local record = loan.record
  if not loan.pool.ended and record.lent == loan.lent then put_back(loan.pool, record) end
end}

--- Lends a resource to a function. Suspends until there is one, and as `fn`
-- does; those who wait are served in order.
-- @function resource_pool:with
-- @tparam function fn is called with the resource
-- @param ... more arguments
-- @return the results of `fn`; or nil and an error of kind `timeout` or
-- `closed`, or that which `create` returned
-- @raise what `fn` or `create` raises; cancelled
-- @usage local rows = pool:with(function(db) return db:query(text) end)
function methods.with(object, fn, ...)
  local pool = state_of(object, "with")
  core.check(fn, "function", "with", 1)
  local record, err = lend(pool)
  if not record then return nil, err end
  local _ <close> = setmetatable({pool = pool, record = record, lent = record.lent}, Loan)
  return fn(record.value, ...)
end

--- Takes a resource, which is to be released. Suspends as `with` does.
-- @function resource_pool:acquire
-- @return the resource; or nil and an error, as `with`
-- @raise what `create` raises; cancelled
function methods.acquire(object)
  local record, err = lend(state_of(object, "acquire"))
  if record then return record.value end
  return nil, err
end

-- What is to be given back; nil after the end of the pool's scope.
local function find_lent(pool, resource, name)
  local record = resource ~= nil and pool.lent[resource]
  if record or pool.ended then return record or nil end
  core.arg_error(name, 1, "not a resource that this pool has lent")
end

--- Gives a resource back. Suspends only if it must be destroyed.
-- @function resource_pool:release
-- @param resource
-- @raise for what the pool has not lent
function methods.release(object, resource)
  local pool = state_of(object, "release")
  local record = find_lent(pool, resource, "release")
  if record then put_back(pool, record) end
end

--- Gives a resource back that is no good any more: it is destroyed. Suspends
-- as `destroy` does.
-- @function resource_pool:discard
-- @param resource
-- @raise for what the pool has not lent
function methods.discard(object, resource)
  local pool = state_of(object, "discard")
  local record = find_lent(pool, resource, "discard")
  if not record then return end
  take_back(pool, record)
  remove(pool, record)
end

--- Ends the pool: it lends nothing more, and those who wait are told so. What is
-- idle is destroyed now, what is lent when it is given back. Suspends as
-- `destroy` does.
-- @function resource_pool:close
function methods.close(object) close(state_of(object, "close")) end

meta.__close = methods.close

--- Never suspends.
-- @function resource_pool:stats
-- @treturn table `size` (places taken), `max`, `idle`, `lent`, `waiting`,
-- `created`, `destroyed`
function methods.stats(object)
  local pool = state_of(object, "stats")
  return {
    size = pool.size, max = pool.max, idle = #pool.idle, lent = pool.lent_count,
    waiting = pool.hand:stats().receivers, created = pool.created, destroyed = pool.destroyed,
  }
end

local read_options = core.options("resource_pool", 1, {
  create = "function",
  destroy = "function",
  validate = "function",
  min = {"count", 0},
  max = {"size", 10},
  idle_timeout = {"seconds", math.huge},
  max_lifetime = {"seconds", math.huge},
  acquire_timeout = {"seconds", math.huge},
})

-- Makes the first `min`; or returns nil and an error, and the pool is gone.
local function fill(pool)
  for _ = 1, pool.min do
    pool.size = pool.size + 1
    local ok, record, err = xpcall(make, core.note_traceback, pool)
    if not (ok and record) then
      close(pool)
      if ok then return nil, err end
      error(record, 0)
    end
    record.since = rille.now()
    table.insert(pool.idle, record)
    wake_keeper(pool, record)
  end
  return true
end

--- Makes a pool of resources. It belongs to the innermost scope: when that
-- ends, after its tasks, all are destroyed. Suspends only to make `min`.
-- @function resource_pool
-- @tparam table opts `create()` (returns a resource, or fails; required),
-- `destroy(resource)`, `validate(resource)` (whether it can be lent again),
-- `min` (made at once and kept; default 0), `max` (default 10), in seconds and
-- by default math.huge: `idle_timeout` (an idle one beyond `min` is destroyed
-- after that), `max_lifetime` (one older is destroyed when idle),
-- `acquire_timeout`
-- @return the pool; nil and an error when `create` fails so
-- @raise what `create` raises
-- @usage local pool = rille.resource_pool{create = connect, destroy = hang_up}
function rille.resource_pool(opts)
  core.check(opts, "table", "resource_pool", 1)
  local pool = read_options(opts)
  if not pool.create then core.arg_error("resource_pool", 1, "option 'create' is missing") end
  if pool.min > pool.max or pool.min == math.huge then
    core.arg_error("resource_pool", 1, "option 'min': a whole number up to 'max' expected")
  end
  pool.scope = core.innermost_scope "resource_pool"
  pool.idle, pool.lent, pool.hand, pool.wake = {}, {}, rille.channel(), rille.channel()
  pool.size, pool.lent_count, pool.created, pool.destroyed, pool.due = 0, 0, 0, 0, math.huge
  pool.deferred = {pool = pool}
  pool.scope:defer(end_with_scope, pool.deferred)
  local ok, err = fill(pool)
  if not ok then return nil, err end
  return new_pool(pool)
end
