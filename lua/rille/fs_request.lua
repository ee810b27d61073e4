--[[
fs_request.lua - file requests: on libuv's threads, where little can be stopped.

A request that has begun goes on whoever waits for it, and it may bring
something: an open descriptor, a directory. So a task that is cancelled waits
until the request is over, out of reach of the cancellation, and what it has
brought is released. Only for one that hangs, as opening a FIFO can, it does
not wait for ever: then the release comes whenever the request ends.
]]
local rille, core = ...

core.load "rille.uv"

local uv = rille.uv()

-- Seconds that a cancelled task waits for its request.
local GRACE = 5

-- The other values a request has brought are of no use to anybody now.
local function abandon(request, over)
  pcall(uv.cancel, request)
  rille.shield(GRACE, over.recv, over)
end

--- Calls a luv function that takes a callback last, as rille.uv_call does.
-- `release` gets what the request brings if the task is cancelled; it is
-- called from a callback, so it must not wait.
-- request(what, release, fn, ...) -> values, or nil and an error of kind `io`
function core.request(what, release, fn, ...)
  local arguments = table.pack(...)
  local n = arguments.n + 1
  local function start(resolve)
    local over
    arguments[n] = function(err, ...)
      if not over then return resolve(err, ...) end
      if not err and release then release(...) end
      over:close()
    end
    local request, err = fn(table.unpack(arguments, 1, n))
    if not request then return resolve(err) end
    return function()
      over = rille.channel()
      abandon(request, over)
    end
  end
  return core.settle(what, rille.await(start))
end

--- What a callback got, as the values of a call. `what` is told unless luv
-- tells it.
function core.settle(what, err, ...)
  if err and tostring(err):find(what, 1, true) then what = nil end
  if err then return nil, core.io_error(err, what) end
  if select("#", ...) == 0 then return true end
  return ...
end
