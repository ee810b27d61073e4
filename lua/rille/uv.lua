--[[
uv.lua - luv's functions as calls that suspend the task.

luv tells of a failure in three ways: a function returns nil, "ENOENT: text" and
"ENOENT"; a callback gets "ENOENT: text", or "ENOENT" alone. Here each becomes
one error object of kind `io`, with the name as its `code`.
]]
local rille, core = ...

-- What libuv says of the names that come without a text.
local texts = {
  EACCES = "permission denied",
  EADDRINUSE = "address already in use",
  EADDRNOTAVAIL = "address not available",
  EAI_AGAIN = "temporary failure of name resolution",
  EAI_FAIL = "permanent failure of name resolution",
  EAI_NODATA = "no address",
  EAI_NONAME = "unknown host or service",
  ECANCELED = "operation cancelled",
  ECONNABORTED = "connection aborted",
  ECONNREFUSED = "connection refused",
  ECONNRESET = "connection reset by peer",
  EHOSTUNREACH = "host is unreachable",
  EINVAL = "invalid argument",
  EMFILE = "too many open files",
  ENETUNREACH = "network is unreachable",
  ENOENT = "no such file or directory",
  ENOTCONN = "socket is not connected",
  EPIPE = "broken pipe",
  ETIMEDOUT = "connection timed out",
}

--- For other parts: the error object for what luv has told. `what` (optional)
-- says what was tried: "connect to example.org:80".
function core.io_error(err, what)
  if rille.is_error(err) then
    if not what or err.kind ~= "io" then return err end
    return core.error("io", what .. ": " .. err.message, {code = err.code})
  end
  local code, text = tostring(err):match "^([%u%d_]+):?%s*(.-):?%s*$" -- the name may be missing
  if not code then code, text = "EUNKNOWN", tostring(err) end
  if text == "" then text = texts[code] or "system error" end
  local message = ("%s (%s)"):format(text, code)
  return core.error("io", what and what .. ": " .. message or message, {code = code})
end

local function settle(err, ...)
  if err then return nil, core.io_error(err) end
  if select("#", ...) == 0 then return true end
  return ...
end

--- Calls a luv function that takes a callback as its last argument, without
-- one, and suspends until luv would call it. If the task is cancelled, so is
-- the request, where libuv can do that: files, names; what it brings
-- otherwise is dropped, so give a connection's handle a `<close>`.
-- @function uv_call
-- @tparam function fn such as `uv.fs_stat`, `uv.getaddrinfo`, `uv.tcp_connect`
-- @param ... its arguments but for the callback
-- @return what the callback gets after `err`, or true if that is nothing; nil
-- and an error of kind `io`, with `code` ("ENOENT"), when it failed
-- @raise cancelled; what `fn` raises for wrong arguments
-- @usage local stat, err = rille.uv_call(uv.fs_stat, "rille.conf")
function rille.uv_call(fn, ...)
  core.check_function(fn, "uv_call", 1)
  local arguments = table.pack(...)
  return settle(rille.await(function(resolve)
    local n = arguments.n + 1
    arguments[n] = resolve
    local request, err = fn(table.unpack(arguments, 1, n))
    if not request then return resolve(err) end
    return function() pcall(rille.uv().cancel, request) end
  end))
end
