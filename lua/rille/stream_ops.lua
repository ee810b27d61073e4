--[[
stream_ops.lua - the operators that take the values as they come.

An operator is a function from the pull of what is upstream to a pull. Each
pulls no more than it needs for its next value. A user's function fails as any
does in rille: it raises, or returns nil or false and an error; then the
stream fails with that. To have a failure in a function's two results noticed
without a protected call for every value, each call reads `if err ~= nil then
check_result(...)`.
]]
local _, core = ...

local flow = core.load "rille.stream_flow"
local object = core.load "rille.stream_object"

local methods, derive, operator = object.methods, object.derive, object.operator
local check, check_result = core.check, flow.check_result

local function nothing() return nil end

-- One value for one, or none ------------------------------------------------

--- Passes on what `fn` makes of each value; nil drops it.
-- @function stream:map
-- @tparam function fn `fn(value)`
-- @return a stream
-- @usage rille.stream(words):map(string.upper)
function methods.map(st, fn)
  check(fn, "function", "map", 1)
  return operator(st, "map", function(pull)
    return function()
      for value in pull do
        local result, err = fn(value)
        if err ~= nil then check_result(result, err) end
        if result ~= nil then return result end
      end
    end
  end)
end

--- Passes on the values for which `fn` returns a true value.
-- @function stream:filter
-- @tparam function fn `fn(value)`
-- @return a stream
function methods.filter(st, fn)
  check(fn, "function", "filter", 1)
  return operator(st, "filter", function(pull)
    return function()
      for value in pull do
        local passes, err = fn(value)
        if err ~= nil then check_result(passes, err) end
        if passes then return value end
      end
    end
  end)
end

--- Calls `fn` for each value and passes the value on.
-- @function stream:tap
-- @tparam function fn `fn(value)`; its results are not used, unless it fails
-- @return a stream
function methods.tap(st, fn)
  check(fn, "function", "tap", 1)
  return operator(st, "tap", function(pull)
    return function()
      local value = pull()
      if value == nil then return nil end
      local result, err = fn(value)
      if err ~= nil then check_result(result, err) end
      return value
    end
  end)
end

--- The first n values; no more are pulled.
-- @function stream:take
-- @tparam integer n from 0
-- @return a stream
function methods.take(st, n)
  check(n, "count", "take", 1)
  return operator(st, "take", function(pull)
    local left = n
    return function()
      if left == 0 then return nil end
      left = left - 1
      return pull()
    end
  end)
end

--- The values up to the first for which `fn` does not return a true value.
-- @function stream:take_while
-- @tparam function fn `fn(value)`
-- @return a stream
function methods.take_while(st, fn)
  check(fn, "function", "take_while", 1)
  return operator(st, "take_while", function(pull)
    return function()
      local value = pull()
      if value == nil then return nil end
      local passes, err = fn(value)
      if err ~= nil then check_result(passes, err) end
      if passes then return value end
      return nil
    end
  end)
end

--- All but the first n values.
-- @function stream:skip
-- @tparam integer n from 0
-- @return a stream
function methods.skip(st, n)
  check(n, "count", "skip", 1)
  return operator(st, "skip", function(pull)
    local left = n
    return function()
      while left > 0 do
        left = left - 1
        if pull() == nil then return nil end
      end
      return pull()
    end
  end)
end

-- What can be no key of a table.
local NIL, NAN = {}, {}

--- Each value once: the first of those that are equal, or for which `key`
-- gives the same. Remembers every key.
-- @function stream:distinct
-- @tparam[opt] function key `key(value)`
-- @return a stream
function methods.distinct(st, key)
  if key ~= nil then check(key, "function", "distinct", 1) end
  return operator(st, "distinct", function(pull)
    local seen = {}
    return function()
      for value in pull do
        local k, err = value, nil
        if key then k, err = key(value) end
        if err ~= nil then check_result(k, err) end
        if k == nil then k = NIL elseif k ~= k then k = NAN end
        if not seen[k] then
          seen[k] = true
          return value
        end
      end
    end
  end)
end

-- Results so far -----------------------------------------------------------

--- Passes on every result of folding so far.
-- @function stream:scan
-- @tparam function fn `fn(result, value)` returns the next result; nil is not
-- passed on
-- @param[opt] initial the first result, which is not passed on itself; without
-- it that is the first value, which is
-- @return a stream
-- @usage rille.stream{1, 2, 3}:scan(function(a, b) return a + b end) -- 1, 3, 6
function methods.scan(st, fn, initial)
  check(fn, "function", "scan", 1)
  return operator(st, "scan", function(pull)
    local result, started = initial, initial ~= nil
    return function()
      for value in pull do
        local err
        if started then result, err = fn(result, value) else result = value end
        if err ~= nil then check_result(result, err) end
        started = true
        if result ~= nil then return result end
      end
    end
  end)
