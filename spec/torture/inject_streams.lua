-- What inject_spec.lua interrupts at every point, continued: streams. `t` is
-- inject.lua's tracker. Sources wait before a value and in their close; each
-- that was opened must be closed once.
local rille = require "rille"

local stream = rille.stream

local scenarios = {}

-- An object with recv and close that gives 1 to n.
local function new_source(t, n, fails_at)
  local i, state = 0, { opened = 0, closed = 0 }
  t.after(function(raised)
    if state.closed > state.opened or not raised and state.closed < state.opened then
      return ("a source: %d opened, %d closed"):format(state.opened, state.closed)
    end
  end)
  state.opened = 1
  return {
    recv = function()
      local _ <close> = t()
      i = i + 1
      if i > n then return nil end
      rille.sleep(i % 2 / 8)
      if i == fails_at then error("source", 0) end
      return i
    end,
    close = function()
      state.closed = state.closed + 1
      local _ <close> = t()
      rille.sleep(0.125)
    end,
  }
end

local function slow(t)
  return function(v)
    local _ <close> = t(function() rille.yield() end)
    rille.sleep(v % 3 / 8)
    return v
  end
end

-- Runs make(source) -> stream, to its end. What fails of itself is "source".
local function scenario(make)
  return function(t)
    local _ <close> = t()
    local st = make(t, function(...) return new_source(t, ...) end)
    local ok, err = pcall(st.each, st, slow(t))
    if not ok and err ~= "source" then error(err, 0) end
  end
end

scenarios.stream_operators = scenario(function(t, source)
  return stream(source(4)):map(slow(t)):filter(function(v) return v ~= 2 end)
    :flat_map(function(v) return { v, v } end):scan(function(a, v) return a + v end, 0)
    :distinct():take(4)
end)

scenarios.stream_map_parallel = scenario(function(t, source)
  return stream(source(5)):map_parallel(2, slow(t))
end)

scenarios.stream_map_parallel_unordered = scenario(function(t, source)
  return stream(source(5)):map_parallel(3, slow(t), { ordered = false }):take(4)
end)

scenarios.stream_window = scenario(function(_, source)
  return stream(source(5)):window(3):map(function(list) return #list end)
end)

scenarios.stream_batch_in_time = scenario(function(_, source)
  return stream(source(5)):batch(2, 0.125):map(function(list) return #list end)
end)

scenarios.stream_debounce = scenario(function(_, source)
  return stream(source(5)):debounce(0.125)
end)

scenarios.stream_throttle_and_timeout = scenario(function(_, source)
  return stream(source(5)):throttle(0.125):timeout(0.5)
end)

scenarios.stream_timeout_that_fires = function(t)
  local _ <close> = t()
  local st = stream(new_source(t, 3)):map(function(v) rille.sleep(0.5) return v end):timeout(0.25)
  local ok, err = pcall(st.count, st)
  if not ok and not rille.is_error(err, "timeout") then error(err, 0) end
end

scenarios.stream_retry = scenario(function(t, source)
  local tries = 0
  return stream { open = function()
    local _ <close> = t()
    tries = tries + 1
    return source(3, tries < 3 and 2 or nil)
  end }:retry { delay = 0.125, max_retries = 5 }
end)

scenarios.stream_merge = scenario(function(t, source)
  return stream(source(3)):merge(source(2), stream(source(3)):map(slow(t)))
end)

scenarios.stream_zip = scenario(function(t, source)
  return stream(source(4)):zip(source(3), stream(source(3)):map(slow(t)))
    :map(function() return 1 end)
end)

scenarios.stream_concat_and_catch = scenario(function(t, source)
  return stream(source(2)):concat(source(3, 2)):catch(function()
    local _ <close> = t()
    rille.yield()
    return source(2)
  end)
end)

function scenarios.stream_to_channel(t)
  rille.scope(function()
    local _ <close> = t()
    local ch <close> = stream(new_source(t, 4)):map(slow(t)):to_channel(1)
    for _ in ch do
      local _ <close> = t()
      rille.sleep(0.125)
    end
  end)
end

-- Loops that are left, the inner one in each round. (A `break` must not stand
-- where a `<close>` variable of the body is visible: Lua 5.4.4 then forgets to
-- close the iterator.)
function scenarios.stream_loops(t)
  local _ <close> = t()
  local body = slow(t)
  for v in stream(new_source(t, 3)):map_parallel(2, slow(t)):iter() do
    for w in stream(new_source(t, 3)):merge(new_source(t, 2)):iter() do
      if body(w) == v then break end
    end
  end
end

-- A stream of a scope that is left with it, unread and half-read.
function scenarios.stream_of_a_scope(t)
  rille.scope(function(s)
    local _ <close> = t()
    s:stream(new_source(t, 2))
    local st = s:stream(new_source(t, 4)):map_parallel(2, slow(t))
    for v in st do
      local _ <close> = t()
      if v == 2 then break end
    end
    s:go(function() local _ <close> = t() rille.sleep(0.25) end)
  end)
end

return scenarios
