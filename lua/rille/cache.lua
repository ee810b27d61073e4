--[[
cache.lua - values that are kept for a while, and loaded once.

An entry is the packed list of what `load` returned, and a link of a ring in
order of use; the ring's own link stands between the newest and the oldest:

    ring <-> used last <-> ... <-> used first <-> ring

so that finding, using and evicting are O(1). An entry lives twice:

    stored --- ttl ---> expires --- stale ---> dead

A stale one is what the others get while one caller loads anew, and what that
caller gets if it fails. The loads are flights: see flight.lua.
]]
local rille, core = ...

core.load "rille.flight"

local methods = {}

local new, state = core.class("cache", methods, function(cache)
  return ("%d entries"):format(cache.count)
end)

local read = core.options("cache", 1, {
  size = {"size", 1000},
  ttl = {"seconds", math.huge},
  stale = {"seconds", 0},
})

local function unlink(entry)
  entry.newer.older, entry.older.newer = entry.older, entry.newer
end

local function link_first(ring, entry)
  entry.newer, entry.older = ring, ring.older
  ring.older.newer, ring.older = entry, entry
end

local function touch(cache, entry)
  unlink(entry)
  link_first(cache.ring, entry)
end

local function remove(cache, key)
  local entry = cache.entries[key]
  if not entry then return end
  unlink(entry)
  cache.entries[key] = nil
  cache.count = cache.count - 1
end

local function store(cache, key, entry)
  remove(cache, key)
  entry.key, entry.expires = key, rille.now() + cache.ttl
  cache.entries[key] = entry
  link_first(cache.ring, entry)
  cache.count = cache.count + 1
  if cache.count > cache.size then
    remove(cache, cache.ring.newer.key)
    cache.evictions = cache.evictions + 1
  end
end

local function is_fresh(entry)
  return not core.reached(entry.expires)
end

-- Whether an entry that is not fresh may still stand in for a new value.
local function is_stale(cache, entry)
  return cache.stale > 0 and not core.reached(entry.expires + cache.stale)
end

local function use(cache, entry, counter)
  if core.trace_event then
    core.trace_event("cache.hit", "cache.stale", counter == "stale_hits")
  end
  cache[counter] = cache[counter] + 1
  touch(cache, entry)
  return table.unpack(entry, 1, entry.n)
end

-- A load has ended. What it returned is kept, but for nil: there is no value.
-- If it failed, a stale entry is everybody's outcome.
local function keep(cache, key, good, outcome)
  local entry = cache.entries[key]
  if good and outcome[1] ~= nil then
    store(cache, key, outcome)
  elseif good then
    remove(cache, key)
  elseif entry and is_stale(cache, entry) then
    cache.stale_hits = cache.stale_hits + 1
    touch(cache, entry)
    return entry
  end
end

-- The values for `key`, from the cache or from fn(...).
local function fetch(cache, key, fn, ...)
  core.checkpoint()
  local entry = cache.entries[key]
  if entry and is_fresh(entry) then return use(cache, entry, "hits") end
  if entry and not is_stale(cache, entry) then
    remove(cache, key)
  elseif entry and cache.group.flights[key] then
    return use(cache, entry, "stale_hits")
  end
  cache.misses = cache.misses + 1
  return core.fly(cache.group, key, fn, ...)
end

--- For other parts: as `cache:get`, but the values come from fn(...).
function core.cache_fetch(c, key, fn, ...)
  local cache = state(c, "get")
  core.check_key(key, "get")
  return fetch(cache, key, fn, ...)
end

--- Whether a value is a cache.
function core.is_cache(value)
  return (pcall(state, value, ""))
end

--- Makes a cache. Never suspends.
-- @function cache
-- @tparam[opt] table opts `size` (1000): entries at most, the least recently
-- used one is evicted; `ttl` (seconds, math.huge): how long a value is fresh;
-- `stale` (seconds, 0): how long after that it may stand in while a new one is
-- loaded, or cannot be
-- @return the cache
-- @usage local users = rille.cache{size = 500, ttl = 60, stale = 600}
function rille.cache(opts)
  local cache = read(opts)
  local ring = {}
  ring.newer, ring.older = ring, ring
  cache.ring, cache.entries, cache.count = ring, {}, 0
  cache.hits, cache.misses, cache.stale_hits, cache.evictions = 0, 0, 0, 0
  cache.group = core.flights("cache", function(key, good, outcome)
    return keep(cache, key, good, outcome)
  end)
  return new(cache)
end

--- The value of a key; if there is no fresh one, `load(key)` gives it, in the
-- task of the caller. Callers that come meanwhile wait and share its outcome,
-- or get the old value if that is but stale. If the caller that loads is
-- cancelled, the next one that waits loads. Suspends while it loads.
-- @function cache:get
-- @param key any value but nil and NaN
-- @tparam function load its results are kept, unless the first is nil
-- @return the results of `load`; or nil and an error when it failed, which is
-- never kept
-- @raise cancelled; deadlock where the `load` of that key has called
-- @usage local user, err = users:get(id, load_user)
function methods.get(c, key, load)
  local cache = state(c, "get")
  core.check_key(key, "get")
  core.check_function(load, "get", 2)
  return fetch(cache, key, load, key)
end

--- The value of a key if there is a fresh one; counts as no use. Never suspends.
-- @function cache:peek
-- @param key
-- @return the value, or nothing
function methods.peek(c, key)
  local cache = state(c, "peek")
  core.check_key(key, "peek")
  local entry = cache.entries[key]
  if entry and is_fresh(entry) then return table.unpack(entry, 1, entry.n) end
end

--- Gives a key a value. A load of it that is under way still serves those who
-- wait for it, but is not kept. Never suspends.
-- @function cache:set
-- @param key any value but nil and NaN
-- @param value anything but nil
function methods.set(c, key, value)
  local cache = state(c, "set")
  core.check_key(key, "set")
  core.check(value, "any", "set", 2)
  cache.group.flights[key] = nil
  store(cache, key, table.pack(value))
end

--- Forgets a key, and what a load of it that is under way will give. Never
-- suspends.
-- @function cache:forget
-- @param key
function methods.forget(c, key)
  local cache = state(c, "forget")
  core.check_key(key, "forget")
  cache.group.flights[key] = nil
  remove(cache, key)
end

--- Forgets every key. Never suspends.
-- @function cache:clear
function methods.clear(c)
  local cache = state(c, "clear")
  cache.group.flights, cache.entries, cache.count = {}, {}, 0
  cache.ring.newer, cache.ring.older = cache.ring, cache.ring
end

--- @function cache:stats
-- @treturn table `hits`: calls that got a fresh value; `stale`: that got an old
-- one; `misses`: that had to load or to wait for a load; `loads`; `evictions`;
-- `size`: entries, expired ones included; `loading`: loads under way
function methods.stats(c)
  local cache = state(c, "stats")
  return {hits = cache.hits, stale = cache.stale_hits, misses = cache.misses,
    loads = cache.group.runs, evictions = cache.evictions, size = cache.count,
    loading = core.count_flights(cache.group)}
end