end

--- A stream of one value, the last that `scan` gives; of none if there is none.
-- @function stream:reduce
-- @tparam function fn `fn(result, value)`
-- @param[opt] initial as for `scan`; it is the value when nothing comes
-- @return a stream
function methods.reduce(st, fn, initial)
  object.check_self(st, "reduce")
  check(fn, "function", "reduce", 1)
  return operator(st:scan(fn, initial), "reduce", function(pull)
    local done = false
    return function()
      if done then return nil end
      done = true
      local last = initial
      for value in pull do last = value end
      return last
    end
  end)
end

--- Every n values that follow one another, as a list: first those from the
-- first on, then those from `step` further on. What does not fill a window at
-- the end is not passed on.
-- @function stream:window
-- @tparam integer n values in a window, from 1
-- @tparam[opt=1] integer step from 1
-- @return a stream of lists
-- @usage rille.stream{1, 2, 3}:window(2) -- {1, 2}, {2, 3}
function methods.window(st, n, step)
  check(n, "size", "window", 1)
  step = step == nil and 1 or step
  check(step, "size", "window", 2)
  return operator(st, "window", function(pull)
    local last, skip = {}, 0
    return function()
      for value in pull do
        if skip > 0 then
          skip = skip - 1
        else
          last[#last + 1] = value
        end
        if #last == n then
          skip = math.max(step - n, 0)
          local window = last
          last = table.move(window, step + 1, n, 1, {})
          return window
        end
      end
    end
  end)
end

-- Streams of streams -------------------------------------------------------

--- Passes on the values of what `fn` makes of each value, one after the other.
-- @function stream:flat_map
-- @tparam function fn `fn(value)` returns a list, a stream or anything else
-- that is a source; nil is an empty one
-- @return a stream
function methods.flat_map(st, fn)
  check(fn, "function", "flat_map", 1)
  return derive(st, "flat_map", function(run, part)
    local pull, branch, inner = part.open(run), run:branch(), nothing
    return function()
      while true do
        local value = inner()
        if value ~= nil then return value end
        branch:close()
        value = pull()
        if value == nil then return nil end
        local made, err = fn(value)
        if err ~= nil then check_result(made, err) end
        inner = made == nil and nothing or object.part(made, "flat_map").open(branch)
      end
    end
  end)
end

--- The values of this stream, then those of the others, in order. Each is
-- closed when it has ended, before the next is read.
-- @function stream:concat
-- @param ... sources
-- @return a stream
function methods.concat(st, ...)
  local others = object.parts("concat", ...)
  return derive(st, "concat", function(run, part)
    local branches, pulls, at = {}, {}, 1
    for i = #others, 0, -1 do
      branches[i + 1] = run:branch()
      pulls[i + 1] = (others[i] or part).open(branches[i + 1])
    end
    return function()
      while pulls[at] do
        local value = pulls[at]()
        if value ~= nil then return value end
        branches[at]:close()
        at = at + 1
      end
    end
  end, others)
end

--- Lists of one value of each stream. Ends with the shortest; the others are
-- closed then.
-- @function stream:zip
-- @param ... sources; they are read in this order
-- @return a stream of lists
-- @usage rille.stream{"a", "b"}:zip{1, 2} -- {"a", 1}, {"b", 2}
function methods.zip(st, ...)
  local others = object.parts("zip", ...)
  return derive(st, "zip", function(run, part)
    local pulls = {part.open(run)}
    for i, other in ipairs(others) do pulls[i + 1] = other.open(run) end
    return function()
      local list = {}
      for i, pull in ipairs(pulls) do
        local value = pull()
        if value == nil then return nil end
        list[i] = value
      end
      return list
    end
  end, others)
end

--- Passes the values on; when the stream fails, goes on with the values of what
-- `fn` makes of the error. The stream that failed is closed before.
-- @function stream:catch
-- @tparam function fn `fn(err)` returns a source, or nil to end
-- @return a stream
-- @usage prices:catch(function(err) log(err) return {last_price} end)
function methods.catch(st, fn)
  check(fn, "function", "catch", 1)
  return derive(st, "catch", function(run, part)
    local branch, caught = run:branch(), false
    local pull = part.open(branch)
    return function()
      if caught then return pull() end
      local ok, value = flow.attempt(pull)
      if ok then return value end
      caught = true
      branch:close(true)
      local made, err = fn(value)
      if err ~= nil then check_result(made, err) end
      pull = made == nil and nothing or object.part(made, "catch").open(branch)
      return pull()
    end
  end)
end
